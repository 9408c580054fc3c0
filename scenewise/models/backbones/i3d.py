"""I3D: Inception-v1 with every filter and every pool inflated from N x N to N x N x N.

João Carreira and Andrew Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics
Dataset", 2017 (https://arxiv.org/abs/1705.07750). One network reads RGB, another optical flow;
the two-stream network adds their logits. Padding is TensorFlow's SAME: it depends on the size of
what comes in and is larger behind than before where it is odd.

Names of parameters are those of the PyTorch port, piergiaj/pytorch-i3d. It knows the
architecture; it knows neither layouts of weights (``i3d_layouts``) nor how flow is computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from scenewise.models.backbones.backbone import VideoBackbone

# of each block of Inception-v1: 1 x 1; 1 x 1 and 3 x 3; 1 x 1 and 3 x 3 (which the paper of
# Inception has as 5 x 5); 1 x 1 behind the pool
MIXED: dict[str, tuple[int, ...]] = {
    "3b": (64, 96, 128, 16, 32, 32),
    "3c": (128, 128, 192, 32, 96, 64),
    "4b": (192, 96, 208, 16, 48, 64),
    "4c": (160, 112, 224, 24, 64, 64),
    "4d": (128, 128, 256, 24, 64, 64),
    "4e": (112, 144, 288, 32, 64, 64),
    "4f": (256, 160, 320, 32, 128, 128),
    "5b": (256, 160, 320, 32, 128, 128),
    "5c": (384, 192, 384, 48, 128, 128),
}
STEM = (64, 64, 192)  # the three convolutions ahead of the blocks
# stages in their order; pools as (kernel, stride)
_POOLS = {
    "MaxPool3d_2a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_3a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),
    "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),
}
_STAGES = (
    *("Conv3d_1a_7x7", "MaxPool3d_2a_3x3", "Conv3d_2b_1x1", "Conv3d_2c_3x3", "MaxPool3d_3a_3x3"),
    *("Mixed_3b", "Mixed_3c", "MaxPool3d_4a_3x3"),
    *("Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f", "MaxPool3d_5a_2x2"),
    *("Mixed_5b", "Mixed_5c"),
)
WINDOW = (2, 7, 7)  # of the last average, at stride 1
RGB, FLOW = 3, 2  # channels


def same_padding(sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int]) -> list[int]:
    """Places before and behind each axis, last axis first as ``F.pad`` has it.

    Every axis then gives ceil(size / stride) places; the smaller half goes before, as TensorFlow's
    SAME has it.
    """
    pads: list[int] = []
    for size, width, step in zip(sizes[::-1], kernel[::-1], stride[::-1], strict=True):
        total = max((math.ceil(size / step) - 1) * step + width - size, 0)
        pads += [total // 2, total - total // 2]
    return pads


def pad_same(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Zeros around (B, C, T, H, W), by ``same_padding``."""
    pads = same_padding(x.shape[2:], kernel, stride)
    return F.pad(x, pads) if any(pads) else x


def max_pool_same(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """A max pool with SAME padding of what a ReLU left: no value is below the padding's zeros."""
    return F.max_pool3d(pad_same(x, kernel, stride), tuple(kernel), tuple(stride))


class Unit3D(nn.Module):
    """A convolution without bias, batch norm, ReLU; (B, C, T, H, W) to the same, SAME-padded."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = [kernel] * 3, [stride] * 3
        self.conv3d = nn.Conv3d(inputs, outputs, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(outputs, eps=1e-3, momentum=0.01)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', ceil(T / stride), …)."""
        return F.relu(self.bn(self.conv3d(pad_same(x, self.kernel, self.stride))), inplace=True)


class InceptionModule(nn.Module):
    """Four branches beside one another, (B, C, T, H, W) to (B, C', T, H, W)."""

    def __init__(self, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.b0 = Unit3D(inputs, widths[0], 1)
        self.b1a = Unit3D(inputs, widths[1], 1)
        self.b1b = Unit3D(widths[1], widths[2], 3)
        self.b2a = Unit3D(inputs, widths[3], 1)
        self.b2b = Unit3D(widths[3], widths[4], 3)
        self.b3b = Unit3D(inputs, widths[5], 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T, H, W)."""
        pooled = max_pool_same(x, (3, 3, 3), (1, 1, 1))
        branches = [self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(pooled)]
        return torch.cat(branches, dim=1)


class Logits(nn.Module):
    """The classifier as a 1 x 1 x 1 convolution, with the keys ``conv3d.weight`` and ``.bias``."""

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(inputs, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, D, T, H, W) to (B, K, T, H, W)."""
        logits: Tensor = self.conv3d(x)
        return logits


def average_windows(x: Tensor) -> Tensor:
    """Averages of 2 x 7 x 7 places, at stride 1; of all places of an axis that has fewer."""
    kernel = [min(size, window) for size, window in zip(x.shape[2:], WINDOW, strict=True)]
    # processors have no such pool of half precision
    full = x.float() if x.dtype in (torch.bfloat16, torch.float16) else x
    return F.avg_pool3d(full, kernel, stride=1).to(x.dtype)


class I3D(VideoBackbone):
    """Clips (B, T, 3, H, W) of RGB in [-1, 1], or (B, T, 2, H, W) of flow, to logits (B, K).

    The published network sees 64 frames of 224 x 224, where the last average leaves one place.
    Larger pictures have their places averaged as instants are; the official code takes none.
    """

    def __init__(
        self,
        *,
        num_classes: int = 400,
        channels: int = RGB,
        dropout: float = 0.5,
        divisor: int = 1,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.channels = channels
        first, second, width = (size // divisor for size in STEM)
        self.Conv3d_1a_7x7 = Unit3D(channels, first, 7, 2)
        self.Conv3d_2b_1x1 = Unit3D(first, second, 1)
        self.Conv3d_2c_3x3 = Unit3D(second, width, 3)
        for block, full in MIXED.items():
            widths = [size // divisor for size in full]
            self.add_module(f"Mixed_{block}", InceptionModule(width, widths))
            width = widths[0] + widths[2] + widths[4] + widths[5]
        self.num_features = width
        self.dropout = nn.Dropout(dropout)
        if num_classes:
            self.logits = Logits(width, num_classes)
        self._initialise()

    def feature_map(self, clips: Tensor) -> Tensor:
        """Clips (B, T, C, H, W) to (B, 1024, ceil(T / 8), ceil(H / 32), ceil(W / 32))."""
        if clips.ndim != 5 or clips.shape[2] != self.channels:
            raise ValueError(
                f"this I3D takes clips (B, T, {self.channels}, H, W), got {tuple(clips.shape)}"
            )
        x = rearrange(clips, "b t c h w -> b c t h w")
        for stage in _STAGES:
            x = max_pool_same(x, *_POOLS[stage]) if stage in _POOLS else getattr(self, stage)(x)
        return x

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, C, H, W) to (B, 1024): the last average, and the mean of it over time.

        The windows overlap, so the first and the last instant count half.
        """
        return reduce(average_windows(self.feature_map(clips)), "b d t h w -> b d", "mean")

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, C, H, W) to logits (B, K), the mean of those of all windows."""
        if not self.num_classes:
            return self.features(clips)
        windows = self.dropout(average_windows(self.feature_map(clips)))
        logits: Tensor = reduce(self.logits(windows), "b k t h w -> b k", "mean")
        return logits

    def _initialise(self) -> None:
        """Normals cut at two deviations of 1 / sqrt(inputs), Sonnet's default; biases 0."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d):
                deviation = 1 / math.sqrt(math.prod(layer.weight.shape[1:]))
                nn.init.trunc_normal_(
                    layer.weight, std=deviation, a=-2 * deviation, b=2 * deviation
                )
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


class TwoStreamI3D(VideoBackbone):
    """An I3D of RGB and one of flow; clips (B, T, 5, H, W) are 3 channels RGB, then 2 of flow.

    Their logits are added, as the official ``evaluate_sample.py`` does. The streams are trained
    apart: take the weights of each with ``network.rgb.load_state_dict(...)`` and ``network.flow``.
    """

    def __init__(self, *, num_classes: int = 400, dropout: float = 0.5, divisor: int = 1) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.rgb = I3D(num_classes=num_classes, channels=RGB, dropout=dropout, divisor=divisor)
        self.flow = I3D(num_classes=num_classes, channels=FLOW, dropout=dropout, divisor=divisor)
        self.num_features = self.rgb.num_features + self.flow.num_features

    def feature_map(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 5, H, W) to (B, 2048, ceil(T / 8), ceil(H / 32), ceil(W / 32))."""
        rgb, flow = _streams(clips)
        return torch.cat([self.rgb.feature_map(rgb), self.flow.feature_map(flow)], dim=1)

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 5, H, W) to (B, 2048): the features of RGB, then those of flow."""
        rgb, flow = _streams(clips)
        return torch.cat([self.rgb.features(rgb), self.flow.features(flow)], dim=1)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 5, H, W) to logits (B, K), or to features (B, 2048) without classes."""
        if not self.num_classes:
            return self.features(clips)
        rgb, flow = _streams(clips)
        logits: Tensor = self.rgb(rgb) + self.flow(flow)
        return logits


def _streams(clips: Tensor) -> tuple[Tensor, Tensor]:
    if clips.ndim != 5 or clips.shape[2] != RGB + FLOW:
        raise ValueError(
            "the two-stream I3D takes clips (B, T, 5, H, W), three channels of RGB and two of "
            f"flow, got {tuple(clips.shape)}"
        )
    return clips[:, :, :RGB], clips[:, :, RGB:]


def i3d_rgb(num_classes: int = 400, dropout: float = 0.5) -> I3D:
    """The published RGB network; Kinetics-400 has 400 classes."""
    return I3D(num_classes=num_classes, dropout=dropout)


def i3d_flow(num_classes: int = 400, dropout: float = 0.5) -> I3D:
    """The published network of optical flow, two channels."""
    return I3D(num_classes=num_classes, channels=FLOW, dropout=dropout)


def i3d_two_stream(num_classes: int = 400, dropout: float = 0.5) -> TwoStreamI3D:
    """Both published networks; their logits are added."""
    return TwoStreamI3D(num_classes=num_classes, dropout=dropout)


def i3d_tiny(num_classes: int = 10, channels: int = RGB, dropout: float = 0.0) -> I3D:
    """An eighth of the channels; ``channels`` 2 for flow."""
    return I3D(num_classes=num_classes, channels=channels, dropout=dropout, divisor=8)
