"""3D ResNets beside kenshohara/3D-ResNets-PyTorch."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "kenshohara/3D-ResNets-PyTorch"


def small(*, split: bool = False, bottleneck: bool = False, **options: Any) -> nn.Module:
    """A block a stage and an eighth of the channels."""
    source = module("models.resnet2p1d" if split else "models.resnet")
    block = source.Bottleneck if bottleneck else source.BasicBlock
    network: nn.Module = source.ResNet(
        block, [1, 1, 1, 1], source.get_inplanes(), widen_factor=0.125, n_classes=10, **options
    )
    return network


def published(depth: int) -> nn.Module:
    network: nn.Module = module("models.resnet").generate_model(depth, n_classes=700)
    return network


def clips(size: tuple[int, ...]) -> tuple[Tensor, ...]:
    return (seeded_input("clips", size),)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"output": network(rearrange(inputs[0], "b t c h w -> b c t h w"))}


# golden files by name: the official options and ours
SMALL: Mapping[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "resnet3d_joint": ({}, {}),
    "resnet3d_zeros": (
        {"shortcut_type": "A", "conv1_t_size": 5, "conv1_t_stride": 2, "no_max_pool": True},
        {"shortcut": "A", "stem_time": 5, "stem_stride": 2, "stem_pool": "none"},
    ),
    "resnet3d_split": ({"split": True}, {"filters": "split"}),
    "resnet3d_bottleneck": ({"bottleneck": True}, {"bottleneck": True}),
    "resnet3d_split_bottleneck": (
        {"split": True, "bottleneck": True},
        {"filters": "split", "bottleneck": True},
    ),
}
CASES = (
    *(
        Case(
            name=name,
            repository=REPOSITORY,
            reference=partial(small, **theirs),
            ours=partial(create_model, "resnet3d_tiny", **ours),
            inputs=partial(clips, (1, 5, 3, 29, 35)),
            call_reference=call,
        )
        for name, (theirs, ours) in SMALL.items()
    ),
    *(
        Case(
            name=f"resnet3d_{depth}",
            repository=REPOSITORY,
            reference=partial(published, depth),
            ours=partial(create_model, f"resnet3d_{depth}"),
            inputs=partial(clips, (1, 16, 3, 112, 112)),
            call_reference=call,
            golden=False,
            full=depth == 50,
            timed=True,
        )
        for depth in (18, 50)
    ),
)
