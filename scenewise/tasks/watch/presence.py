"""Things that are there: one event for as long as such a thing is seen.

It knows looks at things, and when what holds becomes an event; where things are, and what,
``things`` says.
"""

from __future__ import annotations

from dataclasses import replace

from scenewise.media.motion import MovingBox
from scenewise.tasks.watch.judge import weaker
from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.occurrences import GAP_SECONDS, EventMaker, Gate
from scenewise.tasks.watch.rule import Rule
from scenewise.tasks.watch.standing import Smoother
from scenewise.tasks.watch.things import Detected, Look, Things
from scenewise.types import Event

_MOST_TOLD = 5  # things in one event


class PresenceMachine:
    """Raises where a thing of the rule's labels is there.

    The best probability of each instant counts. A detector judges single pictures: of it the
    median of three instants counts, so that one odd picture raises nothing.
    """

    def __init__(self, rule: Rule, source: str, things: Things) -> None:
        self.name = rule.name
        self._things = things
        self._threshold = rule.threshold or things.threshold
        self._gate = Gate(rule)
        self._events = EventMaker(rule, source)
        self._smoother: Smoother | None = None
        if isinstance(things, Detected):
            self._smoother = Smoother()
            things.least = weaker(self._threshold)  # keeps what is under way
        self._last: float | None = None
        self._told: tuple[Look, ...] = ()  # when such a thing was seen last

    def update(self, seen: Observation) -> tuple[Event, ...]:
        """See ``RuleMachine``."""
        self._events.see(seen)
        limit = weaker(self._threshold) if self._gate.holding else self._threshold
        looks = self._looks(seen)
        match = looks[0].match if looks else 0.0
        here = tuple(look for look in looks[:_MOST_TOLD] if look.match >= limit)
        self._told = here or self._told
        if self._smoother is not None:
            if self._last is not None and seen.time - self._last > GAP_SECONDS:
                self._smoother.restart()
            match = self._smoother.add(match) or 0.0
        self._last = seen.time
        since = self._gate.update(seen, match >= limit)
        if since is None:
            return ()
        why = [
            replace(reason, start=since, end=seen.time)
            for look in self._told
            for reason in look.why
        ]
        # where the newest picture misses it, there is nothing to draw a box around
        boxes = [look.box for look in here if look.box is not None]
        return (self._events.make(seen, match, why, boxes),)

    def _looks(self, seen: Observation) -> list[Look]:
        """At each thing where it is now, best first."""
        last: dict[int, MovingBox] = {}
        for box in self._things.boxes(seen):
            last[box.track] = box
        looks = [self._things.look(seen, box) for box in last.values()]
        return sorted(looks, key=lambda look: -look.match)
