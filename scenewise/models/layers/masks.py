"""Random masks over the patches of a clip, for training that hides most of it.

They know grids; they know no network.
"""

from __future__ import annotations

import torch
from einops import repeat
from torch import Tensor


def tube_mask(batch: int, grid: tuple[int, int, int], ratio: float) -> Tensor:
    """(B, T * H * W), True: hidden. The same places of every instant, others in each clip.

    Tong et al. 2022 (https://arxiv.org/abs/2203.12602): a place that is hidden at one instant and
    seen at the next could be copied.
    """
    time, height, width = grid
    order = torch.rand(batch, height * width).argsort(dim=1)
    frame = torch.zeros(batch, height * width, dtype=torch.bool)
    frame.scatter_(1, order[:, : int(ratio * height * width)], value=True)
    return repeat(frame, "b n -> b (t n)", t=time)
