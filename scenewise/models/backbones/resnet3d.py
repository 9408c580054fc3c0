"""Residual networks of three axes, their filters joint or split into space and time.

Kensho Hara et al., "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?",
2018 (https://arxiv.org/abs/1711.09577): ResNet with filters of 3 x 3 x 3, a first filter of
7 x 7 x 7 and a pool that halves time as well.

Du Tran et al., "A Closer Look at Spatiotemporal Convolutions for Action Recognition", 2018
(https://arxiv.org/abs/1711.11248): R3D, whose first filter has 3 instants and no pool after it;
MC3, whose later stages look at instants alone; and R(2+1)D, which puts a filter of time after
each filter of space, with so many channels between that the number of weights stays.

Names of parameters are those of kenshohara/3D-ResNets-PyTorch. It knows the architecture; layouts
of weights are ``resnet3d_layouts``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.backbones.backbone import VideoBackbone

Filters = Literal["joint", "split", "mixed"]
Shortcut = Literal["A", "B", "split"]
Pool = Literal["all", "space", "none"]
_ALLOWED = {
    "filters": ("joint", "split", "mixed"),
    "shortcut": ("A", "B", "split"),
    "stem_pool": ("all", "space", "none"),
}
WIDTHS = (64, 128, 256, 512)
_Triple = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ResNet3DOptions:
    """How a network is built.

    ``filters`` joint are 3 x 3 x 3, split 1 x 3 x 3 and then 3 x 1 x 1, mixed joint in the first
    stage and 1 x 3 x 3 in the others. ``shortcut`` A takes every second place and fills channels
    with zeros, B is a filter of one place, split two of them with a ReLU between.
    ``shared_middle``: both split filters of a block have the channels between that the first
    one's formula says, as torchvision has it.
    """

    depths: tuple[int, ...] = (2, 2, 2, 2)  # blocks of each stage
    bottleneck: bool = False
    filters: Filters = "joint"
    shortcut: Shortcut = "B"
    shared_middle: bool = False
    stem_time: int = 7  # instants of the first filter
    stem_stride: int = 1  # in time
    stem_pool: Pool = "all"  # 3 x 3 x 3 or 1 x 3 x 3, by 2, or nothing
    stem_middle: int | None = None  # channels between its split filters; None: by the formula
    widen: float = 1.0
    norm_eps: float = 1e-5
    head_deviation: float | None = None  # of the classifier's first weights; None: torch's own

    def __post_init__(self) -> None:
        for name, allowed in _ALLOWED.items():
            if getattr(self, name) not in allowed:
                raise UsageError(
                    f"{name} is {getattr(self, name)!r}; allowed: {', '.join(allowed)}."
                )


def middle_channels(inputs: int, outputs: int, time: int, side: int) -> int:
    """Channels between split filters that give as many weights as a joint filter has."""
    area = side * side
    return time * area * inputs * outputs // (area * inputs + time * outputs)


class _Layer(nn.Module):
    """Holds filters and norms by the official names: ``conv1`` and ``bn1``, or four when split."""

    def _add(
        self,
        number: int,
        inputs: int,
        outputs: int,
        kernel: _Triple,
        stride: _Triple,
        middle: int | None = None,
    ) -> None:
        """``middle`` channels between split filters; None: one filter."""
        parts: tuple[tuple[str, int, int, _Triple, _Triple], ...] = (
            ("", inputs, outputs, kernel, stride),
        )
        if middle is not None:
            parts = (
                ("_s", inputs, middle, (1, *kernel[1:]), (1, *stride[1:])),
                ("_t", middle, outputs, (kernel[0], 1, 1), (stride[0], 1, 1)),
            )
        for suffix, ins, outs, size, step in parts:
            padding = (size[0] // 2, size[1] // 2, size[2] // 2)
            filter_ = nn.Conv3d(ins, outs, size, step, padding, bias=False)
            self.add_module(f"conv{number}{suffix}", filter_)
            self.add_module(f"bn{number}{suffix}", nn.BatchNorm3d(outs))

    def _apply_filter(self, number: int, x: Tensor) -> Tensor:
        """Filter and norm; the ReLU after them is the caller's."""
        if f"conv{number}" in self._modules:
            return self._pair(f"{number}", x)
        return self._pair(f"{number}_t", F.relu(self._pair(f"{number}_s", x), inplace=True))

    def _pair(self, suffix: str, x: Tensor) -> Tensor:
        normed: Tensor = getattr(self, f"bn{suffix}")(getattr(self, f"conv{suffix}")(x))
        return normed


class Block(_Layer):
    """A residual block, (B, C, T, H, W) to (B, C', T', H', W')."""

    def __init__(
        self, inputs: int, width: int, stride: int, options: ResNet3DOptions, *, planar: bool
    ) -> None:
        super().__init__()
        self.bottleneck = options.bottleneck
        outputs = width * 4 if options.bottleneck else width
        time = 1 if planar else 3
        step = (1 if planar else stride, stride, stride)
        kernel, one, still = (time, 3, 3), (1, 1, 1), (1, 1, 1)

        def middle(ins: int) -> int | None:
            if options.filters != "split":
                return None
            return middle_channels(inputs if options.shared_middle else ins, width, 3, 3)

        if options.bottleneck:
            self._add(1, inputs, width, one, still)
            self._add(2, width, width, kernel, step, middle(width))
            self._add(3, width, outputs, one, still)
        else:
            self._add(1, inputs, width, kernel, step, middle(inputs))
            self._add(2, width, width, kernel, still, middle(width))
        self.downsample = (
            _shortcut(inputs, outputs, step, options.shortcut)
            if stride != 1 or inputs != outputs
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T', H', W')."""
        residual = F.relu(self._apply_filter(1, x), inplace=True)
        residual = self._apply_filter(2, residual)
        if self.bottleneck:
            residual = self._apply_filter(3, F.relu(residual, inplace=True))
        return F.relu(residual + self.downsample(x), inplace=True)


class ZeroPadded(nn.Module):
    """Shortcut A: every ``stride``-th place, and channels of zeros. It learns nothing.

    The official code lets no gradient through here; this one does, as in He et al. 2015.
    """

    def __init__(self, outputs: int, stride: _Triple) -> None:
        super().__init__()
        self.outputs, self.stride = outputs, stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, outputs, T / stride, …)."""
        time, height, width = self.stride
        x = x[:, :, ::time, ::height, ::width]
        return F.pad(x, (0, 0, 0, 0, 0, 0, 0, self.outputs - x.shape[1]))


def _shortcut(inputs: int, outputs: int, stride: _Triple, kind: Shortcut) -> nn.Module:
    if kind == "A":
        return ZeroPadded(outputs, stride)
    if kind == "B":
        return nn.Sequential(
            nn.Conv3d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm3d(outputs)
        )
    middle = middle_channels(inputs, outputs, 3, 1)  # the formula has three instants even here
    return nn.Sequential(
        nn.Conv3d(inputs, middle, 1, (1, *stride[1:]), bias=False),
        nn.BatchNorm3d(middle),
        nn.ReLU(inplace=True),
        nn.Conv3d(middle, outputs, 1, (stride[0], 1, 1), bias=False),
        nn.BatchNorm3d(outputs),
    )


class ResNet3D(VideoBackbone, _Layer):
    """Clips (B, T, 3, H, W) of any length and size to logits (B, K)."""

    def __init__(
        self,
        options: ResNet3DOptions,
        *,
        num_classes: int = 400,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.stem_pool = options.stem_pool
        widths = [int(width * options.widen) for width in WIDTHS]
        inputs, time = widths[0], options.stem_time
        middle = None
        if options.filters == "split":
            middle = options.stem_middle or middle_channels(3, inputs, time, 7)
        self._add(1, 3, inputs, (time, 7, 7), (options.stem_stride, 2, 2), middle)
        for stage, (depth, width) in enumerate(zip(options.depths, widths, strict=True)):
            planar = options.filters == "mixed" and stage > 0
            blocks = []
            for number in range(depth):
                stride = 2 if stage > 0 and number == 0 else 1
                blocks.append(Block(inputs, width, stride, options, planar=planar))
                inputs = width * 4 if options.bottleneck else width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.num_features = inputs
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(inputs, num_classes) if num_classes else nn.Identity()
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm3d):
                layer.eps = options.norm_eps
        self._initialise(options.head_deviation)

    def feature_map(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 512 or 2048, T', H / 32 or H / 16, W likewise)."""
        if clips.ndim != 5 or clips.shape[2] != 3:
            raise ValueError(f"this ResNet takes clips (B, T, 3, H, W), got {tuple(clips.shape)}")
        x = F.relu(self._apply_filter(1, rearrange(clips, "b t c h w -> b c t h w")), inplace=True)
        if self.stem_pool == "all":
            x = F.max_pool3d(x, 3, 2, 1)
        elif self.stem_pool == "space":
            x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        for stage in range(len(WIDTHS)):
            x = self.get_submodule(f"layer{stage + 1}")(x)
        return x

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 512 or 2048), the mean of the last map."""
        return reduce(self.feature_map(clips), "b d t h w -> b d", "mean")

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to logits (B, K), or to features without classes."""
        logits: Tensor = self.fc(self.dropout(self.features(clips)))
        return logits

    def _initialise(self, head_deviation: float | None) -> None:
        """He's normals by what goes out of a filter; the classifier as the options say."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        if head_deviation is not None and isinstance(self.fc, nn.Linear):
            nn.init.normal_(self.fc.weight, std=head_deviation)
            nn.init.zeros_(self.fc.bias)
