"""Mixup and cutmix of clips, with soft targets: pairs of a batch and of its reverse.

Zhang et al., "mixup", 2017 (https://arxiv.org/abs/1710.09412); Yun et al., "CutMix", 2019
(https://arxiv.org/abs/1905.04899), whose box is the same in all frames. One of both for a whole
batch, evenly drawn, and targets smoothed before they are mixed, as in timm. It knows batches with
classes; it knows no network.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from scenewise.data.batch import Batch
from scenewise.data.chance import stream_of
from scenewise.data.settings import AugmentSettings
from scenewise.errors import UsageError


@dataclass(frozen=True, slots=True)
class Mixer:
    """Mixes batches of ``classes`` classes; what it does depends on seed, epoch and position."""

    settings: AugmentSettings
    classes: int
    seed: int = 0

    @property
    def does_anything(self) -> bool:
        """Whether batches come out otherwise than they went in."""
        wanted = self.settings
        return max(wanted.mixup, wanted.cutmix, wanted.label_smoothing) > 0

    def __call__(self, batch: Batch, epoch: int, position: int) -> Batch:
        """The batch with soft targets (B, K). Raises UsageError for what cannot be mixed."""
        if not self.does_anything:
            return batch
        if batch.targets is None:
            raise UsageError("mixup, cutmix and label_smoothing are of classes; leave them out.")
        targets = soft_targets(batch.targets, self.classes, self.settings.label_smoothing)
        if max(self.settings.mixup, self.settings.cutmix) == 0:
            return replace(batch, targets=targets)
        if batch.clips is None or batch.sound is not None or batch.ids is not None:
            raise UsageError("mixup and cutmix are of pictures alone; leave them out.")
        draw = stream_of(self.seed, epoch, position, "mixing")
        cutting = self.settings.cutmix > 0
        if cutting and self.settings.mixup > 0:
            cutting = bool(draw.random() < 0.5)
        alpha = self.settings.cutmix if cutting else self.settings.mixup
        share = float(draw.beta(alpha, alpha))
        if cutting:
            clips, share = cutmix(batch.clips, share, draw)
        else:
            clips = batch.clips.lerp(batch.clips.flip(0), 1 - share)
        mask = batch.clip_mask
        return replace(
            batch,
            clips=clips,
            clip_mask=None if mask is None else mask | mask.flip(0),
            targets=targets * share + targets.flip(0) * (1 - share),
        )


def cutmix(clips: Tensor, share: float, draw: np.random.Generator) -> tuple[Tensor, float]:
    """A box of each clip (B, T, C, H, W) comes from its partner, in all frames.

    ``share`` of the area is to stay; the box is cut at the edge, so the second of what is
    returned says how much did.
    """
    height, width = clips.shape[-2:]
    ratio = math.sqrt(1 - share)
    high, wide = int(height * ratio), int(width * ratio)
    down, right = int(draw.integers(height)), int(draw.integers(width))
    top, bottom = max(0, down - high // 2), min(height, down + high // 2)
    left, end = max(0, right - wide // 2), min(width, right + wide // 2)
    mixed = clips.clone()
    mixed[..., top:bottom, left:end] = clips.flip(0)[..., top:bottom, left:end]
    return mixed, 1 - (bottom - top) * (end - left) / (height * width)


def soft_targets(targets: Tensor, classes: int, smoothing: float) -> Tensor:
    """Classes (B,) to (B, K): 1 - smoothing, and smoothing / K for every class.

    Targets that are soft already, or several at once, (B, K), are kept.
    """
    if targets.ndim == 2:
        return targets.float()
    if bool((targets < 0).any()) or bool((targets >= classes).any()):
        raise UsageError(f"mixing needs a class below {classes} for each clip.")
    off = smoothing / classes
    soft = torch.full((len(targets), classes), off, device=targets.device)
    return soft.scatter(1, rearrange(targets, "b -> b 1"), 1 - smoothing + off)
