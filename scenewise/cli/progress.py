"""Shows how far a run of indexing is, on stderr: a bar on a terminal, plain lines elsewhere.

It knows numbers and words; it knows no library.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scenewise.cli.output import Output, printable, rough_duration, warn
from scenewise.types import Progress

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def shown_progress(
    out: Output, *, now: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[Progress], None] | None]:
    """What to give as ``progress`` while the block runs; None with ``-q``."""
    if out.quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as shown:
            yield shown
    else:
        yield _Lines(every_file=out.verbose, now=now)


class _Lines:
    """A line when some seconds have passed, and one for the last file."""

    def __init__(self, *, every_file: bool, now: Callable[[], float]) -> None:
        self._every_file = every_file
        self._now = now
        self._printed_at = float("-inf")
        self._printed = -1

    def __call__(self, progress: Progress) -> None:
        done = progress.files_done
        late = self._now() - self._printed_at >= SECONDS_BETWEEN_LINES
        if progress.current:
            # a long film of its own is worth a line; the first seconds of each are not
            if self._printed_at == float("-inf"):
                self._printed_at = self._now()
            elif late:
                self._printed_at = self._now()
                warn(describe(progress))
            return
        if done == self._printed:
            return
        last = done == progress.files_total
        if done and (last or late or self._every_file):
            self._printed, self._printed_at = done, self._now()
            name = f" {printable(progress.path)}" if self._every_file and progress.path else ""
            warn(describe(progress) + name)


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("looking for videos", total=None)

        def show(progress: Progress) -> None:
            bar.update(
                task,
                total=progress.files_total,
                completed=progress.files_done + progress.part_done,
                description=describe(progress),
            )

        yield show


def describe(progress: Progress) -> str:
    """``12/340 videos, 34.5 s of video per second, about 4 min left, 2 failed``."""
    parts = [f"{progress.files_done}/{progress.files_total} videos"]
    if progress.elapsed_seconds > 0 and progress.video_seconds > 0:
        rate = progress.video_seconds / progress.elapsed_seconds
        parts.append(f"{rate:.1f} s of video per second")
    left = progress.files_total - progress.files_done
    if progress.files_done and left > 0:
        seconds = progress.elapsed_seconds / progress.files_done * left
        parts.append(f"about {rough_duration(seconds)} left")
    if progress.current:
        parts.append(f"{progress.part_done:.0%} of {printable(Path(progress.current).name)}")
    if progress.failed:
        parts.append(f"{progress.failed} failed")
    return ", ".join(parts)
