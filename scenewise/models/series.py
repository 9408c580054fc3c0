"""Numbers over time to one vector: a small temporal convolutional network.

Residual blocks of dilated convolutions, Bai et al., "An Empirical Evaluation of Generic
Convolutional and Recurrent Networks for Sequence Modeling", 2018
(https://arxiv.org/abs/1803.01271), here looking both ways, as the whole clip is there. Which
numbers are missing is told beside the numbers, as Che et al., "Recurrent Neural Networks for
Multivariate Time Series with Missing Values", 2018 (https://arxiv.org/abs/1606.01865), found
useful. ``scenewise.media.series`` brings a sensor's file onto a video's clock. It knows arrays;
it knows no file and no unit.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.pooling import masked_mean


class SeriesEncoder(nn.Module):
    """Aligned series (B, T, C) to (B, num_features).

    ``mean`` and ``std`` of the training data, one number a channel, bring channels of different
    units to one scale; None leaves them as they are. Block k sees ``kernel`` steps that are
    ``2 ** k`` apart.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        channels: int,
        *,
        num_features: int = 128,
        width: int = 64,
        depth: int = 3,
        kernel: int = 3,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if kernel % 2 == 0:
            raise UsageError(f"a kernel has an odd number of steps, got {kernel}.")
        for name, values in (("mean", mean), ("std", std)):
            if values is not None and len(values) != channels:
                raise UsageError(f"{name} has {len(values)} numbers for {channels} channels.")
        if std is not None and not all(value > 0 for value in std):
            raise UsageError(f"each std is above 0, got {list(std)}.")
        self.channels = channels
        self.num_features = num_features
        self.register_buffer("mean", torch.tensor([0.0] * channels if mean is None else [*mean]))
        self.register_buffer("std", torch.tensor([1.0] * channels if std is None else [*std]))
        self.stem = nn.Linear(2 * channels, width)
        self.blocks = nn.ModuleList(DilatedBlock(width, kernel, 2**k) for k in range(depth))
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, num_features)

    def forward(self, series: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, C) to (B, num_features); ``mask`` (B, T) or (B, T, C) is True where measured.

        Missing steps at either end are as if they were not there; a gap inside is told to the
        network. What missing numbers are, nan included, changes nothing.
        """
        if series.ndim != 3 or series.shape[-1] != self.channels:
            raise ValueError(f"a series is (B, T, {self.channels}), got {tuple(series.shape)}")
        real = _measured(series, mask)
        values = torch.where(real, (series - self.mean) / self.std, torch.zeros_like(series))
        x: Tensor = self.stem(torch.cat([values, real.to(values.dtype)], dim=-1))
        steps = real.any(dim=-1)
        extent = _between_ends(steps)[:, :, None].to(x.dtype)
        for block in self.blocks:
            x = block(x * extent, extent)
        output: Tensor = self.head(masked_mean(self.norm(x), steps))
        return output


class DilatedBlock(nn.Module):
    """Norm, dilated convolution, GELU, linear layer, around a residual."""

    def __init__(self, width: int, kernel: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.conv = nn.Conv1d(
            width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation
        )
        self.linear = nn.Linear(width, width)

    def forward(self, x: Tensor, extent: Tensor) -> Tensor:
        """(B, T, D) to (B, T, D); ``extent`` (B, T, 1) is 0 where convolutions must see zeros."""
        normed = rearrange(self.norm(x) * extent, "b t d -> b d t")
        seen = rearrange(self.conv(normed), "b d t -> b t d")
        output: Tensor = x + self.linear(F.gelu(seen))
        return output


def _measured(series: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return torch.ones_like(series, dtype=torch.bool)
    if not any(mask.shape == shape for shape in (series.shape, series.shape[:-1])):
        raise ValueError(
            f"the mask of a series {tuple(series.shape)} has its shape, with or without the "
            f"channels, got {tuple(mask.shape)}"
        )
    whole = mask if mask.ndim == series.ndim else rearrange(mask, "b t -> b t 1")
    return whole.bool().expand_as(series)


def _between_ends(steps: Tensor) -> Tensor:
    """(B, T) True from the first to the last True of each row."""
    numbers = steps.to(torch.int64)
    begun = numbers.cumsum(dim=1) > 0
    to_come = numbers.flip(1).cumsum(dim=1).flip(1) > 0
    return begun & to_come
