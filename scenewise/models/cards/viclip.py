"""Cards of ViCLIP."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_README = "InternVideo1/Pretrain/ViCLIP/README.md of OpenGVLab/InternVideo"
_PIXELS = Input(frames=8, size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


def _zero_shot(*values: float) -> tuple[Result, ...]:
    """Kinetics of 400, 600 and 700 classes."""
    setting = "zero-shot, trained on InternVid-10M-FLT"
    return tuple(
        Result(f"Kinetics-{classes}", "top-1", value, setting, _README)
        for classes, value in zip((400, 600, 700), values, strict=True)
    )


_L14 = Card(
    name="viclip_l14",
    family="viclip",
    kind="video-text",
    summary="CLIP ViT-L/14 over all frames at once",
    builder="scenewise.models.video_text.viclip:viclip_l14",
    paper="InternVid: A Large-scale Video-Text Dataset for Multimodal Understanding and Generation",
    year=2023,
    url="https://arxiv.org/abs/2307.06942",
    code="OpenGVLab/InternVideo",
    licence="Apache-2.0",
    proof="the official code at a reduced size",
    parameters=427_590_145,
    multiply_adds=829_108_372_224,
    input=_PIXELS,
    text_length=32,
    layouts="scenewise.models.video_text.viclip:LAYOUTS",
    results=_zero_shot(64.80, 62.20, 54.30),
)
CARDS = (
    replace(
        _L14,
        name="viclip_b16",
        summary="CLIP ViT-B/16 over all frames at once",
        builder="scenewise.models.video_text.viclip:viclip_b16",
        parameters=149_603_841,
        multiply_adds=180_783_696_384,
        results=_zero_shot(58.52, 55.37, 47.09),
    ),
    _L14,
    replace(
        _L14,
        name="viclip_tiny",
        summary="ViCLIP with two blocks on either side",
        builder="scenewise.models.video_text.viclip:viclip_tiny",
        licence="none published",
        parameters=7_240_193,
        multiply_adds=84_951_616,
        input=replace(_PIXELS, size=64),
        results=(),
        tiny=True,
    ),
)
