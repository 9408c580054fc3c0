"""Which evaluations were the best, and whether it is time to stop.

It knows numbers by name; it knows no network and no file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scenewise.errors import TrainingError
from scenewise.training.settings import TrainSettings

_FALLING = ("loss", "rank", "error")  # how figures end of which less is better


@dataclass(slots=True)
class Best:
    """The best evaluations of a run so far, by one figure."""

    settings: TrainSettings
    entries: list[tuple[int, float]] = field(default_factory=list)  # (step, value), best first
    top: float | None = None  # what the next one has to better, by min_delta
    waited: int = 0  # evaluations since then

    def figure(self, figures: Mapping[str, float]) -> str:
        """By which figure evaluations are compared. Raises TrainingError where it is not given."""
        name = self.settings.best_figure
        if name is None:
            name = "loss" if "loss" in figures else next(iter(figures), "")
        if name not in figures:
            raise TrainingError(
                f"The evaluation gives no figure {name!r} for train.best_figure; it gives "
                f"{', '.join(figures) or 'none at all'}."
            )
        return name

    def add(self, step: int, figures: Mapping[str, float]) -> bool:
        """Whether the network of this step is one of the ``keep_best`` best ones."""
        name = self.figure(figures)
        value = float(figures[name])
        if self.top is None or self._gain(name, value, self.top) > self.settings.min_delta:
            self.waited = 0
            self.top = value if not math.isnan(value) else self.top
        else:
            self.waited += 1
        if math.isnan(value):
            return False
        # an earlier one stays ahead of one that is equal
        entries = sorted(
            [*(one for one in self.entries if one[0] != step), (step, value)],
            key=lambda one: (-self._gain(name, one[1], 0.0), one[0]),
        )
        self.entries = entries[: self.settings.keep_best]
        return any(kept == step for kept, _ in self.entries)

    @property
    def stop(self) -> bool:
        """Whether nothing became better for too long."""
        return self.settings.patience is not None and self.waited >= self.settings.patience

    def state(self) -> dict[str, Any]:
        """What goes into a checkpoint."""
        return {"entries": self.entries, "top": self.top, "waited": self.waited}

    def load(self, state: Mapping[str, Any]) -> None:
        """What came out of one."""
        self.entries = [(int(step), float(value)) for step, value in state["entries"]]
        self.top, self.waited = state["top"], state["waited"]

    def _gain(self, name: str, value: float, over: float) -> float:
        """How much better a value is; less than nothing where it is worse, or no number."""
        if math.isnan(value):
            return -math.inf
        falling = name.endswith(_FALLING)
        if self.settings.best_is is not None:
            falling = self.settings.best_is == "lowest"
        return over - value if falling else value - over
