"""X3D: a small network grown step by step along time, size, width and depth.

Christoph Feichtenhofer, "X3D: Expanding Architectures for Efficient Video Recognition", 2020
(https://arxiv.org/abs/2004.04730). Bottlenecks whose 3 x 3 x 3 filters look at one channel each,
squeeze-and-excitation in every other block, and a head that widens before it pools. XS, S and M
are one network over clips of another length and size; L is deeper.

Names are those of PyTorchVideo, in whose stem ``conv_t`` is the filter over space and ``conv_xy``
the one over time. It knows no file layouts (``x3d_layouts``) and no class names.
"""

from __future__ import annotations

import math
from typing import Literal, cast

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.backbones.backbone import VideoBackbone

HeadPool = Literal["fixed", "adaptive"]

_STAGE_DEPTHS = (1, 2, 5, 3)  # ahead of the depth factor
_STEM_WIDTH = 12  # ahead of the width factor
_BOTTLENECK = 2.25
_SQUEEZE = 1 / 16
_STRIDE = 32  # of space, from the clip to the head; time keeps its length
_LAST_STAGE = 4  # its place in ``blocks``; the stem is before the stages


class SqueezeExcitation(nn.Module):
    """Weighs channels by what all places hold together; Hu et al. 2017, arXiv:1709.01507."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv3d(width, squeezed, 1), nn.ReLU(), nn.Conv3d(squeezed, width, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same shape."""
        weights: Tensor = self.block(reduce(x, "b c t h w -> b c 1 1 1", "mean"))
        return x * weights


class Bottleneck(nn.Module):
    """Widen, filter each channel over time and space, narrow."""

    def __init__(
        self, inputs: int, inner: int, outputs: int, stride: int, has_squeeze: bool
    ) -> None:
        super().__init__()
        self.conv_a = nn.Conv3d(inputs, inner, 1, bias=False)
        self.norm_a = nn.BatchNorm3d(inner)
        self.conv_b = nn.Conv3d(
            inner, inner, 3, (1, stride, stride), padding=1, groups=inner, bias=False
        )
        squeeze = (
            SqueezeExcitation(inner, round_width(inner, _SQUEEZE)) if has_squeeze else nn.Identity()
        )
        self.norm_b = nn.Sequential(nn.BatchNorm3d(inner), squeeze)
        self.conv_c = nn.Conv3d(inner, outputs, 1, bias=False)
        self.norm_c = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T, H / stride, W / stride)."""
        x = F.relu(self.norm_a(self.conv_a(x)))
        x = F.silu(self.norm_b(self.conv_b(x)))
        narrow: Tensor = self.norm_c(self.conv_c(x))
        return narrow


class ResidualBlock(nn.Module):
    """A bottleneck beside a shortcut, which is a filter of its own where the shape changes."""

    def __init__(
        self, inputs: int, outputs: int, stride: int, has_squeeze: bool, shortcut_norm: bool
    ) -> None:
        super().__init__()
        self.branch1_conv = (
            nn.Conv3d(inputs, outputs, 1, (1, stride, stride), bias=False)
            if inputs != outputs or stride > 1
            else None
        )
        has_norm = self.branch1_conv is not None and (inputs != outputs or shortcut_norm)
        self.branch1_norm = nn.BatchNorm3d(outputs) if has_norm else None
        self.branch2 = Bottleneck(inputs, int(_BOTTLENECK * outputs), outputs, stride, has_squeeze)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T, H / stride, W / stride)."""
        shortcut = x if self.branch1_conv is None else self.branch1_conv(x)
        if self.branch1_norm is not None:
            shortcut = self.branch1_norm(shortcut)
        return F.relu(shortcut + self.branch2(x))


class Stage(nn.Module):
    """Residual blocks; the first one halves the size."""

    def __init__(self, inputs: int, outputs: int, depth: int, shortcut_norm: bool) -> None:
        super().__init__()
        self.res_blocks = nn.Sequential(
            *(
                ResidualBlock(
                    inputs if number == 0 else outputs,
                    outputs,
                    stride=2 if number == 0 else 1,
                    has_squeeze=number % 2 == 0,
                    shortcut_norm=shortcut_norm,
                )
                for number in range(depth)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T, ceil(H / 2), ceil(W / 2))."""
        output: Tensor = self.res_blocks(x)
        return output


class SeparableConvolution(nn.Module):
    """Over space and then over time, one channel at a time. The names are the published ones."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv_t = nn.Conv3d(inputs, outputs, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False)
        self.conv_xy = nn.Conv3d(
            outputs, outputs, (5, 1, 1), padding=(2, 0, 0), groups=outputs, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T, ceil(H / 2), ceil(W / 2))."""
        output: Tensor = self.conv_xy(self.conv_t(x))
        return output


class Stem(nn.Module):
    """The first filters."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = SeparableConvolution(inputs, outputs)
        self.norm = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, T, H, W) to (B, C, T, ceil(H / 2), ceil(W / 2))."""
        return F.relu(self.norm(self.conv(x)))


class ProjectedPool(nn.Module):
    """Widen, take the mean over ``kernel`` or, where that is None, over everything, widen again."""

    def __init__(
        self, inputs: int, inner: int, outputs: int, kernel: tuple[int, int, int] | None
    ) -> None:
        super().__init__()
        self.kernel = kernel
        self.pre_conv = nn.Conv3d(inputs, inner, 1, bias=False)
        self.pre_norm = nn.BatchNorm3d(inner)
        self.post_conv = nn.Conv3d(inner, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T', H', W'); (B, C', 1, 1, 1) of the published clip."""
        x = F.relu(self.pre_norm(self.pre_conv(x)))
        if self.kernel is None:
            pooled = reduce(x, "b c t h w -> b c 1 1 1", "mean")
        else:
            # processors have no such pool of half precision
            full = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
            pooled = F.avg_pool3d(full, self.kernel, stride=1).to(x.dtype)
        return F.relu(self.post_conv(pooled))


class Head(nn.Module):
    """The pooled projection and the classifier, of which each place has a say."""

    def __init__(self, pool: ProjectedPool, width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.pool = pool
        self.dropout = nn.Dropout(dropout)
        self.proj = nn.Linear(width, num_classes) if num_classes else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, K): the mean of the logits of all places."""
        places = self.dropout(rearrange(self.pool(x), "b c t h w -> b (t h w) c"))
        logits: Tensor = reduce(self.proj(places), "b n k -> b k", "mean")
        return logits


class X3D(VideoBackbone):
    """Clips (B, T, 3, H, W) to logits (B, K).

    ``head_pool`` fixed pools over the published clip, ``num_frames`` by ``size``; of a longer or
    larger one several places are classified and their logits averaged, and a smaller one is
    refused. adaptive pools over all there is. Of the published clip both give the same.

    ``shortcut_norm``: whether the first stage's shortcut, which keeps the number of channels, has
    a norm. PyTorchVideo's has none; those of SlowFast and mmaction2 have.
    """

    def __init__(
        self,
        *,
        num_classes: int = 400,
        num_frames: int = 16,
        size: int = 224,
        width_factor: float = 2.0,
        depth_factor: float = 2.2,
        head_width: int = 2048,
        dropout: float = 0.5,
        head_pool: HeadPool = "fixed",
        shortcut_norm: bool = False,
    ) -> None:
        super().__init__()
        if head_pool not in ("fixed", "adaptive"):
            raise UsageError(f"head_pool is fixed or adaptive, got {head_pool!r}.")
        self.num_classes = num_classes
        self.num_features = head_width
        width = round_width(_STEM_WIDTH, width_factor)
        self.blocks = nn.ModuleList([Stem(3, width)])
        stage_width = _STEM_WIDTH
        for number, depth in enumerate(_STAGE_DEPTHS):
            stage_width = stage_width if number == 0 else round_width(stage_width, 2.0)
            outputs = round_width(stage_width, width_factor)
            self.blocks.append(
                Stage(width, outputs, math.ceil(depth * depth_factor), shortcut_norm)
            )
            width = outputs
        side = math.ceil(size / _STRIDE)
        kernel = (num_frames, side, side) if head_pool == "fixed" else None
        pool = ProjectedPool(width, int(_BOTTLENECK * width), head_width, kernel)
        self.blocks.append(Head(pool, head_width, num_classes, dropout))
        self._initialise()

    def feature_map(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 192, T, ceil(H / 32), ceil(W / 32)), ahead of the head."""
        x = rearrange(clips, "b t c h w -> b c t h w")
        for block in self.blocks[: _LAST_STAGE + 1]:
            x = block(x)
        return x

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 2048), the mean of the places that are classified."""
        places: Tensor = self.head.pool(self._checked_map(clips))
        return reduce(places, "b c t h w -> b c", "mean")

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to logits (B, K), or to (B, 2048) without classes."""
        if not self.num_classes:
            return self.features(clips)
        logits: Tensor = self.head(self._checked_map(clips))
        return logits

    @property
    def head(self) -> Head:
        """The last of the blocks."""
        return cast(Head, self.blocks[-1])

    def _checked_map(self, clips: Tensor) -> Tensor:
        x = self.feature_map(clips)
        kernel = self.head.pool.kernel
        if kernel is not None and any(
            have < need for have, need in zip(x.shape[2:], kernel, strict=True)
        ):
            raise ValueError(
                f"this X3D pools over {kernel[0]} frames of {kernel[1] * _STRIDE} pixels, got "
                f"{tuple(clips.shape)}; head_pool='adaptive' takes any clip"
            )
        return x

    def _initialise(self) -> None:
        """As published: Kaiming's normal, and residual branches that begin as nothing."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, std=0.01)
                nn.init.zeros_(layer.bias)
            elif isinstance(layer, Bottleneck):
                nn.init.zeros_(layer.norm_c.weight)


def round_width(width: int, factor: float) -> int:
    """The multiple of 8 nearest to width times factor, at least 8, not below 90 % of it."""
    wanted = width * factor
    rounded = max(8, int(wanted + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * wanted else rounded


def x3d_xs(
    num_classes: int = 400,
    num_frames: int = 4,
    size: int = 160,
    dropout: float = 0.5,
    head_pool: HeadPool = "fixed",
    shortcut_norm: bool = False,
) -> X3D:
    """The published network over 4 frames of 160 pixels."""
    return X3D(
        num_classes=num_classes,
        num_frames=num_frames,
        size=size,
        dropout=dropout,
        head_pool=head_pool,
        shortcut_norm=shortcut_norm,
    )


def x3d_s(
    num_classes: int = 400,
    num_frames: int = 13,
    size: int = 160,
    dropout: float = 0.5,
    head_pool: HeadPool = "fixed",
    shortcut_norm: bool = False,
) -> X3D:
    """The published network over 13 frames of 160 pixels."""
    return x3d_xs(num_classes, num_frames, size, dropout, head_pool, shortcut_norm)


def x3d_m(
    num_classes: int = 400,
    num_frames: int = 16,
    size: int = 224,
    dropout: float = 0.5,
    head_pool: HeadPool = "fixed",
    shortcut_norm: bool = False,
) -> X3D:
    """The published network over 16 frames of 224 pixels."""
    return x3d_xs(num_classes, num_frames, size, dropout, head_pool, shortcut_norm)


def x3d_l(
    num_classes: int = 400,
    num_frames: int = 16,
    size: int = 312,
    dropout: float = 0.5,
    head_pool: HeadPool = "fixed",
    shortcut_norm: bool = False,
) -> X3D:
    """The published deeper network over 16 frames of 312 pixels."""
    return X3D(
        num_classes=num_classes,
        num_frames=num_frames,
        size=size,
        depth_factor=5.0,
        dropout=dropout,
        head_pool=head_pool,
        shortcut_norm=shortcut_norm,
    )


def x3d_tiny(
    num_classes: int = 10,
    num_frames: int = 8,
    size: int = 64,
    dropout: float = 0.0,
    head_pool: HeadPool = "fixed",
    shortcut_norm: bool = False,
) -> X3D:
    """Two thirds of the channels, half as deep, an eighth of the head."""
    return X3D(
        num_classes=num_classes,
        num_frames=num_frames,
        size=size,
        width_factor=1.0,
        depth_factor=1.0,
        head_width=256,
        dropout=dropout,
        head_pool=head_pool,
        shortcut_norm=shortcut_norm,
    )
