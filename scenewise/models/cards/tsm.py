"""Cards of TSM."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_README = "README of mit-han-lab/temporal-shift-module"
_PIXELS = Input(
    frames=8,
    size=224,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    resize_shortest=256,
)


def _result(dataset: str, value: float, setting: str) -> Result:
    return Result(dataset, "top-1", value, setting, _README)


_R50 = Card(
    name="tsm_resnet50",
    family="tsm",
    kind="backbone",
    summary="ResNet-50 whose frames exchange channels; also frame by frame",
    builder="scenewise.models.backbones.tsm:tsm_resnet50",
    paper="TSM: Temporal Shift Module for Efficient Video Understanding",
    year=2018,
    url="https://arxiv.org/abs/1811.08383",
    code="mit-han-lab/temporal-shift-module",
    licence="MIT",
    proof="the official code",
    parameters=24_327_632,
    multiply_adds=32_703_643_648,
    input=_PIXELS,
    layouts="scenewise.models.backbones.tsm:LAYOUTS",
    results=(
        _result("Kinetics-400", 74.1, "8 frames, dense, 10 clips"),
        _result("Kinetics-400", 71.2, "8 frames, uniform, 1 crop"),
        _result("Kinetics-400", 72.8, "8 frames, uniform, 10 crops"),
        _result("Kinetics-400", 72.6, "16 frames, uniform, 1 crop"),
        _result("Kinetics-400", 73.7, "16 frames, uniform, 10 crops"),
        _result("Something-Something V1", 45.6, "8 frames, centre crop, 1 clip"),
        _result("Something-Something V1", 47.2, "16 frames, centre crop, 1 clip"),
        _result("Something-Something V2", 61.2, "8 frames, 2 clips"),
        _result("Something-Something V2", 63.1, "16 frames, 2 clips"),
    ),
    notes=(
        "frames are spread evenly over the video, one from each of as many equal parts",
        "shift='online' reads streams; the published online weights are of a MobileNetV2",
    ),
)
CARDS = (
    _R50,
    replace(
        _R50,
        name="tsm_resnet101",
        summary="ResNet-101 whose frames exchange channels in every second block",
        builder="scenewise.models.backbones.tsm:tsm_resnet101",
        parameters=42_856_686,
        multiply_adds=62_397_710_336,
        results=(
            _result("Something-Something V1", 46.9, "8 frames, centre crop, 1 clip"),
            _result("Something-Something V2", 63.3, "8 frames, 2 clips"),
        ),
    ),
    replace(
        _R50,
        name="tsm_tiny",
        summary="TSM over a ResNet of one block a stage, with a quarter of the channels",
        builder="scenewise.models.backbones.tsm:tsm_tiny",
        licence="none published",
        parameters=310_746,
        multiply_adds=50_735_104,
        input=replace(_PIXELS, size=64, resize_shortest=None),
        results=(),
        notes=(),
        tiny=True,
    ),
)
