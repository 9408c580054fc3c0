"""Where the streams leave what is to be encoded: one small place each, the newest wins.

It knows instants and threads that wait for each other; it knows no decoder and no encoder.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from scenewise.media.motion import MovingBox
from scenewise.types import Sound

Picture = npt.NDArray[np.uint8]
_WAITING_LOSSLESS = 8  # instants of a recording that may wait
_CARRIED = 512  # moving boxes and sounds that an instant takes over from those that it replaces


@dataclass(frozen=True, slots=True, eq=False)
class Instant:
    """What is to be analysed: one window of pictures, and what moved and sounded before it."""

    source: int  # its number
    time: float  # seconds on the stream's clock
    wall: float  # seconds since 1970
    window: Picture  # (T, H, W, 3) as the encoder wants them
    image: Picture  # (H, W, 3), larger, for people
    moving: tuple[MovingBox, ...] = ()
    sounds: tuple[Sound, ...] = ()


class Mailbox:
    """One place per stream. A live stream's newer instant replaces the one that still waits."""

    def __init__(self, sources: int) -> None:
        self._places: list[deque[Instant]] = [deque() for _ in range(sources)]
        self._open = set(range(sources))
        self._changed = threading.Condition()
        self._next = 0  # whose turn it is
        self._stopped = False

    def put(self, instant: Instant, *, lossless: bool) -> int:
        """Leave an instant and return how many it replaced; waits for room where ``lossless``."""
        with self._changed:
            place = self._places[instant.source]
            if lossless:
                self._changed.wait_for(lambda: len(place) < _WAITING_LOSSLESS or self._stopped)
            replaced = 0
            while place and not lossless:
                # what moved and sounded was seen, even if the picture will not be
                instant = _joined(place.pop(), instant)
                replaced += 1
            if not self._stopped:
                place.append(instant)
            self._changed.notify_all()
            return replaced

    def close(self, source: int) -> None:
        """A stream has ended; what it left is still taken."""
        with self._changed:
            self._open.discard(source)
            self._changed.notify_all()

    def stop(self) -> None:
        """Take no more; nobody waits for room any longer."""
        with self._changed:
            self._stopped = True
            self._open.clear()
            self._changed.notify_all()

    def take(self, most: int) -> list[Instant] | None:
        """What waits, from each stream in turn, as soon as there is something; None: all over."""
        with self._changed:
            self._changed.wait_for(lambda: any(self._places) or not self._open)
            if not any(self._places):
                return None
            taken: list[Instant] = []
            count = len(self._places)
            while len(taken) < most and any(self._places):
                place = self._places[self._next]
                self._next = (self._next + 1) % count
                if place:
                    taken.append(place.popleft())
            self._changed.notify_all()
            return taken


def _joined(old: Instant, new: Instant) -> Instant:
    if not (old.moving or old.sounds):
        return new
    return replace(
        new,
        moving=(*old.moving, *new.moving)[-_CARRIED:],
        sounds=(*old.sounds, *new.sounds)[-_CARRIED:],
    )
