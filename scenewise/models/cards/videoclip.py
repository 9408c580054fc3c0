"""Cards of VideoCLIP."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input

_PIXELS = Input(frames=60, size=224, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), seconds=2.0)
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
    parameters=185_912_976,
    multiply_adds=70_624_435_968,
    input=_PIXELS,
    text_length=63,
    layouts="scenewise.models.video_text.videoclip:LAYOUTS",
    notes=(
        "a second is 30 frames and one vector of S3D as trained on HowTo100M; 32 seconds at most",
        "takes such vectors of 512 numbers as well as clips; with pixels=False, them alone",
        "S3D's weights are published apart, by antoine77340/S3D_HowTo100M, and stay frozen",
        "multiply_adds are those of two seconds of video",
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
        parameters=432_330,
        multiply_adds=49_094_552,
        input=replace(_PIXELS, frames=8, size=64),
        text_length=64,
        tiny=True,
    ),
)
