"""Cards of the X-CLIP that finds (Ma et al.); the one that recognises is in xclip.py."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card
from scenewise.models.cards.clip4clip import PIXELS

_B32 = Card(
    name="xclip_retrieval_b32",
    family="xclip_retrieval",
    kind="video-text",
    summary="CLIP4Clip's towers, and four scores between sentence, words, video and frames",
    builder="scenewise.models.video_text.xclip_retrieval:xclip_retrieval_b32",
    paper="X-CLIP: End-to-End Multi-grained Contrastive Learning for Video-Text Retrieval",
    year=2022,
    url="https://arxiv.org/abs/2207.07285",
    code="xuguohai/X-CLIP",
    licence="none published",
    proof="the official code",
    parameters=164_454_065,
    multiply_adds=53_057_323_008,
    input=PIXELS,
    text_length=32,
    layouts="scenewise.models.video_text.xclip_retrieval:LAYOUTS",
    notes=(
        "not the X-CLIP of Ni et al. that recognises actions: neither loads the other's weights",
        "multiply_adds are those of the video; a pair of sentence and video costs little more",
    ),
)
CARDS = (
    _B32,
    replace(
        _B32,
        name="xclip_retrieval_b16",
        parameters=162_797_489,
        multiply_adds=210_913_026_048,
        builder="scenewise.models.video_text.xclip_retrieval:xclip_retrieval_b16",
    ),
    replace(
        _B32,
        name="xclip_retrieval_tiny",
        summary="X-CLIP of retrieval with two narrow blocks a tower",
        parameters=1_431_233,
        multiply_adds=70_553_600,
        builder="scenewise.models.video_text.xclip_retrieval:xclip_retrieval_tiny",
        input=replace(PIXELS, frames=8, size=64, resize_shortest=None, seconds=None),
        text_length=16,
        notes=(),
        tiny=True,
    ),
)
