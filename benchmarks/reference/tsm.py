"""TSM beside the official code, whose ResNet is torchvision's: that has to be on the path."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "mit-han-lab/temporal-shift-module"


def reference(base: str, frames: int, *, is_shift: bool = True) -> nn.Module:
    network: nn.Module = module("ops.models").TSN(
        174, frames, "RGB", base_model=base, pretrain=None, is_shift=is_shift, partial_bn=False
    )
    # theirs returns nothing, so that eval() does neither
    network.train = partial(nn.Module.train, network)  # type: ignore[method-assign]
    return network


def clips(*shape: int) -> tuple[Tensor, ...]:
    return (seeded_input("clips", shape),)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(rearrange(inputs[0], "b t c h w -> b (t c) h w"))}


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(*inputs)}


def case(name: str, base: str, frames: int, *, is_shift: bool = True) -> Case:
    return Case(
        name=name,
        repository=REPOSITORY,
        reference=partial(reference, base, frames, is_shift=is_shift),
        ours=partial(
            create_model, f"tsm_{base}", num_classes=174, shift="both" if is_shift else "none"
        ),
        inputs=partial(clips, 2, frames, 3, 64, 64),
        call_reference=call,
        call_ours=call_ours,
    )


CASES = (
    case("tsm_resnet50", "resnet50", 4),
    case("tsm_resnet101", "resnet101", 3),
    case("tsn_resnet50", "resnet50", 3, is_shift=False),
    Case(
        name="tsm_resnet50_published",
        repository=REPOSITORY,
        reference=partial(reference, "resnet50", 8),
        ours=partial(create_model, "tsm_resnet50", num_classes=174),
        inputs=partial(clips, 1, 8, 3, 224, 224),
        call_reference=call,
        call_ours=call_ours,
        golden=False,
        timed=True,
    ),
)
