"""The mean of weights, against its closed form."""

from __future__ import annotations

import pytest
import torch
from tiny_training import learner, network
from torch import nn

from scenewise.training.ema import WeightMean


def test_a_plain_mean_of_a_jump_is_a_geometric_series() -> None:
    """Weights that jump from 0 to 1 give 1 - decay^t."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    mean = WeightMean(module, 0.9, warmup=False)
    nn.init.ones_(module.weight)
    for step in range(1, 20):
        mean.update()
        assert float(mean.tensors["weight"]) == pytest.approx(1 - 0.9**step, rel=1e-5)


def test_with_warm_up_the_mean_forgets_faster_in_the_beginning() -> None:
    """min(decay, (1 + t) / (10 + t)): what is left of the first value is the product."""
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    mean = WeightMean(module, 0.5)
    nn.init.ones_(module.weight)
    left = 1.0
    for step, decay in enumerate(
        [2 / 11, 3 / 12, 4 / 13, 5 / 14, 6 / 15, 7 / 16, 8 / 17, 0.5, 0.5], 1
    ):
        assert mean.decay(step) == pytest.approx(decay)
        mean.update()
        left *= decay
        assert float(mean.tensors["weight"]) == pytest.approx(1 - left, rel=1e-5)


def test_inside_the_module_has_the_mean_and_afterwards_its_own() -> None:
    module = learner(network(norm=True))
    mean = WeightMean(module, 0.9)
    kept = {name: value.clone() for name, value in mean.tensors.items()}
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(1)
    own = {name: value.clone() for name, value in module.state_dict().items()}
    with mean.applied():
        inside = module.state_dict()
        assert all(torch.equal(inside[name], value) for name, value in kept.items())
    assert all(torch.equal(module.state_dict()[name], value) for name, value in own.items())
    assert all(torch.equal(mean.tensors[name], value) for name, value in kept.items())
    mean.take()
    assert all(torch.equal(module.state_dict()[name], value) for name, value in kept.items())


def test_figures_of_norms_are_averaged_and_counters_and_frozen_weights_are_not() -> None:
    module = learner(network(norm=True))
    module.model.get_submodule("0").requires_grad_(False)
    names = set(WeightMean(module, 0.9).tensors)
    assert {"model.1.running_mean", "model.1.running_var", "model.1.weight"} <= names
    assert not names & {"model.1.num_batches_tracked", "model.0.weight"}
