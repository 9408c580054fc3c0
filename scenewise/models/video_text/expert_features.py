"""What experts saw and heard in B videos: a stream of vectors for each, with times and masks.

An expert is another network, run beforehand: appearance, motion, sound, faces, speech, text on
screen, place. It knows shapes and times; it knows no expert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor


@dataclass(frozen=True, slots=True)
class ExpertStream:
    """One expert's vectors of B videos.

    ``features`` (B, N, D). ``times`` (B, N) seconds from the start of the video, the middle of
    what a vector is of; NaN, or None for all, where nobody knows. ``mask`` (B, N) is True where a
    vector is real; None: all are. ``pooled`` (B, D) is the largest value of each dimension over
    the whole video; None takes it over the real vectors given here. Give it where ``features``
    are a choice of more.
    """

    features: Tensor
    times: Tensor | None = None
    mask: Tensor | None = None
    pooled: Tensor | None = None

    def __post_init__(self) -> None:
        if self.features.ndim != 3:
            raise ValueError(f"features must be (B, N, D), got {tuple(self.features.shape)}")
        batch, length, width = self.features.shape
        for name, given, wanted in (
            ("times", self.times, (batch, length)),
            ("mask", self.mask, (batch, length)),
            ("pooled", self.pooled, (batch, width)),
        ):
            if given is not None and tuple(given.shape) != wanted:
                raise ValueError(f"{name} must be {wanted}, got {tuple(given.shape)}")

    def real(self) -> Tensor:
        """(B, N), True where a vector is real."""
        if self.mask is None:
            return torch.ones(
                self.features.shape[:2], dtype=torch.bool, device=self.features.device
            )
        return self.mask.bool()

    def largest(self) -> Tensor:
        """``pooled`` (B, D), or what stands for it; 0 for a video without a real vector."""
        if self.pooled is not None:
            return self.pooled
        real = rearrange(self.real(), "b n -> b n 1")
        if not self.features.shape[1]:
            return self.features.sum(dim=1)
        largest = self.features.masked_fill(~real, float("-inf")).amax(dim=1)
        return torch.where(real.any(dim=1), largest, torch.zeros_like(largest))


@dataclass(frozen=True, slots=True)
class ExpertFeatures:
    """The streams of B videos by the expert's name. An expert that is absent saw nothing."""

    streams: Mapping[str, ExpertStream]

    def __post_init__(self) -> None:
        if not self.streams:
            raise ValueError("there are no streams; give those of one expert or more")
        batches = {name: stream.features.shape[0] for name, stream in self.streams.items()}
        first = next(iter(batches.values()))
        if any(batch != first for batch in batches.values()):
            raise ValueError(f"the streams are of different numbers of videos: {batches}")

    def each(self, change: Callable[[Tensor], Tensor]) -> ExpertFeatures:
        """The same with every tensor changed, such as moved to a device."""

        def changed(tensor: Tensor | None) -> Tensor | None:
            return None if tensor is None else change(tensor)

        return ExpertFeatures(
            {
                name: ExpertStream(
                    change(stream.features),
                    changed(stream.times),
                    changed(stream.mask),
                    changed(stream.pooled),
                )
                for name, stream in self.streams.items()
            }
        )

    def __len__(self) -> int:
        return len(next(iter(self.streams.values())).features)
