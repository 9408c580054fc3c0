"""Fill a library from files: index, reindex, and keep up with folders that change.

It knows which parts a filling needs and in which order they are opened; it answers no question.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import get_args

from scenewise.config import expand_user
from scenewise.device import processor_count
from scenewise.encoders.spec import EncoderSpec
from scenewise.errors import EncoderError, LibraryNotFoundError, ScenewiseError, UsageError
from scenewise.index.catalog import Catalog, Generation
from scenewise.index.discover import Discovery, discover, under
from scenewise.index.encode_video import Job
from scenewise.index.encoder_source import EncoderSource
from scenewise.index.executor import WORKERS_SUPPORTED, Executor, InProcess, LocalProcesses
from scenewise.index.extract_tracks import TrackJob
from scenewise.index.indexer import Plan, ProgressCallback, plan_index, plan_reindex, run_index
from scenewise.index.track_plan import SETTING, TrackPlan, TrackWish
from scenewise.index.vectors import AnnKind, refresh
from scenewise.index.windows import Sampling, plan_windows
from scenewise.media.video_names import COMMON_SUFFIXES
from scenewise.types import IndexReport

_TICK_MILLISECONDS = 1_000
_QUIET_MILLISECONDS = 1_600  # changes of a folder that follow one another faster are one change


def _never() -> bool:
    return False


logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Filling:
    """How files become windows of a library, and on what."""

    directory: Path
    source: EncoderSource
    workers: int | None = None  # None: one per core
    progress: ProgressCallback | None = None
    stop: Callable[[], bool] = _never

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise UsageError(f"workers = {self.workers} is not allowed; give 1 or more.")

    def executor(self, generation: Generation, tracks: TrackPlan, jobs: Sequence[Job]) -> Executor:
        """Worker processes, or none where one would be alone. Prepares the encoder.

        Not where nothing but tracks is to be read.
        """
        encodes = not all(isinstance(job, TrackJob) for job in jobs)
        encoder = self.source.of(generation) if encodes else None
        sampling = Sampling.parse(generation.sampling)
        count = min(self.workers or processor_count(), len(jobs))
        if count == 1 or not WORKERS_SUPPORTED:
            return InProcess(encoder, sampling, tracks, self.source.threads)
        factory = self.source.factory(generation.spec) if encodes else None
        return LocalProcesses.of(factory, sampling, count, tracks, self.source.threads)

    def run(
        self, catalog: Catalog, generation: Generation, plan: Plan, tracks: TrackPlan
    ) -> IndexReport:
        """Carry out a plan."""
        return run_index(
            catalog,
            generation.id,
            plan,
            partial(self.executor, generation, tracks),
            progress=self.progress,
            stop=self.stop,
        )


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a library begins with when it is filled for the first time."""

    encoder: str
    runtime: str
    fps: float


def index_paths(
    filling: Filling,
    beginning: Beginning,
    paths: Sequence[str | Path],
    asked: Sampling,
    *,
    recursive: bool = True,
    retry_failed: bool = False,
    ann: AnnKind | None = None,
    dry_run: bool = False,
    may_be_empty: bool = False,
    wish: TrackWish | None = None,
) -> IndexReport:
    """See ``Library.index``. The writer's lock is held for the whole run."""
    if ann is not None and ann not in get_args(AnnKind):
        raise UsageError(f"ann = {ann!r} is not allowed; give {' or '.join(get_args(AnnKind))}.")
    discovery = discover(paths, recursive=recursive)
    active: Generation | None = None
    stored: str | None = None
    with _reader(filling.directory) as catalog:
        if catalog is not None and (active := catalog.active()) is not None:
            _check_sampling(asked, active)
        if catalog is not None:
            stored = catalog.setting(SETTING)
        tracks = _wanted_tracks(wish, stored, asked, active, beginning.fps)
        if not may_be_empty:  # after the options, whose mistakes are plain at once
            _check_paths(paths, discovery, catalog)
        tracks = replace(tracks, cache=filling.source.cache)
        if not dry_run:
            tracks.prepare(logger.info)
        tracks.programs()  # raises for what cannot be made here
        if dry_run:
            generation_id = active.id if active else None
            return would(
                plan_index(
                    catalog, generation_id, discovery, retry_failed=retry_failed, tracks=tracks
                )
            )
    if active is not None:
        spec, sampling = active.spec, active.sampling
    else:
        # before anything is written: an encoder that is unknown makes no library
        spec = filling.source.get(beginning.encoder, beginning.runtime).spec
        sampling = str(choose_sampling(asked, spec, beginning.fps))
    with Catalog.open(filling.directory, write=True, create=True) as writer:
        generation = writer.active() or writer.begin(spec, sampling)
        before = TrackPlan.from_setting(stored)
        if tracks != before:  # at once, so that a run that is killed goes on with it
            writer.set_setting(SETTING, tracks.to_setting())
        plan = plan_index(
            writer, generation.id, discovery, retry_failed=retry_failed, tracks=tracks
        )
        try:
            report = filling.run(writer, generation, plan, tracks)
        except EncoderError:
            if tracks != before:  # a model that does not load must not end every later run too
                writer.set_setting(SETTING, before.to_setting())
            raise
        refresh(filling.directory, writer, generation.id, ann)
    return report


def reindex(
    filling: Filling, encoder: str | None, runtime: str, asked: Sampling, fps: float
) -> IndexReport:
    """See ``Library.reindex``."""
    with Catalog.open(filling.directory, write=True) as writer:
        active, begun = writer.active(), writer.filling()
        if active is None:
            raise UsageError(
                f"the library {filling.directory} is empty; fill it with scenewise index FOLDER."
            )
        if begun is not None and encoder is None and asked == Sampling():
            encoder, runtime = begun.spec.name, begun.spec.runtime
            asked = Sampling.parse(begun.sampling)
        spec = filling.source.get(encoder or active.spec.name, runtime).spec
        kept = Sampling.parse(active.sampling)
        alike = active.spec.frames_per_window == spec.frames_per_window
        if asked == Sampling() and (alike or kept.frames is not None):
            asked = kept
        sampling = choose_sampling(asked, spec, fps)
        generation = writer.begin(spec, str(sampling))
        plan = plan_reindex(writer, generation.id)
        # what was read and heard belongs to the content and stays
        report = filling.run(writer, generation, plan, TrackPlan.subtitles_only())
        if report.interrupted:
            return report
        if not len(writer.chunk_ids(generation.id)) and len(writer.chunk_ids(active.id)):
            raise ScenewiseError(
                f"none of the {len(plan.jobs) + len(plan.vanished)} files could be decoded, "
                "so the library stays as it was; are the drives connected?"
            )
        refresh(filling.directory, writer, generation.id)  # before it answers
        writer.switch(generation.id)
        refresh(filling.directory, writer, generation.id)  # drops the old generation's files
    return report


def watch(
    run: Callable[[], IndexReport],
    paths: Sequence[str | Path],
    stop: threading.Event,
    *,
    recursive: bool,
) -> Iterator[IndexReport]:
    """Run now, and again after each change of the folders, until ``stop`` is set."""
    from watchfiles import watch as changes  # its compiled part is for this verb alone

    report = run()
    yield report
    looked_since = False
    for change in changes(
        *(expand_user(path) for path in paths),
        debounce=_QUIET_MILLISECONDS,
        rust_timeout=_TICK_MILLISECONDS,
        yield_on_timeout=True,
        stop_event=stop,
        recursive=recursive,
        raise_interrupt=True,
    ):
        if report.interrupted:
            return
        if change or not looked_since:
            report = run()
            # what changed between the first run and the begin of watching nobody else would see
            if change or did_something(report):
                yield report
            looked_since = True


def did_something(report: IndexReport) -> bool:
    """Whether a run changed the library."""
    return bool(
        report.indexed or report.recognised or report.missing or report.failed or report.tracked
    )


@contextmanager
def _reader(directory: Path) -> Iterator[Catalog | None]:
    """The catalogue to read, or None where there is no library yet."""
    try:
        catalog = Catalog.open(directory)
    except LibraryNotFoundError:
        yield None
        return
    with catalog:
        yield catalog


def _check_paths(
    paths: Sequence[str | Path], discovery: Discovery, catalog: Catalog | None
) -> None:
    """Refuse paths that lead nowhere: neither on the disk nor in the library."""
    known = catalog.known() if catalog is not None else {}
    for path in paths:
        root = os.path.realpath(expand_user(path))
        if not os.path.lexists(root) and not any(under(name, [root]) for name in known):
            raise UsageError(f"there is no file or folder {path}; name one that holds videos.")
    if discovery.files or discovery.problems or any(under(p, discovery.roots) for p in known):
        return
    kinds = ", ".join(sorted(suffix.lstrip(".") for suffix in COMMON_SUFFIXES))
    raise ScenewiseError(
        f"nothing could be indexed: no video was found in {', '.join(str(p) for p in paths)} "
        f"(looked for {kinds} and others); name a folder with videos, or a file itself."
    )


def _wanted_tracks(
    wish: TrackWish | None,
    stored: str | None,
    asked: Sampling,
    active: Generation | None,
    fps: float,
) -> TrackPlan:
    """The plan that holds from now on; text is looked for as often as pictures are sampled."""
    sampling = asked if active is None else Sampling.parse(active.sampling)
    return (wish or TrackWish()).applied_to(TrackPlan.from_setting(stored), sampling.fps or fps)


def _check_sampling(asked: Sampling, active: Generation) -> None:
    if asked not in (Sampling(), Sampling.parse(active.sampling)):
        raise UsageError(
            f"this library is sampled with {active.sampling}, not with {asked}; leave it out, or "
            f"go over to it with scenewise reindex --{str(asked).replace('=', ' ')}."
        )


def choose_sampling(asked: Sampling, spec: EncoderSpec, fps: float) -> Sampling:
    """What was asked for, or the default of this kind of encoder; checked against the encoder."""
    sampling = asked
    if asked == Sampling() and spec.frames_per_window == 1:
        sampling = Sampling(fps=fps)
    plan_windows(1.0, spec, sampling)
    return sampling


def would(plan: Plan) -> IndexReport:
    """The report of a run that was not made: files that would be looked at are ``indexed``."""
    return IndexReport(
        indexed=len(plan.jobs),
        recognised=0,
        unchanged=plan.unchanged,
        missing=len(plan.vanished),
        failed=plan.problems,
        skipped_failed=plan.skipped_failed,
        video_seconds=0.0,
        wall_seconds=0.0,
        tracked=len(plan.tracks),
    )
