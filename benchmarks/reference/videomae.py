"""VideoMAE beside its official code, MCG-NJU/VideoMAE; transformers' is compared in the tests."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import cast

import torch
from einops import rearrange
from torch import Tensor, nn

from benchmarks.reference.case import Case, Outputs, module
from benchmarks.reference.internvideo2 import stub_modules
from scenewise.models import create_model
from scenewise.models.backbones.videomae import BASE

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "doubles"))
from seeded import seeded_input

REPOSITORY = "MCG-NJU/VideoMAE"


def small() -> nn.Module:
    stub_modules()
    network = module("modeling_finetune").VisionTransformer(
        img_size=64,
        all_frames=8,
        num_classes=10,
        embed_dim=64,
        depth=3,
        num_heads=4,
        qkv_bias=True,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
    )
    return cast("nn.Module", network)


def base() -> nn.Module:
    stub_modules()
    with torch.device("cpu"):  # its initialisation reads numbers back
        return cast("nn.Module", module("modeling_finetune").vit_base_patch16_224(num_classes=400))


def huggingface() -> nn.Module:
    from transformers import VideoMAEForVideoClassification

    config = BASE.config(mean_pooling=True)
    config.num_labels = 400
    return cast("nn.Module", VideoMAEForVideoClassification(config))


def clips(shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    return (seeded_input("clips", shape),)


def call(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(rearrange(inputs[0], "b t c h w -> b c t h w"))}


def call_huggingface(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(*inputs).logits}


def call_ours(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    return {"logits": network(*inputs)}


CASES = (
    Case(
        name="videomae",
        repository=REPOSITORY,
        reference=small,
        ours=lambda: create_model("videomae_tiny"),
        inputs=lambda: clips((2, 8, 3, 64, 64)),
        call_reference=call,
        call_ours=call_ours,
        scales={r"qkv\.weight": 0.3},
        fused=False,
    ),
    Case(
        name="videomae_base",
        repository=REPOSITORY,
        reference=base,
        ours=lambda: create_model("videomae_base"),
        inputs=lambda: clips((1, 16, 3, 224, 224)),
        call_reference=call,
        call_ours=call_ours,
        golden=False,
        full=True,
        timed=True,
        fused=False,
    ),
    Case(
        name="videomae_base_transformers",
        repository="pip:transformers",
        reference=huggingface,
        ours=lambda: create_model("videomae_base"),
        inputs=lambda: clips((1, 16, 3, 224, 224)),
        call_reference=call_huggingface,
        call_ours=call_ours,
        golden=False,
        timed=True,
    ),
)
