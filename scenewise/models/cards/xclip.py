"""Cards of the X-CLIP that recognises (Ni et al.); the one that finds is in xclip_retrieval.py."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_PIXELS = Input(
    frames=8,
    size=224,
    # the official code trains and tests with ImageNet's, though CLIP had others
    mean=(123.675 / 255, 116.28 / 255, 103.53 / 255),
    std=(58.395 / 255, 57.12 / 255, 57.375 / 255),
    resize_shortest=256,
)
_README = "README of microsoft/VideoX, X-CLIP"


def _k400(top1: float, setting: str) -> tuple[Result, ...]:
    return (Result("Kinetics-400", "top-1", top1, setting, _README),)


_B32 = Card(
    name="xclip_b32_8f",
    family="xclip",
    kind="video-text",
    summary="CLIP with messages between frames, and class names prompted by the clip",
    builder="scenewise.models.video_text.xclip:xclip_b32_8f",
    paper="Expanding Language-Image Pretrained Models for General Video Recognition",
    year=2022,
    url="https://arxiv.org/abs/2208.02816",
    code="microsoft/VideoX",
    licence="MIT",
    proof="the official code",
    parameters=196_585_729,
    multiply_adds=35_975_544_832,
    input=_PIXELS,
    text_length=77,
    layouts="scenewise.models.video_text.xclip_layouts:LAYOUTS",
    results=_k400(80.4, "8 frames of 224"),
    notes=(
        "not the X-CLIP of Ma et al. that finds videos: neither loads the other's weights",
        "multiply_adds are those of the video; prompts cost two small blocks a clip and class",
    ),
)
CARDS = (
    _B32,
    replace(
        _B32,
        name="xclip_b16_8f",
        parameters=194_929_153,
        multiply_adds=141_718_454_272,
        builder="scenewise.models.video_text.xclip:xclip_b16_8f",
        results=_k400(83.8, "8 frames of 224"),
    ),
    replace(
        _B32,
        name="xclip_b16_16f",
        parameters=194_933_249,
        multiply_adds=283_439_398_912,
        builder="scenewise.models.video_text.xclip:xclip_b16_16f",
        input=replace(_PIXELS, frames=16),
        results=_k400(84.7, "16 frames of 224"),
    ),
    replace(
        _B32,
        name="xclip_l14_8f",
        parameters=575_673_601,
        multiply_adds=651_787_075_584,
        builder="scenewise.models.video_text.xclip:xclip_l14_8f",
        results=(
            *_k400(87.1, "8 frames of 224; the table calls it B/14"),
            *_k400(87.7, "16 frames of 336; the table calls it B/14"),
        ),
    ),
    replace(
        _B32,
        name="xclip_recognition_tiny",
        summary="X-CLIP of recognition with two narrow blocks a tower",
        parameters=1_774_593,
        multiply_adds=73_596_928,
        builder="scenewise.models.video_text.xclip:xclip_recognition_tiny",
        licence="none published",
        input=replace(_PIXELS, size=64, resize_shortest=None),
        text_length=32,
        results=(),
        notes=(),
        tiny=True,
    ),
)
