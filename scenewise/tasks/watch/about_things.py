"""What machines that raise for a thing have in common: what it must be, and one event.

It knows a rule and ``things``; where a thing must go, or stand, the machines say.
"""

from __future__ import annotations

from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.occurrences import CoolDown, EventMaker
from scenewise.tasks.watch.rule import Rule
from scenewise.tasks.watch.things import Look, Things
from scenewise.types import Event, Why


class AboutThings:
    """A base: the schedule, the cool-down, and the event of one thing."""

    def __init__(self, rule: Rule, source: str, things: Things) -> None:
        self.name = rule.name
        self._rule = rule
        self._things = things
        self._threshold = rule.threshold or things.threshold
        self._events = EventMaker(rule, source)
        self._cooldown = CoolDown(rule.cooldown)

    def _raise(self, seen: Observation, look: Look, detail: str) -> list[Event]:
        if not self._rule.armed(seen.wall) or not self._cooldown.over(seen.time):
            return []
        self._cooldown.begin(seen.time)
        moved = Why("motion", detail, seen.time, seen.time)
        boxes = () if look.box is None else (look.box,)
        return [self._events.make(seen, look.match, [moved, *look.why], boxes)]
