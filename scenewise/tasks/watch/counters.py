"""What a watch has done so far: frames in, analysed and dropped, events and their delays.

It knows numbers, bounded in memory however long it runs.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

_DELAYS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class SourceFigures:
    """One stream, counted since the start."""

    source: str
    state: str  # connecting, running, waiting (for the next attempt), ended, failed
    time: float  # seconds on the stream's clock
    frames_in: int  # pictures that arrived
    analysed: int  # instants that the rules were asked about
    dropped: int  # instants that were due and left out, to keep up
    connections: int
    events: int
    clips_lost: int
    failure: str | None  # why it is not running

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class DelayFigures:
    """Seconds from the time of an event's frame to its output; of the last 1,000 events."""

    count: int
    p50: float | None
    p95: float | None
    largest: float | None

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class WatchFigures:
    """All streams of a watch."""

    elapsed_seconds: float
    sources: tuple[SourceFigures, ...]
    delay: DelayFigures

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "elapsed_seconds": round(self.elapsed_seconds, 3),
            "delay": self.delay.to_dict(),
            "sources": [source.to_dict() for source in self.sources],
        }


class Delays:
    """Delays of events, the last ones."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=_DELAYS_KEPT)
        self._count = 0
        self._guard = threading.Lock()

    def add(self, seconds: float) -> None:
        """One more."""
        with self._guard:
            self._last.append(seconds)
            self._count += 1

    def figures(self) -> DelayFigures:
        """Their middle and their upper end."""
        with self._guard:
            last, count = list(self._last), self._count
        if not last:
            return DelayFigures(0, None, None, None)
        middle, upper = (round(float(value), 3) for value in np.percentile(last, [50, 95]))
        return DelayFigures(count, middle, upper, round(max(last), 3))
