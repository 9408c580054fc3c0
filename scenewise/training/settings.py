"""What a training config may say of training: ``[optimizer]``, ``[schedule]``, ``[train]``…

It knows names, ranges and defaults; it makes nothing.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from scenewise.data.settings import Section

OptimizerName = Literal["adamw", "adam", "sgd", "bert_adam"]
ScheduleName = Literal[
    "constant", "linear", "cosine", "polynomial", "multi_step", "step", "bert_linear", "bert_cosine"
]
PrecisionName = Literal["fp32", "bf16", "fp16"]


class GroupSettings(Section):
    """``[[optimizer.groups]]``: parameters that learn at another rate, by a pattern of names.

    Names are those of the network (``clip.visual.conv1.weight``), those of the objective begin
    with ``objective.``; ``*`` is any part of a name. The first group that fits takes a parameter.
    """

    pattern: str = Field(min_length=1)
    lr_scale: float = Field(default=1.0, ge=0)  # times the optimizer's lr
    weight_decay: float | None = Field(default=None, ge=0)  # None: the optimizer's


class OptimizerSettings(Section):
    """``[optimizer]``: how parameters follow their gradients."""

    name: OptimizerName = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)
    # of AdamW, Adam and BertAdam
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float | None = Field(default=None, gt=0)  # None: 1e-8, and 1e-6 for BertAdam
    # of SGD
    momentum: float = Field(default=0.9, ge=0, lt=1)
    nesterov: bool = False
    groups: tuple[GroupSettings, ...] = ()
    # biases, norms and everything else of one dimension are not made smaller
    decay_vectors: bool = False
    # each block's lr is this times that of the block above it; None: all the same
    layer_decay: float | None = Field(default=None, gt=0, le=1)
    # batch norms that stay as they are: none, all, or all but the first (TSN's partial BN)
    freeze_batch_norms: Literal["none", "all", "all_but_first"] = "none"

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas lie in [0, 1), not {self.betas}")
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs a momentum above 0")
        return self


class ScheduleSettings(Section):
    """``[schedule]``: how the learning rate changes, step by step; see ``schedules``."""

    name: ScheduleName = "constant"
    # the rate climbs in a line from warmup_start * lr to lr; one of the three says how long
    warmup_steps: int = Field(default=0, ge=0)
    warmup_epochs: float = Field(default=0.0, ge=0)
    warmup_share: float = Field(default=0.0, ge=0, lt=1)  # of all steps
    warmup_start: float = Field(default=0.0, ge=0, le=1)
    end: float = Field(default=0.0, ge=0, le=1)  # of lr, at the last step; linear, cosine, power
    power: float = Field(default=1.0, gt=0)  # of polynomial
    milestones: tuple[float, ...] = ()  # epochs, of multi_step: the rate is multiplied by gamma
    every_epochs: float = Field(default=1.0, gt=0)  # of step
    gamma: float = Field(default=0.1, gt=0, le=1)

    @model_validator(mode="after")
    def _possible(self) -> Self:
        given = [self.warmup_steps, self.warmup_epochs, self.warmup_share]
        if sum(map(bool, given)) > 1:
            raise ValueError("give one of warmup_steps, warmup_epochs and warmup_share")
        if self.name == "multi_step" and not self.milestones:
            raise ValueError("multi_step needs milestones, in epochs, such as [20, 40]")
        if self.milestones and self.name != "multi_step":
            raise ValueError(f"milestones belong to multi_step, not to {self.name}")
        if list(self.milestones) != sorted(set(self.milestones)):
            raise ValueError(f"milestones rise, not {list(self.milestones)}")
        return self


class TrainSettings(Section):
    """``[train]``: how long, in which steps, and what is kept."""

    epochs: int | None = Field(default=None, ge=1)  # None: 1, or as many as max_steps needs
    max_steps: int | None = Field(default=None, ge=1)  # of the optimizer
    batch_size: int = Field(default=8, ge=1)  # of one process, in one pass
    accumulate: int = Field(default=1, ge=1)  # batches whose gradients make one step
    clip_norm: float | None = Field(default=None, gt=0)  # of all gradients together
    clip_value: float | None = Field(default=None, gt=0)  # of each number
    # a loss or gradient that is no number: end the run, or leave the step out and count it
    not_finite: Literal["stop", "skip"] = "stop"
    precision: PrecisionName = "fp32"
    channels_last: bool = False  # kernels in the order that is faster for many convolutions
    # blocks that are computed a second time instead of being kept for the backward pass:
    # patterns of module names, or "auto" for the network's rows of equal blocks
    recompute: tuple[str, ...] = ()
    ema_decay: float | None = Field(default=None, gt=0, lt=1)  # None: no mean of the weights
    ema_warmup: bool = True  # the mean forgets faster in the beginning
    # an evaluation after each so many epochs, and after each so many steps; 0: not
    evaluate_epochs: int = Field(default=1, ge=0)
    evaluate_steps: int = Field(default=0, ge=0)
    # a checkpoint after each so many steps, beside that of each epoch; 0: not
    checkpoint_steps: int = Field(default=0, ge=0)
    best_figure: str | None = None  # None: "loss" where an evaluation gives it, or else its first
    best_is: Literal["highest", "lowest"] | None = None  # None: lowest for losses and ranks
    keep_best: int = Field(default=1, ge=0)
    patience: int | None = Field(default=None, ge=1)  # evaluations without a better figure
    min_delta: float = Field(default=0.0, ge=0)  # less than this is no better figure


class LogSettings(Section):
    """``[log]``: what is written while a run goes on, beside ``log.jsonl``."""

    every_steps: int = Field(default=10, ge=1)
    tensorboard: bool = False
    wandb: bool = False  # offline, unless WANDB_MODE says otherwise
    wandb_project: str = "scenewise"
