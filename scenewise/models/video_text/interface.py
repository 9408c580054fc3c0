"""What every video-text model offers, whatever is inside: two sides and their similarity.

Some models compare one vector with one vector; others let words and frames look at each other.
So each side gives its features whole, and the model itself says how they are compared. It knows
shapes; it knows no network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Features:
    """One side of B examples.

    ``pooled`` (B, D) is what a store of vectors keeps. ``tokens`` (B, N, E) are words or frames
    where the model compares them, ``mask`` (B, N) is True where a token is real.
    """

    pooled: Tensor
    tokens: Tensor | None = None
    mask: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pooled)

    def __getitem__(self, rows: slice | Tensor) -> Features:
        return Features(
            self.pooled[rows],
            None if self.tokens is None else self.tokens[rows],
            None if self.mask is None else self.mask[rows],
        )

    @classmethod
    def join(cls, parts: list[Features]) -> Features:
        """The examples of several batches, one after another."""
        tokens = [part.tokens for part in parts if part.tokens is not None]
        masks = [part.mask for part in parts if part.mask is not None]
        return cls(
            torch.cat([part.pooled for part in parts]),
            torch.cat(tokens) if tokens else None,
            torch.cat(masks) if masks else None,
        )


class VideoTextModel(nn.Module, ABC):
    """Clips (B, T, C, H, W) and token ids (B, L) to similarities.

    ``embed_dim`` is the length of ``Features.pooled``. ``pooled_ranks`` says whether cosines of
    the pooled vectors rank as ``similarity`` does; where they do not, an index of vectors is an
    approximation, and ``index_note`` says in one sentence of what.
    """

    embed_dim: int
    pooled_ranks: bool = True
    index_note: str = ""

    @abstractmethod
    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        """Clips (B, T, C, H, W), normalised as the card says; ``mask`` (B, T) True: a real frame.

        ``mask`` None takes all frames as real.
        """

    @abstractmethod
    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        """Token ids (B, L) int64; ``mask`` (B, L) True: a real token. None: as the model says."""

    @abstractmethod
    def similarity(self, text: Features, video: Features) -> Tensor:
        """(texts, videos), higher is more alike, on the scale that the published loss reads."""

    def forward(
        self,
        clips: Tensor,
        ids: Tensor,
        video_mask: Tensor | None = None,
        text_mask: Tensor | None = None,
    ) -> Tensor:
        """Similarities (texts, videos) of a batch."""
        text = self.encode_text(ids, text_mask)
        return self.similarity(text, self.encode_video(clips, video_mask))

    @abstractmethod
    def loss(self, similarity: Tensor) -> Tensor:
        """The published training loss of similarities (B, B) whose diagonal belongs together."""
