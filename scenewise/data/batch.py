"""What a network is shown at once: some rows of a dataset as tensors, with masks.

It knows shapes; it knows no network and no file. What a dataset does not have is None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from scenewise.models.video_text.expert_features import ExpertFeatures


@dataclass(frozen=True, slots=True)
class Batch:
    """B examples. ``rows`` (B,) are their numbers in the dataset, so that results find their way.

    A mask is True where something is real.
    """

    rows: Tensor  # (B,) int64
    clips: Tensor | None = None  # (B, T, C, H, W) float, normalised as the network's card says
    clip_mask: Tensor | None = None  # (B, T) bool
    features: Tensor | None = None  # (B, T, D) float: kept vectors in place of pixels
    feature_mask: Tensor | None = None  # (B, T) bool
    sound: Tensor | None = None  # (B, samples) float
    has_sound: Tensor | None = None  # (B,) bool
    ids: Tensor | None = None  # (B, L) int64: token ids
    text_mask: Tensor | None = None  # (B, L) bool
    targets: Tensor | None = None  # (B,) int64 classes, or (B, K) float: soft, or several at once
    spans: Tensor | None = None  # (B, S, 2) float seconds: true moments
    span_mask: Tensor | None = None  # (B, S) bool
    views: Tensor | None = None  # (B,) int64: which clip of its row, where there are several
    times: Tensor | None = None  # (B, T) float seconds of the video, of frames or vectors
    durations: Tensor | None = None  # (B,) float seconds of what was read of the video
    choices: Tensor | None = None  # (B, K, L) int64: token ids of answers to choose from
    choice_text_mask: Tensor | None = None  # (B, K, L) bool
    choice_mask: Tensor | None = None  # (B, K) bool
    saliency: Tensor | None = None  # (B, N) float: mean rating of each rated clip, by its number
    saliency_mask: Tensor | None = None  # (B, N) bool: clips that were rated
    notes: tuple[str, ...] = ()  # what could not be read, a sentence each
    experts: ExpertFeatures | None = None  # streams of several networks, where one reads these

    def __len__(self) -> int:
        return self.rows.shape[0]

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """The same on another device."""
        return self._each(lambda value: value.to(device, non_blocking=non_blocking))

    def part(self, rows: Sequence[int]) -> Batch:
        """The examples at these places of the batch."""
        places = torch.tensor(rows, dtype=torch.int64)
        return self._each(lambda value: value[places.to(value.device)])

    def pin_memory(self) -> Batch:
        """The same in memory that a GPU reads by itself; the loader of torch calls this."""
        return self._each(lambda value: value.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> Batch:
        present: dict[str, Any] = {
            part.name: change(value)
            for part in fields(self)
            if isinstance(value := getattr(self, part.name), Tensor)
        }
        experts = self.experts
        return replace(self, **present, experts=None if experts is None else experts.each(change))
