"""A network that learns one batch by heart: the first thing to try, and where mistakes show.

It knows a learner and a batch; it writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat

import torch
from torch import nn

from scenewise.data.batch import Batch
from scenewise.training.freezing import train_mode
from scenewise.training.learner import LOSS
from scenewise.training.precision import Precision
from scenewise.training.processes import Processes
from scenewise.training.settings import TrainSettings
from scenewise.training.step import Stepper


def overfit(
    learner: nn.Module,
    optimizer: torch.optim.Optimizer,
    settings: TrainSettings,
    batch: Batch,
    steps: int,
    *,
    progress: Callable[[int, float], None] | None = None,
) -> list[float]:
    """The loss ahead of each of ``steps`` steps on this batch, at the optimizer's own rate.

    ``progress`` is told each step's number, from 1, and its loss. Raises TrainingError as
    ``Stepper`` does.
    """
    device = next(learner.parameters()).device
    stepper = Stepper(
        learner, optimizer, settings, Precision(settings.precision, device), Processes()
    )
    train_mode(learner)
    source = repeat(batch.to(device))
    curve: list[float] = []
    for number in range(1, steps + 1):
        taken = stepper.step(source, 1, number)
        if taken is not None:
            curve.append(taken.figures[LOSS])
            if progress is not None:
                progress(number, curve[-1])
    return curve
