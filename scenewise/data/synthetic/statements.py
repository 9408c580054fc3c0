"""What a sentence claims, without its words, and whether that holds in a scene.

It knows facts in their order of time; it knows no English. By it a set of films is drawn in which
every caption fits one film and no other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from scenewise.data.synthetic.scene import Event, Scene

Name = tuple[str, ...]  # colour, shape; and texture, where things are called by it


@dataclass(frozen=True, slots=True)
class Fact:
    """One event, by what can be said of it: things go by the colour that they have then."""

    action: str
    thing: Name
    other: Name | None = None
    colour: str | None = None  # that it changes into


Statement = tuple[frozenset[Fact], ...]  # what happens at once, one after the other


def name_at(scene: Scene, number: int, seconds: float) -> Name:
    """What a thing is called at a time."""
    thing = scene.things[number]
    name = thing.colour_at(seconds), thing.shape
    return (*name, thing.texture) if scene.textured else name


def fact(scene: Scene, event: Event) -> Fact:
    """What an event of the scene is."""
    other = None if event.other is None else name_at(scene, event.other, event.start)
    return Fact(event.action, name_at(scene, event.thing, event.start), other, event.colour)


def together(events: Iterable[Event]) -> list[list[Event]]:
    """Events that begin at one time, in groups, by rising start."""
    ordered = sorted(events, key=lambda event: event.start)
    return [list(group) for _, group in groupby(ordered, key=lambda event: event.start)]


def statement(scene: Scene) -> Statement:
    """All that is told of a scene."""
    groups = together(scene.told)
    return tuple(frozenset(fact(scene, event) for event in group) for group in groups)


def holds(claim: Statement, scene: Scene) -> bool:
    """Whether all of it happens in the scene, in this order and what is said at once at once."""
    rest = list(claim)
    for group in together(scene.events):
        if rest and rest[0] <= {fact(scene, event) for event in group}:
            rest.pop(0)
    return not rest


class ToldApart:
    """Scenes of which no one fits what is told of another."""

    def __init__(self) -> None:
        self._scenes: list[Scene] = []
        self._with: dict[Fact, set[int]] = {}  # numbers of the scenes in which it happens

    def accept(self, scene: Scene) -> bool:
        """Take the scene in, or say no where it and one before fit one sentence."""
        claim = statement(scene)
        facts = {fact(scene, event) for event in scene.events}
        told = frozenset().union(*claim)
        near = set().union(*(self._with.get(one, set()) for one in facts))
        for number in near:
            other = self._scenes[number]
            if holds(statement(other), scene):
                return False
        if told:
            fitting = set.intersection(*(self._with.get(one, set()) for one in told))
            if any(holds(claim, self._scenes[number]) for number in fitting):
                return False
        for one in facts:
            self._with.setdefault(one, set()).add(len(self._scenes))
        self._scenes.append(scene)
        return True
