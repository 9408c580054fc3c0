"""Bring a library up to date with its files: who is new, changed, moved, gone or failed.

It knows the catalogue, file stamps and an executor; it knows no decoder and no network. It is
the one committer: every video is one transaction, so a run can end anywhere and lose nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from scenewise.index.catalog import Catalog, Known
from scenewise.index.discover import Discovery, vanished
from scenewise.index.discover import stamp as stamp_of
from scenewise.index.encode_video import Failed, Job, Outcome, Recognised
from scenewise.index.executor import Executor
from scenewise.index.extract_tracks import TrackJob, TracksRead
from scenewise.index.records import FileStamp, Track, TrackKind
from scenewise.index.track_plan import TrackPlan, subtitle_spec
from scenewise.media.sidecars import SidecarFinder, sidecar_stamp
from scenewise.types import Failure, IndexReport, Progress

logger = logging.getLogger(__name__)

ProgressCallback = Callable[[Progress], None]
ExecutorFor = Callable[[Sequence[Job]], Executor]  # for this work


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, from file names, sizes and dates alone."""

    jobs: tuple[FileStamp, ...]  # new, changed or returned: to be hashed, and decoded if unknown
    unchanged: int
    skipped_failed: int
    vanished: tuple[str, ...]  # paths of the catalogue, under the given folders, that are gone
    problems: tuple[Failure, ...]
    tracks: tuple[TrackJob, ...] = ()  # of the unchanged: what is not read yet, or by another spec


@dataclass(slots=True)
class _Tally:
    """What has been done so far."""

    total: int
    started: float = field(default_factory=time.monotonic)
    done: int = 0
    indexed: int = 0
    recognised: int = 0
    unchanged: int = 0
    failed: list[Failure] = field(default_factory=list)
    damaged: list[Failure] = field(default_factory=list)
    video_seconds: float = 0.0
    tracked: int = 0
    tracks: Counter[str] = field(default_factory=Counter)

    def progress(self, path: str) -> Progress:
        """The state after the file at ``path``."""
        elapsed = time.monotonic() - self.started
        return Progress(self.done, self.total, self.video_seconds, elapsed, path, len(self.failed))


def plan_index(
    catalog: Catalog | None,
    generation_id: int | None,
    discovery: Discovery,
    *,
    retry_failed: bool = False,
    tracks: TrackPlan | None = None,
) -> Plan:
    """Compare the files that are there with what the catalogue knows of them.

    A library that is not there yet is None and knows nothing. ``tracks`` None: whatever tracks
    the videos have will do.
    """
    known = catalog.known() if catalog is not None else {}
    jobs: list[FileStamp] = []
    same: list[FileStamp] = []
    skipped = 0
    for stamp in discovery.files:
        before = known.get(stamp.path)
        if before is None or before.stamp != stamp:
            jobs.append(stamp)
        elif _answers(catalog, generation_id, before):
            if before.missing:
                jobs.append(stamp)
            else:
                same.append(stamp)
        elif before.reason is not None and not retry_failed:
            skipped += 1
        else:
            jobs.append(stamp)
    gone = tuple(vanished(known, discovery.roots))
    lacking: tuple[TrackJob, ...] = ()
    if catalog is not None and tracks is not None:
        lacking = tuple(_plan_tracks(catalog, known, same, tracks, retry_failed))
    return Plan(tuple(jobs), len(same), skipped, gone, discovery.problems, lacking)


def _plan_tracks(
    catalog: Catalog,
    known: dict[str, Known],
    files: Sequence[FileStamp],
    tracks: TrackPlan,
    retry_failed: bool,
) -> Iterator[TrackJob]:
    """What the videos of some files lack: each content once, whatever lies beside its files."""
    have = catalog.all_track_specs()
    programs = tracks.programs()
    paths: defaultdict[str, list[str]] = defaultdict(list)
    for path, entry in known.items():
        if entry.content_hash is not None and not entry.missing:
            paths[entry.content_hash].append(path)
    beside = SidecarFinder()
    done: set[str] = set()
    for stamp in files:
        content_hash = known[stamp.path].content_hash
        if content_hash is None or content_hash in done or content_hash not in have:
            continue
        done.add(content_hash)
        video_id, found = have[content_hash]
        sidecars = {
            sidecar_stamp(file): str(file)  # the same file in two places is read once
            for path in sorted(paths[content_hash])
            for file in beside.beside(path)
        }
        wanted: dict[TrackKind, str] = {
            "subtitle": subtitle_spec([Path(f) for f in sidecars.values()]),
            **programs,
        }
        missing: dict[TrackKind, str] = {
            kind: spec
            for kind, spec in wanted.items()
            if kind not in found or found[kind][0] != spec or (retry_failed and found[kind][1])
        }
        if missing:
            yield TrackJob(stamp, video_id, missing, tuple(sidecars.values()))


def plan_reindex(catalog: Catalog, generation_id: int) -> Plan:
    """All files whose content a generation that is being filled does not have yet.

    ``unchanged`` counts those that it has: a reindex that was stopped goes on there.
    """
    jobs: list[FileStamp] = []
    gone: list[str] = []
    problems: list[Failure] = []
    unchanged = skipped = 0
    for path, known in sorted(catalog.known().items()):
        if known.content_hash is None:
            skipped += 1
            continue
        if catalog.has_content(generation_id, known.content_hash):
            unchanged += 1
            continue
        try:
            now = stamp_of(path)
        except (FileNotFoundError, NotADirectoryError):
            gone.append(path)
            continue
        except OSError as error:
            problems.append(Failure(path, f"cannot be looked at: {error.strerror or error}"))
            continue
        if now is not None:
            jobs.append(now)
    return Plan(tuple(jobs), unchanged, skipped, tuple(gone), tuple(problems))


def _answers(catalog: Catalog | None, generation_id: int | None, before: Known) -> bool:
    return (
        catalog is not None
        and generation_id is not None
        and before.content_hash is not None
        and catalog.has_content(generation_id, before.content_hash)
    )


def run_index(
    catalog: Catalog,
    generation_id: int,
    plan: Plan,
    executor_for: ExecutorFor,
    *,
    progress: ProgressCallback | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> IndexReport:
    """Carry out a plan. Ctrl-C lets the running videos finish; a second one ends at once.

    Raises EncoderError and StorageError; what was committed before stays.
    """
    jobs: tuple[Job, ...] = (*plan.jobs, *plan.tracks)
    tally = _Tally(len(jobs))
    already_missing = {path for path, known in catalog.known().items() if known.missing}
    with _first_interrupt_stops() as interrupt:
        if jobs:
            executor = executor_for(jobs)
            try:
                _work_off(
                    catalog,
                    generation_id,
                    jobs,
                    executor,
                    tally,
                    progress,
                    lambda: interrupt.is_set() or stop(),
                )
            finally:
                executor.close()
        catalog.mark_missing(plan.vanished)
    now = catalog.known()
    missing = sum(
        path in now and now[path].missing and path not in already_missing for path in plan.vanished
    )
    return IndexReport(
        indexed=tally.indexed,
        recognised=tally.recognised,
        unchanged=plan.unchanged + tally.unchanged,
        missing=missing,
        failed=(*plan.problems, *sorted(tally.failed, key=lambda failure: failure.path)),
        skipped_failed=plan.skipped_failed,
        video_seconds=tally.video_seconds,
        wall_seconds=time.monotonic() - tally.started,
        interrupted=interrupt.is_set() or (stop() and tally.done < tally.total),
        damaged=tuple(sorted(tally.damaged, key=lambda failure: failure.path)),
        tracked=tally.tracked,
        tracks=dict(sorted(tally.tracks.items())),
    )


class _Committer:
    """Takes outcomes one by one; knows which contents are being decoded at this moment."""

    def __init__(self, catalog: Catalog, generation_id: int, tally: _Tally) -> None:
        self._catalog = catalog
        self._generation_id = generation_id
        self._tally = tally
        self._before = catalog.known()
        self._paths_before: dict[str, list[str]] = defaultdict(list)
        for path, known in self._before.items():
            if known.content_hash is not None:
                self._paths_before[known.content_hash].append(path)
        self._claimed: set[str] = set()
        self._waiting: dict[str, list[FileStamp]] = defaultdict(list)

    def wanted(self, content_hash: str) -> bool:
        """Decode a content once, however many files hold it."""
        if content_hash in self._claimed or self._has(content_hash):
            return False
        self._claimed.add(content_hash)
        return True

    def _has(self, content_hash: str) -> bool:
        return self._catalog.has_content(self._generation_id, content_hash)

    def take(self, outcome: Outcome) -> list[str]:
        """Commit one outcome; return the paths that are dealt with now."""
        tally = self._tally
        if isinstance(outcome, Failed):
            self._catalog.commit_failure(outcome.stamp, outcome.reason)
            tally.failed.append(Failure(outcome.stamp.path, outcome.reason))
            return [outcome.stamp.path]
        if isinstance(outcome, Recognised):
            if not self._has(outcome.content_hash):
                self._waiting[outcome.content_hash].append(outcome.stamp)
                return []
            return [self._recognise(outcome.content_hash, outcome.stamp)]
        if isinstance(outcome, TracksRead):
            self._take_tracks(outcome)
            return [outcome.stamp.path]
        self._catalog.commit_video(self._generation_id, outcome)
        self._count(outcome.tracks)
        if outcome.warnings:
            tally.damaged.append(Failure(outcome.stamp.path, "; ".join(outcome.warnings)))
        tally.indexed += 1
        tally.video_seconds += outcome.duration
        others = self._waiting.pop(outcome.content_hash, [])
        return [
            outcome.stamp.path,
            *(self._recognise(outcome.content_hash, stamp) for stamp in others),
        ]

    def _take_tracks(self, outcome: TracksRead) -> None:
        tally = self._tally
        if outcome.warnings:
            tally.damaged.append(Failure(outcome.stamp.path, "; ".join(outcome.warnings)))
        if outcome.tracks and self._catalog.commit_tracks(outcome.video_id, outcome.tracks):
            tally.tracked += 1
            self._count(outcome.tracks)

    def _count(self, tracks: Sequence[Track]) -> None:
        self._tally.tracks.update(track.kind for track in tracks if not track.warnings)

    def _recognise(self, content_hash: str, stamp: FileStamp) -> str:
        self._catalog.add_location(content_hash, stamp)
        # moved here from a folder that is not looked at now: a hit must not name the old place
        places = self._paths_before.get(content_hash, ())
        self._catalog.mark_missing([path for path in places if not os.path.lexists(path)])
        before = self._before.get(stamp.path)
        if before is not None and before.content_hash == content_hash and not before.missing:
            self._tally.unchanged += 1  # only its date changed
        else:
            self._tally.recognised += 1
        return stamp.path

    def left_over(self) -> list[FileStamp]:
        """Files that waited for an equal one which then failed: each has to be tried itself."""
        stamps = [stamp for stamps in self._waiting.values() for stamp in stamps]
        self._waiting.clear()
        self._claimed.clear()
        return sorted(stamps, key=lambda stamp: stamp.path)


def _work_off(
    catalog: Catalog,
    generation_id: int,
    jobs: Sequence[Job],
    executor: Executor,
    tally: _Tally,
    progress: ProgressCallback | None,
    stop: Callable[[], bool],
) -> None:
    committer = _Committer(catalog, generation_id, tally)
    while jobs and not stop():
        for outcome in executor.run(jobs, committer.wanted, stop):
            for path in committer.take(outcome):
                tally.done += 1
                if progress is not None:
                    progress(tally.progress(path))
        jobs = committer.left_over()


@contextlib.contextmanager
def _first_interrupt_stops() -> Iterator[threading.Event]:
    """Inside, the first SIGINT sets the event, and the next one raises KeyboardInterrupt.

    In another thread than the main one, or where SIGINT is ignored, nothing is changed.
    """
    interrupted = threading.Event()
    previous = signal.getsignal(signal.SIGINT)
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or previous in (signal.SIG_IGN, None):
        yield interrupted
        return

    def note(_signal: int, _frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()
        logger.warning("stopping after the running videos; Ctrl-C again stops at once")

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, previous)
