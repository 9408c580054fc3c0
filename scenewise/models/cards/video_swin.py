"""Cards of Video Swin. The published sizes are t, s and b; tiny is our own, for tests."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_SOURCE = "README of SwinTransformer/Video-Swin-Transformer"
_PIXELS = Input(
    frames=32,
    size=224,
    mean=(123.675 / 255, 116.28 / 255, 103.53 / 255),
    std=(58.395 / 255, 57.12 / 255, 57.375 / 255),
    resize_shortest=256,
    seconds=None,  # 32 of 64 frames, at whatever rate the video has
)


def _result(dataset: str, value: float, before: str) -> Result:
    setting = f"32 frames of 224 pixels, several views, weights of {before} before"
    return Result(dataset, "top-1 accuracy", value, setting, _SOURCE)


_T = Card(
    name="video_swin_t",
    family="video_swin",
    kind="backbone",
    summary="windows of space and time that shift; Swin-T, the smallest published size",
    builder="scenewise.models.backbones.video_swin:video_swin_t",
    paper="Video Swin Transformer",
    year=2021,
    url="https://arxiv.org/abs/2106.13230",
    code="SwinTransformer/Video-Swin-Transformer",
    licence="Apache-2.0",
    proof="the official code's backbone; torchvision's swin3d",
    parameters=28_158_070,
    multiply_adds=87_764_152_320,
    input=_PIXELS,
    layouts="scenewise.models.backbones.video_swin_layouts:LAYOUTS",
    results=(_result("Kinetics-400", 78.8, "ImageNet-1K"),),
    notes=(
        "weights of 2D Swin networks are inflated",
        "in a clip smaller than a window, biases are those of the published code: shrunk windows "
        "read the whole window's table by its first rows",
    ),
)
CARDS = (
    _T,
    replace(
        _T,
        name="video_swin_s",
        summary="Video Swin-S: three times the blocks in the third stage",
        builder="scenewise.models.backbones.video_swin:video_swin_s",
        parameters=49_816_678,
        multiply_adds=165_682_262_016,
        results=(_result("Kinetics-400", 80.6, "ImageNet-1K"),),
    ),
    replace(
        _T,
        name="video_swin_b",
        summary="Video Swin-B: Swin-S, wider by a third",
        builder="scenewise.models.backbones.video_swin:video_swin_b",
        parameters=88_048_984,
        multiply_adds=281_332_826_112,
        results=(
            _result("Kinetics-400", 80.6, "ImageNet-1K"),
            _result("Kinetics-400", 82.7, "ImageNet-22K"),
            _result("Kinetics-600", 84.0, "ImageNet-22K"),
            _result("Something-Something v2", 69.6, "Kinetics-400"),
        ),
    ),
    replace(
        _T,
        name="video_swin_tiny",
        summary='Video Swin for tests, far below the published "tiny", which is video_swin_t',
        builder="scenewise.models.backbones.video_swin:video_swin_tiny",
        licence="none published",
        parameters=323_926,
        multiply_adds=59_946_432,
        input=replace(_PIXELS, frames=8, size=64, resize_shortest=None),
        results=(),
        tiny=True,
    ),
)
