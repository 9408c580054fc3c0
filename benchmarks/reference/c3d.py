"""C3D beside a PyTorch port of it, DavideA/c3d-pytorch."""

from __future__ import annotations

import sys
from pathlib import Path

from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "DavideA/c3d-pytorch"


def reference() -> nn.Module:
    """The port; its softmax is taken off, to compare logits."""
    network: nn.Module = module("C3D_model").C3D()
    network.softmax = nn.Identity()
    return network


def ours() -> nn.Module:
    return create_model("c3d", last_pool="padded")


def clips() -> tuple[Tensor, ...]:
    return (seeded_input("clips", (1, 16, 3, 112, 112)),)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(rearrange(inputs[0], "b t c h w -> b c t h w"))}


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    logits: Tensor = network(*inputs)
    return {"logits": logits}


CASES = (
    Case(
        name="c3d",
        repository=REPOSITORY,
        reference=reference,
        ours=ours,
        inputs=clips,
        call_reference=call,
        call_ours=call_ours,
        scales={r"fc\d\.weight": 0.02},
        full=True,
        timed=True,
    ),
)
