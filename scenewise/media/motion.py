"""Things that move in a picture, followed from frame to frame.

It knows frames in order of time, flow and background; it knows no names of things. Only the first
frame loads OpenCV, not the import. What is found in one frame is ``moving_areas``' business, which
thing it is the same as ``following``'s, and what a camera does, in words, ``camera_words``'s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scenewise.media.camera_words import MotionSummary, describe_motion, summarize_motion
from scenewise.media.flow import Picture
from scenewise.media.following import Follower
from scenewise.media.moving_areas import MotionSettings, MovingAreas

__all__ = [
    "MotionSettings",
    "MotionSummary",
    "MotionTracker",
    "MovingBox",
    "describe_motion",
    "summarize_motion",
]


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


class MotionTracker:
    """Finds moving things in a stream of pictures at 2 to 15 a second, and follows them.

    Before a camera at rest a thing is what differs from the background (a mixture of Gaussians a
    pixel: Zivkovic 2004, "Improved Adaptive Gaussian Mixture Model for Background Subtraction")
    and has flow of its own; while the camera moves, what moves against its motion. Boxes of
    following frames are joined by least cost (Kuhn 1955). A flash tells nothing; a new scene
    starts anew. What stands still for some seconds becomes background. Memory does not grow.
    """

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self.settings = settings or MotionSettings()
        self._areas = MovingAreas(self.settings)
        self._follower = Follower(self.settings)
        self._time = -math.inf

    def add(self, image: Picture, time: float) -> tuple[MovingBox, ...]:
        """What moves in this picture (H, W, 3) uint8, shown at ``time`` seconds.

        Times rise; raises ValueError where they do not, or for another kind of picture. A thing
        is told of from its third frame on.
        """
        if not math.isfinite(time) or time <= self._time:
            raise ValueError(f"pictures come by rising time, got {time} after {self._time}")
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(
                f"wanted is a uint8 picture (H, W, 3), got {image.dtype} {image.shape}"
            )
        seen = self._areas.find(image, time)
        self._time = time
        if seen.new_scene:
            self._follower.forget()
        if seen.blind:
            return ()
        return tuple(
            MovingBox(number, *box, velocity)
            for number, box, velocity in self._follower.update(seen, time)
        )

    def reset(self) -> None:
        """Forget background and things, as after a change of source; numbers go on."""
        self._areas.forget()
        self._follower.forget()
