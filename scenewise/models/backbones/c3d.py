"""C3D: eight 3 x 3 x 3 convolutions and three linear layers over 16 frames.

Du Tran et al., "Learning Spatiotemporal Features with 3D Convolutional Networks", 2015
(https://arxiv.org/abs/1412.0767). No batch norm; pool1 leaves time alone. The published network
was trained in Caffe on BGR pixels of 0..255 less the mean clip of Sports-1M, which lies beside the
official code (sport1m_train16_128_mean.binaryproto, 16 frames): the card subtracts one mean a
channel instead, as people do who lack it.

It knows the architecture and its key layouts; it knows no class names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

WIDTHS = (64, 128, 256, 256, 512, 512, 512, 512)
NAMES = ("conv1", "conv2", "conv3a", "conv3b", "conv4a", "conv4b", "conv5a", "conv5b")
_POOLED = ("conv1", "conv2", "conv3b", "conv4b", "conv5b")  # a pooling layer follows
LastPool = Literal["ceil", "padded"]


class C3D(VideoBackbone):
    """Clips (B, T, 3, H, W), BGR, to logits (B, K).

    ``last_pool`` ceil pools as Caffe does, windows from the upper left and the last one cut (so do
    the pools before it, where a size is odd); padded is what the PyTorch ports do, windows that
    begin one pixel outside. At 112 pixels both give 4 x 4, of other pixels: weights that were
    fine-tuned in a port want its own.
    """

    def __init__(
        self,
        *,
        num_classes: int = 487,
        num_frames: int = 16,
        size: int = 112,
        widths: Sequence[int] = WIDTHS,
        hidden: int = 4096,
        dropout: float = 0.5,
        last_pool: LastPool = "ceil",
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_features = hidden
        self.last_pool = last_pool
        inputs = 3
        for name, width in zip(NAMES, widths, strict=True):
            self.add_module(name, nn.Conv3d(inputs, width, 3, padding=1))
            inputs = width
        time, side = _after_pools(num_frames, size, last_pool)
        self.fc6 = nn.Linear(inputs * time * side * side, hidden)
        self.fc7 = nn.Linear(hidden, hidden)
        self.fc8 = nn.Linear(hidden, num_classes) if num_classes else nn.Identity()
        self.dropout = nn.Dropout(dropout)
        self._initialise()

    def feature_map(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 512, T / 16, ceil(H / 32), ceil(W / 32)), after pool5."""
        x = rearrange(clips, "b t c h w -> b c t h w")
        for name in NAMES:
            x = F.relu(self.get_submodule(name)(x), inplace=True)
            if name in _POOLED:
                x = self._pool(x, name)
        return x

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to fc6 (B, 4096): the C3D feature, before its L2 norm."""
        flat = rearrange(self.feature_map(clips), "b c t h w -> b (c t h w)")
        if flat.shape[1] != self.fc6.in_features:
            raise ValueError(
                f"this C3D was made for another number or size of frames than {tuple(clips.shape)}"
            )
        return F.relu(self.fc6(flat), inplace=True)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to logits (B, K), or to fc6 (B, 4096) without classes."""
        features = self.features(clips)
        if not self.num_classes:
            return features
        hidden = F.relu(self.fc7(self.dropout(features)), inplace=True)
        logits: Tensor = self.fc8(self.dropout(hidden))
        return logits

    def _pool(self, x: Tensor, name: str) -> Tensor:
        kernel = (1 if name == "conv1" else 2, 2, 2)
        if self.last_pool == "ceil":
            return F.max_pool3d(x, kernel, ceil_mode=True)
        return F.max_pool3d(x, kernel, padding=(0, 1, 1) if name == NAMES[-1] else 0)

    def _initialise(self) -> None:
        """As in the official training files: narrow normals; biases 1 but for first and last."""
        for name, layer in self.named_children():
            if isinstance(layer, nn.Conv3d | nn.Linear):
                nn.init.normal_(layer.weight, std=0.005 if name in ("fc6", "fc7") else 0.01)
                assert layer.bias is not None
                nn.init.constant_(layer.bias, 0.0 if name in ("conv1", "fc8") else 1.0)


def _after_pools(frames: int, size: int, last_pool: LastPool) -> tuple[int, int]:
    """Time and side of what fc6 reads."""
    if last_pool == "padded":
        return frames // 2**4, size // 2**4 // 2 + 1
    # rounded up five times is rounded up once
    return -(-frames // 2**4), -(-size // 2**5)


def c3d(
    num_classes: int = 487,
    num_frames: int = 16,
    size: int = 112,
    dropout: float = 0.5,
    last_pool: LastPool = "ceil",
) -> C3D:
    """The published network: 487 classes of Sports-1M."""
    return C3D(
        num_classes=num_classes,
        num_frames=num_frames,
        size=size,
        dropout=dropout,
        last_pool=last_pool,
    )


def c3d_tiny(
    num_classes: int = 10,
    num_frames: int = 8,
    size: int = 64,
    dropout: float = 0.0,
    last_pool: LastPool = "ceil",
) -> C3D:
    """An eighth of the channels."""
    return C3D(
        num_classes=num_classes,
        num_frames=num_frames,
        size=size,
        widths=[width // 8 for width in WIDTHS],
        hidden=256,
        dropout=dropout,
        last_pool=last_pool,
    )


def _identify(state: State, _config: Config) -> Identified | None:
    head = next((key for key in state if re.fullmatch(r"(.*\.)?(fc8|fc_cls)\.weight", key)), None)
    if head is None or state[head].shape[1] != 4096:
        return None
    return Identified("c3d", {"num_classes": state[head].shape[0], "last_pool": "padded"})


LAYOUTS = (
    Layout(
        name="official",
        signature=(r"conv1\.weight", r"conv3a\.weight", r"conv5b\.weight", r"fc6\.weight"),
        identify=_identify,
    ),
    Layout(
        name="mmaction2",
        signature=(r"backbone\.conv1a\.conv\.weight", r"backbone\.fc6\.weight"),
        renames=(
            (r"^backbone\.(conv[12])a\.conv\.", r"\1."),
            (r"^backbone\.(conv[345][ab])\.conv\.", r"\1."),
            (r"^backbone\.(fc[67])\.", r"\1."),
            (r"^cls_head\.fc_cls\.", "fc8."),
        ),
        identify=_identify,
    ),
)
