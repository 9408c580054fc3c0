"""What a network costs, by counting.

Counted are multiply-adds of convolutions and matrix products; papers call them FLOPs. The network
is built and run on torch's device "meta", where shapes pass through and nothing is computed: on a
processor torch's own counter does not see its fused attention. It knows operations, not
processors.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

Shape = tuple[int, ...]


def multiply_adds(build: Callable[[], nn.Module], *shapes: Shape) -> int:
    """Multiply-adds of one forward pass, in eval mode, of inputs of these shapes."""
    counter = FlopCounterMode(display=False)
    with torch.device("meta"), torch.no_grad():
        network = build().eval()
        inputs = [torch.zeros(shape) for shape in shapes]
        with counter:
            network(*inputs)
    return int(counter.get_total_flops()) // 2


def parameters(network: nn.Module) -> int:
    """How many numbers training may change."""
    return sum(parameter.numel() for parameter in network.parameters())
