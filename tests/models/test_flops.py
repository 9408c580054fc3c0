"""Facts about counting: formulas by hand, every module once, what a network refuses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models import create_model, model_card
from scenewise.models.flops import (
    convolution_multiply_adds,
    count_modules,
    linear_multiply_adds,
    multiply_adds,
    network_cost,
    parameters,
)
from scenewise.models.layers.attention import Attention


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))
        self.head = nn.Sequential(nn.Linear(4, 3, bias=False), nn.ReLU())
        self.norm = nn.LayerNorm(4)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        logits: Tensor = self.head(self.norm(x))
        return logits


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "groups"),
    [((3, 3, 3), 1, 1, 1), ((1, 7, 7), (1, 2, 2), (0, 3, 3), 2), ((5, 1, 1), 1, (2, 0, 0), 8)],
)
def test_convolutions_by_formula(
    kernel: tuple[int, int, int], stride: int, padding: int, groups: int
) -> None:
    def build() -> nn.Module:
        return nn.Conv3d(8, 16, kernel, stride, padding, groups=groups)

    places = tuple(build()(torch.zeros(1, 8, 4, 14, 14)).shape[2:])
    expected = convolution_multiply_adds(8, 16, kernel, places, groups=groups)
    assert multiply_adds(build, (1, 8, 4, 14, 14)) == expected


def test_a_convolution_by_hand() -> None:
    """Two outputs at 3 x 1 x 1 places read 5 channels under 2 x 2 x 1: 120 products."""
    assert convolution_multiply_adds(5, 2, (2, 2, 1), (3, 1, 1)) == 120
    assert linear_multiply_adds(3, 4, 5) == 60


@pytest.mark.parametrize("heads", [1, 2, 8])
def test_heads_share_the_width(heads: int) -> None:
    costs = count_modules(lambda: Attention(16, heads), lambda: [torch.zeros(3, 10, 16)])
    assert costs[0].attention_products == 3 * 2 * 10 * 10 * 16
    assert costs[0].multiply_adds == costs[0].attention_products + 4 * 30 * 16 * 16


def test_every_module_is_counted_once() -> None:
    costs = {cost.name: cost for cost in count_modules(Nested, lambda: [torch.zeros(2, 5, 4)])}
    assert {name: cost.multiply_adds for name, cost in costs.items()} == {
        "": 10 * (16 + 16 + 12),
        "blocks.0": 160,
        "blocks.1": 160,
        "head": 120,
        "head.0": 120,
        "norm": 0,
    }
    assert costs[""].parameters == parameters(Nested()) == 20 + 20 + 12 + 8
    assert costs["head"].kind == "Sequential"


def test_the_parts_of_c3d_add_up() -> None:
    cost = network_cost("c3d")
    card = model_card("c3d")
    assert (cost.parameters, cost.multiply_adds) == (card.parameters, card.multiply_adds)
    parts = [module for module in cost.modules if module.name]
    assert sum(part.multiply_adds for part in parts) == cost.multiply_adds
    assert sum(part.parameters for part in parts) == cost.parameters
    convolution = next(part for part in parts if part.name == "conv3b")
    assert convolution.multiply_adds == convolution_multiply_adds(256, 256, (3, 3, 3), (8, 28, 28))


def test_frames_and_size_build_the_network_for_them() -> None:
    cost = network_cost("c3d_tiny", frames=16, size=32)
    assert (cost.frames, cost.size) == (16, 32)
    made = create_model("c3d_tiny", num_frames=16, size=32)
    assert cost.parameters == parameters(made)
    assert cost.multiply_adds == multiply_adds(lambda: made.to("meta"), (1, 16, 3, 32, 32))
    assert network_cost("c3d_tiny", num_classes=3).modules[-1].parameters == 3 * 257


def test_a_clip_that_a_network_does_not_take() -> None:
    with pytest.raises(UsageError, match=r"clip4clip_tiny does not take 8 frames of 70 p.*8 of 64"):
        network_cost("clip4clip_tiny", size=70)
