"""Cards of InternVideo2: the encoders alone, and the small sizes beside MobileCLIP's text."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_SINGLE = "InternVideo2/single_modality/MODEL_ZOO.md of OpenGVLab/InternVideo"
_MULTI = "InternVideo2/multi_modality/MODEL_ZOO.md of OpenGVLab/InternVideo"
_PIXELS = Input(frames=8, size=224, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
_TINY = replace(_PIXELS, size=64)


def _classified(value: float, dataset: str = "Kinetics-400") -> Result:
    return Result(dataset, "top-1", value, "8 frames, 4 clips, 3 crops", _SINGLE)


def _found(text_to_video: float, video_to_text: float) -> tuple[Result, ...]:
    setting = "zero-shot, 8 frames"
    return (
        Result("MSR-VTT", "text to video R@1", text_to_video, setting, _MULTI),
        Result("MSR-VTT", "video to text R@1", video_to_text, setting, _MULTI),
    )


_ENCODER = Card(
    name="internvideo2_encoder_s14",
    family="internvideo2",
    kind="backbone",
    summary="InternVideo2's small encoder, distilled from 1B",
    builder="scenewise.models.backbones.internvideo2:internvideo2_encoder_s14",
    paper="InternVideo2: Scaling Foundation Models for Multimodal Video Understanding",
    year=2024,
    url="https://arxiv.org/abs/2403.15377",
    code="OpenGVLab/InternVideo",
    licence="Apache-2.0",
    proof="the official code at a reduced size",
    parameters=23_352_976,
    multiply_adds=83_269_261_056,
    input=_PIXELS,
    layouts="scenewise.models.backbones.internvideo2_layouts:LAYOUTS",
    results=(_classified(85.4), _classified(71.6, "Something-Something V2")),
)
_VIDEO_TEXT = replace(
    _ENCODER,
    name="internvideo2_s14",
    kind="video-text",
    summary="InternVideo2's small encoder beside MobileCLIP-B's text",
    builder="scenewise.models.video_text.internvideo2:internvideo2_s14",
    parameters=86_867_201,
    multiply_adds=86_249_117_952,
    text_length=77,
    layouts="scenewise.models.video_text.internvideo2:LAYOUTS",
    results=_found(35.6, 35.9),
)
CARDS = (
    _ENCODER,
    replace(
        _ENCODER,
        name="internvideo2_encoder_b14",
        summary="InternVideo2's base encoder, distilled from 1B",
        builder="scenewise.models.backbones.internvideo2:internvideo2_encoder_b14",
        parameters=89_748_112,
        multiply_adds=254_762_614_272,
        results=(_classified(88.4), _classified(73.5, "Something-Something V2")),
    ),
    replace(
        _ENCODER,
        name="internvideo2_encoder_l14",
        summary="InternVideo2's large encoder, distilled from 1B",
        builder="scenewise.models.backbones.internvideo2:internvideo2_encoder_l14",
        parameters=309_238_416,
        multiply_adds=830_673_614_848,
        results=(_classified(90.4), _classified(76.4, "Something-Something V2")),
    ),
    replace(
        _ENCODER,
        name="internvideo2_encoder_1b",
        summary="InternVideo2's encoder of a billion parameters",
        builder="scenewise.models.backbones.internvideo2:internvideo2_encoder_1b",
        parameters=1_021_017_744,
        multiply_adds=2_550_698_980_096,
        results=(_classified(91.3), _classified(77.1, "Something-Something V2")),
    ),
    replace(
        _ENCODER,
        name="internvideo2_encoder_tiny",
        summary="InternVideo2's encoder with three narrow blocks",
        builder="scenewise.models.backbones.internvideo2:internvideo2_encoder_tiny",
        licence="none published",
        parameters=225_098,
        multiply_adds=32_785_536,
        input=_TINY,
        results=(),
        tiny=True,
    ),
    _VIDEO_TEXT,
    replace(
        _VIDEO_TEXT,
        name="internvideo2_b14",
        summary="InternVideo2's base encoder beside MobileCLIP-B's text",
        builder="scenewise.models.video_text.internvideo2:internvideo2_b14",
        parameters=153_262_337,
        multiply_adds=257_742_471_168,
        results=_found(40.3, 48.5),
    ),
    replace(
        _VIDEO_TEXT,
        name="internvideo2_l14",
        summary="InternVideo2's large encoder beside MobileCLIP-B's text",
        builder="scenewise.models.video_text.internvideo2:internvideo2_l14",
        parameters=372_752_641,
        multiply_adds=833_653_471_744,
        results=_found(42.1, 44.1),
    ),
    replace(
        _VIDEO_TEXT,
        name="internvideo2_tiny",
        summary="InternVideo2's video and text with three narrow blocks each",
        builder="scenewise.models.video_text.internvideo2:internvideo2_tiny",
        licence="none published",
        parameters=3_549_825,
        multiply_adds=46_424_000,
        input=_TINY,
        results=(),
        tiny=True,
    ),
)
