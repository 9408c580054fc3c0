"""Cards of TimeSformer."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_SOURCE = "README of facebookresearch/TimeSformer"
_PIXELS = Input(
    frames=8,
    size=224,
    mean=(0.45, 0.45, 0.45),
    std=(0.225, 0.225, 0.225),
    seconds=8 * 32 / 30,
)


def _result(dataset: str, value: float, frames: int, size: int) -> Result:
    return Result(dataset, "top-1 accuracy", value, f"{frames} frames of {size} pixels", _SOURCE)


_BASE = Card(
    name="timesformer_base",
    family="timesformer",
    kind="backbone",
    summary="attention over time, then over space; ViT-B/16",
    builder="scenewise.models.backbones.timesformer:timesformer_base",
    paper="Is Space-Time Attention All You Need for Video Understanding?",
    year=2021,
    url="https://arxiv.org/abs/2102.05095",
    code="facebookresearch/TimeSformer",
    licence="CC-BY-NC-4.0",
    proof="the official code; transformers' TimesformerForVideoClassification",
    parameters=121_566_352,
    multiply_adds=195_830_280_192,
    input=_PIXELS,
    layouts="scenewise.models.backbones.timesformer_layouts:LAYOUTS",
    results=(
        _result("Kinetics-400", 77.9, 8, 224),
        _result("Kinetics-600", 79.1, 8, 224),
        _result("Something-Something v2", 59.1, 8, 224),
    ),
    notes=(
        "weights of 2D ViTs are taken with strict=False: time's attention begins as space's",
        "temporal_fc begins at zero in every block, so a fresh network sees frames one by one",
    ),
)
CARDS = (
    _BASE,
    replace(
        _BASE,
        name="timesformer_hr",
        summary="TimeSformer over 16 large frames",
        builder="scenewise.models.backbones.timesformer:timesformer_hr",
        parameters=122_024_080,
        multiply_adds=1_702_685_650_944,
        input=replace(_PIXELS, frames=16, size=448, seconds=16 * 16 / 30),
        results=(
            _result("Kinetics-400", 79.6, 16, 448),
            _result("Kinetics-600", 81.8, 16, 448),
            _result("Something-Something v2", 61.8, 16, 448),
        ),
    ),
    replace(
        _BASE,
        name="timesformer_large",
        summary="TimeSformer over 96 frames; no wider than timesformer_base",
        builder="scenewise.models.backbones.timesformer:timesformer_large",
        parameters=121_633_936,
        multiply_adds=2_379_856_982_016,
        input=replace(_PIXELS, frames=96, seconds=96 * 4 / 30),
        results=(
            _result("Kinetics-400", 80.6, 96, 224),
            _result("Kinetics-600", 82.2, 96, 224),
            _result("Something-Something v2", 62.0, 64, 224),
        ),
    ),
    replace(
        _BASE,
        name="timesformer_tiny",
        summary="TimeSformer with four blocks of width 96",
        builder="scenewise.models.backbones.timesformer:timesformer_tiny",
        licence="none published",
        parameters=711_850,
        multiply_adds=93_690_816,
        input=replace(_PIXELS, size=64, seconds=None),
        results=(),
        tiny=True,
    ),
)
