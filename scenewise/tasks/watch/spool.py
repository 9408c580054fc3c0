"""Events on disk until the far end has them: first written, then sent.

It knows one SQLite file per receiver and the order of its rows; it knows no network. A row is on
the disk before ``put`` returns (write-ahead log, ``synchronous=FULL``), so it outlives the end of
the process and of the machine. One process holds the file; another that wants it is told so.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenewise.errors import StorageError, UsageError, first_line

logger = logging.getLogger(__name__)

LIMIT = 100_000  # events that wait; beyond it the oldest are put aside
KEEP_SECONDS = 7 * 86_400.0  # so long an event is tried, then it is put aside
_SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL,
  since REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS aside (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, body TEXT NOT NULL, since REAL NOT NULL,
  tries INTEGER NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS receiver (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One event that waits, as it will be sent."""

    seq: int  # rises
    id: str
    body: dict[str, Any]
    tries: int


@dataclass(frozen=True, slots=True)
class Aside:
    """One event that is not sent any more, and why."""

    id: str
    body: dict[str, Any]
    reason: str


class Spool:
    """The events of one receiver, oldest first. May be used by several threads."""

    def __init__(
        self,
        path: Path,
        *,
        receiver: str | None = None,
        limit: int = LIMIT,
        keep_seconds: float = KEEP_SECONDS,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Open or make the file. ``receiver``: whose events these are, fit to be shown.

        Raises StorageError, UsageError where another process has it.
        """
        self._path = path
        self._limit = limit
        self._keep_seconds = keep_seconds
        self._now = now
        self._guard = threading.Lock()
        self._rows = _open(path)
        if receiver is not None:
            with self._rows:
                self._rows.execute("INSERT OR REPLACE INTO receiver VALUES (1, ?)", (receiver,))
        (self._count,) = self._rows.execute("SELECT count(*) FROM waiting").fetchone()

    def __len__(self) -> int:
        return int(self._count)

    def put(self, event_id: str, body: dict[str, Any]) -> None:
        """Write; one that waits already is not written again. Raises StorageError."""
        text = json.dumps(body, allow_nan=False)
        with self._guard:
            try:
                with self._rows:
                    added = self._rows.execute(
                        "INSERT OR IGNORE INTO waiting (id, body, since) VALUES (?, ?, ?)",
                        (event_id, text, self._now()),
                    ).rowcount
            except sqlite3.Error as error:
                raise StorageError(
                    f"an event could not be written to {self._path} ({first_line(error)}); free "
                    "space there, or watch with another folder for events."
                ) from error
            self._count += added
            beyond = self._count - self._limit
        for _ in range(beyond):
            oldest = self.oldest()
            if oldest is not None:
                self.put_aside(oldest, f"more than {self._limit} events wait")

    def oldest(self) -> Waiting | None:
        """The event that is sent next; those that were tried for too long are put aside."""
        while True:
            with self._guard:
                row = self._rows.execute(
                    "SELECT seq, id, body, tries, since FROM waiting ORDER BY seq LIMIT 1"
                ).fetchone()
            if row is None:
                return None
            found = Waiting(row[0], row[1], json.loads(row[2]), row[3])
            if not row[3] or self._now() - row[4] <= self._keep_seconds:
                return found
            days = self._keep_seconds / 86_400
            self.put_aside(found, f"it could not be delivered for {days:g} days")

    def delivered(self, event: Waiting) -> None:
        """The far end has it."""
        with self._guard, self._rows:
            gone = self._rows.execute("DELETE FROM waiting WHERE seq = ?", (event.seq,)).rowcount
            self._count -= gone

    def failed(self, event: Waiting) -> None:
        """It was tried once more."""
        with self._guard, self._rows:
            self._rows.execute("UPDATE waiting SET tries = tries + 1 WHERE seq = ?", (event.seq,))

    def put_aside(self, event: Waiting, reason: str) -> None:
        """It is not tried any more; it stays in the file until ``limit`` others are there."""
        logger.warning(
            "event %s was put aside in %s: %s. It is kept there, and no longer sent; "
            "'scenewise events' shows it.",
            event.id,
            self._path,
            reason,
        )
        with self._guard, self._rows:
            self._rows.execute(
                "INSERT OR REPLACE INTO aside SELECT seq, id, body, since, tries, ? "
                "FROM waiting WHERE seq = ?",
                (reason, event.seq),
            )
            self._count -= self._rows.execute(
                "DELETE FROM waiting WHERE seq = ?", (event.seq,)
            ).rowcount
            self._rows.execute(
                "DELETE FROM aside WHERE seq <= (SELECT max(seq) FROM aside) - ?", (self._limit,)
            )

    @property
    def receiver(self) -> str | None:
        """Whose events these are; None in a file that never knew."""
        with self._guard:
            row = self._rows.execute("SELECT name FROM receiver").fetchone()
        return None if row is None else str(row[0])

    def aside(self) -> list[Aside]:
        """What was put aside, oldest first."""
        with self._guard:
            rows = self._rows.execute("SELECT id, body, reason FROM aside ORDER BY seq").fetchall()
        return [Aside(name, json.loads(body), reason) for name, body, reason in rows]

    def retry_aside(self) -> int:
        """Send what was put aside after all, behind what waits; how many."""
        with self._guard, self._rows:
            count = self._rows.execute(
                "INSERT OR IGNORE INTO waiting (id, body, since) SELECT id, body, ? FROM aside "
                "ORDER BY seq",
                (self._now(),),
            ).rowcount
            self._rows.execute("DELETE FROM aside")
            self._count += count
        return count

    def close(self) -> None:
        """Let another process have the file."""
        with self._guard:
            self._rows.close()


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = sqlite3.connect(path, check_same_thread=False, timeout=0)
        try:
            # held until the process ends, however it ends
            rows.execute("PRAGMA locking_mode = EXCLUSIVE")
            rows.execute("PRAGMA journal_mode = WAL")
            rows.execute("PRAGMA synchronous = FULL")
            rows.execute("PRAGMA journal_size_limit = 16777216")
            rows.executescript(_SCHEMA)
            rows.execute("BEGIN EXCLUSIVE")
            rows.commit()
        except BaseException:
            rows.close()
            raise
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise UsageError(
                f"another process delivers the events of {path}; end it, or give this one a "
                "folder of its own for events."
            ) from None
        raise StorageError(_cannot(path, error)) from error
    except (sqlite3.Error, OSError) as error:
        raise StorageError(_cannot(path, error)) from error
    return rows


def _cannot(path: Path, error: Exception) -> str:
    return (
        f"the events that wait in {path} cannot be opened ({first_line(error)}); correct the "
        "permissions, or name another folder for events."
    )
