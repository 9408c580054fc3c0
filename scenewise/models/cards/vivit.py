"""Cards of ViViT."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_SOURCE = "README of scenic/projects/vivit, google-research/scenic"
_PIXELS = Input(
    frames=32,
    size=224,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    resize_shortest=256,
    seconds=32 * 2 / 25,
)


def _result(value: float) -> Result:
    setting = "32 frames of 224 pixels, 4 x 3 views"
    return Result("Kinetics-400", "top-1 accuracy", value, setting, _SOURCE)


_BASE = Card(
    name="vivit_base",
    family="vivit",
    kind="backbone",
    summary="tubelets that all attend to all; ViViT-B/16x2, model 1",
    builder="scenewise.models.backbones.vivit:vivit_base",
    paper="ViViT: A Video Vision Transformer",
    year=2021,
    url="https://arxiv.org/abs/2103.15691",
    code="google-research/scenic",
    licence="Apache-2.0",
    proof="transformers' VivitForVideoClassification",
    parameters=88_954_000,
    multiply_adds=451_524_753_408,
    input=_PIXELS,
    layouts="scenewise.models.backbones.vivit_layouts:LAYOUTS",
    results=(_result(79.9),),
    notes=(
        "weights of 2D ViTs are taken with strict=False: filters inflated, places repeated",
        "the official checkpoints are Flax's and are not read; Hugging Face has them for torch",
    ),
)
CARDS = (
    _BASE,
    replace(
        _BASE,
        name="vivit_factorised_base",
        summary="space first, then time; ViViT-B/16x2 FE, model 2",
        builder="scenewise.models.backbones.vivit:vivit_factorised_base",
        proof=(
            "no torch code of others is there: it equals transformers' ViViT layers put together "
            "as the paper says"
        ),
        parameters=115_062_928,
        multiply_adds=283_342_030_848,
        results=(_result(78.4),),
        notes=(
            "weights of 2D ViTs are taken with strict=False: they are the spatial encoder's",
            "the official checkpoints are Flax's and are not read",
        ),
    ),
    replace(
        _BASE,
        name="vivit_tiny",
        summary="ViViT with four blocks of width 96, model 1 or 2",
        builder="scenewise.models.backbones.vivit:vivit_tiny",
        licence="none published",
        parameters=602_410,
        multiply_adds=41_436_864,
        input=replace(_PIXELS, frames=8, size=64, resize_shortest=None, seconds=None),
        results=(),
        notes=(),
        tiny=True,
    ),
)
