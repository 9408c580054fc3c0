"""Video Swin beside the official code, SwinTransformer/Video-Swin-Transformer.

The official network is one file of a whole framework: what it imports of mmcv, mmaction and timm
is stood in for here, and the head (mean, linear layer) is written in our own words with the
official names.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from scenewise.models import create_model
from scenewise.models.layers.drop_path import DropPath

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "SwinTransformer/Video-Swin-Transformer"
# biases and queries large: with small ones a wrong bias would hide behind the softmax
SCALES = {r"relative_position_bias_table": 2.0, r"attn\.qkv\.weight": 0.4}


class _Registry:
    """Stands in for mmcv's: it registers nothing."""

    def register_module(self) -> Callable[[Any], Any]:
        return lambda item: item


def _stand_in(name: str, **content: Any) -> None:
    made = ModuleType(name)
    made.__dict__.update(content)
    sys.modules[name] = made


def _official() -> Any:
    """The module of the official backbone."""
    checkout = sys.path[0]
    for name in ("mmaction", "mmaction.models", "mmaction.models.backbones"):
        _stand_in(name, __path__=[str(Path(checkout, *name.split(".")))])
    _stand_in("mmaction.utils", get_root_logger=None)
    _stand_in("mmaction.models.builder", BACKBONES=_Registry())
    _stand_in("mmcv", __path__=[])
    _stand_in("mmcv.runner", load_checkpoint=None)
    _stand_in("timm", __path__=[])
    _stand_in("timm.models", __path__=[])
    _stand_in("timm.models.layers", DropPath=DropPath, trunc_normal_=nn.init.trunc_normal_)
    return module("mmaction.models.backbones.swin_transformer")


class _Head(nn.Module):
    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.fc_cls = nn.Linear(width, classes)


class _Recognizer(nn.Module):
    """Backbone and head, under the names of the official checkpoints."""

    def __init__(self, classes: int, **options: Any) -> None:
        super().__init__()
        with torch.device("cpu"):  # the official code reads numbers while it builds
            self.backbone: nn.Module = _official().SwinTransformer3D(
                patch_size=(2, 4, 4), patch_norm=True, **options
            )
            width = options["embed_dim"] * 2 ** (len(options["depths"]) - 1)
            self.cls_head = _Head(width, classes)

    def forward(self, clips: Tensor) -> Tensor:
        features = self.backbone(clips).mean(dim=(2, 3, 4))
        logits: Tensor = self.cls_head.fc_cls(features)
        return logits


def tiny() -> nn.Module:
    return _Recognizer(
        10, embed_dim=24, depths=[2, 2, 2], num_heads=[2, 4, 8], window_size=(2, 3, 3)
    )


def small() -> nn.Module:
    """Swin-T."""
    return _Recognizer(
        400,
        embed_dim=96,
        depths=[2, 2, 6, 2],
        num_heads=[3, 6, 12, 24],
        window_size=(8, 7, 7),
        drop_path_rate=0.1,
    )


def base() -> nn.Module:
    """Swin-B, with the window of Something-Something."""
    return _Recognizer(
        174,
        embed_dim=128,
        depths=[2, 2, 18, 2],
        num_heads=[4, 8, 16, 32],
        window_size=(16, 7, 7),
        drop_path_rate=0.4,
    )


def clips() -> tuple[Tensor, ...]:
    return (seeded_input("clips", (2, 8, 3, 64, 64)),)


def odd_clips() -> Tensor:
    """Odd everywhere: patches, windows and merging all fill up."""
    return seeded_input("odd clips", (1, 7, 3, 54, 85))


def short_clips() -> Tensor:
    """Shorter and narrower than a window, which shrinks."""
    return seeded_input("short clips", (1, 2, 3, 40, 8))


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {
        name: network(rearrange(one, "b t c h w -> b c t h w"))
        for name, one in (("logits", inputs[0]), ("odd", odd_clips()), ("short", short_clips()))
    }


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {
        name: network(one)
        for name, one in (("logits", inputs[0]), ("odd", odd_clips()), ("short", short_clips()))
    }


def call_timed(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(rearrange(inputs[0], "b t c h w -> b c t h w"))}


def published_clips() -> tuple[Tensor, ...]:
    return (seeded_input("clips", (1, 32, 3, 224, 224)),)


CASES = (
    Case(
        name="video_swin_tiny",
        repository=REPOSITORY,
        reference=tiny,
        ours=functools.partial(create_model, "video_swin_tiny"),
        inputs=clips,
        call_reference=call,
        call_ours=call_ours,
        scales=SCALES,
        fused=False,
    ),
    Case(
        name="video_swin_t",
        repository=REPOSITORY,
        reference=small,
        ours=functools.partial(create_model, "video_swin_t"),
        inputs=published_clips,
        call_reference=call_timed,
        golden=False,
        full=True,
        timed=True,
        fused=False,
    ),
    Case(
        name="video_swin_b",
        repository=REPOSITORY,
        reference=base,
        ours=functools.partial(create_model, "video_swin_b", num_classes=174, window=[16, 7, 7]),
        inputs=published_clips,
        call_reference=call_timed,
        golden=False,
        full=True,
        fused=False,
    ),
)
