"""Video Swin beside torchvision's swin3d, from an unpacked wheel of torchvision.

The wheel is not installed: its compiled part wants another torch, and the network wants none of
it. Its packages are stood in for, so that their ``__init__`` does not run.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from benchmarks.reference.video_swin import SCALES, clips, odd_clips, published_clips, short_clips
from scenewise.models import create_model

PACKAGES = ("torchvision", "torchvision.models", "torchvision.models.video", "torchvision.ops")


def _theirs() -> Any:
    """The module of torchvision's network."""
    wheel = sys.path[0]
    for name in PACKAGES:
        package = ModuleType(name)
        package.__path__ = [str(Path(wheel, *name.split(".")))]
        sys.modules[name] = package
    presets: Any = ModuleType("torchvision.transforms._presets")
    presets.VideoClassification = presets.ImageClassification = dict
    presets.InterpolationMode = type("InterpolationMode", (), {"BICUBIC": "bicubic"})
    log: Any = ModuleType("torchvision.utils")
    log._log_api_usage_once = lambda _item: None
    log._make_ntuple = lambda value, count: value if isinstance(value, tuple) else (value,) * count
    sys.modules |= {
        "torchvision.transforms": ModuleType("torchvision.transforms"),
        "torchvision.transforms._presets": presets,
        "torchvision.utils": log,
    }
    return module("torchvision.models.video.swin_transformer")


def tiny() -> nn.Module:
    network: nn.Module = _theirs().SwinTransformer3d(
        patch_size=[2, 4, 4],
        embed_dim=24,
        depths=[2, 2, 2],
        num_heads=[2, 4, 8],
        window_size=[2, 3, 3],
        num_classes=10,
    )
    return network


def published(size: str) -> nn.Module:
    with torch.device("cpu"):
        network: nn.Module = getattr(_theirs(), f"swin3d_{size}")()
    return network


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {
        name: network(rearrange(one, "b t c h w -> b c t h w"))
        for name, one in (("logits", inputs[0]), ("odd", odd_clips()), ("short", short_clips()))
    }


def call_timed(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(rearrange(inputs[0], "b t c h w -> b c t h w"))}


CASES = (
    Case(
        name="swin3d_tiny",
        repository="pip:torchvision",
        reference=tiny,
        ours=functools.partial(create_model, "video_swin_tiny"),
        inputs=clips,
        call_reference=call,
        scales=SCALES,
        fused=False,
    ),
    Case(
        name="swin3d_s",
        repository="pip:torchvision",
        reference=functools.partial(published, "s"),
        ours=functools.partial(create_model, "video_swin_s"),
        inputs=published_clips,
        call_reference=call_timed,
        golden=False,
        full=True,
        fused=False,
    ),
    Case(
        name="swin3d_t",
        repository="pip:torchvision",
        reference=functools.partial(published, "t"),
        ours=functools.partial(create_model, "video_swin_t"),
        inputs=published_clips,
        call_reference=call_timed,
        golden=False,
        timed=True,
        fused=False,
    ),
)
