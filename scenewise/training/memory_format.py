"""Channels-last weights: the order in memory in which convolutions are fastest on many machines.

With weights of ``torch.channels_last`` the layers choose kernels for that order and what flows
between them follows. Numbers change by rounding alone. It knows tensors; it knows no network.
"""

from __future__ import annotations

import torch
from torch import nn

_ORDERS = {4: torch.channels_last, 5: torch.channels_last_3d}


def to_channels_last(network: nn.Module) -> int:
    """Lay out the kernels of 2D and 3D convolutions so, in place; how many there were."""
    kernels = [value for value in network.parameters() if value.ndim in _ORDERS]
    for value in kernels:
        value.data = value.data.contiguous(memory_format=_ORDERS[value.ndim])
    return len(kernels)
