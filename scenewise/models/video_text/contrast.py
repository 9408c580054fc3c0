"""The contrast of InternVideo2 and ViCLIP: cosines over a learned temperature, both directions.

It knows vectors; it knows no network.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST = 0.01  # the temperature at the start, and its least in training


def cosines(text: Tensor, video: Tensor) -> Tensor:
    """Vectors (M, D) and (N, D) to their cosines (M, N)."""
    return F.normalize(text, dim=-1) @ F.normalize(video, dim=-1).T


def keep_above(temperature: nn.Parameter, least: float = LEAST) -> None:
    """Lift a learned temperature that fell below its least, as published.

    The value alone is changed, not the graph: a temperature that fell gets gradients still.
    """
    temperature.data.clamp_(min=least)


def contrast(similarity: Tensor, groups: Tensor | None = None) -> Tensor:
    """Mean cross-entropy of both directions, (B, B) to a number.

    ``groups`` (B,) are numbers of films: rows with the same number belong together, and each is
    the answer in equal parts. None: the diagonal alone.
    """
    if groups is None:
        targets = torch.eye(len(similarity), device=similarity.device)
    else:
        targets = (groups[:, None] == groups).to(similarity.dtype)
    targets = targets / targets.sum(dim=1, keepdim=True)
    return (F.cross_entropy(similarity, targets) + F.cross_entropy(similarity.T, targets)) / 2.0
