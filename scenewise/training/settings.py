"""What a training config may say of training: ``[optimizer]``, ``[train]`` and so on.

It knows names, ranges and defaults; it makes nothing.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from scenewise.data.settings import Section


class OptimizerSettings(Section):
    """``[optimizer]``: how parameters follow their gradients."""

    name: str = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=0.05, ge=0)


class TrainSettings(Section):
    """``[train]``: how long, in which steps, and what is kept."""

    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=8, ge=1)
    # by which the best network is chosen; None: the first figure of the task
    best_figure: str | None = None
    best_is: Literal["highest", "lowest"] | None = None  # None: lowest for losses and ranks
