"""The published sizes of the residual networks of three axes, by name.

Hara's have a pool after a first filter of 7 instants; Tran's, which torchvision and VMZ have, a
first filter of 3 instants and no pool. The two cannot take each other's weights.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from scenewise.errors import UsageError
from scenewise.models.backbones.resnet3d import (
    Filters,
    Pool,
    ResNet3D,
    ResNet3DOptions,
    Shortcut,
)

_TRAN = ResNet3DOptions(stem_time=3, stem_pool="none", head_deviation=0.01)


def resnet3d_18(
    num_classes: int = 700,
    filters: Filters = "joint",
    shortcut: Shortcut = "B",
    stem_time: int = 7,
    stem_stride: int = 1,
    stem_pool: Pool = "all",
) -> ResNet3D:
    """Hara's, 18 layers; Kinetics-700 has 700 classes. ``filters`` split is its R(2+1)D."""
    options = ResNet3DOptions(
        depths=(2, 2, 2, 2),
        bottleneck=False,
        filters=filters,
        shortcut=shortcut,
        stem_time=stem_time,
        stem_stride=stem_stride,
        stem_pool=stem_pool,
    )
    return ResNet3D(options, num_classes=num_classes)


def resnet3d_34(
    num_classes: int = 700,
    filters: Filters = "joint",
    shortcut: Shortcut = "B",
    stem_time: int = 7,
    stem_stride: int = 1,
    stem_pool: Pool = "all",
) -> ResNet3D:
    """Hara's, 34 layers."""
    options = ResNet3DOptions(
        depths=(3, 4, 6, 3),
        bottleneck=False,
        filters=filters,
        shortcut=shortcut,
        stem_time=stem_time,
        stem_stride=stem_stride,
        stem_pool=stem_pool,
    )
    return ResNet3D(options, num_classes=num_classes)


def resnet3d_50(
    num_classes: int = 700,
    filters: Filters = "joint",
    shortcut: Shortcut = "B",
    stem_time: int = 7,
    stem_stride: int = 1,
    stem_pool: Pool = "all",
) -> ResNet3D:
    """Hara's, 50 layers."""
    options = ResNet3DOptions(
        depths=(3, 4, 6, 3),
        bottleneck=True,
        filters=filters,
        shortcut=shortcut,
        stem_time=stem_time,
        stem_stride=stem_stride,
        stem_pool=stem_pool,
    )
    return ResNet3D(options, num_classes=num_classes)


def resnet3d_101(
    num_classes: int = 700,
    filters: Filters = "joint",
    shortcut: Shortcut = "B",
    stem_time: int = 7,
    stem_stride: int = 1,
    stem_pool: Pool = "all",
) -> ResNet3D:
    """Hara's, 101 layers."""
    options = ResNet3DOptions(
        depths=(3, 4, 23, 3),
        bottleneck=True,
        filters=filters,
        shortcut=shortcut,
        stem_time=stem_time,
        stem_stride=stem_stride,
        stem_pool=stem_pool,
    )
    return ResNet3D(options, num_classes=num_classes)


def resnet3d_152(
    num_classes: int = 700,
    filters: Filters = "joint",
    shortcut: Shortcut = "B",
    stem_time: int = 7,
    stem_stride: int = 1,
    stem_pool: Pool = "all",
) -> ResNet3D:
    """Hara's, 152 layers."""
    options = ResNet3DOptions(
        depths=(3, 8, 36, 3),
        bottleneck=True,
        filters=filters,
        shortcut=shortcut,
        stem_time=stem_time,
        stem_stride=stem_stride,
        stem_pool=stem_pool,
    )
    return ResNet3D(options, num_classes=num_classes)


def resnet3d_200(
    num_classes: int = 700,
    filters: Filters = "joint",
    shortcut: Shortcut = "B",
    stem_time: int = 7,
    stem_stride: int = 1,
    stem_pool: Pool = "all",
) -> ResNet3D:
    """Hara's, 200 layers."""
    options = ResNet3DOptions(
        depths=(3, 24, 36, 3),
        bottleneck=True,
        filters=filters,
        shortcut=shortcut,
        stem_time=stem_time,
        stem_stride=stem_stride,
        stem_pool=stem_pool,
    )
    return ResNet3D(options, num_classes=num_classes)


def resnet3d_tiny(
    num_classes: int = 10,
    filters: Filters = "joint",
    shortcut: Shortcut = "B",
    stem_time: int = 7,
    stem_stride: int = 1,
    stem_pool: Pool = "all",
    bottleneck: bool = False,
) -> ResNet3D:
    """Hara's with a block a stage and an eighth of the channels."""
    options = ResNet3DOptions(
        depths=(1, 1, 1, 1),
        bottleneck=bottleneck,
        filters=filters,
        shortcut=shortcut,
        stem_time=stem_time,
        stem_stride=stem_stride,
        stem_pool=stem_pool,
        widen=0.125,
    )
    return ResNet3D(options, num_classes=num_classes)


def r3d_18(num_classes: int = 400) -> ResNet3D:
    """Tran's R3D, as torchvision has it."""
    return ResNet3D(_TRAN, num_classes=num_classes)


def mc3_18(num_classes: int = 400) -> ResNet3D:
    """Tran's MC3: filters of three axes in the first stage, of two in the others."""
    return ResNet3D(replace(_TRAN, filters="mixed"), num_classes=num_classes)


def r2plus1d_18(num_classes: int = 400) -> ResNet3D:
    """Tran's R(2+1)D as torchvision has it: both filters of a block share their middle's width."""
    options = replace(_TRAN, filters="split", stem_middle=45, shared_middle=True)
    return ResNet3D(options, num_classes=num_classes)


def r2plus1d_34(
    num_classes: int = 400, variant: Literal["vmz", "mmaction2"] = "vmz", dropout: float = 0.0
) -> ResNet3D:
    """Tran's R(2+1)D with 34 layers.

    ``variant`` vmz is the authors' code; mmaction2 has a pool after the first filter, shortcuts
    that are split as well, and as many channels inside the first filter as the formula says.
    """
    options = replace(_TRAN, depths=(3, 4, 6, 3), filters="split", norm_eps=1e-3)
    if variant == "vmz":
        options = replace(options, stem_middle=45)
    elif variant == "mmaction2":
        options = replace(options, shortcut="split", stem_pool="space")
    else:
        raise UsageError(f"variant is {variant!r}; allowed: vmz, mmaction2.")
    return ResNet3D(options, num_classes=num_classes, dropout=dropout)


def r2plus1d_tiny(num_classes: int = 10, dropout: float = 0.0) -> ResNet3D:
    """Tran's R(2+1)D with a block a stage and an eighth of the channels."""
    options = replace(_TRAN, depths=(1, 1, 1, 1), filters="split", stem_middle=6, widen=0.125)
    return ResNet3D(options, num_classes=num_classes, dropout=dropout)
