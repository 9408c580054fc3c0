"""What is frozen does not move: no gradient, no running figure."""

from __future__ import annotations

import pytest
import torch
from tiny_training import SkippingBatches, learner, network
from torch import nn

from scenewise.errors import TrainingError
from scenewise.models.registry import create_model
from scenewise.training.freezing import freeze, freeze_batch_norms, train_mode
from scenewise.training.optimizers import make_optimizer
from scenewise.training.settings import OptimizerSettings, TrainSettings
from scenewise.training.trainer import Trainer


def test_frozen_parameters_and_the_figures_of_frozen_norms_stay() -> None:
    module = learner(network(norm=True))
    assert freeze(module, ["0.*", "1.*"]) == ["0.weight", "0.bias", "1.weight", "1.bias"]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    optimizer = make_optimizer(module, OptimizerSettings(lr=0.1))
    Trainer(module, optimizer, TrainSettings(batch_size=3), SkippingBatches()).fit()
    moved = {n for n, value in module.state_dict().items() if not torch.equal(value, before[n])}
    assert moved == {"model.4.weight", "model.4.bias"}
    assert all(value.grad is None for value in module.model.get_submodule("0").parameters())


def test_a_norm_that_learns_counts() -> None:
    module = learner(network(norm=True))
    before = module.state_dict()["model.1.running_mean"].clone()
    optimizer = make_optimizer(module, OptimizerSettings())
    Trainer(module, optimizer, TrainSettings(batch_size=3), SkippingBatches()).fit()
    assert not torch.equal(module.state_dict()["model.1.running_mean"], before)


@pytest.mark.parametrize(("which", "left"), [("all", 0), ("all_but_first", 1)])
def test_partial_batch_norm(which: str, left: int) -> None:
    """TSN's: all batch norms but the first are in eval mode, their weights frozen."""
    module = create_model("tsm_tiny")
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    assert freeze_batch_norms(module, which) == len(norms) - left  # type: ignore[arg-type]
    train_mode(module)
    assert [norm.training for norm in norms] == [True] * left + [False] * (len(norms) - left)
    assert [norm.weight.requires_grad for norm in norms] == [norm.training for norm in norms]


def test_norms_that_are_not_there_cannot_be_frozen() -> None:
    with pytest.raises(TrainingError, match="has 0 batch norm"):
        freeze_batch_norms(learner(), "all")


def test_a_pattern_must_fit_and_something_must_be_left() -> None:
    with pytest.raises(TrainingError, match=r"model.freeze: no name fits '4\.\*'"):
        freeze(learner(), ["4.*"])
    with pytest.raises(TrainingError, match="nothing is left to learn"):
        freeze(learner(), ["*"])
