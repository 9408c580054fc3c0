"""X3D beside PyTorchVideo. Its imports want fvcore, iopath and torchvision on the path."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "facebookresearch/pytorchvideo"
TINY = {"width_factor": 1.0, "depth_factor": 1.0, "head_dim_out": 256, "model_num_class": 10}


def reference(frames: int, size: int, **options: Any) -> nn.Module:
    network: nn.Module = module("pytorchvideo.models.x3d").create_x3d(
        input_clip_length=frames, input_crop_size=size, **options
    )
    return network


def clips(*shapes: tuple[int, ...]) -> tuple[Tensor, ...]:
    return tuple(seeded_input(f"clips {number}", shape) for number, shape in enumerate(shapes))


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    """Of the network's own clip, and of a longer and larger one, of which it sees more places."""
    return {
        f"logits{number}": network(rearrange(clip, "b t c h w -> b c t h w"))
        for number, clip in enumerate(inputs)
    }


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {f"logits{number}": network(clip) for number, clip in enumerate(inputs)}


def published(name: str, frames: int, size: int, depth: float) -> Case:
    return Case(
        name=name,
        repository=REPOSITORY,
        reference=partial(reference, frames, size, depth_factor=depth),
        ours=partial(create_model, name),
        inputs=partial(clips, (1, frames, 3, size, size)),
        call_reference=call,
        call_ours=call_ours,
        golden=False,
        full=True,
        timed=True,
    )


CASES = (
    Case(
        name="x3d_tiny",
        repository=REPOSITORY,
        reference=partial(reference, 4, 64, **TINY),
        ours=partial(create_model, "x3d_tiny", num_frames=4),
        inputs=partial(clips, (2, 4, 3, 64, 64), (1, 5, 3, 64, 100)),
        call_reference=call,
        call_ours=call_ours,
        scales={
            r"norm_b\.1\.block\.0\.bias": 0.5,
            r"norm_b\.1\.block\.\d\.weight": 0.6,
            r"proj\.weight": 0.1,
        },
    ),
    published("x3d_m", 16, 224, 2.2),
)
