"""TimeSformer beside the official code, facebookresearch/TimeSformer.

The official package imports what it does not need for this network: its ``__init__`` and its
registry (fvcore), and a module of torch that is gone. They are stood in for here.
"""

from __future__ import annotations

import collections.abc
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

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "facebookresearch/TimeSformer"
# queries and keys large, so that attention prefers; time's branch and tables as large as the rest
SCALES = {
    r"attn\.qkv\.weight": 0.25,
    r"(pos|time)_embed": 0.5,
    r"cls_token": 0.5,
    r"patch_embed\.proj\.weight": 0.04,
}


class _Registry:
    """Stands in for fvcore's: it registers nothing."""

    def register(self) -> Callable[[Any], Any]:
        return lambda item: item


def _official() -> Any:
    """The module of the official network, without the package's other networks."""
    checkout = sys.path[0]
    for name in ("timesformer", "timesformer.models"):
        package = ModuleType(name)
        package.__path__ = [str(Path(checkout, *name.split(".")))]
        sys.modules[name] = package
    six: Any = ModuleType("torch._six")
    six.container_abcs = collections.abc
    sys.modules["torch._six"] = six
    build: Any = ModuleType("timesformer.models.build")
    build.MODEL_REGISTRY = _Registry()
    sys.modules["timesformer.models.build"] = build
    return module("timesformer.models.vit")


class _Wrapped(nn.Module):
    """The official network as its checkpoints have it, below ``model``."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.model: nn.Module = _official().VisionTransformer(
            qkv_bias=True, norm_layer=functools.partial(nn.LayerNorm, eps=1e-6), **options
        )

    def forward(self, clips: Tensor) -> Tensor:
        logits: Tensor = self.model(clips)
        return logits


def tiny(attention: str) -> nn.Module:
    return _Wrapped(
        img_size=64,
        num_classes=10,
        embed_dim=96,
        depth=4,
        num_heads=3,
        num_frames=8,
        attention_type=attention,
    )


def base() -> nn.Module:
    """The published size; the official code reads numbers while it builds, which "meta" has not."""
    with torch.device("cpu"):
        return _Wrapped(img_size=224, num_classes=400, embed_dim=768, depth=12, num_heads=12)


def clips() -> tuple[Tensor, ...]:
    return (seeded_input("clips", (2, 8, 3, 64, 64)),)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    """Logits of the clips, and of fewer frames that are larger and not square."""
    other = seeded_input("other clips", (1, 6, 3, 80, 112))
    return {
        "logits": network(rearrange(inputs[0], "b t c h w -> b c t h w")),
        "other": network(rearrange(other, "b t c h w -> b c t h w")),
    }


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    logits: Tensor = network(*inputs)
    return {"logits": logits, "other": network(seeded_input("other clips", (1, 6, 3, 80, 112)))}


def call_timed(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(rearrange(inputs[0], "b t c h w -> b c t h w"))}


def _case(attention: str, name: str) -> Case:
    return Case(
        name=name,
        repository=REPOSITORY,
        reference=functools.partial(tiny, attention),
        ours=functools.partial(create_model, "timesformer_tiny", attention=attention),
        inputs=clips,
        call_reference=call,
        call_ours=call_ours,
        scales=SCALES,
        fused=False,
    )


CASES = (
    _case("divided_space_time", "timesformer_divided"),
    _case("joint_space_time", "timesformer_joint"),
    _case("space_only", "timesformer_space"),
    Case(
        name="timesformer_base",
        repository=REPOSITORY,
        reference=base,
        ours=functools.partial(create_model, "timesformer_base"),
        inputs=lambda: (seeded_input("clips", (1, 8, 3, 224, 224)),),
        call_reference=call_timed,
        golden=False,
        full=True,
        timed=True,
        fused=False,
    ),
)
