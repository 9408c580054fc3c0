"""One batch by heart."""

from __future__ import annotations

import torch
from tiny_training import batch_of, learner

from scenewise.training.optimizers import make_optimizer
from scenewise.training.overfit import overfit
from scenewise.training.settings import OptimizerSettings, TrainSettings


def test_the_loss_of_one_batch_falls_to_nothing() -> None:
    module = learner()
    optimizer = make_optimizer(module, OptimizerSettings(lr=0.03, weight_decay=0))
    told: list[tuple[int, float]] = []
    curve = overfit(
        module,
        optimizer,
        TrainSettings(),
        batch_of([1, 2, 3, 4]),
        200,
        progress=lambda *now: told.append(now),
    )
    assert told == list(enumerate(curve, start=1))
    assert len(curve) == 200
    assert curve[-1] < curve[0] / 1000


def test_without_learning_it_stays() -> None:
    module = learner()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.0)
    assert len(set(overfit(module, optimizer, TrainSettings(), batch_of([1, 2]), 5))) == 1
