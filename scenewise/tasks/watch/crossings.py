"""Lines that are crossed and zones that are entered, by things that move or are detected.

It knows points on the picture and tracks; where things are, and what, ``things`` says. A thing
stands where its foot is, the middle of its lower edge. Tracks that are not seen for a while are
forgotten, so what is kept is bounded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from scenewise.media.motion import MovingBox
from scenewise.tasks.watch.about_things import AboutThings
from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.recent import Recent
from scenewise.tasks.watch.rule import Point, Rule
from scenewise.tasks.watch.things import SIGHTINGS, Things
from scenewise.types import Event

MARGIN = 0.01  # of the picture: nearer to a line or an edge than this a foot is on neither side
LOOKS = 5  # a thing that comes in is looked at so often before it is not what the sentence says
_COUNTS = re.compile(r"crossed (in|out) \(in (\d+), out (\d+)\)")


def side(point: Point, a: Point, b: Point) -> float:
    """Above 0 to the right of the way from a to b, as the picture is seen (y downwards)."""
    return (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])


def distance(point: Point, a: Point, b: Point) -> float:
    """From a point to the segment a b."""
    along = (b[0] - a[0], b[1] - a[1])
    length = along[0] ** 2 + along[1] ** 2
    share = ((point[0] - a[0]) * along[0] + (point[1] - a[1]) * along[1]) / length if length else 0
    share = min(1.0, max(0.0, share))
    return math.dist(point, (a[0] + share * along[0], a[1] + share * along[1]))


def crossings(start: Point, end: Point, line: Sequence[Point]) -> int:
    """How often the way from start to end crosses the line from left to right, less the contrary.

    A point of the line belongs to the segment that begins there, so a way through a corner crosses
    once; a way that only touches does not cross.
    """
    count = 0
    for a, b in pairwise(line):
        before, after = side(start, a, b) > 0, side(end, a, b) > 0
        if before == after:
            continue
        # where along a b the way passes: the ends of the way lie on both sides of it
        first, second = side(a, start, end) > 0, side(b, start, end) > 0
        if first != second:
            count += 1 if after else -1
    return count


def inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether a point lies in a polygon, by the even-odd rule."""
    x, y = point
    odd = False
    for a, b in pairwise((*polygon, polygon[0])):
        if (a[1] > y) != (b[1] > y) and x < a[0] + (y - a[1]) / (b[1] - a[1]) * (b[0] - a[0]):
            odd = not odd
    return odd


def read_counts(event: Event) -> tuple[int, int] | None:
    """(in, out) since the stream began, of a line's event; None of another's."""
    for why in event.why:
        if why.kind == "motion" and (found := _COUNTS.fullmatch(why.detail)):
            return int(found[2]), int(found[3])
    return None


@dataclass(slots=True)
class _Track:
    place: Point | None = None  # where it last was clearly on one side
    inside: bool | None = None  # of a zone
    since: float = 0.0  # from when it is inside
    sightings: int = 0
    looked: float = -1.0  # when last
    looks: int = 0  # since it came in; nothing is left to say once they are used up


class _Crossing(AboutThings):
    """What line and zone have in common: where each thing was."""

    def __init__(self, rule: Rule, source: str, things: Things) -> None:
        super().__init__(rule, source, things)
        self._tracks: Recent[_Track] = Recent(_Track)

    @property
    def remembered(self) -> int:
        """Tracks that are followed now."""
        return len(self._tracks)


class LineMachine(_Crossing):
    """Counts what crosses, once for each crossing; raises for the direction of the rule.

    A track's place is taken only where it is clearly off the line (``MARGIN``), and a crossing is
    a way from one such place to the next that passes through the line: what trembles on the line
    is counted when it has left it, and once.
    """

    def __init__(self, rule: Rule, source: str, things: Things) -> None:
        assert rule.line is not None
        super().__init__(rule, source, things)
        self._line = rule.line
        self.counts = {"in": 0, "out": 0}

    def update(self, seen: Observation) -> tuple[Event, ...]:
        """See ``RuleMachine``."""
        self._events.see(seen)
        raised: list[Event] = []
        for box in self._things.boxes(seen):
            track = self._tracks.of(box.track, seen.time)
            if min(distance(box.foot, a, b) for a, b in pairwise(self._line.points)) < MARGIN:
                continue
            start, track.place = track.place, box.foot
            crossed = 0 if start is None else crossings(start, box.foot, self._line.points)
            if crossed:
                raised += self._crossed(seen, box, "in" if crossed > 0 else "out")
        self._tracks.forget(seen.time)
        return tuple(raised)

    def _crossed(self, seen: Observation, box: MovingBox, way: str) -> list[Event]:
        look = self._things.look(seen, box)
        if look.match < self._threshold:
            return []
        self.counts[way] += 1
        if self._line.direction not in (way, "both"):
            return []
        detail = f"crossed {way} (in {self.counts['in']}, out {self.counts['out']})"
        return self._raise(seen, look, detail)


class ZoneMachine(_Crossing):
    """Raises when a track comes into the zone, leaves it, or has been inside for the dwell time.

    What first appears inside came in there. A track that vanishes inside has not left: it may
    have stopped, and what does not move is not seen. For the same reason dwelling counts while a
    track is seen to move, with pauses of up to ``FORGET_SECONDS``.
    """

    def __init__(self, rule: Rule, source: str, things: Things) -> None:
        assert rule.zone is not None
        super().__init__(rule, source, things)
        self._points = rule.zone.points
        self._event = rule.zone.event

    def update(self, seen: Observation) -> tuple[Event, ...]:
        """See ``RuleMachine``."""
        self._events.see(seen)
        raised: list[Event] = []
        for box in self._things.boxes(seen):
            track = self._tracks.of(box.track, seen.time)
            track.sightings += 1
            within = self._within(box.foot, track)
            if within and not track.inside:
                track.since, track.looks = seen.time, 0
            left = track.inside and not within
            track.inside = within
            if self._event == "leave":
                if left and track.sightings >= SIGHTINGS:
                    look = self._things.look(seen, box)
                    if look.match >= self._threshold:
                        raised += self._raise(seen, look, "left the zone")
            elif within and track.looks < LOOKS and track.sightings >= SIGHTINGS:
                raised += self._entered(seen, box, track)
        self._tracks.forget(seen.time)
        return tuple(raised)

    def _entered(self, seen: Observation, box: MovingBox, track: _Track) -> list[Event]:
        stayed = seen.time - track.since
        if self._event == "dwell" and stayed < self._rule.dwell:
            return []
        words = "entered the zone" if self._event == "enter" else f"in the zone for {stayed:.1f} s"
        if track.looked == seen.time:
            return []
        track.looked = seen.time
        look = self._things.look(seen, box)
        if look.match < self._threshold:
            track.looks += 1
            return []
        track.looks = LOOKS
        return self._raise(seen, look, words)

    def _within(self, foot: Point, track: _Track) -> bool:
        """Inside or not; near the edge it stays what it was, at first by where it stands."""
        now = inside((min(foot[0], 1 - 1e-9), min(foot[1], 1 - 1e-9)), self._points)
        if track.inside is None or now == track.inside:
            return now
        edges = pairwise((*self._points, self._points[0]))
        near = min(distance(foot, a, b) for a, b in edges) < MARGIN
        return track.inside if near else now
