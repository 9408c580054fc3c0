"""S3D: I3D whose 3 x 3 x 3 filters are a 1 x 3 x 3 filter and a 3 x 1 x 1 filter after it.

Saining Xie et al., "Rethinking Spatiotemporal Feature Learning: Speed-Accuracy Trade-offs in
Video Classification", 2017 (https://arxiv.org/abs/1712.04851). S3D-G has gates as well: each
channel is scaled by a sigmoid of the means of all. The network that learned from HowTo100M
(Antoine Miech et al., "End-to-End Learning of Visual Representations from Uncurated Instructional
Videos", 2019, https://arxiv.org/abs/1912.06430) has gates and folds 2 x 2 x 2 pixels into channels
ahead of its first filter; its 512 outputs are a place in a space shared with text.

Names of parameters are those of antoine77340/S3D_HowTo100M. It knows the architecture and its key
layouts; it knows no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.backbones.i3d import MIXED, STEM, average_windows
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

Stem = Literal["space_to_depth", "joint", "separable"]
Padding = Literal["behind", "around"]
_STEMS = ("space_to_depth", "joint", "separable")
_PADDINGS = ("behind", "around")
_POOLS = {
    "maxpool_2a": ((1, 3, 3), (1, 2, 2)),
    "maxpool_3a": ((1, 3, 3), (1, 2, 2)),
    "maxpool_4a": ((3, 3, 3), (2, 2, 2)),
    "maxpool_5a": ((2, 2, 2), (2, 2, 2)),
}
_STAGES = (
    *("maxpool_2a", "conv_2b", "conv_2c", "gating", "maxpool_3a"),
    *("mixed_3b", "mixed_3c", "maxpool_4a"),
    *("mixed_4b", "mixed_4c", "mixed_4d", "mixed_4e", "mixed_4f", "maxpool_5a"),
    *("mixed_5b", "mixed_5c"),
)
_Triple = tuple[int, int, int]


class STConv3D(nn.Module):
    """Filter, norm, ReLU; ``separable``, once for space and once more for time."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: _Triple,
        *,
        stride: int = 1,
        padding: _Triple = (0, 0, 0),
        separable: bool = False,
    ) -> None:
        super().__init__()
        time, height, width = kernel
        if separable:
            self.conv1 = nn.Conv3d(
                inputs,
                outputs,
                (1, height, width),
                (1, stride, stride),
                (0, *padding[1:]),
                bias=False,
            )
        else:
            self.conv1 = nn.Conv3d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn1 = nn.BatchNorm3d(outputs)
        self.separable = separable
        if separable:
            self.conv2 = nn.Conv3d(
                outputs, outputs, (time, 1, 1), (stride, 1, 1), (padding[0], 0, 0), bias=False
            )
            self.bn2 = nn.BatchNorm3d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T', H', W')."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(x)), inplace=True) if self.separable else x


class SelfGating(nn.Module):
    """Scales every channel by a sigmoid of a linear map of all channels' means."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to the same."""
        gates = self.fc(reduce(x, "b c t h w -> b c", "mean")).sigmoid()
        scaled: Tensor = x * rearrange(gates, "b c -> b c 1 1 1")
        return scaled


class InceptionBlock(nn.Module):
    """Four branches beside one another, each with its gate; (B, C, T, H, W) to (B, C', T, H, W)."""

    def __init__(self, inputs: int, widths: Sequence[int], *, gating: bool) -> None:
        super().__init__()
        one, three, around = (1, 1, 1), (3, 3, 3), (1, 1, 1)
        self.conv_b0 = STConv3D(inputs, widths[0], one)
        self.conv_b1_a = STConv3D(inputs, widths[1], one)
        self.conv_b1_b = STConv3D(widths[1], widths[2], three, padding=around, separable=True)
        self.conv_b2_a = STConv3D(inputs, widths[3], one)
        self.conv_b2_b = STConv3D(widths[3], widths[4], three, padding=around, separable=True)
        self.conv_b3_b = STConv3D(inputs, widths[5], one)
        for branch, width in enumerate((widths[0], widths[2], widths[4], widths[5])):
            self.add_module(f"gating_b{branch}", SelfGating(width) if gating else nn.Identity())

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) to (B, C', T, H, W)."""
        branches = (
            self.conv_b0(x),
            self.conv_b1_b(self.conv_b1_a(x)),
            self.conv_b2_b(self.conv_b2_a(x)),
            self.conv_b3_b(F.max_pool3d(x, 3, 1, 1)),
        )
        gated = [getattr(self, f"gating_b{branch}")(x) for branch, x in enumerate(branches)]
        return torch.cat(gated, dim=1)


class S3D(VideoBackbone):
    """Clips (B, T, 3, H, W) to outputs (B, K).

    ``stem`` space_to_depth folds 2 x 2 x 2 pixels and filters them by 2 x 4 x 4; joint is one
    filter of 3 x 7 x 7, separable 1 x 7 x 7 and then 7 x 1 x 1, both with stride 2. ``padding`` of
    the pools lies behind, whatever the size, as in the HowTo100M network, or around, as in
    torchvision's. ``windows``: the last average is I3D's, 2 x 7 x 7; else it is over everything.
    """

    def __init__(
        self,
        *,
        num_classes: int = 400,
        stem: Stem = "separable",
        gating: bool = False,
        padding: Padding = "around",
        windows: bool = True,
        norm_eps: float = 1e-3,
        norm_momentum: float = 1e-3,
        dropout: float = 0.2,
        divisor: int = 1,
    ) -> None:
        super().__init__()
        if stem not in _STEMS or padding not in _PADDINGS:
            raise UsageError(
                f"stem is {stem!r} and padding {padding!r}; allowed: {', '.join(_STEMS)}, and "
                f"{' or '.join(_PADDINGS)}."
            )
        self.num_classes = num_classes
        self.stem, self.padding, self.windows = stem, padding, windows
        first, second, width = (size // divisor for size in STEM)
        self.conv1 = _stem(stem, first)
        self.conv_2b = STConv3D(first, second, (1, 1, 1))
        self.conv_2c = STConv3D(second, width, (3, 3, 3), padding=(1, 1, 1), separable=True)
        self.gating = SelfGating(width) if gating else nn.Identity()
        for block, full in MIXED.items():
            widths = [size // divisor for size in full]
            self.add_module(f"mixed_{block}", InceptionBlock(width, widths, gating=gating))
            width = widths[0] + widths[2] + widths[4] + widths[5]
        self.num_features = width
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(width, num_classes) if num_classes else nn.Identity()
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm3d):
                layer.eps, layer.momentum = norm_eps, norm_momentum
        self._initialise()

    def feature_map(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 1024, T / 8, H / 32, W / 32), rounded up."""
        x = rearrange(clips, "b t c h w -> b c t h w")
        if self.stem == "space_to_depth":
            if any(size % 2 for size in x.shape[2:]):
                raise ValueError(
                    "this S3D folds pairs of frames, rows and columns, and takes even numbers of "
                    f"each; got a clip of the shape {tuple(clips.shape)}"
                )
            folded = "b c (t t2) (h h2) (w w2) -> b (t2 h2 w2 c) t h w"
            x = rearrange(x, folded, t2=2, h2=2, w2=2)
            # even filters: padded around, the first place is one too many
            x = self.conv1(x)[:, :, 1:, 1:, 1:]
        else:
            x = self.conv1(x)
        for stage in _STAGES:
            x = self._pool(x, stage) if stage in _POOLS else getattr(self, stage)(x)
        return x

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 1024), the mean of the last map (mixed_5c)."""
        return reduce(self._averages(clips), "b d t h w -> b d", "mean")

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, K), or to features (B, 1024) without classes."""
        if not self.num_classes:
            return self.features(clips)
        averages = self.dropout(self._averages(clips))
        outputs: Tensor = self.fc(reduce(averages, "b d t h w -> b d", "mean"))
        return outputs

    def _averages(self, clips: Tensor) -> Tensor:
        last = self.feature_map(clips)
        return average_windows(last) if self.windows else last.mean(dim=(2, 3, 4), keepdim=True)

    def _pool(self, x: Tensor, name: str) -> Tensor:
        kernel, stride = _POOLS[name]
        if self.padding == "around":
            return F.max_pool3d(x, kernel, stride, [size // 2 * (size > 2) for size in kernel])
        pads: list[int] = []
        for size, step in zip(kernel[::-1], stride[::-1], strict=True):
            pads += [(size - step) // 2, size - step - (size - step) // 2]
        return F.max_pool3d(F.pad(x, pads), kernel, stride, ceil_mode=True)

    def _initialise(self) -> None:
        """Normals of 0.01, cut at two deviations, as in TensorFlow's code; biases 0."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv3d | nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.01, a=-0.02, b=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def _stem(stem: Stem, width: int) -> STConv3D:
    if stem == "space_to_depth":
        return STConv3D(3 * 2**3, width, (2, 4, 4), padding=(1, 2, 2))
    if stem == "joint":
        return STConv3D(3, width, (3, 7, 7), stride=2, padding=(1, 3, 3))
    return STConv3D(3, width, (7, 7, 7), stride=2, padding=(3, 3, 3), separable=True)


def s3d(
    num_classes: int = 400,
    gating: bool = False,
    stem: Stem = "separable",
    padding: Padding = "around",
    dropout: float = 0.2,
) -> S3D:
    """S3D as torchvision has it; with ``gating``, S3D-G."""
    return S3D(num_classes=num_classes, gating=gating, stem=stem, padding=padding, dropout=dropout)


def s3d_howto100m(
    num_classes: int = 512, stem: Stem = "space_to_depth", dropout: float = 0.0
) -> S3D:
    """The network of HowTo100M: pixels of 0..1; ``num_classes`` is the width of the joint space."""
    return S3D(
        num_classes=num_classes,
        stem=stem,
        gating=True,
        padding="behind",
        windows=False,
        norm_eps=1e-5,
        norm_momentum=0.1,
        dropout=dropout,
    )


def s3d_tiny(
    num_classes: int = 10,
    gating: bool = True,
    stem: Stem = "space_to_depth",
    dropout: float = 0.0,
) -> S3D:
    """An eighth of the channels."""
    return S3D(
        num_classes=num_classes,
        stem=stem,
        gating=gating,
        padding="behind",
        windows=False,
        dropout=dropout,
        divisor=8,
    )


def _identify_howto100m(state: State, _config: Config) -> Identified | None:
    first, head = state["conv1.conv1.weight"], state["fc.weight"]
    if head.shape[1] != 1024:
        return None
    options = {"num_classes": head.shape[0]}
    return Identified(
        "s3d_howto100m", options if first.shape[1] == 24 else {**options, "stem": "joint"}
    )


def _identify_torchvision(state: State, _config: Config) -> Identified | None:
    return Identified("s3d", {"num_classes": state["classifier.1.weight"].shape[0]})


def _flat_head(state: State) -> State:
    return {
        key: rearrange(value, "k d 1 1 1 -> k d") if key == "classifier.1.weight" else value
        for key, value in state.items()
    }


LAYOUTS = (
    Layout(
        name="official",
        signature=(r"conv1\.conv1\.weight", r"mixed_3b\.conv_b1_b\.conv2\.weight", r"fc\.weight"),
        ignore=(r"text_module\..*",),
        identify=_identify_howto100m,
    ),
    Layout(
        name="torchvision",
        signature=(r"features\.0\.0\.0\.weight", r"features\.15\.branch3\.1\.0\.weight"),
        before=_flat_head,
        renames=(
            (r"^classifier\.1\.", "fc."),
            (r"^features\.0\.", "conv1."),
            (r"^features\.2\.", "conv_2b."),
            (r"^features\.3\.", "conv_2c."),
            *(
                (rf"^features\.{number}\.", f"mixed_{block}.")
                for number, block in zip((5, 6, 8, 9, 10, 11, 12, 14, 15), MIXED, strict=True)
            ),
            (r"\.branch0\.", ".conv_b0."),
            (r"\.branch([12])\.0\.", r".conv_b\1_a."),
            (r"\.branch([12])\.1\.", r".conv_b\1_b."),
            (r"\.branch3\.1\.", ".conv_b3_b."),
            # of a separable filter: space, then time, each as (filter, norm)
            (r"\.0\.0\.(\w+)$", r".conv1.\1"),
            (r"\.0\.1\.(\w+)$", r".bn1.\1"),
            (r"\.1\.0\.(\w+)$", r".conv2.\1"),
            (r"\.1\.1\.(\w+)$", r".bn2.\1"),
            (r"\.0\.(\w+)$", r".conv1.\1"),
            (r"\.1\.(\w+)$", r".bn1.\1"),
        ),
        identify=_identify_torchvision,
    ),
)
