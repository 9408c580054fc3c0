"""MQTT against Debian's Mosquitto: discovery, states, counts, and a broker that is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from broker import Listener, Mosquitto, wait_until

from scenewise.errors import UsageError
from scenewise.tasks.watch.delivery import Delivery
from scenewise.tasks.watch.mqtt import Broker, Mqtt, discovery, object_of
from scenewise.tasks.watch.rule import Line, Rule
from scenewise.tasks.watch.sinks import SinkSettings, open_sinks
from scenewise.tasks.watch.spool import Spool
from scenewise.types import Event, Why

DOOR = Rule(name="a person at the door", sentence="a person at the door")
GATE = Rule(name="gate", line=Line(points=((0, 0.5), (1, 0.5))))
DOOR_CAM, GATE_CAM = object_of(DOOR.name, "cam"), object_of("gate", "cam")


@pytest.fixture(scope="module")
def mosquitto_program() -> str:
    """Where Debian puts it; must be there in CI."""
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("mosquitto is not installed, and in CI it must be: see DEBIAN_PACKAGES")
        pytest.skip("mosquitto is not installed: events over a real broker were not checked")
    return found


@pytest.fixture
def broker(mosquitto_program: str, tmp_path: Path) -> Iterator[Mosquitto]:
    found = Mosquitto(mosquitto_program, tmp_path)
    yield found
    found.kill()


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    found = Listener(broker.port)
    yield found
    found.close()


def delivery(
    broker: Mosquitto, folder: Path, *, off_seconds: float = 60.0, reconnect_seconds: int = 1
) -> Delivery:
    transport = Mqtt(
        Broker("127.0.0.1", broker.port, False, None, None),
        node="house",
        pairs=[(DOOR, "cam"), (GATE, "cam")],
        off_seconds=off_seconds,
        reconnect_seconds=reconnect_seconds,
    )
    return Delivery(Spool(folder / "mqtt.db"), transport, first_wait=0.05)


def event(number: int, rule: str = DOOR.name, *why: Why) -> Event:
    return Event(
        f"id-{number}", rule, "cam", float(number), "2026-03-01T22:00:00.000+00:00", 0.9, why
    )


def ids(listener: Listener) -> list[str]:
    return [json.loads(payload)["id"] for payload in listener.payloads("/event")]


def test_rules_are_announced_and_an_event_turns_on(
    broker: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    sink = delivery(broker, tmp_path)
    base = f"scenewise/house/{DOOR_CAM}"
    sink.send(event(1), Path("/s.jpg"), None)
    assert listener.wait_for(lambda heard: (f"{base}/state", "ON", False) in heard)
    sink.close(5)
    told = {topic: payload for topic, payload, _ in listener.heard}
    shape = json.loads(told[f"homeassistant/binary_sensor/house/{DOOR_CAM}/config"])
    assert shape["state_topic"] == f"{base}/state"
    assert shape["availability_topic"] == "scenewise/house/status"
    assert shape["json_attributes_topic"] == f"{base}/event"
    assert shape["device"]["name"] == "scenewise cam"
    assert shape["name"] == DOOR.name
    expected = event(1).to_dict() | {"snapshot": "/s.jpg"}
    assert json.loads(told[f"{base}/event"]) == json.loads(json.dumps(expected))
    assert listener.wait_for(lambda heard: heard[-1][:2] == ("scenewise/house/status", "offline"))
    topics = [topic for topic, _, _ in listener.heard]
    assert topics.index(f"{base}/event") < len(topics) - topics[::-1].index(f"{base}/state")


def test_what_is_retained_is_there_for_who_comes_later(broker: Mosquitto, tmp_path: Path) -> None:
    sink = delivery(broker, tmp_path)
    sink.send(event(1, "gate", Why("motion", "crossed in (in 3, out 1)")), None, None)
    first = Listener(broker.port)
    assert first.wait_for(
        lambda heard: any(topic.endswith(f"{GATE_CAM}/out") for topic, *_ in heard)
    )
    first.close()
    assert first.wait_for(lambda heard: True)
    late = Listener(broker.port)
    assert late.wait_for(lambda heard: len(heard) >= 9)
    late.close()
    sink.close(5)
    kept = {topic: payload for topic, payload, retained in late.heard if retained}
    assert kept["scenewise/house/status"] == "online"
    assert kept[f"scenewise/house/{GATE_CAM}/in"] == "3"
    assert kept[f"scenewise/house/{GATE_CAM}/out"] == "1"
    counter = json.loads(kept[f"homeassistant/sensor/house/{GATE_CAM}_in/config"])
    assert counter["state_class"] == "total_increasing"
    assert f"homeassistant/binary_sensor/house/{DOOR_CAM}/config" in kept
    assert f"scenewise/house/{GATE_CAM}/event" not in kept


def test_it_goes_off_after_a_time(broker: Mosquitto, listener: Listener, tmp_path: Path) -> None:
    sink = delivery(broker, tmp_path, off_seconds=0.1)
    sink.send(event(1), None, None)
    state = f"scenewise/house/{DOOR_CAM}/state"
    assert listener.wait_for(
        lambda heard: (
            [payload for topic, payload, _ in heard if topic == state][-2:] == ["ON", "OFF"]
        )
    )
    sink.close(5)


def test_a_rule_that_was_not_announced_is_when_it_raises(
    broker: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    sink = delivery(broker, tmp_path)
    sink.send(event(1, "new"), None, None)
    thing = object_of("new", "cam")
    assert listener.wait_for(
        lambda heard: any(topic.endswith(f"{thing}/state") for topic, *_ in heard)
    )
    sink.close(5)
    assert listener.payloads(f"binary_sensor/house/{thing}/config")


def test_outputs_that_are_asked_for_announce_the_rules_of_each_source(
    broker: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    yard = Rule(name="yard", anomaly=True, sources=("yard*",))
    (sink,) = open_sinks(
        SinkSettings(
            spool=tmp_path,
            mqtt=f"mqtt://127.0.0.1:{broker.port}",
            mqtt_node="my house",
            rules=(DOOR, yard),
            sources=("cam", "yard 1"),
        )
    )
    sink.send(event(1), None, None)
    assert listener.wait_for(lambda heard: len(ids(listener)) == 1)
    sink.close(5)
    announced = {
        json.loads(payload)["name"] + " " + json.loads(payload)["device"]["name"]
        for payload in listener.payloads("/config")
    }
    assert announced == {
        f"{DOOR.name} scenewise cam",
        f"{DOOR.name} scenewise yard 1",
        "yard scenewise yard 1",
    }
    assert all("/my_house/" in topic for topic, _, _ in listener.heard)
    assert len(list(tmp_path.glob("mqtt-*.db"))) == 1


@pytest.mark.slow
def test_a_broker_that_is_killed_gets_every_event_when_it_is_back(
    broker: Mosquitto, tmp_path: Path
) -> None:
    listener = Listener(broker.port)
    # late enough for somebody to listen again before
    sink = delivery(broker, tmp_path, reconnect_seconds=3)
    for number in range(3):
        sink.send(event(number), None, None)
    assert listener.wait_for(lambda heard: len(ids(listener)) >= 3)
    listener.close()
    broker.kill()
    for number in range(3, 8):
        sink.send(event(number), None, None)
    broker.start()
    again = Listener(broker.port)
    assert again.wait_for(lambda heard: {f"id-{n}" for n in range(3, 8)} <= set(ids(again)), 40)
    sink.close(10)
    again.close()
    # the one that it had when it was killed may come again
    later = [name for name in dict.fromkeys(ids(again)) if name != "id-2"]
    assert later == [f"id-{number}" for number in range(3, 8)]
    # it had forgotten what was retained, and was told again
    assert again.payloads(f"binary_sensor/house/{DOOR_CAM}/config")


_SENDER = """
import sys
from pathlib import Path
from scenewise.tasks.watch.delivery import Delivery
from scenewise.tasks.watch.mqtt import Broker, Mqtt
from scenewise.tasks.watch.sinks import SinkSettings, open_sinks
from scenewise.tasks.watch.spool import Spool
from scenewise.types import Event

transport = Mqtt(Broker.parse(sys.argv[2]), node="house")
sink = Delivery(Spool(Path(sys.argv[1])), transport)
number = 0
while True:
    name = f"id-{number}"
    sink.send(Event(name, "door", "cam", 1.0, "2026-03-01T22:00:00+00:00", 0.9), None, None)
    print(name, flush=True)
    number += 1
"""


@pytest.mark.slow
def test_a_killed_watcher_loses_nothing_and_the_broker_says_that_it_is_gone(
    broker: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _SENDER, tmp_path / "mqtt.db", f"mqtt://127.0.0.1:{broker.port}"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    told = [child.stdout.readline().strip() for _ in range(20)]
    assert listener.wait_for(lambda heard: len(ids(listener)) >= 2)
    child.send_signal(signal.SIGKILL)
    child.wait(10)
    told += [line.strip() for line in child.stdout.readlines() if line.endswith("\n")]
    child.stdout.close()
    assert listener.wait_for(lambda heard: ("scenewise/house/status", "offline", False) in heard)
    sink = delivery(broker, tmp_path)
    assert listener.wait_for(lambda heard: set(told) <= set(ids(listener)), 60)
    sink.close(10)
    once = list(dict.fromkeys(ids(listener)))
    assert [name for name in once if name in set(told)] == told


def test_a_password_lets_in_and_a_wrong_one_is_told_without_being_shown(
    mosquitto_program: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if not (Path(mosquitto_program).parent.parent / "bin" / "mosquitto_passwd").exists():
        pytest.skip("mosquitto_passwd is not installed: passwords were not checked")
    secured = Mosquitto(mosquitto_program, tmp_path, password="right secret")
    try:
        for password, waiting in (("wrong secret", 1), ("right secret", 0)):
            where = Broker.parse(f"mqtt://127.0.0.1:{secured.port}", "watcher", password)
            sink = Delivery(Spool(tmp_path / "p.db"), Mqtt(where, node="house"), first_wait=0.05)
            sink.send(event(1), None, None)
            if waiting:
                wait_until(lambda: "not authori" in caplog.text.lower())
            sink.close(0 if waiting else 10)
            assert sink.waiting == waiting
        assert "secret" not in caplog.text
    finally:
        secured.kill()


@pytest.mark.parametrize(
    ("url", "host", "port", "tls", "username", "password"),
    [
        ("mqtt://h", "h", 1883, False, None, None),
        ("h:99", "h", 99, False, None, None),
        ("mqtts://h", "h", 8883, True, None, None),
        ("mqtt://me:p%40ss@h:1/", "h", 1, False, "me", "p@ss"),
    ],
)
def test_addresses_of_brokers(
    url: str, host: str, port: int, tls: bool, username: str | None, password: str | None
) -> None:
    found = Broker.parse(url)
    assert found == Broker(host, port, tls, username, password)
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize("url", ["", "http://h", "mqtt://", "mqtt://h:port", "mqtt://h/topic"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(UsageError, match="mqtt://host:1883"):
        Broker.parse(url)


def test_objects_are_fit_for_topics_and_differ() -> None:
    names = [
        object_of(rule, source) for rule in ("a b", "a_b", "ä/#+", "") for source in ("x", "y/")
    ]
    assert len(set(names)) == len(names)
    assert all(name.replace("_", "").isalnum() and name.isascii() for name in names)
    shapes = discovery("house", "a/b", "rtsp://cam", counts=True)
    assert len(shapes) == 3
    assert all(topic.count("/") == 4 for topic in shapes)
