"""Where a run is, as numbers: what a checkpoint keeps and a line of the log is made of.

It knows numbers; it knows no tensor of a network and no file.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import ceil
from pathlib import Path
from typing import Any

import torch

from scenewise.training.batches import Batches, length
from scenewise.training.best import Best
from scenewise.training.learner import LOSS
from scenewise.training.parameter_groups import NAME
from scenewise.training.processes import Processes
from scenewise.training.report import Ended, TrainReport
from scenewise.training.settings import TrainSettings
from scenewise.training.step import Step

_NO_NUMBER = float("nan")


@dataclass(slots=True)
class RunState:
    """``steps`` and ``steps_per_epoch`` are planned once; everything else counts."""

    steps: int | None
    steps_per_epoch: int | None
    step: int = 0
    epoch: int = 0  # that goes on, from 0
    position: int = 0  # batches of it that are behind
    measured_at: int = -1  # the step of the last evaluation
    figures: dict[str, float] = field(default_factory=dict)  # of it
    loss: float = _NO_NUMBER  # mean over the last whole epoch
    epoch_loss: float = 0.0  # sum over rows of this epoch
    epoch_rows: int = 0
    # since the last line of the log
    sums: dict[str, float] = field(default_factory=dict)
    rows: int = 0
    counted: int = 0  # steps
    seconds: float = 0.0
    seconds_per_step: float = 0.0  # of the last step
    ended: Ended = "done"  # how, once it has

    @classmethod
    def planned(cls, settings: TrainSettings, batches: Batches, processes: Processes) -> RunState:
        """The beginning of a run."""
        batches.set_epoch(0, 0)
        count = processes.least(length(batches))
        each = None if count is None else ceil(count / settings.accumulate)
        epochs = settings.epochs or (None if settings.max_steps else 1)
        limits = [settings.max_steps] if settings.max_steps else []
        if each is not None and epochs is not None:
            limits.append(each * epochs)
        return cls(min(limits, default=None), each)

    def add(self, step: Step, seconds: float) -> None:
        """Count a step."""
        self.step += 1
        self.counted += 1
        self.rows += step.rows
        self.seconds += seconds
        self.seconds_per_step = seconds
        self.epoch_rows += step.rows
        self.epoch_loss += step.figures[LOSS] * step.rows
        for name, value in step.figures.items():
            self.sums[name] = self.sums.get(name, 0.0) + value * step.rows

    def take_means(self) -> dict[str, Any]:
        """Loss, its parts and the pace since this was last taken."""
        means = {name: total / self.rows for name, total in self.sums.items()}
        line = {
            "loss": means.pop(LOSS),
            "parts": means,
            "seconds_per_step": self.seconds / self.counted,
            "clips_per_second": self.rows / self.seconds if self.seconds else None,
        }
        self.sums, self.rows, self.counted, self.seconds = {}, 0, 0, 0.0
        return line

    def close_epoch(self) -> None:
        """The next epoch begins."""
        self.loss = self.epoch_loss / self.epoch_rows
        self.epoch_loss, self.epoch_rows = 0.0, 0
        self.epoch += 1
        self.position = 0

    def saved(self) -> dict[str, Any]:
        """What goes into a checkpoint; a run that was interrupted goes on."""
        return {**asdict(self), "ended": "done" if self.ended == "interrupted" else self.ended}

    def load(self, saved: Mapping[str, Any]) -> None:
        """What came out of one."""
        for name, value in saved.items():
            setattr(self, name, value)

    def report(self, best: Best, skipped: int, resumed_from: int | None) -> TrainReport:
        """How it ended."""
        loss = self.epoch_loss / self.epoch_rows if self.epoch_rows else self.loss
        top: dict[str, float] = {}
        if best.entries:
            step, value = best.entries[0]
            top = {"step": step, best.figure(self.figures): value}
        return TrainReport(
            self.step, self.epoch, loss, self.figures, self.ended, top, skipped, resumed_from
        )


def rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The learning rate of each group, by its name."""
    return {
        str(group.get(NAME, number)): float(group["lr"])
        for number, group in enumerate(optimizer.param_groups)
    }


def memory_bytes(device: torch.device) -> int | None:
    """The most that was in use so far: of the GPU, or of this process. None where nobody knows."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    if not Path("/proc").is_dir() and sys.platform != "darwin":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
