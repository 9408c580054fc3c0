"""Events over MQTT, with Home Assistant's discovery.

It knows a broker, topics and payloads; retries and the spool are ``delivery``'s. For each rule on
each source there is a device class of its own: a binary sensor that is on after an event and off
again after a while, and for a line two counters. Topics, below ``scenewise/NODE``:

    status                      online or offline (retained; the broker says offline when we die)
    OBJECT/state                ON or OFF (retained)
    OBJECT/event                the event's JSON (not retained)
    OBJECT/in, OBJECT/out       counts of a line (retained)

and below ``homeassistant`` the retained descriptions. Everything goes at quality of service 1.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from scenewise.errors import MissingExtraError, UsageError, first_line
from scenewise.tasks.watch.crossings import read_counts
from scenewise.tasks.watch.delivery import TryAgainError
from scenewise.tasks.watch.rule import Rule
from scenewise.tasks.watch.spool import Waiting
from scenewise.types import Event

ROOT = "scenewise"
DISCOVERY = "homeassistant"
OFF_SECONDS = 30.0
CONNECT_SECONDS = 10.0
CONFIRM_SECONDS = 10.0
KEEPALIVE_SECONDS = 30
_PORTS = {"mqtt": 1883, "mqtts": 8883}


@dataclass(frozen=True, slots=True)
class Broker:
    """Where a broker is, and who we are there."""

    host: str
    port: int
    tls: bool
    username: str | None
    password: str | None

    @classmethod
    def parse(cls, url: str, username: str | None = None, password: str | None = None) -> Broker:
        """``mqtt://[user[:password]@]host[:port]``, or mqtts. Raises UsageError."""
        try:
            parts = urlsplit(url.strip() if "://" in url else f"mqtt://{url.strip()}")
            host, port = parts.hostname, parts.port
        except ValueError:
            raise UsageError(
                "the broker's address is not valid; write mqtt://host:1883 or mqtts://host."
            ) from None
        if parts.scheme not in _PORTS or not host or parts.path not in ("", "/") or parts.query:
            raise UsageError(
                f"the broker {parts.scheme}://{host or ''} is no address of MQTT; write "
                "mqtt://host:1883 or mqtts://host."
            )
        return cls(
            host=host,
            port=port or _PORTS[parts.scheme],
            tls=parts.scheme == "mqtts",
            username=unquote(parts.username) if parts.username else username,
            password=unquote(parts.password) if parts.password else password,
        )

    def __repr__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def object_of(rule: str, source: str) -> str:
    """The part of the topics that names a rule on a source: readable, and unique."""
    words = re.sub(r"[^a-z0-9]+", "_", f"{rule}_{source}".lower()).strip("_")[:48]
    digest = hashlib.sha256(f"{rule}\0{source}".encode("utf-8", "surrogatepass")).hexdigest()
    return f"{words}_{digest[:8]}".lstrip("_")


def discovery(node: str, rule: str, source: str, *, counts: bool) -> dict[str, dict[str, Any]]:
    """Topic to description, as Home Assistant reads them."""
    thing = object_of(rule, source)
    base = f"{ROOT}/{node}/{thing}"
    shared: dict[str, Any] = {
        "availability_topic": f"{ROOT}/{node}/status",
        "device": {
            "identifiers": [f"{ROOT}_{node}_{object_of('', source)}"],
            "name": f"scenewise {source}",
            "manufacturer": "scenewise",
        },
        "origin": {"name": "scenewise"},
    }
    found = {
        f"{DISCOVERY}/binary_sensor/{node}/{thing}/config": {
            "name": rule,
            "unique_id": f"{ROOT}_{node}_{thing}",
            "state_topic": f"{base}/state",
            "payload_on": "ON",
            "payload_off": "OFF",
            "off_delay": round(OFF_SECONDS),
            "json_attributes_topic": f"{base}/event",
            **shared,
        }
    }
    for way in ("in", "out") if counts else ():
        found[f"{DISCOVERY}/sensor/{node}/{thing}_{way}/config"] = {
            "name": f"{rule} {way}",
            "unique_id": f"{ROOT}_{node}_{thing}_{way}",
            "state_topic": f"{base}/{way}",
            "state_class": "total_increasing",
            **shared,
        }
    return found


class Mqtt:
    """One broker that takes events. Implements ``Transport``.

    ``pairs``: rules and the sources that they are for, announced at once; others when they raise.
    """

    def __init__(
        self,
        broker: Broker,
        *,
        node: str = "scenewise",
        pairs: Sequence[tuple[Rule, str]] = (),
        off_seconds: float = OFF_SECONDS,
        reconnect_seconds: int = 1,
    ) -> None:
        """Connect in the background, again after ``reconnect_seconds`` at first.

        Raises MissingExtraError.
        """
        try:
            from paho.mqtt import client as paho
        except ImportError:
            raise MissingExtraError(
                "MQTT needs paho-mqtt, which is not installed: pip install 'scenewise[mqtt]'"
            ) from None
        self.name = f"the broker {broker!r}"
        self._paho = paho
        self._broker = broker
        self._node = re.sub(r"[^A-Za-z0-9_-]+", "_", node) or ROOT
        self._known = {(rule.name, source): rule.kind == "line" for rule, source in pairs}
        self._off_seconds = off_seconds
        self._off_at: dict[str, float] = {}  # state topic to when it goes off
        self._state = threading.Condition()
        self._online = False
        self._refused: str | None = None
        self._closing = False
        self._client = self._make_client()
        self._client.reconnect_delay_set(reconnect_seconds, 60)
        self._client.connect_async(broker.host, broker.port, keepalive=KEEPALIVE_SECONDS)
        self._client.loop_start()

    def carry(self, event: Waiting) -> None:
        """See ``Transport``: the event, its counts, and on; confirmed by the broker."""
        self._check_connected()
        told = event_of(event.body)
        counts = read_counts(told)
        pair = (told.rule, told.source)
        if pair not in self._known:
            self._known[pair] = counts is not None
            self._announce(pair)
        base = f"{ROOT}/{self._node}/{object_of(*pair)}"
        messages = [(f"{base}/event", json.dumps(event.body), False)]
        if counts is not None:
            messages += [
                (f"{base}/in", str(counts[0]), True),
                (f"{base}/out", str(counts[1]), True),
            ]
        messages.append((f"{base}/state", "ON", True))
        for topic, payload, retain in messages:
            self._publish(topic, payload, retain=retain)
        self._off_at[f"{base}/state"] = time.monotonic() + self._off_seconds

    def idle(self) -> None:
        """See ``Transport``: what has been on for long enough goes off."""
        now = time.monotonic()
        for topic, at in list(self._off_at.items()):
            if at <= now and self._online:
                self._publish(topic, "OFF", retain=True)
                del self._off_at[topic]

    def close(self) -> None:
        """Say that we are gone, and go; who waits for the broker waits no longer."""
        with self._state:
            self._closing = True
            self._state.notify_all()
        if self._online:
            gone = self._client.publish(self._status, "offline", qos=1, retain=True)
            # where the connection broke meanwhile the broker says it for us
            with suppress(RuntimeError, ValueError):
                gone.wait_for_publish(2.0)
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def _status(self) -> str:
        return f"{ROOT}/{self._node}/status"

    def _make_client(self) -> Any:
        client = self._paho.Client(self._paho.CallbackAPIVersion.VERSION2)
        broker = self._broker
        if broker.username or broker.password:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls:
            client.tls_set()
        client.will_set(self._status, "offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        return client

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: Any, more: Any) -> None:
        del client, userdata, flags, more
        if code.is_failure:
            self._become(online=False, refused=str(code).lower())
            return
        self._client.publish(self._status, "online", qos=1, retain=True)
        for pair in list(self._known):
            self._announce(pair)
            state = f"{ROOT}/{self._node}/{object_of(*pair)}/state"
            if state not in self._off_at:  # it may have stayed on when we died
                self._client.publish(state, "OFF", qos=1, retain=True)
        self._become(online=True, refused=None)

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: Any, more: Any) -> None:
        del client, userdata, flags, code, more
        self._become(online=False, refused=self._refused)

    def _become(self, *, online: bool, refused: str | None) -> None:
        with self._state:
            self._online, self._refused = online, refused
            self._state.notify_all()

    def _announce(self, pair: tuple[str, str]) -> None:
        shapes = discovery(self._node, *pair, counts=self._known[pair])
        for topic, shape in shapes.items():
            self._client.publish(topic, json.dumps(shape), qos=1, retain=True)

    def _check_connected(self) -> None:
        with self._state:
            self._state.wait_for(
                lambda: self._online or self._refused or self._closing, CONNECT_SECONDS
            )
            if not self._online:
                refused = self._refused
                why = f"it does not let us in: {refused}" if refused else "it cannot be reached"
                raise TryAgainError(why)

    def _publish(self, topic: str, payload: str, *, retain: bool) -> None:
        """Confirmed, or TryAgainError."""
        sent = self._client.publish(topic, payload, qos=1, retain=retain)
        try:
            sent.wait_for_publish(CONFIRM_SECONDS)
            confirmed = sent.is_published()
        except (RuntimeError, ValueError) as error:  # not connected any more; queue full
            raise TryAgainError(first_line(error)) from None
        if not confirmed:
            raise TryAgainError("it did not confirm in time")


def event_of(body: dict[str, Any]) -> Event:
    """The event whose JSON waited on the disk."""
    return Event.from_dict(body)
