"""Cards of the plain contrastive model."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input

# EfficientNet-Lite's: (value - 127) / 128 of 0..255; another video option wants its own card's
_PIXELS = Input(frames=8, size=224, mean=(127 / 255,) * 3, std=(128 / 255,) * 3)
_DUAL = Card(
    name="dual_encoder",
    family="dual_encoder",
    kind="video-text",
    summary="any video encoder and any text encoder, trained to agree",
    builder="scenewise.models.video_text.dual_encoder:dual_encoder",
    paper="Learning Transferable Visual Models From Natural Language Supervision",
    year=2021,
    url="https://arxiv.org/abs/2103.00020",
    code="",
    licence="none published",
    proof="transformers' CLIP loss; equations written out",
    parameters=38_870_529,
    multiply_adds=4_561_932_544,
    input=_PIXELS,
    text_length=77,
    notes=(
        "the paper is CLIP's, whose projections, scale and loss these are; the sides are free",
        "pixels are those of the video option's card; these are EfficientNet-Lite's",
    ),
)
CARDS = (
    _DUAL,
    replace(
        _DUAL,
        name="dual_encoder_tiny",
        summary="four small convolutions and two layers of text, trained to agree",
        builder="scenewise.models.video_text.dual_encoder:dual_encoder_tiny",
        parameters=227_713,
        multiply_adds=33_501_248,
        input=replace(_PIXELS, size=64),
        text_length=16,
        tiny=True,
    ),
)
