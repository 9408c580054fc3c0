"""Cards of VideoBERT."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card

_LARGE = Card(
    name="videobert_large",
    family="videobert",
    kind="video-text",
    summary="one BERT for words and for clips that became words",
    builder="scenewise.models.video_text.videobert:videobert_large",
    paper="VideoBERT: A Joint Model for Video and Language Representation Learning",
    year=2019,
    url="https://arxiv.org/abs/1904.01766",
    code="",
    licence="none published",
    proof="BertForPreTraining of transformers over the joint vocabulary; equations elsewhere",
    parameters=357_481_533,
    text_length=512,
    layouts="scenewise.models.video_text.videobert:LAYOUTS",
    notes=(
        "no official code and no weights: the paper as a recipe",
        "takes S3D's vectors of 1,024 numbers, one for each 30 frames at 20 a second",
        "begins with a Hugging Face BERT: load_weights(network, file, strict=False)",
        "text and video share the 512 positions",
    ),
)
CARDS = (
    _LARGE,
    replace(
        _LARGE,
        name="videobert_base",
        summary="VideoBERT at the size of BERT-base, which the paper does not have",
        builder="scenewise.models.video_text.videobert:videobert_base",
        parameters=126_053_181,
    ),
    replace(
        _LARGE,
        name="videobert_tiny",
        summary="VideoBERT with two narrow layers and 16 video words",
        builder="scenewise.models.video_text.videobert:videobert_tiny",
        parameters=145_979,
        text_length=64,
        tiny=True,
        notes=_LARGE.notes[:1],
    ),
)
