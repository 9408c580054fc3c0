"""Indexing measured: overhead over its parts, two workers, memory, and every odd file at once.

    python -m benchmarks.indexing [--clips FOLDER] [--media FOLDER] [--repeats 3] [--encoder NAME]
                                  [--hours 3] [--skip overhead,workers,memory,media] [--json]

overhead: CPU seconds of a whole ``Library.index`` in one process (hashing, decoding, embedding,
shots, committing) against decoding alone plus embedding alone of the same frames; interleaved,
medians; the encoder is loaded before. workers: wall seconds of the whole run with one worker and
with two, their start included. memory: peak resident memory of a fresh process that encodes one
video, for a short one and for one of some hours. media: all files of a folder by name through the
command line. Each part runs in processes of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from scenewise.device import QUIET_MATRICES
from scenewise.encoders.load import load_encoder
from scenewise.encoders.spec import Encoder
from scenewise.index.discover import discover
from scenewise.index.embed import BATCH_WINDOWS
from scenewise.index.windows import Sampling, plan_windows
from scenewise.library import Library
from scenewise.media.decode import VideoReader
from scenewise.media.film import FilmSettings, Picture, noise_picture, pan, write_film

ROOT = Path(__file__).resolve().parents[1]
SAMPLING = Sampling(fps=2)
GOAL_OVERHEAD, GOAL_SPEEDUP, GOAL_MB = 1.15, 1.8, 600


@dataclass(frozen=True)
class Figure:
    """One line of the report; ``passed`` is None where nothing was promised."""

    part: str
    what: str
    value: float
    unit: str
    goal: str = ""
    passed: bool | None = None


def measure_overhead(clips: Path, encoder_name: str, repeats: int) -> list[Figure]:
    """CPU seconds of the whole against those of its parts."""
    encoder = load_encoder(encoder_name, threads=1)
    paths = [stamp.path for stamp in discover([clips]).files]
    frames, video_seconds = _warm_up(encoder, paths)
    timings: dict[str, list[float]] = {"decode": [], "embed": [], "whole": []}
    for _ in range(repeats):
        timings["decode"].append(_cpu(lambda: _decode_all(encoder, paths)))
        timings["embed"].append(_cpu(lambda: _embed(encoder, frames)))
        with tempfile.TemporaryDirectory() as folder:
            timings["whole"].append(_cpu(lambda: _index(Path(folder), clips, encoder, 1)))
    decode, embed, whole = (statistics.median(timings[name]) for name in timings)
    ratio = whole / (decode + embed)
    return [
        Figure("overhead", f"decoding alone, {len(paths)} clips", decode, "CPU s"),
        Figure("overhead", f"embedding alone, {frames} frames", embed, "CPU s"),
        Figure("overhead", "the whole", whole, "CPU s"),
        Figure(
            "overhead",
            "the whole / (decoding + embedding)",
            ratio,
            "x",
            f"<= {GOAL_OVERHEAD}",
            ratio <= GOAL_OVERHEAD,
        ),
        Figure("overhead", "video per CPU second", video_seconds / whole, "s/s"),
    ]


def _warm_up(encoder: Encoder, paths: list[str]) -> tuple[int, float]:
    """Windows that the clips make, and their seconds; loads the network and the page cache."""
    _embed(encoder, 1)
    count, seconds = 0, 0.0
    for path in paths:
        with VideoReader(path) as reader:
            plan = plan_windows(reader.duration, encoder.spec, SAMPLING)
            seconds += reader.duration
            seen = {
                frame.time for frame in reader.read(_times(plan.frame_times), encoder.spec.target)
            }
            count += len(seen)  # a frame that is shown again is not embedded again
    return count, seconds


def _times(frame_times: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float]:
    return [float(time) for time in np.sort(frame_times, axis=None)]


def _decode_all(encoder: Encoder, paths: list[str]) -> None:
    for path in paths:
        with VideoReader(path) as reader:
            plan = plan_windows(reader.duration, encoder.spec, SAMPLING)
            for _ in reader.read(_times(plan.frame_times), encoder.spec.target):
                pass


def _embed(encoder: Encoder, count: int) -> None:
    target = encoder.spec.target
    shape = (1, target.height, target.width, 3)
    pictures = np.random.default_rng(7).integers(0, 256, (BATCH_WINDOWS, *shape), np.uint8)
    for begin in range(0, count, BATCH_WINDOWS):
        encoder.encode_windows(pictures[: count - begin])


def _index(folder: Path, clips: Path, encoder: Encoder, workers: int) -> None:
    with Library.open(folder / "library", load=lambda *_, **__: encoder) as library:
        library.index(clips, workers=workers)


def _cpu(work: Callable[[], None]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def measure_workers(clips: Path, encoder: str, repeats: int) -> list[Figure]:
    """Wall seconds with one worker process' worth of work and with two."""
    walls: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(repeats):
        for workers, taken in walls.items():
            with tempfile.TemporaryDirectory() as folder:
                code = (
                    "import sys; from scenewise import Library\n"
                    f"library = Library.open({folder!r} + '/library', encoder={encoder!r})\n"
                    f"print(library.index({str(clips)!r}, workers={workers}).wall_seconds)"
                )
                taken.append(float(_python(code)))
    one, two = statistics.median(walls[1]), statistics.median(walls[2])
    return [
        Figure("workers", "one worker", one, "s wall"),
        Figure("workers", "two workers", two, "s wall"),
        Figure(
            "workers",
            "one / two",
            one / two,
            "x",
            f">= {GOAL_SPEEDUP} on 2 free cores",
            one / two >= GOAL_SPEEDUP,
        ),
    ]


def measure_memory(encoder: str, hours: float) -> list[Figure]:
    """Peak resident memory of one process that encodes one video."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, seconds in (("a video of 60 s", 60.0), (f"a video of {hours:g} h", hours * 3600)):
            path = Path(folder) / "film.mp4"
            write_film(
                path,
                _long_film(seconds),
                _LONG,
            )
            code = (
                "import time; from pathlib import Path\n"
                "from scenewise.encoders.load import load_encoder\n"
                "from scenewise.index.encode_video import encode_video\n"
                "from scenewise.index.windows import Sampling\n"
                "from scenewise.index.worker import pack\n"
                "import pickle\n"
                f"encoder = load_encoder({encoder!r}, threads=1)\n"
                f"video = encode_video({str(path)!r}, encoder, Sampling(fps=2))\n"
                "sent = len(pickle.dumps(pack(video), protocol=5))\n"  # what the pipe needs
                "status = Path('/proc/self/status').read_text()\n"
                "print(int(status.split('VmHWM:')[1].split()[0]) / 1024)"
            )
            peak = float(_python(code))
            figures.append(
                Figure("memory", name, peak, "MB peak", f"<= {GOAL_MB}", peak <= GOAL_MB)
            )
    return figures


_LONG = FilmSettings(
    frame_rate=Fraction(4), gop=40, b_frames=0, quality=40, options={"preset": "ultrafast"}
)


def _long_film(seconds: float) -> Iterator[Picture]:
    """A small film of any length: pans over a few scenes, again and again."""
    scenes = [
        picture
        for seed in range(8)
        for picture in pan(
            noise_picture(seed), 5.0, frame_rate=_LONG.frame_rate, width=320, height=180
        )
    ]
    return islice(cycle(scenes), round(seconds * _LONG.frame_rate))


def measure_media(media: Path) -> list[Figure]:
    """All files of a folder, also those that are no videos, through the command line."""
    files = sorted(str(path) for path in media.rglob("*") if path.is_file())
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "scenewise", "index", *files, "--library", folder, "--json"],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        wall = time.monotonic() - begin
    report = json.loads(done.stdout)
    failed = report["failed"]
    reasoned = all(failure["reason"].strip() for failure in failed)
    quiet = "Traceback" not in done.stderr + done.stdout
    expected = 3 if failed else 0
    for failure in failed:
        print(f"  failed: {Path(failure['path']).name}: {failure['reason']}", file=sys.stderr)
    return [
        Figure("media", f"indexed of {len(files)} files", report["indexed"], "files"),
        Figure("media", "failed, each with a reason", len(failed), "files", "", reasoned),
        Figure("media", "traceback", float(not quiet), "", "0", quiet),
        Figure(
            "media", "exit code", done.returncode, "", str(expected), done.returncode == expected
        ),
        Figure("media", "the whole", wall, "s wall"),
    ]


def _python(code: str) -> str:
    """What a fresh process prints last."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    if done.returncode:
        raise SystemExit(f"a measuring process failed:\n{done.stderr}")
    return done.stdout.strip().splitlines()[-1]


def as_markdown(figures: list[Figure]) -> str:
    lines = [describe_machine(), "", "| part | what | value | goal | |", "|---|---|---|---|---|"]
    for figure in figures:
        verdict = {True: "reached", False: "NOT reached", None: ""}[figure.passed]
        value = f"{figure.value:.4g} {figure.unit}".strip()
        lines.append(f"| {figure.part} | {figure.what} | {value} | {figure.goal} | {verdict} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    shared = ROOT.parent / "shared" / "media"
    parser.add_argument("--clips", type=Path, default=shared / "eval")
    parser.add_argument("--media", type=Path, default=shared)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--encoder", default="concept")
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--skip", default="", help="parts, joined by commas")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    parts: dict[str, Callable[[], list[Figure]]] = {
        "overhead": lambda: measure_overhead(options.clips, options.encoder, options.repeats),
        "workers": lambda: measure_workers(options.clips, options.encoder, options.repeats),
        "memory": lambda: measure_memory(options.encoder, options.hours),
        "media": lambda: measure_media(options.media),
    }
    skipped = set(filter(None, options.skip.split(",")))
    if unknown := skipped - set(parts):
        parser.error(f"no part is called {', '.join(sorted(unknown))}; allowed: {', '.join(parts)}")
    if not QUIET_MATRICES.keys() <= os.environ.keys():  # as the command line has it
        environment = {**os.environ, **QUIET_MATRICES}
        arguments = [sys.executable, "-m", "benchmarks.indexing", *sys.argv[1:]]
        os.execve(sys.executable, arguments, environment)
    load_encoder(options.encoder).encode_query("ready")  # prepared once, before anything is timed
    figures = [figure for name, part in parts.items() if name not in skipped for figure in part()]
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
    else:
        print(as_markdown(figures))


if __name__ == "__main__":
    main()
