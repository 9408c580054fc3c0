"""Cards of MMT."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Result

_SOURCE = "README of gabeur/mmt"
_SCRATCH = "1k-A split, trained on MSR-VTT alone"
_PRETRAINED = "1k-A split, pretrained on HowTo100M"
_MSRVTT = Card(
    name="mmt_msrvtt",
    family="mmt",
    kind="video-text",
    summary="a transformer over seven experts' features, for text-to-video retrieval",
    builder="scenewise.models.video_text.mmt:mmt_msrvtt",
    paper="Multi-modal Transformer for Video Retrieval",
    year=2020,
    url="https://arxiv.org/abs/2007.10639",
    code="gabeur/mmt",
    licence="Apache-2.0",
    proof="the official code",
    parameters=132_503_815,
    text_length=30,
    layouts="scenewise.models.video_text.mmt:LAYOUTS",
    results=(
        Result("MSR-VTT", "text-to-video R@1", 24.1, _SCRATCH, _SOURCE),
        Result("MSR-VTT", "text-to-video R@5", 56.4, _SCRATCH, _SOURCE),
        Result("MSR-VTT", "text-to-video R@10", 69.6, _SCRATCH, _SOURCE),
        Result("MSR-VTT", "text-to-video R@1", 25.8, _PRETRAINED, _SOURCE),
        Result("MSR-VTT", "text-to-video R@5", 57.2, _PRETRAINED, _SOURCE),
        Result("MSR-VTT", "text-to-video R@10", 69.3, _PRETRAINED, _SOURCE),
    ),
    notes=(
        "takes streams of seven experts' features with their times, never pixels",
        "its .pth also hold settings that are never unpickled: save their state_dict alone",
        "the poolers of both BERTs, which nothing reads, are left out",
        "the repository's results differ a little from the paper's",
        "licence of the repository, which names none for the weights alone",
    ),
)
CARDS = (
    _MSRVTT,
    replace(
        _MSRVTT,
        name="mmt_tiny",
        summary="MMT with two narrow layers on each side and three experts",
        builder="scenewise.models.video_text.mmt:mmt_tiny",
        licence="none published",
        parameters=237_507,
        text_length=64,
        results=(),
        tiny=True,
    ),
)
