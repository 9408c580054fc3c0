"""Cards of X3D."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_TABLE = "docs/source/model_zoo.md of facebookresearch/pytorchvideo"


def _pixels(frames: int, size: int, shortest: int, step: int) -> Input:
    return Input(
        frames=frames,
        size=size,
        mean=(0.45, 0.45, 0.45),
        std=(0.225, 0.225, 0.225),
        resize_shortest=shortest,
        seconds=frames * step / 30,
    )


def _results(setting: str, top1: float, top5: float) -> tuple[Result, ...]:
    return (
        Result("Kinetics-400", "top-1", top1, f"{setting}, 30 views", _TABLE),
        Result("Kinetics-400", "top-5", top5, f"{setting}, 30 views", _TABLE),
    )


_XS = Card(
    name="x3d_xs",
    family="x3d",
    kind="backbone",
    summary="a network grown along every axis, over 4 frames of 160 pixels",
    builder="scenewise.models.backbones.x3d:x3d_xs",
    paper="X3D: Expanding Architectures for Efficient Video Recognition",
    year=2020,
    url="https://arxiv.org/abs/2004.04730",
    code="facebookresearch/pytorchvideo",
    licence="Apache-2.0",
    proof="the official code",
    parameters=3_794_274,
    multiply_adds=605_256_512,
    input=_pixels(4, 160, 182, 12),
    layouts="scenewise.models.backbones.x3d_layouts:LAYOUTS",
    results=_results("4 frames, every 12th", 69.12, 88.63),
    notes=("XS, S and M have the same weights' names and shapes; a file is taken for M",),
)
CARDS = (
    _XS,
    replace(
        _XS,
        name="x3d_s",
        summary="a network grown along every axis, over 13 frames of 160 pixels",
        builder="scenewise.models.backbones.x3d:x3d_s",
        multiply_adds=1_962_892_112,
        input=_pixels(13, 160, 182, 6),
        results=_results("13 frames, every 6th", 73.33, 91.27),
    ),
    replace(
        _XS,
        name="x3d_m",
        summary="a network grown along every axis, over 16 frames of 224 pixels",
        builder="scenewise.models.backbones.x3d:x3d_m",
        multiply_adds=4_732_468_736,
        input=_pixels(16, 224, 256, 5),
        results=_results("16 frames, every 5th", 75.94, 92.72),
    ),
    replace(
        _XS,
        name="x3d_l",
        summary="a network grown along every axis, deeper, over 16 frames of 312 pixels",
        builder="scenewise.models.backbones.x3d:x3d_l",
        parameters=6_153_384,
        multiply_adds=18_367_710_176,
        input=_pixels(16, 312, 356, 5),
        results=_results("16 frames, every 5th", 77.44, 93.31),
        notes=(),
    ),
    replace(
        _XS,
        name="x3d_tiny",
        summary="X3D with half the blocks and two thirds of the channels",
        builder="scenewise.models.backbones.x3d:x3d_tiny",
        licence="none published",
        parameters=319_356,
        multiply_adds=33_464_032,
        input=replace(_XS.input, frames=8, size=64, resize_shortest=None, seconds=None)
        if _XS.input
        else None,
        results=(),
        notes=(),
        tiny=True,
    ),
)
