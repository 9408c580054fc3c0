"""How the learning rate changes: the factor of a step, as a formula of its number alone.

Step s counts from 0 and is the number of steps that are behind; T is the number of all, w that of
the warm-up. In the warm-up the factor climbs in a line, ``start + (1 - start) s / w``. Then

    constant      1
    linear        1 - (1 - end) x                           x = (s - w) / (T - w)
    cosine        end + (1 - end) (1 + cos(pi x)) / 2       SGDR without restarts, Loshchilov and
                                                            Hutter 2017, arXiv:1608.03983
    polynomial    end + (1 - end) (1 - x) ** power
    multi_step    gamma ** (milestones that are behind)     TSN, TSM: by 0.1 after given epochs
    step          gamma ** floor(s / every)                 C3D: in equal distances
    bert_linear   (1 - s/T) / (1 - w/T)                     as the optimizer of BERT's and
    bert_cosine   (1 + cos(pi s/T)) / 2                     CLIP4Clip's published code has them:
                                                            the cosine does not begin anew at w

The steps of multi_step and step count from the first, warm-up and all. It knows numbers; it knows
no optimizer but by its groups' ``lr``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from scenewise.errors import TrainingError
from scenewise.training.settings import ScheduleSettings

_ENDLESS = ("constant", "multi_step", "step")  # that need not know when a run ends


@dataclass(frozen=True, slots=True)
class Schedule:
    """The factor of each step. ``steps`` is T, and None where nobody knows when the run ends."""

    settings: ScheduleSettings
    steps: int | None = None
    steps_per_epoch: int | None = None

    def __post_init__(self) -> None:
        """Raises TrainingError where the schedule needs a number that is not known."""
        chosen = self.settings
        if self.steps is None and (chosen.name not in _ENDLESS or chosen.warmup_share):
            raise TrainingError(
                f"The schedule {chosen.name} must know how many steps the run has; give "
                "train.max_steps, or batches whose number is known."
            )
        if self.steps_per_epoch is None and (
            chosen.warmup_epochs or chosen.name in ("multi_step", "step")
        ):
            raise TrainingError(
                f"The schedule {chosen.name} counts epochs, and how many steps one has is not "
                "known; take another, or batches whose number is known."
            )
        if self.steps is not None and self.warmup >= self.steps and self.warmup:
            raise TrainingError(
                f"The warm-up has {self.warmup:g} steps and the whole run {self.steps}; make the "
                "warm-up shorter or the run longer."
            )

    @property
    def warmup(self) -> float:
        """Steps of the warm-up."""
        chosen = self.settings
        if chosen.warmup_share:
            return chosen.warmup_share * (self.steps or 0)
        if chosen.warmup_epochs:
            return chosen.warmup_epochs * (self.steps_per_epoch or 0)
        return chosen.warmup_steps

    def factor(self, step: int) -> float:
        """By what the learning rate of the step after ``step`` others is multiplied."""
        chosen, warmup = self.settings, self.warmup
        if step < warmup:
            return chosen.warmup_start + (1 - chosen.warmup_start) * step / warmup
        if chosen.name == "constant":
            return 1.0
        if chosen.name in ("multi_step", "step"):
            return self._in_stairs(step)
        total = self.steps or 1
        if chosen.name == "bert_linear":
            return max(0.0, (1 - step / total) / (1 - warmup / total))
        if chosen.name == "bert_cosine":
            return 0.5 * (1 + math.cos(math.pi * min(1.0, step / total)))
        done = min(1.0, (step - warmup) / (total - warmup))
        shape = 1 - done
        if chosen.name == "cosine":
            shape = 0.5 * (1 + math.cos(math.pi * done))
        elif chosen.name == "polynomial":
            shape = math.pow(1 - done, chosen.power)
        return chosen.end + (1 - chosen.end) * shape

    def apply(self, optimizer: torch.optim.Optimizer, step: int) -> None:
        """Set the rate of the coming step in all groups; ``initial_lr`` keeps what it is of."""
        factor = self.factor(step)
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("initial_lr", group["lr"]) * factor

    def _in_stairs(self, step: int) -> float:
        epoch = self.steps_per_epoch or 1
        if self.settings.name == "step":
            behind = math.floor(step / (self.settings.every_epochs * epoch))
        else:
            behind = sum(step >= milestone * epoch for milestone in self.settings.milestones)
        return float(self.settings.gamma**behind)
