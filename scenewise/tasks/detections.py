"""The nouns of ``detect``: boxes, things followed over time, and all that was found in a video.

It knows shapes; it knows nothing of how they were found.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Box = tuple[float, float, float, float]  # left, top, width, height, fractions of the picture


@dataclass(frozen=True, slots=True)
class TrackBox:
    """Where a thing is at ``time``, in fractions of the picture's width and height."""

    time: float
    left: float
    top: float
    width: float
    height: float
    probability: float | None = None  # of this one box, where a detector gave it

    @property
    def box(self) -> Box:
        """Left, top, width, height."""
        return self.left, self.top, self.width, self.height

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; the probability only where there is one."""
        shape = asdict(self)
        if self.probability is None:
            del shape["probability"]
        return shape


@dataclass(frozen=True, slots=True)
class DetectedTrack:
    """One thing, from its first box to its last: [start, end) seconds."""

    track: int  # 1, 2, ... in order of appearance
    label: str | None  # None where no labels were asked for, or none fits
    probability: float | None
    start: float
    end: float
    best_time: float  # when it is seen best
    boxes: tuple[TrackBox, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self) | {"boxes": [box.to_dict() for box in self.boxes]}


@dataclass(frozen=True, slots=True)
class Detections:
    """What was found in one video. ``method`` says how, and what it cannot find."""

    path: str
    video_id: str | None  # of the content; None where the caller knows none
    source: Literal["motion", "detector"]
    method: str
    labels: tuple[str, ...]
    fps: float  # pictures looked at per second
    duration: float  # seconds
    width: int  # of the picture as shown, pixels
    height: int
    tracks: tuple[DetectedTrack, ...]
    unlabelled: int = 0  # moving things that fit none of the labels and were left out
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self) | {"tracks": [track.to_dict() for track in self.tracks]}
