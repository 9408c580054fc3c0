"""Where events go: a file or stream of JSON lines, a webhook, a broker.

It knows which outputs a person asked for and opens them; each one's own ways are its module's.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from scenewise.errors import StorageError
from scenewise.tasks.watch.delivery import Delivery
from scenewise.tasks.watch.nouns import Sink
from scenewise.tasks.watch.rule import Rule
from scenewise.tasks.watch.spool import Spool
from scenewise.types import Event


@dataclass(frozen=True, slots=True)
class SinkSettings:
    """What a person asked for. Passwords and the like are not shown when it is printed."""

    spool: Path  # the folder in which events wait for webhooks and brokers
    jsonl: Path | None = None
    webhooks: tuple[str, ...] = ()
    webhook_secret: str | None = field(default=None, repr=False)
    webhook_token: str | None = field(default=None, repr=False)
    mqtt: str | None = field(default=None, repr=False)  # may hold a password
    mqtt_username: str | None = None
    mqtt_password: str | None = field(default=None, repr=False)
    mqtt_node: str = "scenewise"  # tells two watchers on one broker apart
    rules: tuple[Rule, ...] = ()
    sources: tuple[str, ...] = ()


def open_sinks(settings: SinkSettings) -> list[Sink]:
    """All outputs, open; none stays open where one of them cannot be.

    Raises UsageError for an address that is none, MissingExtraError, StorageError.
    """
    opened: list[Sink] = []
    try:
        if settings.jsonl is not None:
            opened.append(JsonLines.to_file(settings.jsonl))
        for url in settings.webhooks:
            opened.append(_webhook(settings, url))
        if settings.mqtt is not None:
            opened.append(_mqtt(settings, settings.mqtt))
    except BaseException:
        for sink in opened:
            sink.close(0)
        raise
    return opened


def _webhook(settings: SinkSettings, url: str) -> Delivery:
    from scenewise.tasks.watch.webhook import Webhook

    transport = Webhook(url, secret=settings.webhook_secret, token=settings.webhook_token)
    spool = Spool(spool_file(settings.spool, "webhook", url), receiver=transport.name)
    return Delivery(spool, transport)


def _mqtt(settings: SinkSettings, url: str) -> Delivery:
    from scenewise.tasks.watch.mqtt import Broker, Mqtt

    broker = Broker.parse(url, settings.mqtt_username, settings.mqtt_password)
    address = f"{broker!r}/{settings.mqtt_node}"
    spool = Spool(
        spool_file(settings.spool, "mqtt", address),
        receiver=f"the broker {broker!r} as {settings.mqtt_node}",
    )
    pairs = [
        (rule, source)
        for source in settings.sources
        for rule in settings.rules
        if rule.applies_to(source)
    ]
    try:
        return Delivery(spool, Mqtt(broker, node=settings.mqtt_node, pairs=pairs))
    except BaseException:
        spool.close()
        raise


def spool_file(folder: Path, kind: str, address: str) -> Path:
    """The file of one receiver: the same in every run, and without what may be secret."""
    return folder / f"{kind}-{hashlib.sha256(address.encode()).hexdigest()[:16]}.db"


class JsonLines:
    """One line of JSON an event, at once."""

    def __init__(self, stream: TextIO, *, owned: bool = False) -> None:
        """``owned``: the stream is a file of ours, flushed to the disk and closed by us."""
        self._stream = stream
        self._owned = owned
        self._guard = threading.Lock()

    @classmethod
    def to_file(cls, path: Path) -> JsonLines:
        """Append to a file. Raises StorageError."""
        try:
            return cls(path.open("a", encoding="utf-8"), owned=True)
        except OSError as error:
            raise StorageError(
                f"events cannot be written to {path}: {error.strerror or error}; name a file "
                "in a folder that is there and can be written."
            ) from error

    def send(self, event: Event, snapshot: Path | None, clip: Path | None) -> None:
        """See ``Sink``. Raises StorageError where the line cannot be written."""
        shape = event.to_dict()
        if snapshot is not None:
            shape["snapshot"] = str(snapshot)
        if clip is not None:
            shape["clip"] = str(clip)
        line = json.dumps(shape, allow_nan=False)
        with self._guard:
            try:
                self._stream.write(line + "\n")
                self._stream.flush()
                if self._owned:
                    os.fsync(self._stream.fileno())
            except OSError as error:
                raise StorageError(
                    f"an event could not be written: {error.strerror or error}."
                ) from error

    def close(self, timeout_seconds: float) -> None:
        """See ``Sink``."""
        del timeout_seconds
        if self._owned:
            self._stream.close()
