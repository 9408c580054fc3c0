"""What the film maker promises: known pictures at known times."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.media import film
from scenewise.media.film import FilmSettings, Sound
from scenewise.media.subtitles import read_embedded


@given(st.integers(0, 2**16 - 1))
def test_a_barcode_can_be_read_back(number: int) -> None:
    assert film.read_barcode(film.barcode_picture(number, 96, 32)) == number


def test_a_torn_barcode_is_noticed() -> None:
    torn = film.barcode_picture(5).copy()
    torn[120:] = film.barcode_picture(6)[120:]
    with pytest.raises(ValueError, match="disagree"):
        film.read_barcode(torn)


@pytest.mark.parametrize("number", [-1, 2**16])
def test_a_number_that_does_not_fit(number: int) -> None:
    with pytest.raises(ValueError, match="a barcode holds"):
        film.barcode_picture(number)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize("start", [0.0, 2.5])
def test_frames_stand_where_they_were_put(tmp_path: Path, name: str, start: float) -> None:
    path = tmp_path / name
    count = film.write_film(
        path, film.barcode_pictures(10, 64, 48), FilmSettings(start_seconds=start)
    )
    assert count == 10
    with av.open(str(path)) as container:
        times = [frame.time for frame in container.decode(video=0)]
    # a transport stream begins a little later than zero, by its decoder's delay
    assert times[0] == pytest.approx(start, abs=0.1)
    assert np.diff(times) == pytest.approx([0.04] * 9, abs=2e-3)


def test_uneven_times(tmp_path: Path) -> None:
    path = tmp_path / "vfr.mp4"
    times = [0.0, 0.1, 0.15, 0.4, 0.401]
    film.write_film(path, film.barcode_pictures(5, 64, 48), times=times)
    with av.open(str(path)) as container:
        assert [frame.time for frame in container.decode(video=0)] == pytest.approx(times, abs=1e-4)


def test_a_copied_cut_hides_what_comes_before(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole.mp4", tmp_path / "cut.mp4"
    film.write_film(whole, film.barcode_pictures(60, 64, 48), FilmSettings(gop=20))
    film.copy_cut(whole, cut, 1.0)  # frame 25; the keyframe before it is number 20
    with av.open(str(cut)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
    assert len(packets) == 40
    assert sum(packet.is_discard for packet in packets) == 5


def test_sound_is_written(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    samples = np.zeros((2, 44_100), np.float32)
    film.write_film(path, film.barcode_pictures(25, 64, 48), sound=Sound(samples))
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.layout.nb_channels == 2


def test_the_container_can_be_named_where_the_suffix_does_not(tmp_path: Path) -> None:
    path = tmp_path / "film.part"
    film.write_film(path, film.barcode_pictures(3, 64, 48), FilmSettings(container="mp4"))
    with av.open(str(path)) as container:
        assert "mp4" in container.format.name
        assert sum(1 for _ in container.decode(video=0)) == 3


@pytest.mark.parametrize("start", [0.0, 2.0])
def test_texts_become_a_track_inside(tmp_path: Path, start: float) -> None:
    path = tmp_path / "told.mp4"
    texts = [(0.1, 0.3, "Une fenêtre."), (0.5, 0.9, "Two\nlines.")]
    settings = FilmSettings(start_seconds=start)
    film.write_film(path, film.barcode_pictures(25, 64, 48), settings, texts=texts)
    (track,) = read_embedded(path)
    found = [(cue.start, cue.end, cue.text) for cue in track.cues]
    for (first, last, words), wanted in zip(found, texts, strict=True):
        assert (first, last) == pytest.approx(wanted[:2], abs=2e-3)
        assert words == wanted[2]


def test_a_film_needs_a_frame(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        film.write_film(tmp_path / "none.mp4", [])


def test_a_pan_begins_and_ends_at_its_boxes() -> None:
    photograph = film.noise_picture(1, 400, 400)
    frames = list(
        film.pan(photograph, 1.0, (0, 0, 0.5, 0.5), (0.5, 0.5, 1, 1), width=80, height=80)
    )
    assert len(frames) == 25
    assert (
        np.abs(
            frames[0].astype(int) - photograph[2:200:5, 2:200:5].repeat(2, 0).repeat(2, 1)
        ).mean()
        < 12
    )
    assert np.abs(frames[-1].astype(int)[:, :, 0].mean() - photograph[200:, 200:, 0].mean()) < 2


def test_equal_seeds_give_equal_pictures() -> None:
    assert np.array_equal(film.noise_picture(7), film.noise_picture(7))
    assert not np.array_equal(film.noise_picture(7), film.noise_picture(8))


def test_frame_rates_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "ntsc.mp4"
    rate = Fraction(30000, 1001)
    film.write_film(path, film.barcode_pictures(30, 64, 48), FilmSettings(frame_rate=rate))
    with av.open(str(path)) as container:
        assert container.streams.video[0].average_rate == rate
