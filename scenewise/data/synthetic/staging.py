"""Puts things on a stage and lets events happen to them: from an action to tracks.

It knows what each action does to a thing and that things keep apart; which actions happen, and
when, is drawn by the modules of each kind of scene.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import combinations
from random import Random
from typing import Any

from scenewise.data.synthetic.actions import HIT
from scenewise.data.synthetic.scene import (
    BACKGROUNDS,
    COLOURS,
    SHAPES,
    TEXTURES,
    TICKS,
    UNITS,
    Background,
    BackgroundKind,
    Event,
    Numbers,
    Scene,
    SoundCue,
    Thing,
    ticks,
)
from scenewise.data.synthetic.tracks import value_at

SMALLEST, LARGEST = 110, 250  # radius; at 64 pixels a side the smallest is 14 across
COMMON = (120, 170)  # radius of a thing that has not grown
SHORTEST_WAY, LONGEST_WAY = 250, 560
TURNING_TEXTURES = ("striped", "checked", "halved")  # a turn of a plain circle cannot be seen
_LOOKS = 12  # in an event, to see whether things keep apart
_APART = 1.15  # of the sum of their radii, which points of a star pass
_GAP = 30  # kept between things that come near each other
_FURTHER = 240, 420  # by how much two things come nearer, or part
_FASTEST_DRIFT = 200  # units a second
TURNING = (80, 120)  # degrees a second
SLOWEST_TURN, FASTEST_TURN = 20, 720
_STEP = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


class NoRoomError(Exception):
    """What was asked does not fit on the stage as it is; another draw may."""


def border(radius: int) -> int:
    """How far from the edge of the picture a thing's middle must be, points of a star included."""
    return radius * 13 // 10


@dataclass(slots=True)
class Actor:
    """A thing while its story is made: every track grows at its end."""

    shape: str
    texture: str
    colours: list[tuple[int, str]]
    place: list[tuple[int, Numbers]]
    radius: list[tuple[int, Numbers]]
    angle: list[tuple[int, Numbers]]
    presence: list[tuple[int, Numbers]]

    @property
    def colour(self) -> str:
        """As it is now."""
        return self.colours[-1][1]

    @property
    def size(self) -> int:
        """Its radius now."""
        return self.radius[-1][1][0]

    @property
    def spot(self) -> tuple[int, int]:
        """Its place now."""
        x, y = self.place[-1][1]
        return x, y

    @property
    def there(self) -> bool:
        """Whether it is to be seen now."""
        return self.presence[-1][1][0] > 0

    def thing(self) -> Thing:
        """What it became."""
        tracks = (self.place, self.radius, self.angle, self.presence)
        return Thing(self.shape, self.texture, tuple(self.colours), *map(tuple, tracks))


def extend(track: list[tuple[int, Numbers]], start: int, end: int, value: Numbers) -> None:
    """Let a track change from what it is to ``value`` between two ticks."""
    if track[-1][0] < start:
        track.append((start, track[-1][1]))
    track.append((end, value))


@dataclass(slots=True)
class Stage:
    """A scene while it is made. Every draw of lots is from ``lots``."""

    lots: Random
    seconds: float
    turning: tuple[int, int] = TURNING  # degrees a second
    actors: list[Actor] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def scene(
        self,
        background: Background,
        *,
        label: str = "",
        sounds: tuple[SoundCue, ...] | None = None,
    ) -> Scene:
        """What was made."""
        things = tuple(actor.thing() for actor in self.actors)
        return Scene(self.seconds, background, things, tuple(self.events), label, sounds)

    def enter(
        self,
        spot: tuple[int, int],
        radius: int,
        *,
        colour: str = "",
        shape: str = "",
        texture: str = "",
        there: bool = True,
    ) -> int:
        """A new thing; what is not named is drawn. Its number."""
        lots = self.lots
        self.actors.append(
            Actor(
                shape or lots.choice(SHAPES),
                texture or lots.choice(TEXTURES),
                [(0, colour or lots.choice(list(COLOURS)))],
                [(0, spot)],
                [(0, (radius,))],
                [(0, (lots.randrange(360),))],
                [(0, (1000 if there else 0,))],
            )
        )
        return len(self.actors) - 1

    def spot(self, radius: int) -> tuple[int, int]:
        """A place where a thing of this radius is whole in the picture."""
        edge = border(radius)
        return self.lots.randint(edge, UNITS - edge), self.lots.randint(edge, UNITS - edge)

    def act(self, action: str, who: int, start: float, end: float) -> None:
        """Let an action of one thing happen. Raises NoRoomError."""
        first, last = ticks(start), ticks(end)
        colour = None
        actor = self.actors[who]
        verb, _, way = action.partition(" ")
        match verb:
            case "move":
                extend(actor.place, first, last, self._way(actor, _STEP[way]))
            case "turn":
                degrees = self._turn(last - first)
                now = actor.angle[-1][1][0]
                to = now + degrees if way == "clockwise" else now - degrees
                extend(actor.angle, first, last, (to,))
            case "grow" | "shrink":
                extend(actor.radius, first, last, (self._new_size(actor, verb),))
            case "appear" | "vanish":
                if actor.there != (verb == "vanish"):
                    raise NoRoomError
                extend(actor.presence, first, last, (1000 if verb == "appear" else 0,))
            case "blink":
                self._blink(actor, first, last)
            case "change":
                colour = self._change_colour(actor, first, last)
            case "rest":
                pass
            case _:
                raise ValueError(f"{action} is no action of one thing")
        self.events.append(Event(action, who, start, end, colour=colour))

    def attempt(self, action: str, who: int, start: float, end: float) -> bool:
        """The same where things keep apart; False, and nothing has changed, where they cannot."""
        actor = self.actors[who]
        tracks: tuple[list[Any], ...] = (
            actor.colours,
            actor.place,
            actor.radius,
            actor.angle,
            actor.presence,
        )
        lengths = [len(track) for track in tracks]
        events = len(self.events)
        try:
            if action != "appear" and not actor.there:
                raise NoRoomError
            if action.startswith("turn") and actor.texture not in TURNING_TEXTURES:
                raise NoRoomError
            self.act(action, who, start, end)
            self.check_room(start, end)
        except NoRoomError:
            for track, length in zip(tracks, lengths, strict=True):
                del track[length:]
            del self.events[events:]
            return False
        return True

    def check_room(self, start: float, end: float) -> None:
        """Raise NoRoomError where two things that are there come too near in a span."""
        seen = [actor for actor in self.actors if any(v[0] for _, v in actor.presence[-3:])]
        for step in range(_LOOKS + 1):
            tick = ticks(start) + (ticks(end) - ticks(start)) * step // _LOOKS
            at = [(value_at(actor.place, tick), value_at(actor.radius, tick)[0]) for actor in seen]
            for (one, its_size), (other, size) in combinations(at, 2):
                if math.dist(one, other) < (its_size + size) * _APART:
                    raise NoRoomError

    def strike(
        self, who: int, other: int, way: str, start: float, middle: float, end: float
    ) -> None:
        """One thing runs into another, stops, and the other moves on. Both lie in line."""
        one, two = self.actors[who], self.actors[other]
        step = _STEP[way]
        reach = one.size + two.size
        contact = two.spot[0] - step[0] * reach, two.spot[1] - step[1] * reach
        extend(one.place, ticks(start), ticks(middle), contact)
        extend(two.place, ticks(middle), ticks(end), self._way(two, step))
        hit = len(self.events)
        self.events += [
            Event(HIT, who, start, middle, other=other),
            Event(f"move {way}", who, start, middle, part_of=hit),
            Event(f"move {way}", other, middle, end, cause=hit),
        ]

    def meet(self, action: str, who: int, other: int, start: float, end: float) -> None:
        """Let an action between two things happen, along the line between them.

        Raises NoRoomError.
        """
        first, last = ticks(start), ticks(end)
        one, two = self.actors[who], self.actors[other]
        touching = one.size + two.size
        apart = math.dist(one.spot, two.spot)
        if action == "part":
            self._draw_near(one, two, first, last, apart + self.lots.randint(*_FURTHER))
        elif apart < touching + _FURTHER[0]:
            raise NoRoomError
        elif action == "approach":
            near = touching + _GAP
            self._draw_near(one, two, first, last, self.lots.randint(near, near + 60))
        elif action == "collide":
            middle = (first + last) // 2
            self._draw_near(one, two, first, middle, touching)
            away = self.lots.randint(touching + _FURTHER[0], touching + _FURTHER[1])
            self._draw_near(one, two, middle, last, away)
        else:
            raise ValueError(f"{action} is no action of two things")
        self.events.append(Event(action, who, start, end, other=other))

    def _draw_near(self, one: Actor, two: Actor, first: int, last: int, target: float) -> None:
        """Move both alike along the line between them until ``target`` is between them."""
        (x, y), (right, down) = one.spot, two.spot
        apart = math.dist(one.spot, two.spot)
        share = (apart - target) / 2 / apart
        step = round((right - x) * share), round((down - y) * share)
        for actor, sign in ((one, 1), (two, -1)):
            to = actor.spot[0] + sign * step[0], actor.spot[1] + sign * step[1]
            if not all(border(actor.size) <= at <= UNITS - border(actor.size) for at in to):
                raise NoRoomError
            extend(actor.place, first, last, to)

    def _way(self, actor: Actor, step: tuple[int, int]) -> tuple[int, int]:
        x, y = actor.spot
        edge = border(actor.size)
        room = (
            (UNITS - edge - x if step[0] > 0 else x - edge)
            if step[0]
            else (UNITS - edge - y if step[1] > 0 else y - edge)
        )
        if room < SHORTEST_WAY:
            raise NoRoomError
        length = self.lots.randint(SHORTEST_WAY, min(room, LONGEST_WAY))
        return x + step[0] * length, y + step[1] * length

    def _turn(self, length: int) -> int:
        return self.lots.randint(*self.turning) * length // TICKS

    def _new_size(self, actor: Actor, verb: str) -> int:
        tenths = self.lots.randint(15, 19)
        size = actor.size * tenths // 10 if verb == "grow" else actor.size * 10 // tenths
        x, y = actor.spot
        if not SMALLEST <= size <= LARGEST or not (
            border(size) <= min(x, y) and max(x, y) <= UNITS - border(size)
        ):
            raise NoRoomError
        return size

    def _blink(self, actor: Actor, first: int, last: int) -> None:
        times = max(1, round((last - first) / TICKS * 2))
        for dip in range(times):
            begin = first + (last - first) * dip // times
            end = first + (last - first) * (dip + 1) // times
            # a moment of nothing, alike from both sides
            quarter = (end - begin) // 4
            extend(actor.presence, begin, begin + quarter, (0,))
            actor.presence.append((end - quarter, (0,)))
            actor.presence.append((end, (1000,)))

    def _change_colour(self, actor: Actor, first: int, last: int) -> str:
        colour = self.lots.choice([name for name in COLOURS if name != actor.colour])
        if actor.colours[-1][0] < first:
            actor.colours.append((first, actor.colour))
        actor.colours.append((last, colour))
        return colour


def draw_background(
    lots: Random, seconds: float, kinds: tuple[BackgroundKind, ...] = BACKGROUNDS
) -> Background:
    """A background of one of ``kinds``; one that drifts goes any way, forth and back alike."""
    kind = lots.choice(kinds)
    grey = lots.randint(25, 85)
    first, second = (
        tuple(max(10, min(110, level + lots.randint(-15, 15))) for _ in range(3))
        for level in (grey, grey + lots.choice((-40, 40)))
    )
    drift: tuple[Numbers, Numbers] = ((0, 0), (0, 0))
    if kind == "drifting":
        begin = lots.randrange(UNITS), lots.randrange(UNITS)
        fastest = round(_FASTEST_DRIFT * seconds)
        drift = begin, tuple(at + lots.randint(-fastest, fastest) for at in begin)
    seed = lots.randrange(1 << 30) if kind in ("noise", "drifting") else 0
    return Background(kind, (first, second), lots.random() < 0.5, seed, drift)
