"""Things that move in a picture, followed from frame to frame.

It knows frames in order of time, flow and background; it knows no names of things.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MovingBox:
    """A moving thing in one frame. Lengths are fractions of the picture's width or height."""

    track: int  # the same number in every frame in which it is followed
    left: float
    top: float
    width: float
    height: float
    velocity: tuple[float, float]  # (x, y), in picture widths and heights per second

    @property
    def foot(self) -> tuple[float, float]:
        """Where it stands: the middle of the lower edge, what lines and zones are crossed by."""
        return self.left + self.width / 2, self.top + self.height
