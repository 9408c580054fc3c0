"""What a run says while it goes on, and when it has ended.

It knows numbers and words; it knows no loop.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Ended = Literal["done", "stopped", "interrupted"]


@dataclass(frozen=True, slots=True)
class TrainProgress:
    """How far a run of training is."""

    step: int  # of the optimizer
    steps: int | None  # of the whole run, where that is known
    epoch: int  # from 0
    epochs: int | None
    loss: float  # of this step
    seconds_per_step: float
    evaluating: bool = False
    figures: dict[str, float] = field(default_factory=dict)  # of the last evaluation


@dataclass(frozen=True, slots=True)
class TrainReport:
    """How a run ended."""

    steps: int  # of the optimizer
    epochs: int  # that were finished
    loss: float  # mean over the last epoch
    figures: dict[str, float]  # of the last evaluation
    ended: Ended = "done"  # stopped: nothing became better; interrupted: by Ctrl-C
    best: dict[str, float] = field(default_factory=dict)  # step, and the figure by its name
    skipped: int = 0  # steps that were left out
    resumed_from: int | None = None  # the step from which this run went on

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)
