"""Where a token stands: sine tables, and learned tables at another length or grid.

It knows tables of numbers; it knows no network.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from scenewise.errors import NetworkError


def sine_positions(length: int, width: int, *, base: float = 10_000.0) -> Tensor:
    """The table of Vaswani et al. 2017, (length, width): sines at even places, cosines at odd."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(base) / width))
    angles = torch.arange(length)[:, None] * rates
    table = torch.zeros(length, width)
    table[:, 0::2] = angles.sin()
    table[:, 1::2] = angles.cos()[:, : width // 2]
    return table


def resize_line(table: Tensor, length: int, mode: str = "nearest") -> Tensor:
    """A learned table (1, T, D) for ``length`` instants; as it is where that is its own length."""
    if table.shape[1] == length:
        return table
    corners = None if mode == "nearest" else False
    resized = F.interpolate(
        rearrange(table, "one t d -> one d t"), size=length, mode=mode, align_corners=corners
    )
    return rearrange(resized, "one d t -> one t d")


def resize_grid(table: Tensor, grid: tuple[int, int], *, marks: int, mode: str) -> Tensor:
    """A learned table (1, marks + H * W, D) of a square grid for another ``grid`` of patches.

    The first ``marks`` rows stand for tokens without a place, such as [CLS], and stay. Raises
    NetworkError where the rest is no square.
    """
    old = math.isqrt(max(0, table.shape[1] - marks))
    if marks + old * old != table.shape[1]:
        raise NetworkError(
            f"A table of {table.shape[1] - marks} places is no square grid, so it cannot become "
            f"{grid[0]} x {grid[1]}; give weights of a network that saw squares."
        )
    if (old, old) == grid:
        return table
    fixed, square = table[:, :marks], table[:, marks:]
    corners = None if mode == "nearest" else False
    resized = F.interpolate(
        rearrange(square, "one (h w) d -> one d h w", h=old),
        size=grid,
        mode=mode,
        align_corners=corners,
    )
    return torch.cat([fixed, rearrange(resized, "one d h w -> one (h w) d")], dim=1)
