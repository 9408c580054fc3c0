"""Decoding measured: CPU seconds against OpenCV and ffmpeg, wrong frames, equal pixels, memory.

    python -m benchmarks.decoding [--seconds 60] [--repeats 5] [--source FOLDER] [--json]

CPU seconds are user + system of the job and its children, one decoder thread each, medians of
interleaved runs; imports are not counted, opening the file is, and of ffmpeg the whole process.
Clips are built in a temporary folder: 1080p H.264, GOP 250, about 1.5 Mbit/s, from slow pans over
photographs with grain, or from the clips of a folder, scaled up.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import av
import numpy as np

from benchmarks.decoding_jobs import JOBS
from scenewise.media.decode import VideoReader
from scenewise.media.film import (
    FilmSettings,
    Picture,
    barcode_pictures,
    copy_cut,
    pan,
    read_barcode,
    write_film,
)
from scenewise.media.sampling import every
from scenewise.media.scale import Scaler
from scenewise.media.target import Target

_ROOT = Path(__file__).resolve().parents[1]
_RATE = Fraction(30)
_PHOTOGRAPHS = ("chelsea.png", "coffee.png", "astronaut.png", "motorcycle_left.png", "rocket.jpg")
_SMALL = Target(224, 224)
_WHOLE = Target(mode="original")


@dataclass(frozen=True)
class Run:
    seconds: float
    frames: int
    mb: float


def measure(path: Path, repeats: int) -> dict[str, list[Run]]:
    """All jobs in turn, so many times, each in a fresh process."""
    jobs = [name for name in JOBS if not name.startswith("ffmpeg") or shutil.which("ffmpeg")]
    runs: dict[str, list[Run]] = {name: [] for name in jobs}
    for _ in range(repeats):
        for name in jobs:
            command = [sys.executable, "-m", "benchmarks.decoding_jobs", name, str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=_ROOT)
            runs[name].append(Run(**json.loads(done.stdout)))
    return runs


# Clips.


def film_pictures(seconds: float) -> Iterator[Picture]:
    """Slow pans over photographs, with moving grain, 1920 x 1080."""
    import skimage
    from PIL import Image

    folder = Path(skimage.__file__).parent / "data"
    photographs = [np.asarray(Image.open(folder / name).convert("RGB")) for name in _PHOTOGRAPHS]
    draw = np.random.default_rng(0)
    grains = [draw.normal(0, 3, (1080, 1920, 1)).astype(np.int8) for _ in range(6)]
    each = seconds / len(photographs)
    number = 0
    for photograph in photographs:
        for picture in pan(photograph, each, frame_rate=_RATE, width=1920, height=1080):
            grain = grains[number % len(grains)]
            yield (picture.astype(np.int16) + grain).clip(0, 255).astype(np.uint8)
            number += 1


def clips_scaled_up(folder: Path, seconds: float) -> Iterator[Picture]:
    """The frames of a folder's clips one after another, as 1920 x 1080."""
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".mp4", ".mkv", ".webm"))
    target = Target(1920, 1080)

    def all_frames() -> Iterator[Picture]:
        for path in cycle(paths):
            with VideoReader(path) as reader:
                for frame in reader.read(every(reader.duration, _RATE), target):
                    yield frame.image

    return islice(all_frames(), round(seconds * _RATE))


@dataclass(frozen=True)
class Barcodes:
    """A film of numbered frames, 12 seconds of them; ``cut``: seconds cut off by copying."""

    name: str
    settings: FilmSettings
    times: tuple[float, ...]
    cut: float = 0.0

    def write(self, folder: Path) -> Path:
        path = folder / self.name
        whole = folder / f"whole-{self.name}.mp4" if self.cut else path
        even = self.times == _EVEN
        pictures = barcode_pictures(len(self.times))
        write_film(whole, pictures, self.settings, times=None if even else self.times)
        if self.cut:
            copy_cut(whole, path, self.cut)
        return path

    def wrong(self, path: Path, draws: int = 24) -> int:
        """Of so many times between two frames: how often another frame came than is shown."""
        kept = [(time, number) for number, time in enumerate(self.times) if time >= self.cut]
        draw = random.Random(24)
        expected = []
        for _ in range(draws):
            place = draw.randrange(len(kept) - 1)
            share = draw.uniform(0.1, 0.9)
            time = kept[place][0] * (1 - share) + kept[place + 1][0] * share
            expected.append((time - kept[0][0], kept[place][1]))
        expected.sort()
        with VideoReader(path) as reader:
            frames = list(reader.read([time for time, _ in expected], _WHOLE))
        return sum(
            _number_of(frame.image) != number
            for frame, (_, number) in zip(frames, expected, strict=True)
        )


def _number_of(picture: Picture) -> int | None:
    try:
        return read_barcode(picture)
    except ValueError:
        return None


_EVEN = tuple(number / 25 for number in range(300))
_GAPS = np.random.default_rng(5).integers(15, 95, 300)
_UNEVEN = tuple(float(time) / 1000 for time in np.cumsum(_GAPS) - _GAPS[0])
_VP9 = {"deadline": "realtime", "cpu-used": "8"}
_OPEN = {"x264-params": "open-gop=1"}
BARCODES = (
    Barcodes("h264 bf3 gop250.mp4", FilmSettings(gop=250, b_frames=3), _EVEN),
    Barcodes("open gop.mp4", FilmSettings(gop=48, b_frames=3, options=_OPEN), _EVEN),
    Barcodes("variable rate.mp4", FilmSettings(gop=250), _UNEVEN),
    Barcodes("variable rate.mkv", FilmSettings(gop=250), _UNEVEN),
    Barcodes("transport stream.ts", FilmSettings(gop=100), _EVEN),
    Barcodes("mpeg4.avi", FilmSettings(codec="mpeg4", gop=12, b_frames=0), _EVEN),
    Barcodes("h264 bf3.avi", FilmSettings(gop=100, b_frames=3), _EVEN),
    Barcodes("vp9.webm", FilmSettings(codec="libvpx-vp9", b_frames=0, options=_VP9), _EVEN),
    Barcodes("hevc.mp4", FilmSettings(codec="libx265", b_frames=3), _EVEN),
    Barcodes("start 2.5 s.mp4", FilmSettings(start_seconds=2.5), _EVEN),
    Barcodes("edit list.mp4", FilmSettings(gop=100, b_frames=3), _EVEN, cut=4.02),
    Barcodes("negative pts.mkv", FilmSettings(gop=100, b_frames=3), _EVEN, cut=4.02),
)


def largest_difference(path: Path) -> int:
    """Largest difference of a pixel between planned reading and a full decode, at 1 fps."""
    with VideoReader(path) as reader:
        duration = reader.duration
        wanted = {frame.time: frame.image for frame in reader.read(every(duration, 1), _SMALL)}
        origin = reader.info.first_pts
    scaler, largest, compared = Scaler(_SMALL), 0, 0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            image = wanted.get(round(frame.time - origin, 6))
            if image is not None:
                compared += 1
                difference = scaler.picture(frame).astype(np.int16) - image
                largest = max(largest, int(np.abs(difference).max()))
    if compared < len(wanted):
        raise RuntimeError(f"only {compared} of {len(wanted)} frames could be compared")
    return largest


def report(folder: Path, seconds: float, repeats: int, source: Path | None) -> dict[str, object]:
    """All figures of this script."""
    clip = folder / "1080p.mp4"
    settings = FilmSettings(frame_rate=_RATE, gop=250, b_frames=3, quality=24)
    write_film(
        clip, clips_scaled_up(source, seconds) if source else film_pictures(seconds), settings
    )
    runs = measure(clip, repeats)
    medians = {name: statistics.median(run.seconds for run in of) for name, of in runs.items()}
    seek = medians["opencv 1 fps"] / medians["ours 1 fps"]
    seek_8 = medians["opencv 8 frames"] / medians["ours 8 frames"]
    program = medians["ours 1 fps"] / medians["ffmpeg 1 fps"] if "ffmpeg 1 fps" in medians else None
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {_processor()}",
        "clip": f"1080p H.264 GOP 250, {seconds:.0f} s, {clip.stat().st_size / 1e6:.1f} MB",
        "repeats": repeats,
        "cpu_seconds": {name: round(value, 3) for name, value in medians.items()},
        "frames": {name: of[0].frames for name, of in runs.items()},
        "times_faster_than_opencv_seek_1fps": round(seek, 2),
        "share_of_ffmpeg_program": None if program is None else round(program, 2),
        "times_faster_than_opencv_seek_8_frames": round(seek_8, 2),
        "peak_mb": round(max(run.mb for run in [*runs["ours 1 fps"], *runs["ours 8 frames"]]), 1),
        "largest_pixel_difference": largest_difference(clip),
        "wrong_of_24": {film.name: film.wrong(film.write(folder)) for film in BARCODES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def markdown(figures: dict[str, object]) -> str:
    """The figures as a table, each with its goal."""
    program = figures["share_of_ffmpeg_program"]
    wrong = figures["wrong_of_24"]
    assert isinstance(wrong, dict)
    cpu = figures["cpu_seconds"]
    assert isinstance(cpu, dict)
    rows = [
        ("1 fps to 224 px, times faster than the OpenCV seek loop",
         figures["times_faster_than_opencv_seek_1fps"], ">= 4"),
        ("1 fps to 224 px, share of the CPU of the ffmpeg program",
         "ffmpeg is not installed" if program is None else program, "<= 0.85"),
        ("8 frames, times faster than the OpenCV seek loop",
         figures["times_faster_than_opencv_seek_8_frames"], ">= 1.5"),
        ("largest difference of a pixel to a full decode",
         figures["largest_pixel_difference"], "0"),
        ("peak memory of a decoding process, MB", figures["peak_mb"], "<= 100"),
        *((f"wrong frames of 24: {name}", count, "0") for name, count in wrong.items()),
    ]  # fmt: skip
    lines = [f"{figures['date']}, {figures['machine']}; {figures['clip']}", ""]
    lines += ["| measure | result | goal |", "|---|---|---|"]
    lines += [f"| {name} | {value} | {goal} |" for name, value, goal in rows]
    lines += ["", "| job | CPU s (median) |", "|---|---|"]
    lines += [f"| {name} | {seconds} |" for name, seconds in cpu.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the 1080p clip")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--source", type=Path, help="a folder of clips to build the clip from")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        figures = report(Path(folder), options.seconds, options.repeats, options.source)
    print(json.dumps(figures, indent=2) if options.json else markdown(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
