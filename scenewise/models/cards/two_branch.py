"""Cards of the networks of two branches."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input

_PIXELS = Input(
    frames=16,
    size=224,
    mean=(0.0, 0.0, 0.0),  # each branch normalises by itself
    std=(1.0, 1.0, 1.0),
    resize_shortest=256,
)
_TWO = Card(
    name="i3d_tsm",
    family="two_branch",
    kind="backbone",
    summary="I3D for what is seen and TSM for how it moves, fused",
    builder="scenewise.models.backbones.two_branch:i3d_tsm",
    paper="Quo Vadis, Action Recognition?; TSM: Temporal Shift Module (the branches)",
    year=2018,
    url="https://arxiv.org/abs/1811.08383",
    code="",
    licence="none published",
    proof="its branches' own proofs, and fusion, heads and losses by hand",
    parameters=39_353_074,
    multiply_adds=93_185_306_624,
    input=_PIXELS,
    notes=(
        "the combination is our own; each branch takes its own published weights",
        "head: softmax, svm, linear_regression or mlp_regression; fusion: average, concatenation",
    ),
)
CARDS = (
    _TWO,
    replace(
        _TWO,
        name="i3d_tsm_audio",
        summary="I3D, TSM and a network for sound, fused; sound may be absent",
        builder="scenewise.models.backbones.two_branch:i3d_tsm_audio",
        paper="Quo Vadis, Action Recognition?; TSM: Temporal Shift Module; PANNs (the branches)",
        year=2020,
        url="https://arxiv.org/abs/1912.10211",
        parameters=44_827_315,
        multiply_adds=93_185_831_936,
        notes=(*_TWO.notes, "the multiply-adds are those without sound"),
    ),
    replace(
        _TWO,
        name="i3d_tsm_tiny",
        summary="the tiny sizes of I3D and TSM, fused; with sound=True of the third branch",
        builder="scenewise.models.backbones.two_branch:i3d_tsm_tiny",
        parameters=527_404,
        multiply_adds=97_967_168,
        input=replace(_PIXELS, frames=8, size=64, resize_shortest=None),
        notes=(),
        tiny=True,
    ),
)
