"""Facts about exact reading, on films whose frames carry their number."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest

from scenewise.errors import MissingStreamError, UnreadableMediaError, UsageError
from scenewise.media import frames as finding
from scenewise.media import timeline
from scenewise.media.decode import VideoReader
from scenewise.media.film import (
    FilmSettings,
    Picture,
    Sound,
    barcode_picture,
    barcode_pictures,
    copy_cut,
    read_barcode,
    write_film,
)
from scenewise.media.packets import Damage
from scenewise.media.scale import Scaler
from scenewise.media.target import Target

FRAMES = 240
WIDTH, HEIGHT = 160, 96
WHOLE = Target(mode="original")
RISING = np.cumsum(np.random.default_rng(3).integers(20, 90, FRAMES)) / 1000
UNEVEN = tuple(float(time) for time in np.round(RISING - RISING[0], 3))
EVEN = tuple(number / 25 for number in range(FRAMES))
MODES: tuple[Literal["exact", "fast"], ...] = ("exact", "fast")
VP9 = {"deadline": "realtime", "cpu-used": "8"}


@dataclass(frozen=True)
class Film:
    """A film of which everything is known; ``cut``: seconds cut off by copying."""

    name: str
    settings: FilmSettings
    times: tuple[float, ...] = EVEN
    cut: float | None = None

    @property
    def shown(self) -> list[tuple[float, int]]:
        """Instant and number of each shown frame."""
        cut = self.cut or 0.0
        kept = [(time, number) for number, time in enumerate(self.times) if time >= cut]
        return [(time - kept[0][0], number) for time, number in kept]

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        whole = path if self.cut is None else folder / f"whole-{self.name}.mp4"
        times = None if self.times == EVEN else self.times
        write_film(whole, barcode_pictures(FRAMES, WIDTH, HEIGHT), self.settings, times=times)
        if self.cut is not None:
            copy_cut(whole, path, self.cut)
        return path


FILMS = (
    Film("h264-bf3.mp4", FilmSettings(gop=250, b_frames=3)),
    Film(
        "open-gop.mp4",
        FilmSettings(gop=40, b_frames=3, options={"x264-params": "open-gop=1"}),
    ),
    Film("vfr.mp4", FilmSettings(gop=60, b_frames=2), UNEVEN),
    Film("vfr.mkv", FilmSettings(gop=60, b_frames=2), UNEVEN),
    Film("broadcast.ts", FilmSettings(gop=60)),
    Film("mpeg4.avi", FilmSettings(codec="mpeg4", gop=12, b_frames=0)),
    # frames are reordered, and the container says nothing of it
    Film("h264-bf3.avi", FilmSettings(gop=60, b_frames=3)),
    Film("vp9.webm", FilmSettings(codec="libvpx-vp9", gop=120, b_frames=0, options=VP9)),
    Film("hevc.mp4", FilmSettings(codec="libx265", gop=60, b_frames=3)),
    Film("late-start.mp4", FilmSettings(start_seconds=2.5)),
    Film("late-start.ts", FilmSettings(start_seconds=2.5)),
    Film("edit-list.mp4", FilmSettings(gop=100, b_frames=3), cut=5.02),
    Film("negative-pts.mkv", FilmSettings(gop=100, b_frames=3), cut=5.02),
)
IDS = [film.name for film in FILMS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module", params=FILMS, ids=IDS)
def film(request: pytest.FixtureRequest, folder: Path) -> tuple[Film, Path]:
    film: Film = request.param
    return film, film.write(folder)


@pytest.fixture(scope="module")
def plain(folder: Path) -> Path:
    path = folder / "plain.mp4"
    write_film(path, barcode_pictures(60, WIDTH, HEIGHT))
    return path


@pytest.fixture(scope="module")
def raw(folder: Path) -> Path:
    path = folder / "raw.h264"
    write_film(path, barcode_pictures(100, WIDTH, HEIGHT), FilmSettings(b_frames=3))
    return path


@pytest.fixture(scope="module")
def intact(folder: Path) -> Path:
    path = folder / "damage.mp4"
    settings = FilmSettings(
        gop=50,
        b_frames=0,
        container_options={"movflags": "faststart"},
    )
    # noise, so that the picture data outweigh the headers
    grain = np.random.default_rng(0)

    def pictures() -> Iterator[Picture]:
        for picture in barcode_pictures(600, WIDTH, HEIGHT):
            noisy = picture + grain.integers(-6, 7, picture.shape)
            yield noisy.clip(0, 255).astype(np.uint8)

    write_film(path, pictures(), settings)
    return path


def ask(film: Film, count: int = 24) -> list[float]:
    """Times between the first frame and the last, none at a border between two frames."""
    draw = random.Random(11)
    instants = [time for time, _ in film.shown]
    picked = []
    for _ in range(count):
        place = draw.randrange(len(instants) - 1)
        share = draw.uniform(0.1, 0.9)
        picked.append(instants[place] * (1 - share) + instants[place + 1] * share)
    return sorted(picked)


def shown_at(film: Film, time: float) -> tuple[float, int]:
    return [entry for entry in film.shown if entry[0] <= time + 1e-6][-1]


def full_decode(path: Path) -> Iterator[av.VideoFrame]:
    """The reference: every frame, by PyAV alone, in the order of the decoder."""
    with av.open(str(path)) as container:
        yield from container.decode(container.streams.video[0])


def test_no_frame_of_24_is_wrong(film: tuple[Film, Path]) -> None:
    known, path = film
    times = ask(known)
    with VideoReader(path) as reader:
        frames = list(reader.read(times, WHOLE))
        assert reader.warnings == ()
    assert [frame.requested for frame in frames] == times
    for frame in frames:
        time, number = shown_at(known, frame.requested)
        assert read_barcode(frame.image) == number
        assert frame.time == pytest.approx(time, abs=1e-3)  # Matroska counts milliseconds
        assert not frame.substitute


def test_no_frame_of_24_is_wrong_without_a_whole_packet_table(
    film: tuple[Film, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way long files go: head, tail, and the packets around the wanted times."""
    known, path = film
    monkeypatch.setattr(timeline, "SMALL_FILE_BYTES", 0)
    monkeypatch.setattr(finding, "_SPARSE_SECONDS", 0.0)
    with VideoReader(path) as reader:
        frames = list(reader.read(ask(known), WHOLE))
        assert reader.duration == pytest.approx(known.shown[-1][0] + 1 / 25, abs=0.06)
    for frame in frames:
        time, number = shown_at(known, frame.requested)
        assert read_barcode(frame.image) == number
        assert frame.time == pytest.approx(time, abs=1e-3)


def test_pixels_equal_those_of_a_full_decode(film: tuple[Film, Path]) -> None:
    """Skipping frames that no other refers to changes no pixel of the others."""
    known, path = film
    target = Target(64, 48)
    with VideoReader(path) as reader:
        read = {
            read_number: frame.image
            for frame in reader.read(ask(known), target)
            for read_number in [shown_at(known, frame.requested)[1]]
        }
    scaler = Scaler(target)
    compared = 0
    for frame in full_decode(path):
        number = read_barcode(Scaler(WHOLE).picture(frame))
        if number in read:
            assert int(np.abs(scaler.picture(frame).astype(int) - read[number]).max()) == 0
            compared += 1
    assert compared == len(read)


def test_every_frame_can_be_read(film: tuple[Film, Path]) -> None:
    known, path = film
    with VideoReader(path) as reader:
        instants = reader.frame_times
        assert instants is not None
        assert np.allclose(instants, [time for time, _ in known.shown], atol=1.5e-3)
        numbers = [read_barcode(frame.image) for frame in reader.read(instants.tolist(), WHOLE)]
    assert numbers == [number for _, number in known.shown]


def test_fast_returns_keyframes_and_their_true_times(folder: Path) -> None:
    path = Film("fast.mp4", FilmSettings(gop=50, b_frames=3)).write(folder)
    with VideoReader(path) as reader:
        keyframes = reader.keyframe_times
        frames = list(reader.read([0.0, 1.9, 2.0, 5.0, 9.5], WHOLE, "fast"))
    assert keyframes is not None
    assert keyframes.tolist() == pytest.approx([0.0, 2.0, 4.0, 6.0, 8.0])
    assert [frame.time for frame in frames] == pytest.approx([0.0, 0.0, 2.0, 4.0, 8.0])
    assert [read_barcode(frame.image) for frame in frames] == [0, 0, 50, 100, 200]


def test_packets_that_are_falsely_called_keyframes(folder: Path) -> None:
    """Some cameras write a table of keyframes in which most entries are none."""
    whole, path = folder / "true.mov", folder / "false.mov"
    # of H.263 FFmpeg believes the table; of H.264 it looks for itself
    settings = FilmSettings(codec="h263", gop=100, b_frames=0)
    write_film(whole, barcode_pictures(100, 176, 144), settings)
    with av.open(str(whole)) as old, av.open(str(path), "w") as new:
        copy = new.add_stream_from_template(old.streams.video[0])
        for number, packet in enumerate(old.demux(old.streams.video[0])):
            if packet.dts is not None:
                packet.is_keyframe = number % 10 == 0
                packet.stream = copy
                new.mux(packet)
    with VideoReader(path) as reader:
        keyframes = reader.keyframe_times
        assert keyframes is not None
        assert len(keyframes) == 10
        for mode in MODES:
            frames = list(reader.read([0.5, 0.82, 2.42, 3.9], WHOLE, mode))
            numbers = [read_barcode(frame.image) for frame in frames]
            assert numbers == ([12, 20, 60, 97] if mode == "exact" else [10, 20, 60, 90])


def test_times_are_sorted_repeated_and_beyond_the_end(plain: Path) -> None:
    with VideoReader(plain) as reader:
        frames = list(reader.read([99.0, 0.5, 0.0, 0.5], WHOLE))
        again = list(reader.read([0.04], WHOLE))
        assert list(reader.read([], WHOLE)) == []
    assert [frame.requested for frame in frames] == [0.0, 0.5, 0.5, 99.0]
    assert [read_barcode(frame.image) for frame in frames] == [0, 12, 12, 59]
    assert read_barcode(again[0].image) == 1


def test_a_repeated_frame_is_decoded_once(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scaled = []
    whole = Scaler.picture

    def counted(self: Scaler, frame: av.VideoFrame) -> Picture:
        scaled.append(frame.pts)
        return whole(self, frame)

    monkeypatch.setattr(Scaler, "picture", counted)
    with VideoReader(plain) as reader:
        assert len(list(reader.read([0.5] * 50, WHOLE))) == 50
    assert len(scaled) == 1


def test_frames_come_one_by_one(plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: nothing is converted before it is asked for."""
    alive: list[int] = []
    whole = Scaler.picture

    def counted(self: Scaler, frame: av.VideoFrame) -> Picture:
        alive.append(1)
        return whole(self, frame)

    monkeypatch.setattr(Scaler, "picture", counted)
    with VideoReader(plain) as reader:
        for number, _ in enumerate(reader.read(EVEN[:60], WHOLE), start=1):
            assert len(alive) == number


@pytest.mark.parametrize("time", [-0.1, float("nan"), float("inf")])
def test_a_time_that_is_none_is_refused(plain: Path, time: float) -> None:
    with VideoReader(plain) as reader, pytest.raises(UsageError, match="at least 0"):
        reader.read([time], WHOLE)


def test_sound_alone_is_said_to_be_sound(folder: Path) -> None:
    path = folder / "sound.m4a"
    samples = np.sin(np.arange(44_100) / 20).astype(np.float32)[None]
    write_film(folder / "with.mp4", barcode_pictures(5), sound=Sound(samples))
    with av.open(str(folder / "with.mp4")) as old, av.open(str(path), "w") as new:
        copy = new.add_stream_from_template(old.streams.audio[0])
        for packet in old.demux(old.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = copy
                new.mux(packet)
    with pytest.raises(MissingStreamError, match="sound but no picture"):
        VideoReader(path)


class TestRawStream:
    """No times at all: frames are counted, each as long as the stream says."""

    def test_frames_are_counted(self, raw: Path) -> None:
        with VideoReader(raw) as reader:
            assert reader.duration == pytest.approx(4.0)
            assert reader.frame_times is None
            assert reader.keyframe_times is None
            frames = list(reader.read([0.0, 1.01, 3.99, 7.0], WHOLE))
        assert [read_barcode(frame.image) for frame in frames] == [0, 25, 99, 99]
        assert [frame.time for frame in frames] == pytest.approx([0.0, 1.0, 3.96, 3.96])


def test_a_joined_broadcast_whose_clock_starts_again(folder: Path) -> None:
    parts = []
    for begin in (0, 50):
        part = folder / f"part-{begin}.ts"
        pictures = (barcode_picture(n, WIDTH, HEIGHT) for n in range(begin, begin + 50))
        write_film(part, pictures, FilmSettings(gop=25))
        parts.append(part.read_bytes())
    path = folder / "joined.ts"
    path.write_bytes(b"".join(parts))
    with VideoReader(path) as reader:
        assert reader.duration == pytest.approx(4.0)
        frames = list(reader.read([0.5, 1.99, 2.0, 3.5], WHOLE))
        assert "starts again" in reader.warnings[0]
    assert [read_barcode(frame.image) for frame in frames] == [12, 49, 50, 87]


class TestDamage:
    """A bad packet costs its frames and no more."""

    def test_400_random_bytes(self, intact: Path, folder: Path) -> None:
        data = bytearray(intact.read_bytes())
        start = data.index(b"mdat") + 2000  # the first picture stays whole
        draw = random.Random(5)
        for _ in range(400):
            data[draw.randrange(start, len(data))] = draw.randrange(256)
        path = folder / "bytes.mp4"
        path.write_bytes(data)
        with VideoReader(path) as reader:
            frames = list(reader.read([number / 25 for number in range(600)], WHOLE))
            warnings = reader.warnings
        kept = sum(not frame.substitute for frame in frames)
        assert len(frames) == 600
        # what a torn packet takes along hangs on the timing of the decoder's threads
        assert kept >= 0.95 * 600
        assert (kept < 600) == bool(warnings)

    @pytest.mark.parametrize("whole_table", [True, False])
    @pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
    def test_a_file_cut_in_half(
        self,
        intact: Path,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        suffix: str,
        whole_table: bool,
    ) -> None:
        if not whole_table:
            monkeypatch.setattr(timeline, "SMALL_FILE_BYTES", 0)
            monkeypatch.setattr(finding, "_SPARSE_SECONDS", 0.0)
        whole = folder / f"whole.{suffix}"
        if suffix == "mp4":
            whole = intact
        else:
            with av.open(str(intact)) as old, av.open(str(whole), "w") as new:
                copy = new.add_stream_from_template(old.streams.video[0])
                for packet in old.demux(old.streams.video[0]):
                    if packet.dts is not None:
                        packet.stream = copy
                        new.mux(packet)
        data = whole.read_bytes()
        path = folder / f"half.{suffix}"
        path.write_bytes(data[: len(data) // 2])
        with VideoReader(path) as reader:
            assert 10 < reader.duration < 14
            frames = list(reader.read(list(np.arange(0, reader.duration, 0.5)), WHOLE))
            told = reader.warnings
        for frame in frames:
            assert frame.substitute or read_barcode(frame.image) == round(frame.time * 25)
        assert sum(frame.substitute for frame in frames) <= 1
        if suffix != "ts":  # a transport stream has no header to tell how long it was
            assert any("the header tells of 24.0 s" in sentence for sentence in told)

    def test_a_broken_frame_is_replaced_and_marked(self, intact: Path, folder: Path) -> None:
        with av.open(str(intact)) as container:
            packets = [p for p in container.demux(container.streams.video[0]) if p.size]
            place = [(packet.pos or 0, packet.size) for packet in packets]
        data = bytearray(intact.read_bytes())
        for position, size in place[120:130]:
            data[position : position + size] = bytes(size)
        path = folder / "hole.mp4"
        path.write_bytes(data)
        with VideoReader(path) as reader:
            frames = list(reader.read([4.0, 5.0, 5.1], WHOLE))
            told = reader.warnings
        assert [frame.substitute for frame in frames] == [False, True, True]
        assert [read_barcode(frame.image) for frame in frames] == [100, 119, 119]
        assert frames[1].time == pytest.approx(119 / 25)
        assert any("could not be decoded" in sentence for sentence in told)
        assert "2 wanted frame(s) replaced by the last good one" in told

    def test_all_pictures_destroyed(self, intact: Path, folder: Path) -> None:
        data = bytearray(intact.read_bytes())
        start = data.index(b"mdat") + 4
        data[start:] = bytes(len(data) - start)
        path = folder / "zeros.mp4"
        path.write_bytes(data)
        with pytest.raises(UnreadableMediaError, match="no picture of it can be decoded"):
            VideoReader(path)


def test_rotation_and_pixel_aspect_reach_the_picture(folder: Path) -> None:
    path = folder / "turned.mp4"
    picture = np.zeros((80, 120, 3), np.uint8)
    picture[:40, :60] = 255  # white: upper left
    settings = FilmSettings(rotation=90, pixel_aspect=Fraction(4, 3))
    write_film(path, [picture] * 3, settings)
    with VideoReader(path) as reader:
        assert reader.info.video is not None
        assert reader.info.video.display_size == (80, 160)
        image = next(reader.read([0.0], WHOLE)).image
    assert image.shape == (160, 80, 3)
    # turned clockwise, the upper left comes to the upper right
    assert image[40, 60].min() > 200
    assert max(image[40, 20].max(), image[120, 20].max(), image[120, 60].max()) < 60


def test_one_reading_at_a_time(plain: Path) -> None:
    with VideoReader(plain) as reader:
        first = reader.read([0.0, 1.0, 2.0], WHOLE)
        assert read_barcode(next(first).image) == 0
        assert read_barcode(next(reader.read([1.5], WHOLE)).image) == 37
        with pytest.raises(UsageError, match="one reading at a time"):
            next(first)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux")
def test_memory_does_not_grow_with_what_is_read(folder: Path) -> None:
    """150 pictures of 0.9 MB pass through a process that holds a few of them."""
    path = folder / "long.mp4"
    settings = FilmSettings(gop=150, options={"preset": "ultrafast"})
    write_film(path, barcode_pictures(150, 640, 480), settings)
    code = f"""
import pathlib
from scenewise.media.decode import VideoReader
from scenewise.media.target import Target

def peak_mb():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000

with VideoReader({str(path)!r}) as reader:
    times = reader.frame_times.tolist()
    for number, frame in enumerate(reader.read(times, Target(mode="original"))):
        if number == 20:
            settled = peak_mb()
print(number + 1, peak_mb() - settled)
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=root
    )
    count, growth = done.stdout.split()
    assert int(count) == 150
    assert float(growth) < 30


def test_damage_adds_up() -> None:
    assert Damage(unreadable=1, undecodable=2).total == 3


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "frame_rate", "count"),
    [
        # the number is painted into each frame of these; at these times it was read by eye
        ("Breakthrough__PySceneDetect__counter.mp4", 10, 30),
        ("pytorch__torchcodec__h265_video.mp4", 10, 10),
        ("NVIDIA__DALI_extra__cfr.mov", 60, 180),
        ("NVIDIA__DALI_extra__cfr.avi", 60, 180),
        ("NVIDIA__DALI_extra__cfr.mpeg", 60, 180),
    ],
)
def test_counted_clips(shared_dir: Path, name: str, frame_rate: int, count: int) -> None:
    """The n-th frame of a full decode, in the order of the decoder, is shown at n / rate."""
    path = shared_dir / "media" / "format" / name
    target = Target(160, 96)
    reference = list(full_decode(path))
    assert len(reference) == count
    times = [(number + 0.5) / frame_rate for number in range(0, count, 7)]
    with VideoReader(path) as reader:
        assert reader.duration == pytest.approx(count / frame_rate)
        frames = list(reader.read(times, target))
    scaler = Scaler(target)
    for frame in frames:
        number = int(frame.requested * frame_rate)
        assert frame.time == pytest.approx(number / frame_rate, abs=1e-4)
        assert np.array_equal(frame.image, scaler.picture(reference[number]))
