"""Cards of S3D."""

from __future__ import annotations

from dataclasses import replace

from scenewise.models.cards.card import Card, Input, Result

_TORCHVISION = Input(
    frames=128,
    size=224,
    mean=(0.43216, 0.394666, 0.37645),
    std=(0.22803, 0.22145, 0.216989),
    resize_shortest=256,
    seconds=128 / 15,
)
_HOWTO100M = Input(
    frames=32,
    size=224,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
)
_S3D = Card(
    name="s3d",
    family="s3d",
    kind="backbone",
    summary="I3D with filters of space and of time apart",
    builder="scenewise.models.backbones.s3d:s3d",
    paper=(
        "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in Video "
        "Classification"
    ),
    year=2017,
    url="https://arxiv.org/abs/1712.04851",
    code="tensorflow/models",
    licence="BSD-3-Clause",
    proof="torchvision's own code",
    parameters=8_320_048,
    multiply_adds=143_827_304_448,
    input=_TORCHVISION,
    layouts="scenewise.models.backbones.s3d:LAYOUTS",
    results=tuple(
        Result(
            "Kinetics-400",
            metric,
            value,
            "128 frames at 15 a second, one clip of a video, torchvision's weights",
            "torchvision/models/video/s3d.py of pytorch/vision",
        )
        for metric, value in (("top-1", 68.368), ("top-5", 88.050))
    ),
    notes=("weights are torchvision's; the first filter is 7 x 7 of space, then 7 of time",),
)
CARDS = (
    _S3D,
    replace(
        _S3D,
        name="s3d_howto100m",
        summary="S3D with gates, from narrated videos; 512 places of a space shared with text",
        builder="scenewise.models.backbones.s3d:s3d_howto100m",
        paper="End-to-End Learning of Visual Representations from Uncurated Instructional Videos",
        year=2019,
        url="https://arxiv.org/abs/1912.06430",
        code="antoine77340/S3D_HowTo100M",
        licence="Apache-2.0",
        proof="the official code",
        parameters=9_670_800,
        multiply_adds=37_097_007_872,
        input=_HOWTO100M,
        results=(),
        notes=(
            "batch norms have an epsilon of 1e-5, as in its PyTorch code; TensorFlow's is 1e-3",
            "the outputs are no classes, and features for other tasks are the 1024 before them",
        ),
    ),
    replace(
        _S3D,
        name="s3d_tiny",
        summary="S3D with gates and an eighth of the channels",
        builder="scenewise.models.backbones.s3d:s3d_tiny",
        licence="none published",
        parameters=152_500,
        multiply_adds=41_900_972,
        input=replace(_HOWTO100M, frames=8, size=64),
        results=(),
        notes=(),
        tiny=True,
    ),
)
