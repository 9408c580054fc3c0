"""Windows of space and time, and a learned bias for how far apart two tokens of a window are.

Liu et al., "Swin Transformer", 2021 (https://arxiv.org/abs/2103.14030), with an axis of time as
in "Video Swin Transformer", 2021 (https://arxiv.org/abs/2106.13230). It knows grids of tokens
(B, D, H, W, C), D being time; it knows no network.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

Window = tuple[int, int, int]  # instants, rows, columns
BLOCKED = -100.0  # added to the score of two tokens that a shift brought together


def bias_table_length(window: Window) -> int:
    """How many differences of place there are in a window."""
    return math.prod(2 * side - 1 for side in window)


def relative_index(window: Window, device: torch.device | None = None) -> Tensor:
    """Which row of the table two tokens of a window share: (N, N), N = D * H * W."""
    axes = [torch.arange(side, device=device) for side in window]
    places = torch.cartesian_prod(*axes)  # (N, 3), as the tokens of a window lie
    last = torch.tensor([side - 1 for side in window], device=device)
    apart = places[:, None] - places[None] + last
    rows, columns = (2 * side - 1 for side in window[1:])
    return (apart[..., 0] * rows + apart[..., 1]) * columns + apart[..., 2]


def relative_bias(table: Tensor, index: Tensor, tokens: int) -> Tensor:
    """The biases (heads, N, N) of windows of N ``tokens``, from a table (length, heads).

    A window that a small clip has shrunk takes the upper left of the whole window's ``index``, as
    the published code does: its biases are then of other differences than its tokens have.
    """
    rows = table[index[:tokens, :tokens].reshape(-1)]
    return rearrange(rows, "(n m) heads -> heads n m", n=tokens)


def fit_window(grid: Window, window: Window, shift: Window) -> tuple[Window, Window]:
    """Window and shift for a grid: where the grid is no larger, one window, and no shift."""
    whole = tuple(size <= side for size, side in zip(grid, window, strict=True))
    sides = [size if one else side for size, side, one in zip(grid, window, whole, strict=True)]
    steps = [0 if one else step for step, one in zip(shift, whole, strict=True)]
    return (sides[0], sides[1], sides[2]), (steps[0], steps[1], steps[2])


def pad_to(grid: Tensor, window: Window) -> Tensor:
    """(B, D, H, W, C) with zeros behind each axis, to whole windows."""
    missing = [-size % side for size, side in zip(grid.shape[1:4], window, strict=True)]
    if not any(missing):
        return grid
    return F.pad(grid, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0]))


def partition(grid: Tensor, window: Window) -> Tensor:
    """(B, D, H, W, C) to windows (B, D', H', W', N, C)."""
    depth, height, width = window
    return rearrange(
        grid,
        "b (d wd) (h wh) (w ww) c -> b d h w (wd wh ww) c",
        wd=depth,
        wh=height,
        ww=width,
    )


def merge(windows: Tensor, window: Window) -> Tensor:
    """Windows (B, D', H', W', N, C) to (B, D, H, W, C)."""
    depth, height, width = window
    return rearrange(
        windows,
        "b d h w (wd wh ww) c -> b (d wd) (h wh) (w ww) c",
        wd=depth,
        wh=height,
        ww=width,
    )


def across_the_seam(window: Window, axis: int, shift: int, device: torch.device) -> Tensor:
    """Which tokens of an axis's last window a shift brought together from both ends: (N, N).

    After a shift the last window's final ``shift`` rows are the grid's first; all other windows
    hold neighbours.
    """
    old = torch.arange(window[axis], device=device) >= window[axis] - shift
    shape = [1, 1, 1]
    shape[axis] = window[axis]
    side = old.view(shape).expand(window).reshape(-1)
    return side[:, None] != side[None]
