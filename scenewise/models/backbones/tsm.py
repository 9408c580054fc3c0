"""TSM: a network for pictures whose frames exchange channels, also one frame at a time.

Ji Lin, Chuang Gan and Song Han, "TSM: Temporal Shift Module for Efficient Video Understanding",
2018 (https://arxiv.org/abs/1811.08383). Ahead of a residual branch an eighth of the channels comes
from the next frame and an eighth from the one before; the shortcut keeps its own. The classifier
reads each frame, and the clip's logits are the mean.

Online, an eighth comes from the frame before and nothing from the next: then a stream is read by
``TSM.step``, which takes and returns what it remembers. It knows no class names. The non-local and
the MobileNetV2 variants of the official code are not built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from einops import rearrange, reduce
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.backbones.resnet2d import BLOCKS, Depth, ResNet2d, imagenet_layout
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

Shift = Literal["both", "online", "none"]
Memory = tuple[Tensor, ...]  # of the last frame, for each shift: (B, C / 8, H, W)

_SHIFTS = ("both", "online", "none")
_DEEP = 23  # blocks in the third stage from which on every second block has a shift


def shift_both(x: Tensor, fold: int) -> Tensor:
    """Frames (B, T, C, H, W): ``fold`` channels of the next frame, ``fold`` of the one before.

    Beyond the ends lie zeros. The other channels stay.
    """
    later, earlier, own = x[:, :, :fold], x[:, :, fold : 2 * fold], x[:, :, 2 * fold :]
    blank = torch.zeros_like(later[:, :1])
    return torch.cat(
        [
            torch.cat([later[:, 1:], blank], dim=1),
            torch.cat([blank, earlier[:, :-1]], dim=1),
            own,
        ],
        dim=2,
    )


def shift_online(x: Tensor, fold: int, before: Tensor | None = None) -> Tensor:
    """Frames (B, T, C, H, W): the first ``fold`` channels are those of the frame before.

    ``before`` are those channels of the frame ahead of the first, (B, fold, H, W); None is zeros.
    """
    moved, own = x[:, :, :fold], x[:, :, fold:]
    first = torch.zeros_like(moved[:, :1]) if before is None else before[:, None]
    return torch.cat([torch.cat([first, moved[:, :-1]], dim=1), own], dim=2)


class TSM(VideoBackbone):
    """Clips (B, T, 3, H, W) of any T to logits (B, K).

    ``shift`` both is the published network, online the one that sees no later frame, none has no
    shift at all: the temporal segment network that TSM is compared with. ``shift_div`` 8 is an
    eighth of the channels each way.
    """

    def __init__(
        self,
        frames: ResNet2d,
        *,
        num_classes: int = 400,
        shift: Shift = "both",
        shift_div: int = 8,
        every: int = 1,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if shift not in _SHIFTS:
            raise UsageError(f"shift is one of {', '.join(_SHIFTS)}, got {shift!r}.")
        if shift_div < 2:
            raise UsageError(f"shift_div is 2 or more, got {shift_div}; as published it is 8.")
        self.num_classes = num_classes
        self.num_features = frames.num_features
        self.shift = shift
        self.shift_div = shift_div
        self.every = every  # blocks from one shift to the next, within a stage
        self.base_model = frames
        self.dropout = nn.Dropout(dropout)
        self.new_fc = nn.Linear(frames.num_features, num_classes) if num_classes else nn.Identity()
        if isinstance(self.new_fc, nn.Linear):
            nn.init.normal_(self.new_fc.weight, std=0.001)
            nn.init.zeros_(self.new_fc.bias)

    def feature_map(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 2048, T, H / 32, W / 32)."""
        if clips.ndim != 5:
            raise ValueError(f"TSM takes clips (B, T, C, H, W), got {tuple(clips.shape)}")
        time = clips.shape[1]

        def shifted(x: Tensor) -> Tensor:
            frames = rearrange(x, "(b t) c h w -> b t c h w", t=time)
            fold = x.shape[1] // self.shift_div
            moved = (shift_both if self.shift == "both" else shift_online)(frames, fold)
            return rearrange(moved, "b t c h w -> (b t) c h w")

        x = self._run(rearrange(clips, "b t c h w -> (b t) c h w"), shifted)
        return rearrange(x, "(b t) c h w -> b c t h w", t=time)

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 2048), the mean over frames and places."""
        return reduce(self.feature_map(clips), "b c t h w -> b c", "mean")

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to logits (B, K), or to (B, 2048) without classes."""
        if not self.num_classes:
            return self.features(clips)
        each = reduce(self.feature_map(clips), "b c t h w -> b t c", "mean")
        logits = self.new_fc(self.dropout(each))
        clip_logits: Tensor = reduce(logits, "b t k -> b k", "mean")
        return clip_logits

    def step(self, frame: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """The next frame (B, 3, H, W) of a stream to its logits (B, K) and what to remember.

        ``memory`` is what the frame before returned, None ahead of the first. The logits of a
        clip are the mean of its frames'. Raises UsageError unless ``shift`` is online.
        """
        if self.shift != "online":
            raise UsageError(
                f"A stream is read by a TSM with shift 'online'; this one has {self.shift!r}. "
                "Make it with shift='online'."
            )
        old = None if memory is None else iter(memory)
        kept: list[Tensor] = []

        def shifted(x: Tensor) -> Tensor:
            fold = x.shape[1] // self.shift_div
            kept.append(x[:, :fold])
            before = None if old is None else next(old)
            return rearrange(shift_online(x[:, None], fold, before), "b one c h w -> (b one) c h w")

        feature = reduce(self._run(frame, shifted), "b c h w -> b c", "mean")
        logits: Tensor = self.new_fc(self.dropout(feature))
        return logits, tuple(kept)

    def _run(self, images: Tensor, shifted: Callable[[Tensor], Tensor]) -> Tensor:
        """The frame network, with shifts ahead of the branches that have one."""
        x = self.base_model.stem(images)
        for stage in self.base_model.stages():
            for number, block in enumerate(stage):
                has_shift = self.shift != "none" and number % self.every == 0
                x = block(x, shifted(x) if has_shift else None)
        return x


def _tsm(depth: Depth, num_classes: int, shift: Shift, dropout: float, channels: int) -> TSM:
    return TSM(
        ResNet2d(depth, channels=channels),
        num_classes=num_classes,
        shift=shift,
        every=2 if BLOCKS[depth][2] >= _DEEP else 1,
        dropout=dropout,
    )


def tsm_resnet50(
    num_classes: int = 400, shift: Shift = "both", dropout: float = 0.5, channels: int = 3
) -> TSM:
    """The published network; ``channels`` 10 for its optical flow."""
    return _tsm(50, num_classes, shift, dropout, channels)


def tsm_resnet101(
    num_classes: int = 174, shift: Shift = "both", dropout: float = 0.5, channels: int = 3
) -> TSM:
    """The published deeper network, with a shift in every second block."""
    return _tsm(101, num_classes, shift, dropout, channels)


def tsm_tiny(
    num_classes: int = 10, shift: Shift = "both", dropout: float = 0.0, channels: int = 3
) -> TSM:
    """A ResNet of one block a stage, with a quarter of the channels."""
    frames = ResNet2d(10, width=16, channels=channels)
    return TSM(frames, num_classes=num_classes, shift=shift, dropout=dropout)


def _identify(state: State, _config: Config) -> Identified | None:
    head = _first(state, ("new_fc.weight", "cls_head.fc_cls.weight"))
    stem = _first(state, ("base_model.conv1.weight", "backbone.conv1.conv.weight"))
    # a ResNet over time has names like these, and filters with an axis more
    if head is None or stem is None or stem.ndim != 4 or head.shape[1] != 2048:
        return None
    deep = any(".layer3.22." in key for key in state)
    has_shift = any(".net." in key for key in state)
    return Identified(
        "tsm_resnet101" if deep else "tsm_resnet50",
        {
            "num_classes": head.shape[0],
            "shift": "both" if has_shift else "none",
            "channels": stem.shape[1],
        },
    )


def _first(state: State, names: Sequence[str]) -> Tensor | None:
    return next((state[name] for name in names if name in state), None)


LAYOUTS = (
    Layout(
        name="official",
        signature=(r"base_model\.layer1\.0\.conv1\.(net\.)?weight", r"new_fc\.weight"),
        renames=((r"\.conv1\.net\.", ".conv1."),),
        identify=_identify,
    ),
    Layout(
        name="mmaction2",
        signature=(
            r"backbone\.layer1\.0\.conv1\.conv\.(net\.)?weight",
            r"backbone\.layer4\.0\.conv2\.conv\.weight",
            r"cls_head\.fc_cls\.weight",
        ),
        renames=(
            (r"^backbone\.", "base_model."),
            (r"\.conv([123])\.conv\.(net\.)?", r".conv\1."),
            (r"\.conv([123])\.bn\.", r".bn\1."),
            (r"\.downsample\.conv\.", ".downsample.0."),
            (r"\.downsample\.bn\.", ".downsample.1."),
            (r"^cls_head\.fc_cls\.", "new_fc."),
        ),
        identify=_identify,
    ),
    imagenet_layout("base_model."),
)
