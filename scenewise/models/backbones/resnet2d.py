"""ResNet over single pictures, the frame network of TSM and of the recurrent networks.

Kaiming He et al., "Deep Residual Learning for Image Recognition", 2015
(https://arxiv.org/abs/1512.03385), with the stride on the 3 x 3 filter, as torchvision has it; its
parameter names are torchvision's. It knows pictures; it knows neither time nor class names.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, cast

import torch.nn.functional as F
from einops import reduce
from torch import Tensor, nn

from scenewise.models.weights.layout import Layout

Depth = Literal[10, 18, 34, 50, 101]
BLOCKS: dict[int, tuple[int, ...]] = {
    10: (1, 1, 1, 1),  # no published size; for the tiny networks
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
}
_STAGES = ("layer1", "layer2", "layer3", "layer4")


class BasicBlock(nn.Module):
    """Two 3 x 3 filters beside a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor, branch: Tensor | None = None) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride).

        ``branch`` is what the residual branch reads in place of ``x``, of the same shape.
        """
        y = F.relu(self.bn1(self.conv1(x if branch is None else branch)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class Bottleneck(nn.Module):
    """Narrow, filter, widen, beside a shortcut."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = self.expansion * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _shortcut(inputs, outputs, stride)

    def forward(self, x: Tensor, branch: Tensor | None = None) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride).

        ``branch`` is what the residual branch reads in place of ``x``, of the same shape.
        """
        y = F.relu(self.bn1(self.conv1(x if branch is None else branch)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class ResNet2d(nn.Module):
    """Pictures (B, 3, H, W) to one vector each (B, D).

    ``width`` is that of the stem, 64 as published; ``channels`` is 3 for RGB, 10 for a stack of
    five optical flows. There is no classifier: that belongs to the network around.
    """

    num_features: int

    def __init__(self, depth: Depth = 50, *, width: int = 64, channels: int = 3) -> None:
        super().__init__()
        block = Bottleneck if depth >= 50 else BasicBlock
        self.num_features = 8 * width * block.expansion
        self.conv1 = nn.Conv2d(channels, width, 7, 2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        inputs = width
        for number, (name, repeats) in enumerate(zip(_STAGES, BLOCKS[depth], strict=True)):
            inner = width * 2**number
            stage = nn.Sequential()
            for first in range(repeats):
                stride = 2 if number > 0 and first == 0 else 1
                stage.append(block(inputs, inner, stride))
                inputs = inner * block.expansion
            self.add_module(name, stage)
        self._initialise()

    def stem(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) to (B, 64, H / 4, W / 4)."""
        x = F.relu(self.bn1(self.conv1(images)), inplace=True)
        return F.max_pool2d(x, 3, 2, padding=1)

    def stages(self) -> Iterator[tuple[BasicBlock | Bottleneck, ...]]:
        """The blocks of each stage, for who puts something between them."""
        for name in _STAGES:
            stage = cast(nn.Sequential, self.get_submodule(name))
            yield tuple(cast(BasicBlock | Bottleneck, block) for block in stage)

    def feature_map(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) to (B, D, H / 32, W / 32)."""
        x = self.stem(images)
        for stage in self.stages():
            for block in stage:
                x = block(x)
        return x

    def features(self, images: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) to (B, D), the mean over places."""
        return reduce(self.feature_map(images), "b c h w -> b c", "mean")

    def forward(self, images: Tensor) -> Tensor:
        """As ``features``."""
        return self.features(images)

    def _initialise(self) -> None:
        """As torchvision does: Kaiming's normal by the number of outputs."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if inputs == outputs and stride == 1:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


def imagenet_layout(prefix: str) -> Layout:
    """torchvision's ResNet as the frame network at ``prefix``; its classifier is left out.

    A file of pictures cannot say which video network it is for: whoever loads it names the
    network, and the video network's own parts stay as they were made (``strict=False``).
    """
    return Layout(
        name="torchvision",
        signature=(r"conv1\.weight", r"layer4\.0\.conv1\.weight", r"fc\.weight"),
        absent=(r".*\.conv1_t\..*", r".*\.conv3d\..*"),
        ignore=(r"fc\..*",),
        renames=((r"^", prefix),),
        identify=lambda _state, _config: None,
    )
