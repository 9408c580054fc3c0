"""Which area of this picture is the thing that was there before: boxes become tracks.

It knows boxes and times; it knows no pixels. Lengths are fractions of the picture's width or
height; distances are measured in widths.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from scenewise.media.moving_areas import Area, Box, MotionSettings, Seen

_NEW_SPEED = 0.6  # widths per second that a thing seen once may have
_TURN_SPEED = 0.25  # by which the speed of a known one may change
_COVERED = 0.6  # of a thing's predicted box, from which it is behind or before another
_SMOOTHING = 0.5  # weight of the newest measurement of velocity
_HIDDEN_SECONDS = 3.0  # a thing that is in another's area for longer is part of it
_STANDING_IOU = 0.3
_CUT_OFF = 1e6


@dataclass(slots=True)
class _Thing:
    number: int
    box: npt.NDArray[np.float64]  # left, top, width, height
    time: float
    first_centre: npt.NDArray[np.float64]
    seen: int = 1
    velocity: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))
    told: bool = False
    measured_at: float = 0.0  # when an area was last taken for it, or for what hides it
    seen_at: float = 0.0  # when an area was last taken for it alone
    here: bool = True  # in the newest picture

    @property
    def centre(self) -> npt.NDArray[np.float64]:
        return self.box[:2] + self.box[2:] / 2

    def expected(self, time: float) -> npt.NDArray[np.float64]:
        """Its box at ``time`` if it goes on as before."""
        box = self.box.copy()
        box[:2] += self.velocity * (time - self.time)
        return box


class Follower:
    """Joins areas of following pictures into things with numbers."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self._things: list[_Thing] = []
        self._next = 1

    def forget(self) -> None:
        """Drop all things; numbers go on."""
        self._things = []

    def update(self, seen: Seen, time: float) -> Iterator[tuple[int, Box, tuple[float, float]]]:
        """Number, box and velocity of each thing that is told of in this picture."""
        for thing in self._things:
            thing.here = False
            if seen.camera is not None:
                _take_along(thing, seen.camera)
        self._things = [
            thing
            for thing in self._things
            if time - thing.measured_at <= self._settings.gap_seconds
        ]
        moving = [area for area in seen.areas if area.moves]
        standing = [area for area in seen.areas if not area.moves]
        taken = self._assign(moving, seen.aspect, time)
        self._hide(moving, taken, time)
        self._stand(standing, time)
        for place, area in enumerate(moving):
            if place not in taken and len(self._things) < self._settings.most_tracks:
                self._add(area, time)
        return self._tell()

    def _assign(self, areas: Sequence[Area], aspect: float, time: float) -> dict[int, _Thing]:
        """Areas to things by least total cost; the area's place to its thing."""
        if not areas or not self._things:
            return {}
        from scipy.optimize import linear_sum_assignment

        boxes = np.array([area.box for area in areas])
        cost = np.full((len(self._things), len(areas)), _CUT_OFF)
        for row, thing in enumerate(self._things):
            cost[row] = self._cost(thing, boxes, aspect, time)
        taken = {}
        for row, place in zip(*linear_sum_assignment(cost), strict=True):
            if cost[row, place] < _CUT_OFF:
                taken[int(place)] = self._things[row]
        for place, thing in list(taken.items()):
            shared = [
                other
                for other in self._things
                if self._settings.may_merge
                and other is not thing
                and other not in taken.values()
                and self._may_hide(other, time)
                and _covered(other.expected(time), boxes[place]) >= _COVERED
            ]
            if shared and self._may_hide(thing, time):  # two in one area: each goes on as before
                for both in (thing, *shared):
                    self._carry(both, time)
            else:
                self._measure(thing, boxes[place], time)
        return taken

    def _cost(
        self, thing: _Thing, boxes: npt.NDArray[np.float64], aspect: float, time: float
    ) -> npt.NDArray[np.float64]:
        """Distance of the areas' centres from where it should be, and difference in size."""
        seconds = time - thing.time
        expected = thing.expected(time)
        scale = np.array([1.0, 1 / aspect])
        away = (boxes[:, :2] + boxes[:, 2:] / 2) - (expected[:2] + expected[2:] / 2)
        distance = np.hypot(*(away * scale).T)
        size = float(np.hypot(*(expected[2:] * scale)))
        speed = _NEW_SPEED if thing.seen < 2 else _TURN_SPEED
        reach = 0.6 * size + speed * seconds
        larger = np.abs(np.log(boxes[:, 2:].prod(axis=1) / expected[2:].prod()))
        overlap = np.array([_iou(expected, box) for box in boxes])
        cost = distance / reach + 0.3 * larger + (1 - overlap)
        return np.where((distance <= reach) | (overlap > 0.1), cost, _CUT_OFF)

    def _hide(self, areas: Sequence[Area], taken: dict[int, _Thing], time: float) -> None:
        """A thing inside an area that is another's stays with it for a while, unseen."""
        for thing in self._things:
            if thing.here or not self._may_hide(thing, time):
                continue
            for place in taken:
                if _covered(thing.expected(time), np.array(areas[place].box)) >= _COVERED:
                    self._carry(thing, time)
                    break

    def _may_hide(self, thing: _Thing, time: float) -> bool:
        merging = self._settings.may_merge and thing.told
        return merging and time - thing.seen_at <= _HIDDEN_SECONDS

    def _stand(self, areas: Sequence[Area], time: float) -> None:
        """A known thing that has stopped is where it was, until the background takes it in."""
        for thing in self._things:
            if thing.here or not thing.told:
                continue
            best = max(areas, key=lambda area: _iou(thing.box, np.array(area.box)), default=None)
            if best is not None and _iou(thing.box, np.array(best.box)) >= _STANDING_IOU:
                self._measure(thing, np.array(best.box), time)

    def _measure(self, thing: _Thing, box: npt.NDArray[np.float64], time: float) -> None:
        seconds = time - thing.time
        way = box[:2] + box[2:] / 2 - thing.centre
        newest = way / seconds
        weight = 1.0 if thing.seen == 1 else _SMOOTHING
        thing.velocity = weight * newest + (1 - weight) * thing.velocity
        thing.box, thing.time = box.copy(), time
        thing.measured_at = thing.seen_at = time
        thing.seen += 1
        thing.here = True
        if not thing.told and thing.seen >= self._settings.least_frames:
            thing.told = bool(
                np.hypot(*(thing.centre - thing.first_centre)) >= self._settings.least_way
            )

    def _carry(self, thing: _Thing, time: float) -> None:
        """Where it should be, as it cannot be seen alone."""
        thing.box = thing.expected(time)
        thing.time = thing.measured_at = time
        thing.here = True

    def _add(self, area: Area, time: float) -> None:
        box = np.array(area.box)
        self._things.append(
            _Thing(self._next, box, time, box[:2] + box[2:] / 2, measured_at=time, seen_at=time)
        )
        self._next += 1
        if self._settings.least_frames == 1:
            self._things[-1].told = True

    def _tell(self) -> Iterator[tuple[int, Box, tuple[float, float]]]:
        for thing in self._things:
            if not (thing.told and thing.here):
                continue
            left, top = np.clip(thing.box[:2], 0, 1)
            right, low = np.clip(thing.box[:2] + thing.box[2:], 0, 1)
            if right > left and low > top:
                box = (float(left), float(top), float(right - left), float(low - top))
                yield thing.number, box, (float(thing.velocity[0]), float(thing.velocity[1]))


def _take_along(thing: _Thing, camera: npt.NDArray[np.float64]) -> None:
    """What is known of a thing stands in the last picture: move it as the scene moved."""
    centre = thing.centre
    thing.box[:2] += camera[:, :2] @ centre + camera[:, 2] - centre
    thing.first_centre = camera[:, :2] @ thing.first_centre + camera[:, 2]


def _iou(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    """Intersection over union of two boxes."""
    shared = _shared(one, other)
    union = one[2] * one[3] + other[2] * other[3] - shared
    return shared / union if union > 0 else 0.0


def _covered(inner: npt.NDArray[np.float64], outer: npt.NDArray[np.float64]) -> float:
    """The share of the inner box that lies in the outer one."""
    area = float(inner[2] * inner[3])
    return _shared(inner, outer) / area if area > 0 else 0.0


def _shared(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    corner = np.maximum(one[:2], other[:2])
    size = np.minimum(one[:2] + one[2:], other[:2] + other[2:]) - corner
    return float(size[0] * size[1]) if (size > 0).all() else 0.0
