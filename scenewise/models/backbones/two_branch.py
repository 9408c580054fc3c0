"""Two branches over one clip: I3D for what is seen, TSM for how it moves; sound as a third.

The combination is ours. The branches are published: João Carreira and Andrew Zisserman, "Quo
Vadis, Action Recognition?", 2017 (https://arxiv.org/abs/1705.07750); Ji Lin et al., "TSM: Temporal
Shift Module for Efficient Video Understanding", 2018 (https://arxiv.org/abs/1811.08383); Kong et
al., "PANNs", 2020 (https://arxiv.org/abs/1912.10211). Hinge losses of several classes: Koby Crammer
and Yoram Singer, "On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines",
2001 (https://www.jmlr.org/papers/v2/crammer01a.html), where the worst of the other classes counts;
Weston and Watkins 1999, where all of them do, which is what torch's MultiMarginLoss computes.

Both branches take the same pixels of 0..1, and each normalises them as its own weights expect:

    i3d = load_pretrained("rgb_imagenet.pt", "i3d_rgb", num_classes=0, strict=False)
    network.appearance.load_state_dict(i3d.state_dict())

It knows vectors and losses; it knows neither class names nor how sound is cut to a clip.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.audio.audio_cnn import AudioCnn, audio_cnn, audio_cnn_tiny
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.backbones.i3d import i3d_rgb, i3d_tiny
from scenewise.models.backbones.tsm import tsm_resnet50, tsm_tiny
from scenewise.models.fusion import Concatenation, Fusion, WeightedAverage

How = Literal["average", "concatenation"]
Head = Literal["softmax", "svm", "linear_regression", "mlp_regression"]
Hinge = Literal["crammer_singer", "weston_watkins"]
Weights = Mapping[str, float]

_HEADS = ("softmax", "svm", "linear_regression", "mlp_regression")
_HINGES = ("crammer_singer", "weston_watkins")
_I3D_MEAN, _I3D_STD = (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)  # [0, 1] to [-1, 1]
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class TwoBranch(VideoBackbone):
    """Clips (B, T, 3, H, W) of 0..1, and sound where there is a branch for it, to (B, K).

    ``appearance`` reads pixels of [-1, 1], ``motion`` pixels normalised as for ImageNet, every
    ``motion_every``-th frame. ``head`` says what comes out: logits (softmax), margins (svm) or
    numbers (regression); ``loss`` is the one that belongs to it. An SVM's term for small weights
    is the optimiser's weight decay.
    """

    appearance_mean: Tensor
    appearance_std: Tensor
    motion_mean: Tensor
    motion_std: Tensor

    def __init__(
        self,
        appearance: VideoBackbone,
        motion: VideoBackbone,
        sound: AudioCnn | None,
        fusion: Fusion,
        *,
        num_classes: int,
        head: Head = "softmax",
        hinge: Hinge = "crammer_singer",
        motion_every: int = 1,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if head not in _HEADS:
            raise UsageError(f"head is one of {', '.join(_HEADS)}, got {head!r}.")
        if hinge not in _HINGES:
            raise UsageError(f"hinge is one of {', '.join(_HINGES)}, got {hinge!r}.")
        if motion_every < 1:
            raise UsageError(f"motion_every is a number of frames from 1 on, got {motion_every}.")
        self.num_classes = num_classes
        self.num_features = fusion.num_features
        self.head: Head = head
        self.hinge: Hinge = hinge
        self.motion_every = motion_every
        self.appearance = appearance
        self.motion = motion
        self.sound = sound
        self.fusion = fusion
        self.dropout = nn.Dropout(dropout)
        self.classifier = _head(head, fusion.num_features, num_classes)
        for name, values in (
            ("appearance_mean", _I3D_MEAN),
            ("appearance_std", _I3D_STD),
            ("motion_mean", _IMAGENET_MEAN),
            ("motion_std", _IMAGENET_STD),
        ):
            buffer = rearrange(torch.tensor(values), "c -> c 1 1")
            self.register_buffer(name, buffer, persistent=False)

    def streams(self, clips: Tensor, sound: Tensor | None = None) -> dict[str, Tensor]:
        """The vectors that are fused, by the names ``appearance``, ``motion`` and ``sound``.

        Clips (B, T, 3, H, W) of 0..1; sound as samples (B, N) or spectrograms (B, bins, frames).
        """
        vectors = {
            "appearance": self.appearance.features(
                (clips - self.appearance_mean) / self.appearance_std
            ),
            "motion": self.motion.features(
                (clips[:, :: self.motion_every] - self.motion_mean) / self.motion_std
            ),
        }
        if sound is not None:
            if self.sound is None:
                raise ValueError("this network has no branch for sound; make it with one")
            vectors["sound"] = self.sound.features(sound)
        return vectors

    def features(
        self, clips: Tensor, sound: Tensor | None = None, has_sound: Tensor | None = None
    ) -> Tensor:
        """Clips (B, T, 3, H, W) of 0..1 to the fused vector (B, D).

        ``has_sound`` (B,) is True where an example has sound; without sound, pictures alone count.
        """
        masks = {"sound": has_sound} if sound is not None and has_sound is not None else None
        fused: Tensor = self.fusion(self.streams(clips, sound), masks)
        return fused

    def forward(
        self, clips: Tensor, sound: Tensor | None = None, has_sound: Tensor | None = None
    ) -> Tensor:
        """To what ``head`` gives (B, K), or to the fused vector (B, D) without classes."""
        output: Tensor = self.classifier(self.dropout(self.features(clips, sound, has_sound)))
        return output

    def loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Outputs (B, K) and targets to one number, the batch's mean.

        Targets are classes (B,) for softmax and svm, and numbers (B, K) for a regression.
        """
        if self.head == "softmax":
            return F.cross_entropy(outputs, targets)
        if self.head != "svm":
            return F.mse_loss(outputs, targets)
        if self.hinge == "weston_watkins":
            return F.multi_margin_loss(outputs, targets)
        return crammer_singer_loss(outputs, targets)


def crammer_singer_loss(scores: Tensor, targets: Tensor) -> Tensor:
    """``max(0, 1 + the best other class's score - the right one's)``, (B, K) and (B,) to a mean."""
    right = scores.gather(1, targets[:, None])
    others = scores.scatter(1, targets[:, None], torch.finfo(scores.dtype).min)
    return (1.0 + others.amax(dim=1) - right[:, 0]).clamp(min=0.0).mean()


def _head(head: Head, width: int, outputs: int) -> nn.Module:
    if not outputs:
        return nn.Identity()
    if head == "mlp_regression":
        return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, outputs))
    return nn.Linear(width, outputs)


def _fusion(dims: dict[str, int], how: How, width: int, weights: Weights | None) -> Fusion:
    """The branches' vectors become one of ``width`` numbers; concatenated they keep their own."""
    if how == "average":
        return WeightedAverage(dims, width=width, weights=weights)
    if how != "concatenation":
        raise UsageError(f"fusion is average or concatenation, got {how!r}.")
    if weights is not None:
        raise UsageError("weights belong to the fusion 'average'; leave them out.")
    return Concatenation(dims)


def _build(
    appearance: VideoBackbone,
    motion: VideoBackbone,
    sound: AudioCnn | None,
    *,
    fusion: How,
    width: int,
    weights: Weights | None,
    num_classes: int,
    head: Head,
    hinge: Hinge,
    motion_every: int,
    dropout: float,
) -> TwoBranch:
    dims = {"appearance": appearance.num_features, "motion": motion.num_features}
    if sound is not None:
        dims["sound"] = sound.num_features
    return TwoBranch(
        appearance,
        motion,
        sound,
        _fusion(dims, fusion, width, weights),
        num_classes=num_classes,
        head=head,
        hinge=hinge,
        motion_every=motion_every,
        dropout=dropout,
    )


def i3d_tsm(
    num_classes: int = 400,
    fusion: How = "average",
    weights: Weights | None = None,
    width: int = 1024,
    head: Head = "softmax",
    hinge: Hinge = "crammer_singer",
    motion_every: int = 1,
    dropout: float = 0.5,
) -> TwoBranch:
    """I3D and TSM with ResNet-50. ``weights`` None are learned; else such as
    ``{"appearance": 1, "motion": 2}``.
    """
    return _build(
        i3d_rgb(num_classes=0),
        tsm_resnet50(num_classes=0),
        None,
        fusion=fusion,
        width=width,
        weights=weights,
        num_classes=num_classes,
        head=head,
        hinge=hinge,
        motion_every=motion_every,
        dropout=dropout,
    )


def i3d_tsm_audio(
    num_classes: int = 400,
    fusion: How = "average",
    weights: Weights | None = None,
    width: int = 1024,
    head: Head = "softmax",
    hinge: Hinge = "crammer_singer",
    motion_every: int = 1,
    dropout: float = 0.5,
) -> TwoBranch:
    """I3D, TSM with ResNet-50, and CNN10 over sound at 32 kHz."""
    return _build(
        i3d_rgb(num_classes=0),
        tsm_resnet50(num_classes=0),
        audio_cnn(num_classes=0),
        fusion=fusion,
        width=width,
        weights=weights,
        num_classes=num_classes,
        head=head,
        hinge=hinge,
        motion_every=motion_every,
        dropout=dropout,
    )


def i3d_tsm_tiny(
    num_classes: int = 10,
    fusion: How = "average",
    weights: Weights | None = None,
    width: int = 64,
    head: Head = "softmax",
    hinge: Hinge = "crammer_singer",
    motion_every: int = 1,
    dropout: float = 0.0,
    sound: bool = False,
) -> TwoBranch:
    """The tiny sizes of both branches, and of the third with ``sound``."""
    return _build(
        i3d_tiny(num_classes=0),
        tsm_tiny(num_classes=0),
        audio_cnn_tiny(num_classes=0) if sound else None,
        fusion=fusion,
        width=width,
        weights=weights,
        num_classes=num_classes,
        head=head,
        hinge=hinge,
        motion_every=motion_every,
        dropout=dropout,
    )
