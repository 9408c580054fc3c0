"""What passes along the line from a stream to its events.

It knows shapes; it knows no source, no rule and no output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from scenewise.encoders.detectors import DetectedBox
from scenewise.encoders.spec import WindowFeatures
from scenewise.media.motion import MovingBox
from scenewise.types import Event, Sound


@dataclass(frozen=True, slots=True, eq=False)
class Observation:
    """One analysed instant of a stream: what every rule is asked about.

    ``moving`` holds what moved at any of the frames since the observation before, for lines and
    zones; it is empty where no rule needs motion, as ``sounds`` is where none needs sound.
    """

    source: str
    time: float  # seconds from the stream's first frame; rises, also across reconnections
    wall: float  # when the frame was taken, seconds since 1970
    image: npt.NDArray[np.uint8]  # (H, W, 3) RGB, for snapshots
    features: WindowFeatures  # one window
    moving: tuple[MovingBox, ...] = ()
    sounds: tuple[Sound, ...] = ()  # times on the stream's clock
    # what each detector that a rule of this stream asks for sees in ``image``, by its name
    detected: Mapping[str, tuple[DetectedBox, ...]] = field(default_factory=dict)


class RuleMachine(Protocol):
    """One armed rule: keeps its own dwell, cool-down and counts."""

    name: str

    def update(self, seen: Observation) -> tuple[Event, ...]:
        """The events that this instant brings, mostly none; instants come in order of time."""
        ...


class Sink(Protocol):
    """Where events go."""

    def send(self, event: Event, snapshot: Path | None, clip: Path | None) -> None:
        """Hand over, without waiting for the far end; it must not lose the event."""
        ...

    def close(self, timeout_seconds: float) -> None:
        """Deliver what can be delivered in this time; what is left stays on disk."""
        ...
