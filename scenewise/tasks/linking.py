"""Boxes of a detector joined to tracks: which box is the thing that was there before.

It knows boxes of one label and times; it knows no picture and no detector.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scenewise.encoders.detectors import DetectedBox
from scenewise.media.following import Follower
from scenewise.media.motion import MotionSettings
from scenewise.media.moving_areas import Area, Seen

_SAME_IOU = 0.7  # two boxes of one label that overlap more are one
_DUPLICATE = 1e-9


class Linker:
    """Joins boxes of one label, picture after picture."""

    def __init__(self, gap_seconds: float) -> None:
        """A thing that is not seen for longer than ``gap_seconds`` is another one."""
        self._follower = Follower(
            MotionSettings(least_frames=1, least_way=0.0, gap_seconds=gap_seconds, may_merge=False)
        )

    def join(
        self, boxes: Sequence[DetectedBox], time: float, aspect: float
    ) -> Iterator[tuple[int, DetectedBox, tuple[float, float]]]:
        """The number of the thing that each box is, the box, and the thing's velocity (x, y).

        ``time`` rises; ``aspect`` is the picture's width / height; velocity in picture widths and
        heights per second.
        """
        places = {(box.left, box.top, box.width, box.height): box for box in boxes}
        seen = Seen(tuple(Area(place, True) for place in places), aspect)
        for number, where, velocity in self._follower.update(seen, time):
            for place, box in places.items():
                if max(abs(a - b) for a, b in zip(place, where, strict=True)) < _DUPLICATE:
                    yield number, box, velocity
                    break


def distinct(boxes: Sequence[DetectedBox]) -> list[DetectedBox]:
    """Best first, without those that lie on a better one (greedy non-maximum suppression)."""
    kept: list[DetectedBox] = []
    for box in sorted(boxes, key=lambda box: -box.probability):
        if all(_iou(box, other) <= _SAME_IOU for other in kept):
            kept.append(box)
    return kept


def _iou(one: DetectedBox, other: DetectedBox) -> float:
    wide = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    high = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    shared = max(0.0, wide) * max(0.0, high)
    return shared / (one.width * one.height + other.width * other.height - shared)
