"""S3D beside torchvision's."""

from __future__ import annotations

import sys
from pathlib import Path

from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs
from benchmarks.reference.torchvision_video import video_module
from scenewise.models import create_model

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input


def reference() -> nn.Module:
    network: nn.Module = video_module("s3d").S3D()
    return network


def ours() -> nn.Module:
    return create_model("s3d")


def clips() -> tuple[Tensor, ...]:
    """The smallest that its last average takes."""
    return (seeded_input("clips", (1, 13, 3, 209, 213)),)


def published() -> tuple[Tensor, ...]:
    return (seeded_input("clips", (1, 64, 3, 224, 224)),)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    """And the last map of the corner."""
    video = rearrange(inputs[0], "b t c h w -> b c t h w")
    outputs = {"output": network(video)}
    if inputs[0].shape[1] < 64:
        corner = network.get_submodule("features")(video[..., :40, :36])
        outputs["map"] = corner
    return outputs


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"output": network(inputs[0])}


CASES = (
    Case(
        name="s3d_torchvision",
        repository="pytorch/vision",
        reference=reference,
        ours=ours,
        inputs=clips,
        call_reference=call,
        call_ours=call_ours,
        scales={r"^features.*\.1\.weight$": 1.4},
    ),
    Case(
        name="s3d_torchvision_published",
        repository="pytorch/vision",
        reference=reference,
        ours=ours,
        inputs=published,
        call_reference=call,
        call_ours=call_ours,
        golden=False,
        timed=True,
    ),
)
