"""Cards of C3D."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input

_PIXELS = Input(
    frames=16,
    size=112,
    # of 0..255, as ports give them for Sports-1M; the official code subtracts a whole mean clip,
    # and nobody has compared its channels with these
    mean=(90.25 / 255, 97.66 / 255, 101.41 / 255),
    std=(1 / 255, 1 / 255, 1 / 255),
    channels="bgr",
    resize_shortest=128,
    seconds=16 / 30,
)
_C3D = Card(
    name="c3d",
    family="c3d",
    kind="backbone",
    summary="eight 3D convolutions, the first network of its kind",
    builder="scenewise.models.backbones.c3d:c3d",
    paper="Learning Spatiotemporal Features with 3D Convolutional Networks",
    year=2015,
    url="https://arxiv.org/abs/1412.0767",
    code="facebookarchive/C3D",
    licence="CC-BY-NC-3.0",
    proof="a PyTorch port's own code",
    parameters=79_991_015,
    multiply_adds=38_548_959_232,
    input=_PIXELS,
    layouts="scenewise.models.backbones.c3d:LAYOUTS",
)
CARDS = (
    _C3D,
    replace(
        _C3D,
        name="c3d_tiny",
        summary="C3D with an eighth of the channels",
        builder="scenewise.models.backbones.c3d:c3d_tiny",
        licence="none published",
        parameters=567_146,
        multiply_adds=116_918_784,
        input=replace(_PIXELS, frames=8, size=64, resize_shortest=None),
        tiny=True,
    ),
)
