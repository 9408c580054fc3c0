"""What a number of kills met: counts, and the faults that were found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What the kills of one phase met."""

    kills: int = 0
    steps: int = 0
    hit: Counter[str] = field(default_factory=Counter)  # steps that were under way
    kept: int = 0  # of those, how many were there wholly
    faults: list[str] = field(default_factory=list)
