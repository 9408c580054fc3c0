"""When something that holds, more or less, becomes one event.

It knows times and whether a rule's condition holds; it knows no score and no picture. All state
is a few numbers, however long a stream runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.rule import Rule
from scenewise.types import Event, EventBox, Why

RELEASE_SECONDS = 2.0  # an occurrence is over once its condition has not held for so long
GAP_SECONDS = 10.0  # across a longer gap between two instants nothing is known to have held


def iso_utc(wall: float) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds")


class EventMaker:
    """Events of one rule on one source.

    The id follows from rule, source, the wall time of the stream's first instant, and the number
    of the event: made again it is the same, so that what is sent twice can be recognised.
    """

    def __init__(self, rule: Rule, source: str) -> None:
        self._rule = rule.name
        self._source = source
        self._start: int | None = None  # milliseconds since 1970
        self._count = 0

    def see(self, seen: Observation) -> None:
        """To be called with every instant: the first says when the stream began."""
        if self._start is None:
            self._start = round((seen.wall - seen.time) * 1000)

    def make(
        self, seen: Observation, match: float, why: Sequence[Why], boxes: Sequence[EventBox] = ()
    ) -> Event:
        """The next event."""
        self.see(seen)
        self._count += 1
        named = f"{self._rule}\0{self._source}\0{self._start}\0{self._count}"
        return Event(
            id=hashlib.sha256(named.encode("utf-8", "surrogatepass")).hexdigest()[:32],
            rule=self._rule,
            source=self._source,
            time=seen.time,
            wall=iso_utc(seen.wall),
            match=min(1.0, max(0.0, match)),
            why=tuple(why),
            boxes=tuple(boxes),
        )


class CoolDown:
    """Silence after an event."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last: float | None = None

    def over(self, time: float) -> bool:
        """Whether an event may be raised now."""
        return self._last is None or time - self._last >= self._seconds

    def begin(self, time: float) -> None:
        """An event was raised."""
        self._last = time


class Gate:
    """Dwell, schedule, cool-down, and one event for each occurrence.

    An occurrence begins when the condition holds, raises once it held for the dwell time within
    the schedule and outside a cool-down, and is over when the condition has not held for
    ``RELEASE_SECONDS``. Before it has raised it must hold at every instant.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._cooldown = CoolDown(rule.cooldown)
        self._since: float | None = None  # when it began to hold, within the schedule
        self._raised = False
        self._held: float | None = None  # the last time when it held
        self._last: float | None = None  # the last instant

    @property
    def holding(self) -> bool:
        """Whether an occurrence is under way: then a weaker condition keeps it."""
        return self._raised or self._since is not None

    def update(self, seen: Observation, holds: bool, since: float | None = None) -> float | None:
        """The time from which it has held, where this instant raises an event; otherwise None.

        ``since``: when it began to hold, where that is known to be earlier than this instant.
        """
        time = seen.time
        if self._last is not None and time - self._last > GAP_SECONDS and not self._raised:
            self._since = None
        self._last = time
        if not holds:
            if not self._raised:
                self._since = None
            elif self._held is None or time - self._held >= RELEASE_SECONDS:
                self._raised, self._since = False, None
            return None
        self._held = time
        if self._raised:
            return None
        if not self._rule.armed(seen.wall):
            self._since = None
            return None
        if self._since is None:
            self._since = time if since is None else min(time, since)
        if time - self._since < self._rule.dwell or not self._cooldown.over(time):
            return None
        self._raised = True
        self._cooldown.begin(time)
        return self._since
