"""The loop: batches become steps, epochs end in an evaluation.

It knows a learner, batches and an optimizer; it knows no dataset and no metric: evaluation is a
callable that it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from scenewise.data.batch import Batch
from scenewise.training.learner import LOSS, Learner
from scenewise.training.settings import TrainSettings

Evaluate = Callable[[nn.Module], dict[str, float]]


@dataclass(frozen=True, slots=True)
class TrainReport:
    """How a run ended."""

    steps: int  # of the optimizer
    epochs: int
    loss: float  # mean over the last epoch
    figures: dict[str, float]  # of the last evaluation

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


class Trainer:
    """Trains one learner."""

    def __init__(
        self,
        learner: Learner,
        optimizer: torch.optim.Optimizer,
        settings: TrainSettings,
        batches: Iterable[Batch],
        *,
        evaluate: Evaluate | None = None,
    ) -> None:
        self._learner = learner
        self._optimizer = optimizer
        self._settings = settings
        self._batches = batches
        self._evaluate = evaluate

    def fit(self) -> TrainReport:
        """Train for all epochs."""
        steps, losses = 0, [float("nan")]
        for _ in range(self._settings.epochs):
            self._learner.train()
            losses = []
            for batch in self._batches:
                self._optimizer.zero_grad(set_to_none=True)
                loss = self._learner(batch)[LOSS]
                torch.autograd.backward(loss)
                self._optimizer.step()
                losses.append(float(loss.detach()))
                steps += 1
        figures = self._evaluate(self._learner.model) if self._evaluate else {}
        mean = sum(losses) / max(1, len(losses))
        return TrainReport(steps, self._settings.epochs, mean, figures)
