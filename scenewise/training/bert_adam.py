"""Adam as BERT's published code has it, and CLIP4Clip's after it: without bias correction.

    m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g²,   p = p - lr (m / (sqrt(v) + eps) + decay p)

Kingma and Ba 2015 (https://arxiv.org/abs/1412.6980) divide m and v by 1 - b**t, which this one
leaves out, so that its first steps are (1 - b1) / sqrt(1 - b2) times as long: with CLIP4Clip's b2
of 0.98 0.71 of Adam's. Each parameter's gradient is cut to ``max_norm`` by itself, as in CLIP4Clip
(Luo et al. 2021, https://arxiv.org/abs/2104.08860; there 1.0). It knows no schedule: ``lr`` is
that of the step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class BertAdam(torch.optim.Optimizer):
    """Adam with decoupled weight decay and without bias correction."""

    def __init__(
        self,
        parameters: Any,
        lr: float,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.01,
        max_norm: float = 1.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "max_norm": max_norm,
        }
        super().__init__(parameters, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; parameters without a gradient stay."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)
        return loss

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
        first, second = group["betas"]
        torch.nn.utils.clip_grad_norm_(parameter, group["max_norm"])
        state["mean"].lerp_(gradient, 1 - first)
        state["square"].mul_(second).addcmul_(gradient, gradient, value=1 - second)
        update = state["mean"] / (state["square"].sqrt() + group["eps"])
        if group["weight_decay"]:
            update = update.add(parameter, alpha=group["weight_decay"])
        parameter.add_(update, alpha=-group["lr"])
