"""Cards of the recurrent networks over frames."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input

_PIXELS = Input(
    frames=16,
    size=224,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    resize_shortest=256,
)
_LSTM = Card(
    name="cnn_lstm_resnet50",
    family="cnn_rnn",
    kind="backbone",
    summary="ResNet-50 on every frame, then an LSTM",
    builder="scenewise.models.backbones.cnn_rnn:cnn_lstm_resnet50",
    paper=(
        "Long-term Recurrent Convolutional Networks for Visual Recognition and Description; "
        "Beyond Short Snippets: Deep Networks for Video Classification"
    ),
    year=2015,
    url="https://arxiv.org/abs/1411.4389",
    code="",
    licence="none published",
    proof="the published recurrences, written out",
    parameters=28_960_208,
    multiply_adds=65_478_270_976,
    input=_PIXELS,
    layouts="scenewise.models.backbones.cnn_rnn:LAYOUTS",
    notes=(
        "the papers' frame networks are older; weights of torchvision's ResNet-50 fit this one's",
        "frames='none' reads features (B, T, D) that are ready; the other options read both",
    ),
)
CARDS = (
    _LSTM,
    replace(
        _LSTM,
        name="cnn_gru_resnet50",
        summary="ResNet-50 on every frame, then a GRU",
        builder="scenewise.models.backbones.cnn_rnn:cnn_gru_resnet50",
        parameters=27_648_464,
        multiply_adds=65_457_299_456,
    ),
    replace(
        _LSTM,
        name="cnn_rnn_tiny",
        summary="a ResNet of one block a stage, then a GRU or an LSTM",
        builder="scenewise.models.backbones.cnn_rnn:cnn_rnn_tiny",
        parameters=347_354,
        multiply_adds=51_020_416,
        input=replace(_PIXELS, frames=8, size=64, resize_shortest=None),
        notes=(),
        tiny=True,
    ),
)
