"""Feed the media room with broken files: no crash, no hang, no growth, an error of ours or frames.

    python -m benchmarks.fuzz_media [--files 2000] [--seed 0] [--seconds 20] [--json]

Generated films of several containers and codecs are mutated (bytes flipped, stretches zeroed,
cut, doubled, boxes swapped) and read by ``VideoReader`` in a child process, as indexing does:
probe, then frames twice a second; every other one the way long files are read. A child that
crashes or exceeds its time is noted and replaced.
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from scenewise.errors import ScenewiseError
from scenewise.media import frames as finding
from scenewise.media import timeline
from scenewise.media.decode import VideoReader
from scenewise.media.film import FilmSettings, Sound, barcode_pictures, copy_cut, write_film
from scenewise.media.sampling import every
from scenewise.media.target import Target

_FRAMES = 75
_MOST_TIMES = 400  # a damaged clock may claim hours
_WARM_UP = 40  # files after which the memory of a child counts as settled
# The allocator's holes grow for a while, and swscale keeps about 1 kB of each context.
_GROWTH_MB = 48.0
_GROWTH_KB_PER_FILE = 8.0
_SMALL_FILE_BYTES = timeline.SMALL_FILE_BYTES
_SPARSE_SECONDS = finding._SPARSE_SECONDS
_ROOT = Path(__file__).resolve().parents[1]

Mutation = Callable[[bytearray, random.Random], bytearray]


def write_sources(folder: Path) -> list[Path]:
    """Small films of several containers, some with sound."""
    samples = np.sin(np.arange(3 * 22_050) / 15).astype(np.float32)[None]
    sound = Sound(samples, 22_050)
    faststart = {"movflags": "faststart"}
    plans: list[tuple[str, FilmSettings, Sound | None]] = [
        ("a.mp4", FilmSettings(gop=25, b_frames=2), sound),
        ("front.mp4", FilmSettings(gop=250, b_frames=3, container_options=faststart), None),
        ("a.mkv", FilmSettings(gop=25, b_frames=2), sound),
        ("a.ts", FilmSettings(gop=25), None),
        ("mpeg4.avi", FilmSettings(codec="mpeg4", gop=12, b_frames=0), None),
        ("h264.avi", FilmSettings(gop=25, b_frames=2), None),
        ("vp8.webm", FilmSettings(codec="libvpx", gop=25, b_frames=0), None),
        ("vp9.webm", FilmSettings(codec="libvpx-vp9", gop=25, b_frames=0), None),
        ("hevc.mp4", FilmSettings(codec="libx265", gop=25), None),
        ("raw.h264", FilmSettings(gop=25, b_frames=2), None),
        ("a.flv", FilmSettings(codec="flv", gop=12, b_frames=0), None),
        ("turned.mov", FilmSettings(rotation=90, pixel_aspect=Fraction(4, 3)), None),
    ]
    paths = []
    for name, settings, track in plans:
        path = folder / name
        write_film(path, barcode_pictures(_FRAMES, 128, 96), settings, sound=track)
        paths.append(path)
    copy_cut(paths[0], folder / "edited.mp4", 1.3)
    return [*paths, folder / "edited.mp4"]


def flip_bytes(data: bytearray, draw: random.Random) -> bytearray:
    for _ in range(draw.choice((1, 4, 32, 256))):
        data[draw.randrange(len(data))] = draw.randrange(256)
    return data


def flip_header(data: bytearray, draw: random.Random) -> bytearray:
    """Bytes where containers keep their structure: at the beginning, or at the end."""
    span = min(len(data), 2048)
    offset = draw.choice((0, len(data) - span))
    for _ in range(draw.choice((1, 3, 12))):
        data[offset + draw.randrange(span)] = draw.choice((0, 0xFF, 0x7F, draw.randrange(256)))
    return data


def cut(data: bytearray, draw: random.Random) -> bytearray:
    return data[: draw.randrange(1, len(data))]


def cut_out(data: bytearray, draw: random.Random) -> bytearray:
    first = draw.randrange(len(data))
    return data[:first] + data[first + draw.randrange(1, 4096) :]


def zero_out(data: bytearray, draw: random.Random) -> bytearray:
    first = draw.randrange(len(data))
    last = min(len(data), first + draw.randrange(1, 8192))
    data[first:last] = bytes(last - first)
    return data


def double(data: bytearray, draw: random.Random) -> bytearray:
    first = draw.randrange(len(data))
    last = min(len(data), first + draw.randrange(1, 8192))
    return data[:last] + data[first:]


def swap_boxes(data: bytearray, draw: random.Random) -> bytearray:
    """Exchange two stretches; of an mp4 two of its outer boxes."""
    edges = box_edges(data)
    if len(edges) > 2:
        one, two = sorted(draw.sample(range(len(edges) - 1), 2))
        a, b, c, d = edges[one], edges[one + 1], edges[two], edges[two + 1]
    else:
        a, b, c, d = sorted(draw.randrange(len(data)) for _ in range(4))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def box_edges(data: bytearray) -> list[int]:
    """Where the outer boxes of an mp4 begin and end; only [0] for another container."""
    edges = [0]
    while edges[-1] + 8 <= len(data) and data[4:8] == b"ftyp":
        size = int.from_bytes(data[edges[-1] : edges[-1] + 4], "big")
        if size < 8 or edges[-1] + size > len(data):
            break
        edges.append(edges[-1] + size)
    return edges


MUTATIONS: tuple[Mutation, ...] = (
    flip_bytes,
    flip_header,
    flip_header,
    cut,
    cut_out,
    zero_out,
    double,
    swap_boxes,
)


def mutate(data: bytes, seed: int) -> tuple[bytes, str]:
    """One or two mutations, equal for equal seeds; returns the bytes and what was done."""
    draw = random.Random(seed)
    mutant, done = bytearray(data), []
    for _ in range(draw.choice((1, 1, 2))):
        mutation = draw.choice(MUTATIONS)
        mutant = mutation(mutant, draw)
        done.append(mutation.__name__)
        if not mutant:
            break
    return bytes(mutant), "+".join(done)


def read_like_indexing(path: Path) -> str:
    """'frames' or the name of our error; any other error passes through."""
    try:
        with VideoReader(path) as reader:
            times = every(reader.duration, 2)[:_MOST_TIMES]
            for frame in reader.read(times, Target(96, 96)):
                if frame.image.shape != (96, 96, 3):
                    return f"a picture of shape {frame.image.shape}"
    except ScenewiseError as error:
        if "\n" in str(error):
            return f"an error of several lines: {error}"
        return type(error).__name__
    return "frames"


def resident_mb() -> float:
    """Memory of this process now, in MB (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def work() -> None:
    """The child: a path a line comes in, an answer a line goes out.

    Every other file is read the way long ones are: by its ends, and around the wanted times.
    """
    for number, line in enumerate(sys.stdin):
        long = number % 2 == 1
        timeline.SMALL_FILE_BYTES = 0 if long else _SMALL_FILE_BYTES
        finding._SPARSE_SECONDS = 0.0 if long else _SPARSE_SECONDS
        try:
            answer = read_like_indexing(Path(line.strip()))
        except BaseException as error:  # noqa: BLE001  # whatever it is, it is the finding
            answer = f"{type(error).__name__} escaped: {error}".replace("\n", " ")
        print(json.dumps({"answer": answer, "mb": resident_mb()}), flush=True)


@dataclass
class Findings:
    """What came of all files."""

    answers: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)  # crashes, hangs, foreign errors
    slowest_seconds: float = 0.0
    growth_mb: float = 0.0  # of one child, after its first files

    def to_dict(self) -> dict[str, object]:
        return {
            "answers": dict(self.answers.most_common()),
            "bad": self.bad,
            "slowest_seconds": round(self.slowest_seconds, 2),
            "growth_mb": round(self.growth_mb, 1),
        }


class Child:
    """A child process whose answers are awaited with a time limit."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.fuzz_media", "--child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
        )
        self.answers: queue.Queue[str] = queue.Queue()
        self.settled_mb: float | None = None
        self.files = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put("")

    def ask(self, path: Path, seconds: float) -> dict[str, object] | None:
        """The answer; None after a crash or a hang, which ends the child."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        try:
            line = self.answers.get(timeout=seconds)
        except queue.Empty:
            return None
        answer: dict[str, object] | None = json.loads(line) if line else None
        return answer

    def end(self) -> int:
        self.process.kill()
        code = self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        return code


def fuzz(folder: Path, files: int, seed: int, seconds: float) -> Findings:
    """Read so many mutants, each within a time bound."""
    sources = write_sources(folder)
    contents = [(source, source.read_bytes()) for source in sources]
    findings = Findings()
    child = Child()
    try:
        for number in range(files):
            source, data = contents[number % len(contents)]
            mutant, done = mutate(data, seed * 1_000_003 + number)
            path = folder / f"mutant{source.suffix}"
            path.write_bytes(mutant)
            name = f"{source.name} {done} seed {seed} file {number}"
            begun = time.monotonic()
            answer = child.ask(path, seconds)
            findings.slowest_seconds = max(findings.slowest_seconds, time.monotonic() - begun)
            if answer is None:
                crashed = child.process.poll()
                kind = "hang" if crashed is None else f"crash {_signal_name(crashed)}"
                findings.bad.append(f"{kind}: {name}")
                child.end()
                child = Child()
                continue
            _note(findings, child, answer, name)
    finally:
        child.end()
    if findings.growth_mb > _GROWTH_MB + files * _GROWTH_KB_PER_FILE / 1000:
        findings.bad.append(f"memory grew by {findings.growth_mb:.0f} MB")
    return findings


def _note(findings: Findings, child: Child, answer: dict[str, object], name: str) -> None:
    said, memory = str(answer["answer"]), float(str(answer["mb"]))
    child.files += 1
    if child.files == _WARM_UP:
        child.settled_mb = memory
    if child.settled_mb is not None:
        findings.growth_mb = max(findings.growth_mb, memory - child.settled_mb)
    if said == "frames" or (said.endswith("Error") and " " not in said):
        findings.answers[said] += 1
    else:
        findings.bad.append(f"{said}: {name}")


def _signal_name(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else str(code)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=20.0, help="time bound of one file")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        work()
        return 0
    with tempfile.TemporaryDirectory() as folder:
        findings = fuzz(Path(folder), options.files, options.seed, options.seconds)
    if options.json:
        print(json.dumps(findings.to_dict(), indent=2))
    else:
        print(f"{options.files} files: {dict(findings.answers.most_common())}")
        print(f"slowest {findings.slowest_seconds:.1f} s, growth {findings.growth_mb:.1f} MB")
        print("\n".join(findings.bad) or "no crash, no hang, no foreign error")
    return 1 if findings.bad else 0


if __name__ == "__main__":
    sys.exit(main())
