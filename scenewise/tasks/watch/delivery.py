"""From the spool to the far end: in order, retried, at least once.

It knows a spool and something that carries one event; it knows no protocol. Events are removed
from the spool only after the far end has confirmed them, so whatever dies in between, the next run
sends them again, with the same id.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from pathlib import Path
from typing import Protocol

from scenewise.errors import first_line
from scenewise.tasks.watch.spool import Spool, Waiting
from scenewise.types import Event

logger = logging.getLogger(__name__)

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 60.0
_REMINDER_SECONDS = 300.0  # a far end that stays away is mentioned again after so long
IDLE_SECONDS = 1.0


class TryAgainError(Exception):
    """The far end did not take it now; ``after_seconds`` where it said when to come again."""

    def __init__(self, reason: str, after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.after_seconds = after_seconds


class RejectedError(Exception):
    """The far end will never take this event."""


class Transport(Protocol):
    """Carries events to one far end; used by one thread."""

    name: str  # fit to be shown: without passwords

    def carry(self, event: Waiting) -> None:
        """Return once the far end has confirmed. Raises TryAgainError, RejectedError."""
        ...

    def idle(self) -> None:
        """Called about once a second, and after each event."""
        ...

    def close(self) -> None:
        """Hang up, from another thread, and let no ``carry`` wait any longer."""
        ...


class Delivery:
    """A sink: events are on the disk when ``send`` returns, and a thread takes them further."""

    def __init__(
        self, spool: Spool, transport: Transport, *, first_wait: float = FIRST_WAIT_SECONDS
    ) -> None:
        self._spool = spool
        self._transport = transport
        self._first_wait = first_wait
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._ending = threading.Event()  # leave as soon as nothing waits
        self._reminded = float("-inf")
        self._jitter = random.Random()
        name = f"delivery to {transport.name}"
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many events the far end does not have yet."""
        return len(self._spool)

    def send(self, event: Event, snapshot: Path | None, clip: Path | None) -> None:
        """See ``Sink``. Raises StorageError where the disk does not take the event."""
        body = event.to_dict()
        body |= {name: str(path) for name, path in _files(snapshot, clip)}
        self._spool.put(event.id, body)
        self._wake.set()

    def close(self, timeout_seconds: float) -> None:
        """See ``Sink``."""
        self._ending.set()
        self._wake.set()
        self._thread.join(timeout_seconds)
        self._stop.set()
        self._wake.set()
        self._transport.close()
        self._thread.join(1.0)
        left = len(self._spool)
        if left:
            logger.warning(
                "%d event(s) could not be delivered to %s; they are kept and sent by the next "
                "run with the same folder for events.",
                left,
                self._transport.name,
            )
        if not self._thread.is_alive():  # otherwise it is caught in a request, and ends with us
            self._spool.close()

    def _run(self) -> None:
        failures = 0
        while not self._stop.is_set():
            try:
                event = self._spool.oldest()
                wait = None if event is None else self._attempt(event, failures)
            except sqlite3.Error as error:  # a full disk, as a rule: it may have room later
                logger.warning("the events that wait cannot be read: %s", first_line(error))
                event, wait = None, LONGEST_WAIT_SECONDS
            self._idle()
            if wait is not None:
                failures += 1
                self._stop.wait(wait)
                continue
            failures = 0
            if event is None:
                if self._ending.is_set():
                    return
                self._wake.wait(IDLE_SECONDS)
                self._wake.clear()

    def _attempt(self, event: Waiting, failures: int) -> float | None:
        """None when it is gone from the spool, otherwise the seconds to wait."""
        try:
            self._transport.carry(event)
        except RejectedError as error:
            self._spool.put_aside(event, str(error))
        except TryAgainError as error:
            return self._later(event, failures, str(error), error.after_seconds)
        except Exception as error:  # whatever a transport meets, the events behind it must go on
            logger.debug("unexpected while delivering", exc_info=True)
            return self._later(event, failures, f"{type(error).__name__}: {error}", None)
        else:
            self._spool.delivered(event)
            if failures:
                logger.warning("%s takes events again.", self._transport.name)
                self._reminded = float("-inf")
        return None

    def _later(
        self, event: Waiting, failures: int, reason: str, after_seconds: float | None
    ) -> float:
        self._spool.failed(event)
        wait = min(LONGEST_WAIT_SECONDS, self._first_wait * 2.0 ** min(failures, 20))
        wait *= self._jitter.uniform(0.75, 1.0)  # many watchers shall not come at once
        if after_seconds is not None:
            wait = min(max(wait, after_seconds), 10 * LONGEST_WAIT_SECONDS)
        if time.monotonic() - self._reminded >= _REMINDER_SECONDS:
            self._reminded = time.monotonic()
            logger.warning(
                "%s does not take events (%s); %d wait on the disk, and it is tried again.",
                self._transport.name,
                reason,
                len(self._spool),
            )
        return wait

    def _idle(self) -> None:
        try:
            self._transport.idle()
        except Exception:  # as above: it must not end the thread
            logger.debug("unexpected while idle", exc_info=True)


def _files(snapshot: Path | None, clip: Path | None) -> list[tuple[str, Path]]:
    given = (("snapshot", snapshot), ("clip", clip))
    return [(name, path) for name, path in given if path is not None]
