"""Scenes of several events: ``draw_story``, one to three things that act one after the other.

It knows how a film's time is shared out and how often something comes again; what an action does
it leaves to ``staging``.

The things of a story differ in shape, so each can be named; a thing that changes colour is called
by the colour that it has when something begins.
"""

from __future__ import annotations

from random import Random

from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.scene import (
    BACKGROUNDS,
    COLOURS,
    SHAPES,
    TEXTURES,
    UNITS,
    BackgroundKind,
    Scene,
)
from scenewise.data.synthetic.soundtrack import event_cues
from scenewise.data.synthetic.staging import (
    SHORTEST_WAY,
    TURNING_TEXTURES,
    NoRoomError,
    Stage,
    border,
    draw_background,
)

SHORTEST_SLOT_SECONDS = 0.75  # of the film, for each event
MOST_EVENTS = 16
_GRID = 20  # times are whole twentieths of a second
_TRIES = 2000
_STORY_ACTIONS = tuple(
    action.name for action in ACTIONS.values() if action.things == 1 and action.name != "rest"
)
_WEIGHTS = {
    action: {"move": 1.5, "grow": 4.0, "shrink": 4.0, "vanish": 0.6}.get(action.split()[0], 1.0)
    for action in _STORY_ACTIONS
}
_SMALL, _LARGE = (115, 135), (165, 180)  # radius: of what can grow, of what can shrink
_SHORTEST_STEPS, _LONGEST_STEPS = 10, 60  # of one event
_HITS = 0.35  # share of stories of two and more events that begin with one
_TOGETHER = 0.2  # share of events that happen while another does
_AGAIN = 0.25  # share of events that were there before
_ABSENT = 0.15  # share of things that are not there at the beginning


def draw_story(
    lots: Random,
    *,
    seconds: float = 6.0,
    events: int | None = None,
    backgrounds: tuple[BackgroundKind, ...] = BACKGROUNDS,
) -> Scene:
    """A scene of ``seconds`` in which ``events`` happen; None: one to four, as many as fit.

    With a number of events, each is another thing or another action than all before.
    """
    most = int(seconds / SHORTEST_SLOT_SECONDS)
    background = draw_background(lots, seconds, backgrounds)
    for _ in range(_TRIES):
        count = events or lots.randint(1, min(4, most))
        try:
            stage = _Story(lots, seconds, count, every_one_new=events is not None).tell()
        except NoRoomError:
            continue
        return stage.scene(background, sounds=event_cues(tuple(stage.events), seconds))
    raise AssertionError(f"no story of {events} events was found in {_TRIES} draws")


class _Story:
    """One try."""

    def __init__(self, lots: Random, seconds: float, count: int, *, every_one_new: bool) -> None:
        self._lots = lots
        self._stage = Stage(lots, seconds)
        self._slots = _share_out(lots, seconds, count)
        self._every_one_new = every_one_new
        self._done: list[tuple[int, str]] = []

    def tell(self) -> Stage:
        """Raises NoRoomError where the story comes to no end."""
        lots, count = self._lots, len(self._slots)
        number = 0
        if count >= 2 and lots.random() < _HITS:
            self._begin_with_a_hit()
            number = 2
        else:
            self._enter(lots.randint(1, 2) if count == 1 else 3 if count > 6 else 2)
        if not count > 6 and lots.random() < 0.3:
            self._enter(1)
        while number < count:
            start, end = self._slots[number]
            first = self._one(start, end, besides=None)
            number += 1
            if number < count and lots.random() < _TOGETHER and len(self._stage.actors) > 1:
                # the slot after is left empty
                self._one(start, end, besides=first)
                number += 1
        if not all(any(value[0] for _, value in actor.presence) for actor in self._stage.actors):
            raise NoRoomError  # one that nobody ever sees
        return self._stage

    def _enter(self, count: int) -> None:
        lots, stage = self._lots, self._stage
        for _ in range(count):
            radius = lots.randint(*lots.choice((_SMALL, _LARGE)))
            there = not stage.actors or lots.random() >= _ABSENT
            self._enter_one(stage.spot(radius), radius, there=there)
        stage.check_room(0, 0)

    def _enter_one(self, spot: tuple[int, int], radius: int, *, there: bool = True) -> None:
        """A thing that nobody takes for another one."""
        lots, actors = self._lots, self._stage.actors
        shapes = [shape for shape in SHAPES if shape not in {actor.shape for actor in actors}]
        colours = [name for name in COLOURS if name not in {actor.colour for actor in actors}]
        texture = lots.choice(TURNING_TEXTURES if lots.random() < 0.7 else TEXTURES)
        self._stage.enter(
            spot,
            radius,
            colour=lots.choice(colours),
            shape=lots.choice(shapes),
            texture=texture,
            there=there,
        )

    def _begin_with_a_hit(self) -> None:
        lots, stage = self._lots, self._stage
        way = lots.choice(("left", "right", "up", "down"))
        sizes = lots.randint(115, 140), lots.randint(115, 140)
        # along the way: the one that hits, room to run, the one that is hit, room to move on
        begin = border(sizes[0]) + lots.randint(0, 60)
        run = sum(sizes) + lots.randint(130, 180)
        if begin + run + SHORTEST_WAY + border(sizes[1]) > UNITS:
            raise NoRoomError
        across = lots.randint(border(max(sizes)), UNITS - border(max(sizes)))
        for size, along in zip(sizes, (begin, begin + run), strict=True):
            along = along if way in ("right", "down") else UNITS - along
            spot = (along, across) if way in ("left", "right") else (across, along)
            self._enter_one(spot, size)
        (start, _), (_, end) = self._slots[:2]
        # to twentieths of a second
        middle = round((start + end) / 2 * _GRID) / _GRID
        stage.strike(0, 1, way, start, middle, end)
        self._done += [(0, f"move {way}"), (1, f"move {way}")]

    def _one(self, start: float, end: float, *, besides: int | None) -> int:
        """Let something happen, to another thing than ``besides``; to which."""
        lots, stage = self._lots, self._stage
        choices = [
            (who, action)
            for who in range(len(stage.actors))
            for action in _STORY_ACTIONS
            if who != besides and not (self._every_one_new and (who, action) in self._done)
        ]
        # the Efraimidis-Spirakis draw: those that seldom find room are asked first more often
        choices.sort(key=lambda pair: lots.random() ** (1 / _WEIGHTS[pair[1]]), reverse=True)
        if self._done and not self._every_one_new and lots.random() < _AGAIN:
            choices = [pair for pair in self._done if pair[0] != besides] + choices
        for who, action in choices:
            if stage.attempt(action, who, start, end):
                self._done.append((who, action))
                return who
        raise NoRoomError


def _share_out(lots: Random, seconds: float, count: int) -> list[tuple[float, float]]:
    """Start and end of ``count`` events, one after the other with pauses, in twentieths."""
    steps = round(seconds * _GRID)
    spans = []
    for number in range(count):
        first, after = steps * number // count, steps * (number + 1) // count
        room = after - first
        shortest = max(_SHORTEST_STEPS, room * 4 // 10)
        longest = min(_LONGEST_STEPS, room * 9 // 10)
        length = lots.randint(min(shortest, longest), longest)
        start = first + lots.randint(0, room - length)
        spans.append((start / _GRID, (start + length) / _GRID))
    return spans
