"""Cards of VideoCLIP."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card

_VIDEOCLIP = Card(
    name="videoclip",
    family="videoclip",
    kind="video-text",
    summary="six layers of BERT over S3D's seconds against twelve over words",
    builder="scenewise.models.video_text.videoclip:videoclip",
    paper="VideoCLIP: Contrastive Pre-training for Zero-shot Video-Text Understanding",
    year=2021,
    url="https://arxiv.org/abs/2109.14084",
    code="facebookresearch/fairseq",
    licence="CC-BY-NC",
    proof="the official code, over the BERT of transformers 5",
    parameters=176_242_176,
    text_length=63,
    layouts="scenewise.models.video_text.videoclip:LAYOUTS",
    notes=(
        "takes S3D's vectors of 512 numbers, as trained on HowTo100M, one a second, 32 at most",
        "checkpoint_best.pt also holds settings that are never unpickled: save its 'model' alone",
        "the poolers of both BERTs, which nothing reads, are left out",
        "the README says CC-BY-NC without a version, of the majority of the repository",
    ),
)
CARDS = (
    _VIDEOCLIP,
    replace(
        _VIDEOCLIP,
        name="videoclip_tiny",
        summary="VideoCLIP with two narrow layers on each side",
        builder="scenewise.models.video_text.videoclip:videoclip_tiny",
        licence="none published",
        parameters=276_992,
        text_length=64,
        tiny=True,
    ),
)
