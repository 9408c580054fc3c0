"""Stochastic depth: in training, a residual branch is left out for some examples.

Huang et al. 2016 (https://arxiv.org/abs/1603.09382). It knows no network.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Zeros a whole example with probability ``rate`` and scales the others, to keep the mean.

    ``axes`` are those along which the draws differ: the batch, unless a network says otherwise.
    """

    def __init__(self, rate: float = 0.0, axes: Collection[int] = (0,)) -> None:
        super().__init__()
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"a rate of dropped paths lies in [0, 1), got {rate}")
        self.rate = rate
        self.axes = frozenset(axes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, …) to (B, …); nothing happens outside training."""
        if not self.training or self.rate == 0.0:
            return x
        shape = [size if axis in self.axes else 1 for axis, size in enumerate(x.shape)]
        kept = torch.rand(shape, device=x.device) >= self.rate
        return x * kept.to(x.dtype) / (1.0 - self.rate)

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return f"rate={self.rate:g}"


def linear_rates(most: float, blocks: int) -> list[float]:
    """A rate for each block, from 0 in the first to ``most`` in the last."""
    return [most * number / max(1, blocks - 1) for number in range(blocks)]
