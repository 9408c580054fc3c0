"""How far a score stands out from what a stream usually scores for the same sentence.

It knows numbers in order of time; it knows no encoder and no rule. What is kept is bounded: one
hour in blocks of ten seconds.
"""

from __future__ import annotations

from collections import deque

import numpy as np
import numpy.typing as npt

SMOOTHED = 3  # instants: their median, so that one odd frame raises nothing
BLOCK_SECONDS = 10.0
BLOCKS = 360  # an hour
WARM_UP_BLOCKS = 12  # two minutes
TRIM = 3.0  # robust standard deviations beyond which a block counts as if it were there
_MAD_TO_DEVIATION = 1.4826  # of a normal distribution


class Smoother:
    """The median of the last three scores; of two the lower one, and of one alone nothing."""

    def __init__(self) -> None:
        self._scores: deque[float] = deque(maxlen=SMOOTHED)

    def add(self, score: float) -> float | None:
        """The next score, and what stands for it."""
        self._scores.append(score)
        if len(self._scores) < SMOOTHED:
            return None if len(self._scores) == 1 else min(self._scores)
        return float(np.median(self._scores))

    def restart(self) -> None:
        """After a gap: what was before says nothing."""
        self._scores.clear()


class UsualScores:
    """The highest smoothed score of each ten seconds of the last hour.

    Highest, because that is what an alarm is made of: a stream that flickers raises its own bar.
    The median and the median absolute deviation describe them, so that the hour may hold many
    true events and the bar stays; what fills more than half of it becomes usual.
    """

    def __init__(self) -> None:
        self._blocks: deque[float] = deque(maxlen=BLOCKS)
        self._peak = float("-inf")
        self._begun: float | None = None

    def __len__(self) -> int:
        return len(self._blocks)

    @property
    def warm(self) -> bool:
        """Whether there is enough to compare with."""
        return len(self._blocks) >= WARM_UP_BLOCKS

    def add(self, time: float, score: float) -> bool:
        """A smoothed score at this time in seconds; whether it completes a block."""
        if self._begun is None:
            self._begun = time
        full = time - self._begun >= BLOCK_SECONDS
        if full:
            self._blocks.append(self._peak)
            self._begun, self._peak = time, float("-inf")
        self._peak = max(self._peak, score)
        return full

    def blocks(self) -> npt.NDArray[np.float64]:
        """The peaks (B,) as they are."""
        return np.array(self._blocks, np.float64)

    def resume(self, blocks: npt.NDArray[np.float64]) -> None:
        """Go on from what another run saw."""
        self._blocks.extend(blocks[-BLOCKS:].tolist())

    def robust(self, least_deviation: float) -> npt.NDArray[np.float64]:
        """The blocks (B,), the outermost drawn in to ``TRIM`` robust deviations of the median."""
        blocks = self.blocks()
        middle = float(np.median(blocks))
        spread = _MAD_TO_DEVIATION * float(np.median(np.abs(blocks - middle)))
        reach = TRIM * max(spread, least_deviation)
        return np.clip(blocks, middle - reach, middle + reach)
