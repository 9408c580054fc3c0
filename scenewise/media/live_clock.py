"""From the time stamps of a stream that breaks off and comes back to a time that only rises.

It knows numbers: stamps, arrivals and pauses. It knows no packet, no network and no thread.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

# A stamp that moves this much otherwise than the wall clock begins a new count: a server that
# was restarted, a counter that ran over.
JUMP_SECONDS = 5.0
# Who had to wait for a packet has read everything before it: it is then not behind.
_WAITED_SECONDS = 0.02
_LATE_SECONDS = 1.0
# How fast the smallest delay may be forgotten: clocks of cameras are off by far less than this.
_DRIFT = 1e-3
_STEP_SECONDS = 1e-3  # between the last instant before a break and the first one after it
_EPSILON_SECONDS = 1e-6


@dataclass(slots=True)
class StreamClock:
    """Places stamps on the stream's time and on the wall clock.

    ``time`` starts at 0 with the first stamp and follows the stamps. ``live``: over a break it
    follows the wall clock; otherwise (a recording) only a step back is a break, and time goes on
    after it. ``paced``: packets are there before their time, and whoever reads waits for it; a
    stream that is not paced comes when it comes, and the smallest delay seen between stamp and
    arrival is the delay of the line: what comes later is late.
    """

    live: bool = True
    paced: bool = False
    origin_wall: float | None = None  # when the first packet came
    last_time: float = -math.inf  # the latest instant that was handed on
    _base_stamp: float = 0.0
    _base_time: float = 0.0
    _delay: float = 0.0  # wall - stamp on the line
    _last_stamp: float | None = None
    _last_arrival: float = 0.0
    _latest: float = 0.0  # the latest time of any packet

    def disconnect(self) -> None:
        """The next stamp begins a new count."""
        self._last_stamp = None

    def arrive(
        self, stamp: float, now: float, waited: float = 0.0, *, shown: float | None = None
    ) -> bool:
        """Take the stamp of a packet, in the order of decoding; True where a new count began.

        ``waited``: seconds that the line let the reader wait for this packet; ``shown``: the
        stamp at which its picture is shown, where that is another one.
        """
        shown = stamp if shown is None else shown
        new = self._breaks(stamp, now)
        if new:
            self._begin(stamp, now, shown)
        elif self.paced:
            self._delay += min(waited, max(0.0, now - stamp - self._delay))
        else:
            delay = now - stamp
            drifted = self._delay + _DRIFT * max(0.0, now - self._last_arrival)
            held_up = waited >= _WAITED_SECONDS and delay - self._delay > _LATE_SECONDS
            self._delay = delay if held_up else min(delay, drifted)
        self._last_stamp, self._last_arrival = stamp, now
        self._latest = max(self._latest, self.time_of(shown))
        return new

    def _breaks(self, stamp: float, now: float) -> bool:
        if self._last_stamp is None:
            return True
        step = stamp - self._last_stamp
        if not self.live:
            return step < -JUMP_SECONDS
        # a reader that was busy takes many packets at once: small steps are none of a new count
        return (
            not 0 <= step < JUMP_SECONDS and abs(step - (now - self._last_arrival)) > JUMP_SECONDS
        )

    def _begin(self, stamp: float, now: float, shown: float) -> None:
        if self.origin_wall is None:
            self.origin_wall = now
        else:
            after = self._latest + _STEP_SECONDS
            self._base_time = max(after, now - self.origin_wall) if self.live else after
        self._base_stamp, self._delay = shown, now - stamp

    @property
    def counts(self) -> bool:
        """Whether a first stamp has come since the last break."""
        return self._last_stamp is not None

    def time_of(self, stamp: float) -> float:
        """Seconds from the stream's first packet; what stands before its count's first is that."""
        return self._base_time + max(0.0, stamp - self._base_stamp)

    def wall_of(self, stamp: float) -> float:
        """Seconds since 1970 at which this stamp comes when nothing holds it up."""
        return stamp + self._delay

    def lag(self, now: float) -> float:
        """Seconds by which the last packet was taken later than it could have been."""
        if self._last_stamp is None:
            return 0.0
        return max(0.0, now - self.wall_of(self._last_stamp))

    def hand_on(self, time: float) -> bool:
        """Note an instant; False where it does not rise, and is to be left out."""
        if time <= self.last_time:
            return False
        self.last_time = time
        return True


@dataclass(slots=True)
class Ticks:
    """Instants k / rate: which frames are wanted at some rate, whatever the stream's own is."""

    rate: float  # per second
    due: float = 0.0  # seconds

    def wants(self, time: float) -> bool:
        """Whether this is the first frame at or after the instant that is due."""
        return time >= self.due - _EPSILON_SECONDS

    def take(self, time: float) -> None:
        """A frame was taken: the next instant is due."""
        self.due = (math.floor(time * self.rate + _EPSILON_SECONDS) + 1) / self.rate

    def passed(self, time: float) -> int:
        """How many instants are due before this one."""
        return max(0, math.floor((time - self.due) * self.rate + _EPSILON_SECONDS))


def pauses(
    first_seconds: float, longest_seconds: float, chance: random.Random | None = None
) -> Iterator[float]:
    """How long to wait before each further attempt: doubling up to a cap, half of it by chance.

    The chance keeps many readers from coming back to a server in the same instant (Marc Brooker,
    "Exponential Backoff and Jitter", 2015: equal jitter).
    """
    chance = chance or random.Random()
    pause = first_seconds
    while True:
        yield pause / 2 + chance.uniform(0.0, pause / 2)
        pause = min(longest_seconds, pause * 2)
