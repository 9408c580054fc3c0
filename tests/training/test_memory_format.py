"""Channels-last kernels: the same numbers but for rounding, and every kernel laid out so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from scenewise.models.registry import create_model
from scenewise.training.memory_format import to_channels_last

KERNELS = {"tsm_tiny": torch.channels_last, "x3d_tiny": torch.channels_last_3d}


def gradients(model: nn.Module, clips: Tensor) -> Tensor:
    torch.autograd.backward(model.train()(clips).square().mean())
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


@pytest.mark.parametrize("name", KERNELS)
def test_gradients_are_the_same(name: str) -> None:
    torch.manual_seed(0)
    clips = torch.randn(2, 8, 3, 64, 64)
    plain, other = create_model(name), create_model(name)
    other.load_state_dict(plain.state_dict())
    convolutions = [m for m in other.modules() if isinstance(m, nn.Conv2d | nn.Conv3d)]
    assert to_channels_last(other) == len(convolutions)
    for one in convolutions:
        assert one.weight.is_contiguous(memory_format=KERNELS[name])
    expected, found = gradients(plain, clips), gradients(other, clips)
    assert float((found - expected).norm() / expected.norm()) < 1e-4


def test_weights_that_are_read_in_keep_the_order() -> None:
    """So a run that goes on computes as the one before it."""
    model = create_model("tsm_tiny")
    state = {name: value.clone() for name, value in model.state_dict().items()}
    to_channels_last(model)
    model.load_state_dict(state)
    kernel = next(m.weight for m in model.modules() if isinstance(m, nn.Conv2d))
    assert kernel.is_contiguous(memory_format=torch.channels_last)
    assert not kernel.is_contiguous()


def test_a_network_without_kernels_stays_as_it_is() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert to_channels_last(model) == 0
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
