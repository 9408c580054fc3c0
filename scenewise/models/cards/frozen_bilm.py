"""Cards of FrozenBiLM."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Result

_README = "README of antoyang/FrozenBiLM"
_ZERO_SHOT = "zero-shot, trained on WebVid10M"


def _answered(dataset: str, value: float, setting: str = _ZERO_SHOT) -> Result:
    return Result(dataset, "top-1", value, setting, _README)


_FULL = Card(
    name="frozen_bilm",
    family="frozen_bilm",
    kind="video-text",
    summary="answers about ten frames by a frozen masked language model",
    builder="scenewise.models.video_text.frozen_bilm:frozen_bilm",
    paper="Zero-Shot Video Question Answering via Frozen Bidirectional Language Models",
    year=2022,
    url="https://arxiv.org/abs/2206.08155",
    code="antoyang/FrozenBiLM",
    licence="Apache-2.0",
    proof="the official code at a reduced size",
    parameters=917_447_268,
    text_length=502,
    layouts="scenewise.models.video_text.frozen_bilm_layouts:LAYOUTS",
    results=(
        _answered("LSMDC-FiB", 51.5),
        _answered("iVQA", 26.8),
        _answered("MSRVTT-QA", 16.7),
        _answered("MSVD-QA", 33.8),
        _answered("ActivityNet-QA", 25.9),
        _answered("TGIF-QA", 41.9),
        _answered("How2QA", 58.4),
        _answered("TVQA", 59.7),
        _answered("MSRVTT-QA", 47.0, "fine-tuned"),
        _answered("MSVD-QA", 54.8, "fine-tuned"),
        _answered("ActivityNet-QA", 43.2, "fine-tuned"),
    ),
    notes=(
        "It takes vectors of ten frames from CLIP ViT-L/14, not pixels, and words of one prompt "
        "with [MASK]; it answers, and makes no vectors for a search",
        "Most published checkpoints hold the trained parameters alone: load_in_parts puts them "
        "over DeBERTa-V2-XLarge",
    ),
)
CARDS = (
    _FULL,
    replace(
        _FULL,
        name="frozen_bilm_tiny",
        summary="FrozenBiLM over three narrow layers",
        builder="scenewise.models.video_text.frozen_bilm:frozen_bilm_tiny",
        licence="none published",
        parameters=8_583_060,
        results=(),
        notes=_FULL.notes[:1],
        tiny=True,
    ),
)
