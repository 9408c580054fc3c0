"""Cards of I3D."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_RGB = Input(
    frames=64,
    size=224,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    resize_shortest=256,
    seconds=64 / 25,
)
# flow is cut at 20 pixels and divided by 20, and comes as it is
_FLOW = replace(_RGB, mean=(0.0, 0.0), std=(1.0, 1.0), channels="flow")
_README = "README of deepmind/kinetics-i3d"


def _results(pretrained: tuple[float, float], scratch: tuple[float, float]) -> tuple[Result, ...]:
    settings = ("ImageNet + Kinetics, whole videos", "Kinetics alone, whole videos")
    return tuple(
        Result("Kinetics-400 test", metric, value, setting, _README)
        for setting, pair in zip(settings, (pretrained, scratch), strict=True)
        for metric, value in zip(("top-1", "top-5"), pair, strict=True)
    )


_I3D = Card(
    name="i3d_rgb",
    family="i3d",
    kind="backbone",
    summary="Inception-v1 inflated to three axes",
    builder="scenewise.models.backbones.i3d:i3d_rgb",
    paper="Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset",
    year=2017,
    url="https://arxiv.org/abs/1705.07750",
    code="deepmind/kinetics-i3d",
    licence="Apache-2.0",
    proof="the code of piergiaj/pytorch-i3d",
    parameters=12_697_264,
    multiply_adds=111_153_143_808,
    input=_RGB,
    layouts="scenewise.models.backbones.i3d_layouts:LAYOUTS",
    results=_results((71.1, 89.3), (68.4, 88.0)),
)
CARDS = (
    _I3D,
    replace(
        _I3D,
        name="i3d_flow",
        summary="Inception-v1 inflated to three axes, of optical flow",
        builder="scenewise.models.backbones.i3d:i3d_flow",
        parameters=12_675_312,
        multiply_adds=102_341_435_392,
        input=_FLOW,
        results=_results((63.4, 84.9), (61.5, 83.4)),
        notes=("flow is TV-L1, cut at 20 pixels and divided by 20",),
    ),
    replace(
        _I3D,
        name="i3d_two_stream",
        summary="I3D of RGB and I3D of flow, their logits added",
        builder="scenewise.models.backbones.i3d:i3d_two_stream",
        parameters=25_372_576,
        multiply_adds=213_494_579_200,
        input=replace(
            _RGB, mean=_RGB.mean + _FLOW.mean, std=_RGB.std + _FLOW.std, channels="rgb+flow"
        ),
        results=_results((74.2, 91.3), (71.6, 90.0)),
        notes=("a clip has five channels: RGB, then flow, which is TV-L1 cut at 20 pixels",),
    ),
    replace(
        _I3D,
        name="i3d_tiny",
        summary="I3D with an eighth of the channels",
        builder="scenewise.models.backbones.i3d:i3d_tiny",
        licence="none published",
        parameters=202_074,
        multiply_adds=47_226_432,
        input=replace(_RGB, frames=8, size=64, resize_shortest=None, seconds=None),
        results=(),
        tiny=True,
    ),
)
