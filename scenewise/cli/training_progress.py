"""Shows how far a run of training is, on stderr: a bar on a terminal, plain lines elsewhere.

It knows numbers and words; it knows no network.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scenewise.cli.output import Output, rough_duration, warn
from scenewise.cli.progress import SECONDS_BETWEEN_LINES

if TYPE_CHECKING:
    from scenewise.training.report import TrainProgress


@contextmanager
def shown_training(
    out: Output, *, now: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[TrainProgress], None] | None]:
    """What to give the trainer as ``progress`` while the block runs; None with ``-q``."""
    if out.quiet:
        yield None
    elif sys.stderr.isatty():
        with _bar() as shown:
            yield shown
    else:
        yield _Lines(now)


class _Lines:
    """A line when some seconds have passed, and one for the last step."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._printed_at = float("-inf")

    def __call__(self, progress: TrainProgress) -> None:
        last = progress.step == progress.steps and not progress.evaluating
        if last or self._now() - self._printed_at >= SECONDS_BETWEEN_LINES:
            self._printed_at = self._now()
            warn(describe(progress))


@contextmanager
def _bar() -> Iterator[Callable[[TrainProgress], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading the first batch", total=None)

        def show(progress: TrainProgress) -> None:
            bar.update(
                task,
                total=progress.steps,
                completed=progress.step,
                description=describe(progress),
            )

        yield show


def describe(progress: TrainProgress) -> str:
    """``step 12/340, epoch 2/10, loss 0.4312, about 4 min left, top_1 0.71``."""
    steps = "" if progress.steps is None else f"/{progress.steps}"
    epochs = "" if progress.epochs is None else f"/{progress.epochs}"
    # the last step of an epoch belongs to it; the evaluation after it comes when it is over
    epoch = progress.epoch if progress.evaluating and progress.epoch else progress.epoch + 1
    parts = [f"step {progress.step}{steps}", f"epoch {epoch}{epochs}", f"loss {progress.loss:.4f}"]
    if progress.evaluating:
        parts.append("evaluating")
    elif progress.steps is not None and progress.step < progress.steps:
        seconds = (progress.steps - progress.step) * progress.seconds_per_step
        parts.append(f"about {rough_duration(seconds)} left")
    if progress.figures:
        name, value = next(iter(progress.figures.items()))
        parts.append(f"{name} {value:.4g}")
    return ", ".join(parts)
