"""I3D beside its PyTorch port, piergiaj/pytorch-i3d."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model
from scenewise.models.backbones.i3d import I3D

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "piergiaj/pytorch-i3d"


def reference(channels: int) -> nn.Module:
    network: nn.Module = module("pytorch_i3d").InceptionI3d(400, in_channels=channels)
    return network


def clips(channels: int) -> tuple[Tensor, ...]:
    """One that gives 7 x 7 places, which the port's logits want, and a small one; odd sizes."""
    return (
        seeded_input("clips", (1, 9, channels, 193, 211)),
        seeded_input("small", (1, 5, channels, 33, 45)),
    )


def published(channels: int) -> tuple[Tensor, ...]:
    return (seeded_input("clips", (1, 64, channels, 224, 224)),)


def call(network: Any, inputs: tuple[Tensor, ...]) -> Outputs:
    """Logits, which the port leaves a row for each window, and features before them."""
    video = rearrange(inputs[0], "b t c h w -> b c t h w")
    outputs = {"logits": network(video).mean(dim=2)}
    if len(inputs) > 1:
        small = rearrange(inputs[1], "b t c h w -> b c t h w")
        for point in network.VALID_ENDPOINTS:
            if point in network.end_points:
                small = network._modules[point](small)
        outputs["map"] = small
        outputs["features"] = network.extract_features(video).mean(dim=(2, 3, 4))
    return outputs


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    assert isinstance(network, I3D)
    outputs = {"logits": network(inputs[0])}
    if len(inputs) > 1:
        outputs["map"] = network.feature_map(inputs[1])
        outputs["features"] = network.features(inputs[0])
    return outputs


def case(name: str, channels: int, inputs: Callable[[int], tuple[Tensor, ...]]) -> Case:
    timed = name == "i3d_rgb" and inputs is published
    return Case(
        name=f"{name}_published" if timed else name,
        repository=REPOSITORY,
        reference=partial(reference, channels),
        ours=partial(create_model, name),
        inputs=partial(inputs, channels),
        call_reference=call,
        call_ours=call_ours,
        full=name == "i3d_flow",
        # so that half of what a ReLU takes comes back, and every layer counts
        scales={r"bn\.weight$": 1.4},
        golden=inputs is clips,
        timed=timed,
    )


CASES = (
    case("i3d_rgb", 3, clips),
    case("i3d_rgb", 3, published),
    case("i3d_flow", 2, published),
)
