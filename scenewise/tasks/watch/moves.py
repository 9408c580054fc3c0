"""Things that go one way: left, right, up, down, towards the camera, or away from it.

It knows the ways of tracks across the picture; where things are, and what, ``things`` says. A thing
goes to the right where its foot has come at least a fifth of the picture's width to the right of a
place where it was within the last half minute, and at least as far to the right as up or down; the
other ways alike. Nearness is told by size alone: a thing comes towards the camera where its box,
whole in the picture, has grown steadily by half in width and in height.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from scenewise.media.motion import MovingBox
from scenewise.tasks.watch.about_things import AboutThings
from scenewise.tasks.watch.crossings import inside
from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.recent import Recent
from scenewise.tasks.watch.rule import Rule, Way
from scenewise.tasks.watch.things import Things
from scenewise.types import Event

LEAST_WAY = 0.2  # of the picture's width, up and down of its height
WAY_SECONDS = 30.0  # within which it is gone
LEAST_GROWTH = 1.5  # of width and of height
LOOKS = 5  # a thing that went the way is looked at so often before it is not what the rule means
_LEAST_BOXES = 3  # of a way: two may be two things
_LEAST_GROWING = 5  # boxes, and the largest step from one to the next: things that meet leap
_LARGEST_STEP = 1.3
_AT_EDGE = 0.01  # a box nearer to the edge of the picture is cut off there: its size says nothing
_MOST_PLACES = 360
_ALONG: dict[Way, tuple[int, int]] = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
}


@dataclass(frozen=True, slots=True)
class _Place:
    time: float  # seconds
    x: float  # of the foot
    y: float
    width: float
    height: float
    whole: bool


@dataclass(slots=True)
class _Way:
    places: deque[_Place] = field(default_factory=lambda: deque(maxlen=_MOST_PLACES))
    looks: int = 0
    raised: bool = False


class MovesMachine(AboutThings):
    """Raises once for each thing that goes the way of the rule, in the zone where it has one."""

    def __init__(self, rule: Rule, source: str, things: Things) -> None:
        assert rule.moves is not None
        super().__init__(rule, source, things)
        self._moves: Way = rule.moves
        self._zone = None if rule.zone is None else rule.zone.points
        self._ways: Recent[_Way] = Recent(_Way)

    def update(self, seen: Observation) -> tuple[Event, ...]:
        """See ``RuleMachine``."""
        self._events.see(seen)
        last: dict[int, MovingBox] = {}
        for box in self._things.boxes(seen):
            way = self._ways.of(box.track, seen.time)
            if self._zone is None or inside(box.foot, self._zone):
                way.places.append(_place(box, seen.time))
                last[box.track] = box
        raised: list[Event] = []
        for box in last.values():
            raised += self._judge(seen, box)
        self._ways.forget(seen.time)
        return tuple(raised)

    def _judge(self, seen: Observation, box: MovingBox) -> list[Event]:
        way = self._ways.of(box.track, seen.time)
        while way.places and seen.time - way.places[0].time > WAY_SECONDS:
            way.places.popleft()
        if way.raised or way.looks >= LOOKS:
            return []
        height, width = seen.image.shape[:2]
        detail = next(self._gone(list(way.places), width / height), None)
        if detail is None:
            return []
        look = self._things.look(seen, box)
        if look.match < self._threshold:
            way.looks += 1
            return []
        way.raised = True
        return self._raise(seen, look, detail)

    def _gone(self, places: list[_Place], aspect: float) -> Iterator[str]:
        """In words, how the thing went the way, from the latest place from which it did."""
        if self._moves not in _ALONG:
            yield from _grown(places, nearer=self._moves == "towards")
            return
        right, down = _ALONG[self._moves]
        now = places[-1]
        for start in reversed(places[: 1 - _LEAST_BOXES]):
            x, y = now.x - start.x, now.y - start.y
            along = right * x + down * y
            across = abs(y) / aspect if right else abs(x) * aspect
            if along >= LEAST_WAY and along >= across:
                side = "width" if right else "height"
                yield (
                    f"moved {self._moves} by {along:.2f} of the picture's {side} "
                    f"in {now.time - start.time:.1f} s"
                )


def _place(box: MovingBox, time: float) -> _Place:
    right, low = box.left + box.width, box.top + box.height
    whole = min(box.left, box.top, 1 - right, 1 - low) >= _AT_EDGE
    return _Place(time, *box.foot, box.width, box.height, whole)


def _grown(places: list[_Place], *, nearer: bool) -> Iterator[str]:
    """How it has grown, or, going away, shrunk, by the boxes that stand whole in the picture."""
    steady: list[_Place] = []
    for place in reversed(places):  # back to where it was cut off, or leapt
        if not place.whole or (steady and _leaps(place, steady[-1])):
            break
        steady.append(place)
    if len(steady) < _LEAST_GROWING:
        return
    now = steady[0]
    for start in steady[_LEAST_GROWING - 1 :]:
        small, large = (start, now) if nearer else (now, start)
        growth = min(large.width / small.width, large.height / small.height)
        if growth >= LEAST_GROWTH and _mostly(steady[: steady.index(start) + 1], nearer):
            word = "towards the camera: grown" if nearer else "away: shrunk"
            yield f"moved {word} {growth:.2f} times in {now.time - start.time:.1f} s"


def _leaps(one: _Place, other: _Place) -> bool:
    ratio = (one.width * one.height / (other.width * other.height)) ** 0.5
    return not 1 / _LARGEST_STEP <= ratio <= _LARGEST_STEP


def _mostly(places: list[_Place], nearer: bool) -> bool:
    """Whether most steps, from the newest back, go the same way."""
    areas = [place.width * place.height for place in places]
    right = sum((newer > older) == nearer for newer, older in pairwise(areas) if newer != older)
    return 3 * right >= 2 * sum(newer != older for newer, older in pairwise(areas))
