"""Clips: first and last frame, sound in step, sizes, reels; on films that carry their numbers."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
import pytest

from scenewise.errors import (
    MediaError,
    MissingStreamError,
    StorageError,
    UnreadableMediaError,
    UsageError,
)
from scenewise.media import audio
from scenewise.media.clips import Clip, CutMode, Span, cut, join, name_clips
from scenewise.media.decode import VideoReader
from scenewise.media.film import (
    FilmSettings,
    Sound,
    barcode_pictures,
    noise_picture,
    read_barcode,
    write_film,
)
from scenewise.media.probe import probe
from scenewise.media.target import Target

RATE = 48_000
WHOLE = Target(mode="original")


def beeps(seconds: float, times: tuple[float, ...]) -> npt.NDArray[np.float32]:
    """Pulses of 2 ms whose middle stands at the given times, (1, n)."""
    clock = np.arange(round(seconds * RATE)) / RATE
    pulses = [np.exp(-(((clock - at) / 0.0005) ** 2)) for at in times]
    wave: npt.NDArray[np.float32] = (0.8 * np.sum(pulses, axis=0)).astype(np.float32)[None]
    return wave


def heard(path: Path) -> list[float]:
    """Middles of such pulses, seconds."""
    samples = audio.read(path)
    loud = np.flatnonzero(samples > 0.2)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > 50) + 1)
    return [float(np.average(group, weights=samples[group])) / 16_000 for group in groups]


def numbers(path: Path) -> list[int]:
    """The barcode of every frame that a clip shows."""
    with VideoReader(path) as reader:
        times = reader.frame_times
        assert times is not None
        return [read_barcode(frame.image) for frame in reader.read(times.tolist(), WHOLE)]


def size_of(path: Path) -> tuple[int, int]:
    """Stored width and height, and that pixels are square."""
    video = probe(path).video
    assert video is not None
    assert video.pixel_aspect == 1
    return video.width, video.height


@dataclass(frozen=True)
class Source:
    path: Path
    times: npt.NDArray[np.float64]  # instant of frame n


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    """Films of 4 seconds: picture n carries n; pulses at 0.5, 1.5, 2.5, 3.5 s."""
    folder = tmp_path_factory.mktemp("films")
    sound = Sound(beeps(4.0, (0.5, 1.5, 2.5, 3.5)), RATE)
    made = {}
    for name, settings, rate in (
        ("cfr.mp4", FilmSettings(gop=30, b_frames=3), Fraction(25)),
        ("ntsc.mkv", FilmSettings(frame_rate=Fraction(24000, 1001), gop=40), Fraction(24000, 1001)),
        ("late.mp4", FilmSettings(start_seconds=2.5, gop=30), Fraction(25)),
        ("stream.ts", FilmSettings(gop=30), Fraction(25)),
    ):
        path = folder / name
        count = int(4 * rate)
        write_film(path, barcode_pictures(count, 160, 120), settings, sound=sound)
        made[name] = Source(path, np.array([float(n / rate) for n in range(count)]))
    rng = np.random.default_rng(4)
    times = np.cumsum(rng.uniform(0.01, 0.08, 88)) - 0.01
    times = np.round((times - times[0]) * 1000) / 1000
    path = folder / "vfr.mp4"
    write_film(path, barcode_pictures(88, 160, 120), FilmSettings(gop=30), times=times.tolist(),
               sound=sound)  # fmt: skip
    made["vfr.mp4"] = Source(path, times)
    return made


@pytest.mark.parametrize("name", ["cfr.mp4", "ntsc.mkv", "late.mp4", "stream.ts", "vfr.mp4"])
@pytest.mark.parametrize(("start", "end"), [(0.0, 0.7), (1.2, 2.76), (1.01, 1.6), (2.0, 9.0)])
def test_an_exact_clip_holds_exactly_the_frames_of_its_span(
    films: dict[str, Source], tmp_path: Path, name: str, start: float, end: float
) -> None:
    source = films[name]
    # containers round times to a millisecond or to 1/90000 s: 2 ms decide nothing here
    assert not np.any((np.abs(source.times - end) < 0.002) & (source.times != end))
    clip = cut(Span(source.path, start, end), tmp_path / "clip.mp4")
    wanted = np.flatnonzero((source.times >= start - 0.001) & (source.times < end - 0.001))
    assert numbers(clip.path) == wanted.tolist()
    first = float(source.times[wanted[0]])
    assert clip.start == pytest.approx(first, abs=0.002)
    inside = [at - first for at in (0.5, 1.5, 2.5, 3.5) if first + 0.01 < at < end - 0.05]
    assert heard(clip.path) == pytest.approx(inside, abs=0.003)
    with av.open(str(clip.path)) as container:
        stream = container.streams.video[0]
        assert stream.duration is not None
        assert stream.time_base is not None
        length = float(stream.duration * stream.time_base)
    # an mp4 adds up its length in the order of decoding: irregular frames shift it by some ms
    assert length == pytest.approx(clip.end - clip.start, abs=0.02 if name == "vfr.mp4" else 0.001)
    with VideoReader(clip.path) as reader:
        assert reader.frame_times == pytest.approx(source.times[wanted] - first, abs=0.002)


@pytest.mark.parametrize("name", ["cfr.mp4", "ntsc.mkv", "late.mp4", "stream.ts", "vfr.mp4"])
def test_the_ffmpeg_program_shows_the_same_frames(
    films: dict[str, Source], tmp_path: Path, ffmpeg_program: str, name: str
) -> None:
    times = films[name].times
    clip = cut(Span(films[name].path, 1.2, 2.76), tmp_path / "clip.mp4")
    done = subprocess.run(
        [
            *(ffmpeg_program, "-v", "error", "-i", str(clip.path), "-fps_mode", "passthrough"),
            *("-f", "rawvideo", "-pix_fmt", "rgb24", "-"),
        ],
        capture_output=True,
        check=True,
    )
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(-1, 120, 160, 3)
    wanted = np.flatnonzero((times >= 1.2 - 0.001) & (times < 2.76 - 0.001))
    assert [read_barcode(picture) for picture in pictures] == wanted.tolist()


def test_a_clip_is_a_common_mp4_with_its_index_first(
    films: dict[str, Source], tmp_path: Path
) -> None:
    clip = cut(Span(films["cfr.mp4"].path, 1.0, 2.0), tmp_path / "new" / "clip.mp4")
    info = probe(clip.path)
    assert info.video is not None
    assert (info.video.codec, info.video.pixel_format) == ("h264", "yuv420p")
    assert (info.video.frame_rate, info.video.variable_frame_rate) == (Fraction(25), False)
    assert [stream.codec for stream in info.audio] == ["aac"]
    data = clip.path.read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")
    assert [path.name for path in clip.path.parent.iterdir()] == ["clip.mp4"]


def test_a_span_between_two_frames_gives_the_one_that_is_shown(
    films: dict[str, Source], tmp_path: Path
) -> None:
    clip = cut(Span(films["cfr.mp4"].path, 1.01, 1.02), tmp_path / "clip.mp4")
    assert numbers(clip.path) == [25]


@pytest.mark.parametrize("name", ["cfr.mp4", "ntsc.mkv", "late.mp4", "stream.ts"])
def test_a_copied_clip_begins_at_the_keyframe_before_and_says_so(
    films: dict[str, Source], tmp_path: Path, name: str
) -> None:
    source = films[name]
    gop = 40 if name == "ntsc.mkv" else 30
    begin = gop * (int(np.searchsorted(source.times, 1.9)) // gop)
    clip = cut(Span(source.path, 1.9, 2.7), tmp_path / "clip.mp4", mode="copy")
    assert clip.start == pytest.approx(source.times[begin], abs=0.002)
    found = numbers(clip.path)
    last = int(np.searchsorted(source.times, 2.7)) - 1
    assert found[: last - begin + 1] == list(range(begin, last + 1))
    assert len(found) <= last - begin + 1 + 4  # a few that others refer to
    first = float(source.times[begin])
    assert heard(clip.path)[:1] == pytest.approx([1.5 - first if first < 1.5 else 2.5 - first],
                                                 abs=0.03)  # fmt: skip
    assert clip.end >= 2.66


def test_what_mp4_cannot_hold_is_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "old.avi"
    write_film(path, barcode_pictures(10, 160, 120), FilmSettings(codec="huffyuv",
               pixel_format="yuv422p"))  # fmt: skip
    with pytest.raises(MediaError, match="cut it exactly"):
        cut(Span(path, 0.0, 0.3), tmp_path / "clip.mp4", mode="copy")
    assert numbers(cut(Span(path, 0.0, 0.2), tmp_path / "clip.mp4").path) == [0, 1, 2, 3, 4]


def test_a_clip_is_upright_with_square_pixels_and_even_sizes(tmp_path: Path) -> None:
    odd = tmp_path / "odd.mkv"
    settings = FilmSettings(codec="ffv1", pixel_format="yuv444p", b_frames=0)
    write_film(odd, barcode_pictures(10, 161, 121), settings)
    clip = cut(Span(odd, 0.0, 0.4), tmp_path / "clip.mp4")
    assert size_of(clip.path) == (160, 120)
    assert numbers(clip.path) == list(range(10))

    wide = tmp_path / "wide.mp4"
    write_film(
        wide, barcode_pictures(10, 160, 120), FilmSettings(options={"x264-params": "sar=2/1"})
    )
    video = probe(wide).video
    assert video is not None
    assert video.pixel_aspect == 2
    clip = cut(Span(wide, 0.0, 0.4), tmp_path / "clip.mp4")
    assert size_of(clip.path) == (320, 120)
    assert numbers(clip.path) == list(range(10))


@pytest.mark.parametrize("mode", ["exact", "copy"])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_turned_films_stay_upright(
    tmp_path: Path, rotation: Literal[0, 90, 180, 270], mirrored: bool, mode: CutMode
) -> None:
    path = tmp_path / "turned.mp4"
    picture = noise_picture(3, 160, 96)
    settings = FilmSettings(rotation=rotation, mirrored=mirrored, quality=8)
    write_film(path, [picture] * 5, settings)
    clip = cut(Span(path, 0.0, 0.2), tmp_path / "clip.mp4", mode=mode)
    with VideoReader(path) as source, VideoReader(clip.path) as copy:
        wanted = next(source.read([0.0], WHOLE)).image.astype(int)
        found = next(copy.read([0.0], WHOLE)).image.astype(int)
    assert found.shape == wanted.shape
    # the reader's own turning is tested against PIL's; turning moves the halved colours by
    # a quarter of a pixel
    assert np.abs(wanted - found).mean() < 5
    others = (wanted[::-1, ::-1], wanted[:, ::-1], wanted[::-1])
    assert all(np.abs(other - found).mean() > 25 for other in others)


def test_colours_stay_what_they_were(films: dict[str, Source], tmp_path: Path) -> None:
    """Colour bars through a BT.601 source and a BT.709 clip."""
    bars = np.zeros((120, 160, 3), np.uint8)
    for place, colour in enumerate(
        [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (128, 128, 128)]
    ):
        bars[:, place * 32 : (place + 1) * 32] = colour
    path = tmp_path / "bars.mp4"
    write_film(path, [bars] * 5, FilmSettings(quality=5))
    clip = cut(Span(path, 0.0, 0.2), tmp_path / "clip.mp4")
    with VideoReader(clip.path) as reader:
        found = next(reader.read([0.0], WHOLE)).image.astype(int)
    middle = slice(8, 24)
    for place in range(5):
        columns = slice(place * 32 + middle.start, place * 32 + middle.stop)
        difference = np.abs(found[:, columns].mean(axis=(0, 1)) - bars[0, place * 32 + 16])
        assert float(difference.max()) < 4


def test_a_reel_joins_sizes_rates_and_silence(films: dict[str, Source], tmp_path: Path) -> None:
    silent = tmp_path / "small.mp4"
    write_film(silent, barcode_pictures(20, 96, 96), FilmSettings(frame_rate=Fraction(10), gop=10))
    spans = [
        Span(films["cfr.mp4"].path, 1.0, 2.0),
        Span(silent, 0.5, 1.5),
        Span(films["ntsc.mkv"].path, 2.0, 3.0),
    ]
    reel = join(spans, tmp_path / "reel.mp4")
    assert size_of(reel.path) == (160, 120)
    with VideoReader(reel.path) as reader:
        times = reader.frame_times
        assert times is not None
        pictures = [frame.image for frame in reader.read(times.tolist(), WHOLE)]
    assert len(pictures) == 25 + 10 + 24
    assert [read_barcode(picture) for picture in pictures[:25]] == list(range(25, 50))
    inner = [read_barcode(picture[:, 20:140]) for picture in pictures[25:35]]
    assert inner == list(range(5, 15))
    assert float(pictures[30][:, :18].mean()) < 4  # black beside the smaller picture
    assert [read_barcode(picture) for picture in pictures[35:]] == list(range(48, 72))
    assert times[:35] == pytest.approx([*np.arange(25) / 25, *(1 + np.arange(10) / 10)], abs=0.001)
    assert heard(reel.path) == pytest.approx([0.5, 2.5 - 48 * 1001 / 24000 + 2.0], abs=0.01)
    assert [part.source for part in reel.parts] == [span.source for span in spans]
    starts = [part.start for part in reel.parts]
    assert starts == pytest.approx([1.0, 0.5, 48 * 1001 / 24000], abs=0.002)


def test_names_tell_what_is_inside() -> None:
    spans = [
        Span(Path("a/holiday.mp4"), 135.2, 164.1),
        Span(Path("b/holiday.mp4"), 135.24, 164.02),
        Span(Path("Holiday.mkv"), 135.2, 164.1),
        Span(Path("a/holiday.mp4"), 135.3, 164.1),
        Span(Path("long.mov"), 3600.0, 3725.0),
        Span(Path("ü" * 300 + ".mp4"), 0.0, 1.0),
    ]
    names = name_clips(spans)
    assert names[:5] == [
        "match_holiday_02m15.2s-02m44.1s.mp4",
        "match_holiday_02m15.2s-02m44.1s_2.mp4",
        "match_Holiday_02m15.2s-02m44.1s_3.mp4",
        "match_holiday_02m15.3s-02m44.1s.mp4",
        "match_long_1h00m00s-1h02m05s.mp4",
    ]
    assert len(os.fsencode(names[5])) < 255


def test_bad_input_is_one_of_our_errors(films: dict[str, Source], tmp_path: Path) -> None:
    path = films["cfr.mp4"].path
    with pytest.raises(UsageError, match="start < end"):
        Span(path, 2.0, 1.0)
    with pytest.raises(UsageError, match=r"lasts 4\.00 s"):
        cut(Span(path, 5.0, 6.0), tmp_path / "clip.mp4")
    before = path.read_bytes()
    modes: tuple[CutMode, ...] = ("exact", "copy")
    for mode in modes:
        with pytest.raises(UsageError, match="never overwritten"):
            cut(Span(path, 0.0, 1.0), path, mode=mode)
    assert path.read_bytes() == before
    with pytest.raises(UsageError, match=r"\.mp4"):
        cut(Span(path, 0.0, 1.0), tmp_path / "clip.avi")
    with pytest.raises(UsageError, match="at least one"):
        join([], tmp_path / "reel.mp4")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="cannot be written"):
        cut(Span(path, 0.0, 1.0), tmp_path / "file" / "clip.mp4")
    with pytest.raises(UnreadableMediaError, match="no such file"):
        cut(Span(tmp_path / "absent.mp4", 0.0, 1.0), tmp_path / "clip.mp4")
    sound = tmp_path / "sound.mp4"
    with av.open(str(sound), "w") as container:
        stream = container.add_stream("aac", rate=RATE)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(beeps(1.0, (0.5,)), format="fltp", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(MissingStreamError):
        cut(Span(sound, 0.0, 1.0), tmp_path / "clip.mp4")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "sound.mp4"]


def test_a_source_that_breaks_leaves_no_half_clip(films: dict[str, Source], tmp_path: Path) -> None:
    data = bytearray(films["cfr.mp4"].path.read_bytes())
    rng = np.random.default_rng(8)
    for _ in range(8):
        broken = bytearray(data)
        for at in rng.integers(0, len(broken), 40):
            broken[at] = int(rng.integers(0, 256))
        path = tmp_path / "broken.mp4"
        path.write_bytes(broken)
        for mode in ("exact", "copy"):
            outcome: Clip | None = None
            try:
                outcome = cut(Span(path, 0.5, 1.5), tmp_path / "clip.mp4", mode=mode)
            except (MediaError, UsageError) as error:
                assert str(error)  # noqa: PT017 - either outcome is right
            present = sorted(entry.name for entry in tmp_path.iterdir())
            assert present == (["broken.mp4"] if outcome is None else ["broken.mp4", "clip.mp4"])
            (tmp_path / "clip.mp4").unlink(missing_ok=True)
