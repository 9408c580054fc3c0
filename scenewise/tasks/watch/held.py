"""What the receivers of events do not have yet: what waits for them, and what was put aside.

It knows a folder of spools; it delivers nothing: that does the next watch with the same folder and
the same receiver.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scenewise.errors import UsageError
from scenewise.tasks.watch.spool import Spool

_FILES = ("webhook-*.db", "mqtt-*.db")  # as ``sinks.spool_file`` names them


@dataclass(frozen=True, slots=True)
class HeldEvent:
    """An event that was put aside, and why."""

    id: str
    rule: str
    source: str
    wall: str  # ISO 8601 in UTC
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """One receiver's events. ``busy``: a watch that runs has them, and nothing is known."""

    file: str
    receiver: str | None
    waiting: int = 0
    aside: tuple[HeldEvent, ...] = ()
    resent: int = 0  # that were put aside and wait again
    busy: bool = False

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def read_held(folder: Path, *, resend: bool = False) -> list[Held]:
    """All receivers of a folder, by file name; none where the folder is not there.

    ``resend``: what was put aside waits again, behind what waits already, and is tried as long as
    new events are. Raises StorageError where a file cannot be read.
    """
    files = sorted(path for pattern in _FILES for path in folder.glob(pattern))
    return [_held(path, resend) for path in files]


def _held(path: Path, resend: bool) -> Held:
    try:
        spool = Spool(path)
    except UsageError:  # another process holds it
        return Held(path.name, None, busy=True)
    try:
        resent = spool.retry_aside() if resend else 0
        aside = tuple(
            HeldEvent(
                event.id,
                str(event.body.get("rule", "")),
                str(event.body.get("source", "")),
                str(event.body.get("wall", "")),
                event.reason,
            )
            for event in spool.aside()
        )
        return Held(path.name, spool.receiver, len(spool), aside, resent)
    finally:
        spool.close()
