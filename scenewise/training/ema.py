"""A running mean of the weights, which is often the better network.

    mean = d mean + (1 - d) weights,   d = decay, or min(decay, (1 + t) / (10 + t)) with warm-up

after step t = 1, 2, … (Polyak and Juditsky 1992; the warm-up is that of TensorFlow's
ExponentialMovingAverage). Parameters that learn and buffers of real numbers, such as the figures of
batch norms, are averaged; everything else is as it is in the network. It knows tensors by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from scenewise.training.parameter_names import without_wrapper
from scenewise.training.whole_state import put


class WeightMean:
    """Of one module; the first value is what the module has when this is made."""

    def __init__(self, module: nn.Module, decay: float, *, warmup: bool = True) -> None:
        self._module = without_wrapper(module)
        self._decay, self._warmup = decay, warmup
        self.steps = 0
        self.tensors = {name: value.detach().clone() for name, value in self._averaged().items()}

    def decay(self, step: int) -> float:
        """How much of the mean stays at a step, counted from 1."""
        return min(self._decay, (1 + step) / (10 + step)) if self._warmup else self._decay

    @torch.no_grad()
    def update(self) -> None:
        """After a step of the optimizer."""
        self.steps += 1
        share = 1 - self.decay(self.steps)
        for name, value in self._averaged().items():
            self.tensors[name].lerp_(value.detach(), share)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """In here the module has the mean's weights; afterwards its own again."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def take(self) -> None:
        """Give the module the mean's weights for good."""
        for name, value in self._averaged().items():
            value.copy_(self.tensors[name])

    @torch.no_grad()
    def load(self, tensors: dict[str, Tensor], steps: int) -> None:
        """What a checkpoint holds, by the names of ``tensors``."""
        for name, value in tensors.items():
            put(self.tensors[name], value)
        self.steps = steps

    @torch.no_grad()
    def _swap(self) -> None:
        for name, value in self._averaged().items():
            own = value.detach().clone()
            value.copy_(self.tensors[name])
            self.tensors[name].copy_(own)

    def _averaged(self) -> dict[str, Tensor]:
        parameters = {
            name: value for name, value in self._module.named_parameters() if value.requires_grad
        }
        buffers = {
            name: value for name, value in self._module.named_buffers() if value.is_floating_point()
        }
        return {**parameters, **buffers}
