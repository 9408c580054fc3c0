"""In which numbers a forward pass is computed: fp32, or 16 bits where torch finds it safe.

bf16 has the range of fp32 and needs nothing else. fp16 has not: the loss is multiplied so that
small gradients do not vanish, and a step whose gradients overflow is left out, after which the
factor is halved (Micikevicius et al. 2018, https://arxiv.org/abs/1710.03740). Weights, their
gradients and the optimizer are fp32. It knows a device; it knows no network.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from scenewise.errors import TrainingError
from scenewise.training.settings import PrecisionName

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """How passes are computed on a device, and how gradients come back to their size."""

    def __init__(self, name: PrecisionName, device: torch.device) -> None:
        """Raises TrainingError for a GPU that does not have it."""
        if name == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported():
            raise TrainingError(
                'This GPU does not compute in bf16; write train.precision = "fp16".'
            )
        self.name = name
        self._device = device
        self._scaler = torch.amp.GradScaler(device.type, enabled=name == "fp16")

    @property
    def scales(self) -> bool:
        """Whether gradients may overflow in the ordinary course of things."""
        return self.name == "fp16"

    def forward(self) -> AbstractContextManager[Any]:
        """A forward pass, the loss with it, is computed in here."""
        if self.name == "fp32":
            return nullcontext()
        return torch.autocast(self._device.type, dtype=_DTYPES[self.name])

    def backward(self, loss: Tensor) -> None:
        """Gradients of a loss, multiplied where the precision needs it."""
        torch.autograd.backward(self._scaler.scale(loss))

    def restore_size(self, optimizer: torch.optim.Optimizer) -> None:
        """Gradients as they are; once ahead of a step."""
        self._scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """The optimizer's step, left out where gradients overflowed; the factor follows."""
        self._scaler.step(optimizer)
        self._scaler.update()

    def skip(self) -> None:
        """No step; only the factor follows."""
        if self.scales:
            self._scaler.update()

    def state(self) -> dict[str, Any]:
        """What goes into a checkpoint."""
        return dict(self._scaler.state_dict())

    def load(self, state: dict[str, Any]) -> None:
        """What came out of one."""
        self._scaler.load_state_dict(state)
