"""From weights for pictures to weights for clips: a filter gets an axis of time.

Carreira and Zisserman, "Quo Vadis, Action Recognition?", 2017 (https://arxiv.org/abs/1705.07750):
repeated over time and divided by its length, so that a clip that stands still gives the picture's
response. The other way puts the picture's filter at the middle instant and zeros beside it
(Feichtenhofer et al. 2016); then the network starts out seeing one frame.

It knows tensors alone.
"""

from __future__ import annotations

from typing import Literal

import torch
from einops import repeat
from torch import Tensor

from scenewise.errors import NetworkError
from scenewise.models.weights.checkpoint import State

Inflation = Literal["repeat", "centre"]


def inflate(weight: Tensor, time: int, how: Inflation = "repeat") -> Tensor:
    """A filter (O, I, H, W) as (O, I, T, H, W) for ``time`` instants.

    repeat: every instant has 1 / T of it. centre: instant T // 2 has all of it.
    """
    if how == "repeat":
        return repeat(weight, "o i h w -> o i t h w", t=time) / time
    clip = weight.new_zeros(*weight.shape[:2], time, *weight.shape[2:])
    clip[:, :, time // 2] = weight
    return clip


def inflate_state(pictures: State, wanted: dict[str, Tensor], how: Inflation = "repeat") -> State:
    """Tensors of a 2D network for a 3D network with the same names (``wanted``, its state_dict).

    Filters with one axis less are inflated, equal shapes are taken, and linear layers that became
    1 x 1 x 1 convolutions get their axes. Names that ``wanted`` lacks are left out. Raises
    NetworkError for any other difference of shapes.
    """
    made: State = {}
    for name, target in wanted.items():
        if name not in pictures:
            continue
        weight = pictures[name]
        if weight.shape == target.shape:
            made[name] = weight
        elif weight.ndim == 4 and target.ndim == 5 and weight.shape == _without_time(target):
            made[name] = inflate(weight, target.shape[2], how)
        elif weight.numel() == target.numel() and weight.shape[:2] == target.shape[:2]:
            made[name] = weight.reshape(target.shape)
        else:
            raise NetworkError(
                f"{name} has the shape {tuple(weight.shape)}, which cannot be inflated to "
                f"{tuple(target.shape)}; take a 2D checkpoint of the same network."
            )
    return made


def _without_time(tensor: Tensor) -> torch.Size:
    return torch.Size((*tensor.shape[:2], *tensor.shape[3:]))
