"""What every video backbone offers, whatever is inside: features and logits of a clip.

It knows shapes; it knows no network.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, runtime_checkable

from torch import Tensor, nn


class VideoBackbone(nn.Module, ABC):
    """Clips (B, T, C, H, W), normalised as the card says, to class logits (B, K).

    ``num_features`` is the length of the vector that the classifier reads. With ``num_classes``
    0 there is no classifier, and ``forward`` returns that vector.
    """

    num_features: int
    num_classes: int

    @abstractmethod
    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, C, H, W) to one vector each (B, D), ahead of dropout and classifier."""

    @abstractmethod
    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, C, H, W) to logits (B, K), or to features (B, D) without classes."""


@runtime_checkable
class HasFeatureMap(Protocol):
    """A backbone whose last layer still has time and place, for spatiotemporal pooling."""

    def feature_map(self, clips: Tensor) -> Tensor:
        """Clips (B, T, C, H, W) to (B, D, T', H', W')."""
        ...


@runtime_checkable
class HasTokens(Protocol):
    """A backbone whose last layer is a row of tokens."""

    def tokens(self, clips: Tensor) -> Tensor:
        """Clips (B, T, C, H, W) to (B, N, D), after the last norm."""
        ...
