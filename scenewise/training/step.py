"""One step of an optimizer: some batches' gradients together, cut, checked, followed.

The loss of each batch counts by its rows, so that the gradients of several small batches are those
of one large one, wherever the loss is a mean over rows; a contrast between the rows of a batch is
none. Several processes do the same together: each has its own rows, all take the same step or none
does. It knows a learner and an optimizer; it knows no epoch and no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.parallel import DistributedDataParallel
from torch.nn.utils import clip_grad_value_, clip_grads_with_norm_, get_total_norm

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.video_text.losses import HasScale
from scenewise.training.learner import LOSS, Learner
from scenewise.training.parameter_names import without_wrapper
from scenewise.training.precision import Precision
from scenewise.training.processes import Processes
from scenewise.training.settings import TrainSettings

_MOST_IN_A_ROW = 20  # steps left out one after another: what is broken does not mend itself
_ROWS_NAMED = 8


@dataclass(frozen=True, slots=True)
class Step:
    """What became of a step, over all processes."""

    figures: dict[str, float]  # means over rows, the loss among them
    rows: int
    batches: int  # of this process
    gradient_norm: float  # before anything is cut
    taken: bool  # False: left out, as the loss or the gradients were no numbers


@dataclass(slots=True)
class _Sums:
    """What the batches of one step add up to."""

    figures: dict[str, Tensor] = field(default_factory=dict)
    own_rows: int = 0
    all_rows: float = 0.0
    broken: list[int] = field(default_factory=list)  # rows of batches without a finite loss

    def add(self, figures: dict[str, Tensor], batch: Batch) -> None:
        for name, value in figures.items():
            weighed = value.detach().double() * len(batch)
            self.figures[name] = self.figures.get(name, 0) + weighed
        self.own_rows += len(batch)


class Stepper:
    """Takes steps. ``skipped`` counts those that were left out, ``in_a_row`` the last of them."""

    def __init__(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer,
        settings: TrainSettings,
        precision: Precision,
        processes: Processes,
    ) -> None:
        """``module`` is a learner, or what wraps it."""
        self._module = module
        self._optimizer = optimizer
        self._settings = settings
        self._precision = precision
        self._processes = processes
        self.skipped = 0
        self.in_a_row = 0
        learner = without_wrapper(module)
        network = learner.model if isinstance(learner, Learner) else learner
        self._scaled = network if isinstance(network, HasScale) else None
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        if precision.scales and any(isinstance(p, DTensor) for p in self._parameters):
            raise TrainingError(
                'Sharded parameters do not go with fp16; write train.precision = "bf16".'
            )

    def step(self, source: Iterator[Batch], planned: int, number: int) -> Step | None:
        """Take the next ``planned`` batches; fewer where the source has no more, None without any.

        ``number`` names the step in messages. Where one of several processes has no more, all stop
        and what they have is left out. Raises TrainingError for a loss that does not depend on
        what learns, and for losses or gradients that are no numbers, where the settings say so.
        """
        self._optimizer.zero_grad(set_to_none=True)
        sums = _Sums()
        world, first, count = self._processes.world, 0.0, 0
        while count < planned:
            batch = next(source, None)
            size = 0 if batch is None else len(batch)
            ready, rows = self._processes.total([batch is not None, size])
            if batch is None or ready < world:
                break
            first = first or rows
            count += 1
            with self._gathering(last=count == planned):
                self._pass(batch, size * world / (first * planned), sums)
            sums.all_rows += rows
        if not count or (world > 1 and count < planned):
            return None
        self._precision.restore_size(self._optimizer)
        self._multiply(first * planned / sums.all_rows)
        return self._follow(sums, count, number)

    def _pass(self, batch: Batch, share: float, sums: _Sums) -> None:
        with self._precision.forward():
            figures = self._module(batch)
        loss = figures[LOSS]
        if not loss.requires_grad:
            raise TrainingError("The loss does not depend on any parameter that learns.")
        sums.add(figures, batch)
        if not bool(torch.isfinite(loss.detach())):
            sums.broken += batch.rows.tolist()
        self._precision.backward(loss if share == 1 else loss * share)

    def _follow(self, sums: _Sums, count: int, number: int) -> Step:
        """Cut the gradients and take the step, if they are numbers."""
        names = sorted(sums.figures)
        own = torch.stack([sums.figures[name] for name in names]).tolist()
        *totals, broken = self._processes.total([*own, bool(sums.broken)])
        figures = {name: total / sums.all_rows for name, total in zip(names, totals, strict=True)}
        norm = self._norm()
        taken = not broken and bool(torch.isfinite(norm))
        if taken:
            self._clip(norm)
            self._precision.step(self._optimizer)
            if self._scaled is not None:
                self._scaled.clamp_scale()
            self.in_a_row = 0
        else:
            self._leave_out(sums, number, in_order=self._precision.scales and not broken)
        return Step(figures, int(sums.all_rows), count, float(norm), taken)

    def _leave_out(self, sums: _Sums, number: int, *, in_order: bool) -> None:
        """No step. ``in_order``: gradients of fp16 that overflow, which happens."""
        self.skipped += 1
        self.in_a_row += 1
        many = self.in_a_row >= _MOST_IN_A_ROW
        if many or not (in_order or self._settings.not_finite == "skip"):
            broken = sorted({row for rows in self._processes.gathered(sums.broken) for row in rows})
            named = ", ".join(map(str, broken[:_ROWS_NAMED]))
            more = f" and {len(broken) - _ROWS_NAMED} more" if len(broken) > _ROWS_NAMED else ""
            what = (
                f"The loss of step {number} is no number, with rows {named}{more}"
                if broken
                else (f"The gradients of step {number} are no numbers")
            )
            last = f" ({self.in_a_row} steps one after another)" if many else ""
            raise TrainingError(
                f"{what}{last}; look at these rows, take a lower optimizer.lr or train.clip_norm, "
                'or write train.not_finite = "skip".'
            )
        self._precision.skip()

    def _clip(self, norm: Tensor) -> None:
        if self._settings.clip_value is not None:
            clip_grad_value_(self._parameters, self._settings.clip_value)
            norm = self._norm()
        if self._settings.clip_norm is not None:
            clip_grads_with_norm_(self._parameters, self._settings.clip_norm, norm)

    def _norm(self) -> Tensor:
        """Of all gradients together, those of other processes too. ()"""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = get_total_norm(gradients)
        return norm.full_tensor() if isinstance(norm, DTensor) else norm

    def _multiply(self, factor: float) -> None:
        if factor != 1:
            for parameter in self._parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(factor)

    def _gathering(self, *, last: bool) -> AbstractContextManager[Any]:
        """Gradients go to the other processes once a step, with its last batch."""
        if last or not isinstance(self._module, DistributedDataParallel):
            return nullcontext()
        return self._module.no_sync()
