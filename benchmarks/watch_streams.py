"""Watching measured: several RTSP streams of 720p at once, with the real encoder.

    python -m benchmarks.watch_streams [--streams 4] [--minutes 2] [--fps 2] [--no-restart]
                                       [--encoder NAME] [--threads N] [--save FOLDER] [--json]

Servers (GStreamer's, by the system's Python) send a film on loopback that was encoded before, so
that they cost little. In the film two scenes take turns; when the first frame of a scene leaves a
server, that server writes down the wall time. A rule of the benchmark's own raises at the first
analysed instant of the second scene (a mark in the picture tells it), and a sentence rule when it
believes the scene. Measured are

- the delay of each event: from the moment the change left the server to the moment the event came
  out of ``Library.watch`` (with it the wait for the next analysed instant, up to 1 / fps), and the
  delay that the watch itself reports, from the frame's arrival;
- changes without an event, and events without a change or twice, of the benchmark's rule;
- frames in, analysed and dropped; processor time of the watch and of the servers;
- resident memory of the watch every five seconds: the slope over the second half.

In the middle one server is killed and started again. Changes that it showed while nobody was
connected do not count.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.machine import describe_machine
from scenewise.device import QUIET_MATRICES
from scenewise.encoders.load import load_encoder
from scenewise.media.film import FilmSettings, Picture, noise_picture, pan, write_film
from scenewise.media.live_sources import LiveOptions, parse_source
from scenewise.tasks.watch.counters import WatchFigures
from scenewise.tasks.watch.nouns import Observation, RuleMachine
from scenewise.tasks.watch.occurrences import iso_utc
from scenewise.tasks.watch.options import SaveOptions
from scenewise.tasks.watch.pipeline import Pipeline, WatchedSource, WatchOptions
from scenewise.types import Event

ROOT = Path(__file__).resolve().parents[1]
SERVER = ROOT / "tests" / "doubles" / "rtsp_server.py"
PYTHON_WITH_GI = "/usr/bin/python3"
RATE = Fraction(25)
SIZE = (1280, 720)
SCENE_SECONDS = 5.0
SENTENCE = "a cat"
MARKED = "marked scene"
GOAL_DELAY_SECONDS, GOAL_SLOPE_MB = 1.5, 5.0
_SAMPLE_SECONDS = 5.0
_RESTART_SECONDS = 3.0  # how long the server stays away
_CONNECTING_SECONDS = 8.0  # after a start, changes do not count for so long


@dataclass(frozen=True)
class Figure:
    """One line of the report; ``passed`` is None where nothing was promised."""

    what: str
    value: float
    unit: str
    goal: str = ""
    passed: bool | None = None


class Marked:
    """Raises at the first instant of each marked scene: its lower edge is white."""

    name = MARKED

    def __init__(self) -> None:
        self._before = True  # a scene that is under way at the start is none that begins
        self._count = 0

    def update(self, seen: Observation) -> tuple[Event, ...]:
        now = bool(seen.image[-seen.image.shape[0] // 20 :].mean() > 200)
        begins, self._before = now and not self._before, now
        if not begins:
            return ()
        self._count += 1
        name = f"{seen.source}-{self._count}"
        return (Event(name, MARKED, seen.source, seen.time, iso_utc(seen.wall), 1.0),)


def write_scenes(path: Path) -> None:
    """A pan over a photograph without a cat, then one over a cat with a white lower edge."""
    try:
        from skimage import data

        photographs = [np.asarray(data.rocket()), np.asarray(data.chelsea())]
    except ImportError:  # the extra "demo" is not installed: then the sentence has nothing to find
        photographs = [noise_picture(1, 640, 480), noise_picture(2, 640, 480)]
    plain, cat = (
        pan(picture, SCENE_SECONDS, frame_rate=RATE, width=SIZE[0], height=SIZE[1])
        for picture in photographs
    )
    settings = FilmSettings(frame_rate=RATE, gop=round(RATE), b_frames=0, quality=23)
    write_film(path, chain(plain, map(_mark, cat)), settings)


def _mark(picture: Picture) -> Picture:
    marked = picture.copy()
    marked[-SIZE[1] // 20 :] = 255
    return marked


class Server:
    """One stream, and its diary of keyframes."""

    def __init__(self, film: Path, diary: Path) -> None:
        self._film, self.diary = film, diary
        self.port = 0
        self.spent_seconds = 0.0  # processor time of its former lives
        self.starts: list[float] = []
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            [PYTHON_WITH_GI, str(SERVER), str(self.port), str(self._film), "1", str(self.diary)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the RTSP server did not start: see DEBIAN_PACKAGES in the Makefile")
        self.port = int(line)
        self.starts.append(time.time())

    def kill(self) -> None:
        self.spent_seconds += processor_seconds(self._process.pid)
        self._process.kill()
        self._process.wait()

    @property
    def processor_seconds(self) -> float:
        return self.spent_seconds + processor_seconds(self._process.pid)

    def changes(self, until: float) -> list[float]:
        """Wall times at which a marked scene began to be sent to somebody who listens."""
        found = []
        for line in self.diary.read_text().splitlines():
            _, wall, at = line.split()
            if abs(float(at) - SCENE_SECONDS) < 0.5 / float(RATE) and float(wall) < until:
                found.append(float(wall))
        quiet = [(start, start + _CONNECTING_SECONDS) for start in self.starts]
        return [at for at in found if not any(begin <= at < end for begin, end in quiet)]


def processor_seconds(pid: int) -> float:
    """Of one process, with all its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return float("nan")


@dataclass
class Measured:
    """What one run gave."""

    outputs: list[tuple[Event, float]]  # events, and when they came out
    figures: WatchFigures
    memory: list[tuple[float, float]]  # seconds since the start, MB
    processor_seconds: float
    wall_seconds: float
    end_wall: float  # when the watch was stopped


def watch(servers: Sequence[Server], options: argparse.Namespace) -> Measured:
    """Watch all servers for the wanted time; one of them is killed in the middle."""
    encoder = load_encoder(options.encoder, threads=options.threads)
    live = LiveOptions(wait_for_start=True)
    watched = []
    for number, server in enumerate(servers):
        source = parse_source(f"cam{number}=rtsp://127.0.0.1:{server.port}/0", live)
        watched.append(WatchedSource(source, [Marked(), *_sentence_rules(encoder, source.name)]))
    save = None if options.save is None else SaveOptions(options.save)
    stop = threading.Event()
    pipeline = Pipeline(watched, encoder, WatchOptions(options.fps, live, save=save), stop=stop)
    seconds = options.minutes * 60
    begin, spent = time.monotonic(), time.process_time()
    memory: list[tuple[float, float]] = []

    def mind() -> None:
        restarted = not options.restart
        while (elapsed := time.monotonic() - begin) < seconds:
            memory.append((elapsed, resident_mb()))
            print(f"{elapsed:6.0f} s  {memory[-1][1]:.0f} MB", file=sys.stderr)
            if not restarted and elapsed > seconds / 2:
                servers[0].kill()
                time.sleep(_RESTART_SECONDS)
                servers[0].start()
                restarted = True
            time.sleep(max(0.0, min(_SAMPLE_SECONDS, begin + seconds - time.monotonic())))
        ended.append(time.time())
        stop.set()

    ended: list[float] = []
    threading.Thread(target=mind, daemon=True).start()
    outputs = [(event, time.time()) for event in pipeline.events()]
    return Measured(
        outputs,
        pipeline.figures(),
        memory,
        time.process_time() - spent,
        time.monotonic() - begin,
        ended[0],
    )


def _sentence_rules(encoder: Any, source: str) -> Iterator[RuleMachine]:
    from scenewise.index.calibration import Calibrator
    from scenewise.tasks.watch.machines import arm
    from scenewise.tasks.watch.rule import Rule

    rule = Rule(name=SENTENCE, sentence=SENTENCE, cooldown_seconds=1)
    yield arm(rule, encoder, Calibrator(encoder), None, source)


class Matched(NamedTuple):
    """Events held against the changes that the servers showed."""

    marked: list[float]  # delays in seconds, of the rule that sees a drawn mark
    sentence: list[float]  # and of the one that is a sentence
    missed: int
    twice: int


def match_events(measured: Measured, servers: Sequence[Server]) -> Matched:
    until = measured.end_wall - 3.0  # a change just before the end is too late
    marked: list[float] = []
    sentence: list[float] = []
    missed = twice = 0
    for number, server in enumerate(servers):
        changes = server.changes(until)
        for rule, delays in ((MARKED, marked), (SENTENCE, sentence)):
            outs = [
                at
                for event, at in measured.outputs
                if event.source == f"cam{number}" and event.rule == rule
            ]
            for change in changes:
                after = [at - change for at in outs if 0 <= at - change < 2 * SCENE_SECONDS]
                if after:
                    delays.append(after[0])
                if rule == MARKED:
                    missed += not after
                    twice += len([delay for delay in after if delay < SCENE_SECONDS]) > 1
    return Matched(marked, sentence, missed, twice)


def figures_of(measured: Measured, servers: Sequence[Server]) -> list[Figure]:
    marked, sentence, missed, twice = match_events(measured, servers)
    sources = measured.figures.sources
    own = measured.figures.delay
    p95 = float(np.percentile(marked, 95)) if marked else float("nan")
    frames = sum(source.frames_in for source in sources)
    analysed = sum(source.analysed for source in sources)
    dropped = sum(source.dropped for source in sources)
    slope = _slope(measured.memory)
    spent = sum(server.processor_seconds for server in servers)
    return [
        Figure("wall time", measured.wall_seconds, "s"),
        Figure("frames in", frames, "frames"),
        Figure("instants analysed", analysed, "instants"),
        Figure("instants dropped", dropped, "instants"),
        Figure(
            "share dropped",
            dropped / max(1, analysed + dropped),
            "",
            "<= 0.01",
            dropped <= 0.01 * analysed,
        ),
        Figure("connections", sum(source.connections for source in sources), ""),
        Figure("processor time of the watch", measured.processor_seconds, "s"),
        Figure(
            "cores kept busy by it", measured.processor_seconds / measured.wall_seconds, "cores"
        ),
        Figure("processor time of the servers", spent, "s"),
        Figure("events measured, marked scene", len(marked), ""),
        Figure("delay from the server, marked scene, p50", _percentile(marked, 50), "s"),
        Figure(
            "delay from the server, marked scene, p95",
            p95,
            "s",
            f"<= {GOAL_DELAY_SECONDS}",
            p95 <= GOAL_DELAY_SECONDS,
        ),
        Figure("delay from the server, sentence, p50", _percentile(sentence, 50), "s"),
        Figure("delay from the server, sentence, p95", _percentile(sentence, 95), "s"),
        Figure("delay from the frame's arrival, all events, p50", own.p50 or float("nan"), "s"),
        Figure(
            "delay from the frame's arrival, all events, p95",
            own.p95 or float("nan"),
            "s",
            f"<= {GOAL_DELAY_SECONDS}",
            (own.p95 or float("inf")) <= GOAL_DELAY_SECONDS,
        ),
        Figure("changes without an event", missed, "", "0", missed == 0),
        Figure("changes with two events", twice, "", "0", twice == 0),
        Figure("memory at the end", measured.memory[-1][1], "MB"),
        Figure(
            "growth of memory over the second half",
            slope,
            "MB",
            f"<= {GOAL_SLOPE_MB:g}",
            slope <= GOAL_SLOPE_MB,
        ),
    ]


def _percentile(values: Sequence[float], share: float) -> float:
    return float(np.percentile(values, share)) if values else float("nan")


def _slope(memory: Sequence[tuple[float, float]]) -> float:
    """MB that a straight line through the second half of the samples rises by."""
    half = memory[len(memory) // 2 :]
    if len(half) < 3:
        return float("nan")
    times, sizes = (np.array(row) for row in zip(*half, strict=True))
    return float(np.polyfit(times, sizes, 1)[0] * (times[-1] - times[0]))


def as_markdown(figures: Sequence[Figure]) -> str:
    lines = [describe_machine(), "", "| what | value | goal | |", "|---|---|---|---|"]
    for figure in figures:
        verdict = {True: "reached", False: "NOT reached", None: ""}[figure.passed]
        value = f"{figure.value:.4g} {figure.unit}".strip()
        lines.append(f"| {figure.what} | {value} | {figure.goal} | {verdict} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=4)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--fps", type=float, default=2.0)
    parser.add_argument("--encoder", default="concept")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-restart", dest="restart", action="store_false")
    parser.add_argument("--save", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not QUIET_MATRICES.keys() <= os.environ.keys():  # as the command line has it
        environment = {**os.environ, **QUIET_MATRICES}
        arguments = [sys.executable, "-m", "benchmarks.watch_streams", *sys.argv[1:]]
        os.execve(sys.executable, arguments, environment)
    load_encoder(options.encoder).encode_query("ready")  # prepared once, before anything is timed
    servers: list[Server] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # in a process of its own: what its encoder leaves behind is not the watch's memory
        maker = multiprocessing.get_context("spawn").Process(
            target=write_scenes, args=(folder / "film.mp4",)
        )
        maker.start()
        maker.join()
        try:
            for number in range(options.streams):
                servers.append(Server(folder / "film.mp4", folder / f"diary-{number}.txt"))
            figures = figures_of(watch(servers, options), servers)
        finally:
            for server in servers:
                server.kill()
    if options.json:
        print(json.dumps([asdict(figure) for figure in figures], indent=2))
    else:
        print(as_markdown(figures))


if __name__ == "__main__":
    main()
