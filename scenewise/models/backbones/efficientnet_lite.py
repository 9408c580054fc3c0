"""EfficientNet-Lite0 to Lite4, image classifiers made for small processors.

Mingxing Tan and Quoc V. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural
Networks", 2019 (https://arxiv.org/abs/1905.11946), in the Lite form published in 2020 with the
TensorFlow reference: no squeeze-and-excitation, ReLU6 instead of swish, and a stem, first stage,
last stage and head that do not grow with the variant.

It knows the architecture and the key layout of the published PyTorch checkpoints (``_conv_stem``,
``_bn0``, ``_blocks``, ``_conv_head``, ``_bn1``, ``_fc``), which is why its parts have leading
underscores. It knows no class names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from einops import reduce
from torch import Tensor, nn

# the published preprocessing: pixels from 0 to 255, RGB
PIXEL_MEAN = 127.0
PIXEL_STD = 128.0
CROP_PADDING = 32  # the short edge is scaled to the input size plus this, then cut (bicubic)

_STEM_CHANNELS = 32
_HEAD_CHANNELS = 1280
_CHANNEL_MULTIPLE = 8


@dataclass(frozen=True, slots=True)
class Variant:
    """One size of the family."""

    width: float  # channels relative to Lite0
    depth: float  # layers relative to Lite0
    image_size: int  # input pixels, a square
    dropout: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A run of blocks; the first one changes channels and resolution."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


VARIANTS = {
    "lite0": Variant(width=1.0, depth=1.0, image_size=224, dropout=0.2),
    "lite1": Variant(width=1.0, depth=1.1, image_size=240, dropout=0.2),
    "lite2": Variant(width=1.1, depth=1.2, image_size=260, dropout=0.3),
    "lite3": Variant(width=1.2, depth=1.4, image_size=280, dropout=0.3),
    "lite4": Variant(width=1.4, depth=1.8, image_size=300, dropout=0.3),
}

STAGES = (
    Stage(repeats=1, kernel=3, stride=1, expansion=1, channels=16),
    Stage(repeats=2, kernel=3, stride=2, expansion=6, channels=24),
    Stage(repeats=2, kernel=5, stride=2, expansion=6, channels=40),
    Stage(repeats=3, kernel=3, stride=2, expansion=6, channels=80),
    Stage(repeats=3, kernel=5, stride=1, expansion=6, channels=112),
    Stage(repeats=4, kernel=5, stride=2, expansion=6, channels=192),
    Stage(repeats=1, kernel=3, stride=1, expansion=6, channels=320),
)


class SamePaddingConv2d(nn.Conv2d):
    """A convolution whose output has ceil(size / stride) pixels, padded as TensorFlow does.

    Where the padding is odd, the extra row and column lie below and to the right.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ceil(H / stride), ceil(W / stride))."""
        top, bottom = _same_padding(input.shape[2], self.kernel_size[0], self.stride[0])
        left, right = _same_padding(input.shape[3], self.kernel_size[1], self.stride[1])
        padding = (top, left)
        if (top, left) != (bottom, right):
            input = F.pad(input, (left, right, top, bottom))
            padding = (0, 0)
        return F.conv2d(input, self.weight, self.bias, self.stride, padding, groups=self.groups)


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; with a shortcut where the shapes allow it.

    ``drop_rate`` is the probability that training skips the block for a sample (stochastic
    depth, Huang et al. 2016).
    """

    def __init__(
        self, channels_in: int, channels_out: int, stage: Stage, stride: int, drop_rate: float
    ) -> None:
        super().__init__()
        wide = channels_in * stage.expansion
        self.has_shortcut = stride == 1 and channels_in == channels_out
        self.drop_rate = drop_rate
        self.has_expansion = stage.expansion != 1
        if self.has_expansion:
            self._expand_conv = SamePaddingConv2d(channels_in, wide, 1, bias=False)
            self._bn0 = _batch_norm(wide)
        self._depthwise_conv = SamePaddingConv2d(
            wide, wide, stage.kernel, stride=stride, groups=wide, bias=False
        )
        self._bn1 = _batch_norm(wide)
        self._project_conv = SamePaddingConv2d(wide, channels_out, 1, bias=False)
        self._bn2 = _batch_norm(channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H', W')."""
        y: Tensor = x
        if self.has_expansion:
            y = F.relu6(self._bn0(self._expand_conv(y)))
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))  # linear: the bottleneck keeps negative values
        if not self.has_shortcut:
            return y
        if self.training and self.drop_rate > 0:
            kept = torch.rand(len(y), 1, 1, 1, device=y.device) >= self.drop_rate
            y = y * kept / (1.0 - self.drop_rate)
        return x + y


class EfficientNetLite(nn.Module):
    """Images (B, 3, H, W), normalised with ``PIXEL_MEAN`` and ``PIXEL_STD``, to logits (B, K).

    ``variant`` is a key of ``VARIANTS``; each was trained at its own ``image_size``.
    """

    def __init__(self, variant: str = "lite0", classes: int = 1000, drop_rate: float = 0.2) -> None:
        super().__init__()
        size = VARIANTS[variant]
        self._conv_stem = SamePaddingConv2d(3, _STEM_CHANNELS, 3, stride=2, bias=False)
        self._bn0 = _batch_norm(_STEM_CHANNELS)
        plan = _plan(size)
        self._blocks = nn.ModuleList()
        channels = _STEM_CHANNELS
        for number, (stage, stride, channels_out) in enumerate(plan):
            rate = drop_rate * number / len(plan)  # deeper blocks are skipped more often
            self._blocks.append(InvertedResidual(channels, channels_out, stage, stride, rate))
            channels = channels_out
        self._conv_head = SamePaddingConv2d(channels, _HEAD_CHANNELS, 1, bias=False)
        self._bn1 = _batch_norm(_HEAD_CHANNELS)
        self._dropout = nn.Dropout(size.dropout)
        self._fc = nn.Linear(_HEAD_CHANNELS, classes)

    def features(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to pooled features (B, 1280)."""
        x = F.relu6(self._bn0(self._conv_stem(images)))
        for block in self._blocks:
            x = block(x)
        x = F.relu6(self._bn1(self._conv_head(x)))
        return reduce(x, "b c h w -> b c", "mean")

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, H, W) to class logits (B, K)."""
        logits: Tensor = self._fc(self._dropout(self.features(images)))
        return logits


def load_lite0(path: Path) -> EfficientNetLite:
    """Lite0 with the weights of a published checkpoint, ready to run."""
    network = EfficientNetLite("lite0")
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network.eval()


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)  # TensorFlow's momentum of 0.99


def _plan(size: Variant) -> list[tuple[Stage, int, int]]:
    """Every block in order: its stage, its stride and its output channels."""
    plan = []
    for number, stage in enumerate(STAGES):
        is_end = number in (0, len(STAGES) - 1)  # these are not repeated more in larger variants
        repeats = stage.repeats if is_end else math.ceil(stage.repeats * size.depth)
        channels = _round_channels(stage.channels * size.width)
        plan += [(stage, stage.stride if first == 0 else 1, channels) for first in range(repeats)]
    return plan


def _round_channels(channels: float) -> int:
    """The nearest multiple of 8, but not below 90 % of the wanted number."""
    half = _CHANNEL_MULTIPLE / 2
    rounded = int(channels + half) // _CHANNEL_MULTIPLE * _CHANNEL_MULTIPLE
    rounded = max(_CHANNEL_MULTIPLE, rounded)
    return rounded + _CHANNEL_MULTIPLE if rounded < 0.9 * channels else rounded


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after, so that ceil(size / stride) outputs come out."""
    total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2
