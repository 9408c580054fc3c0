"""Cards of VideoMAE."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_ZOO = "MODEL_ZOO.md of MCG-NJU/VideoMAE"
_PIXELS = Input(frames=16, size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def _classified(value: float, setting: str, dataset: str = "Kinetics-400") -> Result:
    return Result(dataset, "top-1", value, setting, _ZOO)


_BASE = Card(
    name="videomae_base",
    family="videomae",
    kind="backbone",
    summary="a plain ViT-B, pretrained by restoring hidden tubes",
    builder="scenewise.models.backbones.videomae:videomae_base",
    paper=(
        "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised Video "
        "Pre-Training"
    ),
    year=2022,
    url="https://arxiv.org/abs/2203.12602",
    code="MCG-NJU/VideoMAE",
    licence="CC-BY-NC-4.0",
    proof="transformers' VideoMAE, and the official code at a reduced size",
    parameters=86_534_800,
    multiply_adds=180_344_893_440,
    input=_PIXELS,
    layouts="scenewise.models.backbones.videomae_layouts:LAYOUTS",
    results=(
        _classified(81.5, "1600 epochs, 16 frames, 5 clips, 3 crops"),
        _classified(70.8, "2400 epochs, 16 frames, 2 clips, 3 crops", "Something-Something V2"),
    ),
)
CARDS = (
    _BASE,
    replace(
        _BASE,
        name="videomae_large",
        summary="a plain ViT-L, pretrained by restoring hidden tubes",
        builder="scenewise.models.backbones.videomae:videomae_large",
        parameters=304_270_736,
        multiply_adds=596_833_091_584,
        results=(_classified(85.2, "1600 epochs, 16 frames, 5 clips, 3 crops"),),
    ),
    replace(
        _BASE,
        name="videomae_tiny",
        summary="VideoMAE with three narrow blocks",
        builder="scenewise.models.backbones.videomae:videomae_tiny",
        licence="none published",
        parameters=248_906,
        multiply_adds=17_302_144,
        input=replace(_PIXELS, frames=8, size=64),
        results=(),
        tiny=True,
    ),
)
