"""Webhooks against a real receiver: signed, in order, and none lost whatever dies."""

from __future__ import annotations

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from receiver import DROP, SILENT, Receiver

from scenewise.errors import UsageError
from scenewise.tasks.watch.delivery import Delivery
from scenewise.tasks.watch.spool import Spool
from scenewise.tasks.watch.webhook import SIGNATURE, TIMESTAMP, Webhook, sign, verify
from scenewise.types import Event, Why

SECRET = "a secret of some length"


def event(number: int) -> Event:
    why = (Why("concept", "red", 1.0, 2.0),)
    return Event(
        f"id-{number}", "door", "cam", 2.0, "2026-03-01T22:00:00.000+00:00", 0.9, why, None, None
    )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


def delivery(folder: Path, receiver: Receiver, timeout: float = 5.0) -> Delivery:
    hook = Webhook(receiver.url, secret=SECRET, token="tok", timeout_seconds=timeout)
    return Delivery(Spool(folder / "hook.db"), hook, first_wait=0.01)


def send(sink: Delivery, count: int, first: int = 0) -> list[str]:
    sent = [event(number) for number in range(first, first + count)]
    for one in sent:
        sink.send(one, None, None)
    return [one.id for one in sent]


def test_an_event_is_posted_signed_and_whole(tmp_path: Path, receiver: Receiver) -> None:
    sink = delivery(tmp_path, receiver)
    sink.send(event(7), Path("/pictures/7.jpg"), Path("/clips/7.mp4"))
    assert receiver.wait_for_taken(1)
    sink.close(5)
    headers, body = receiver.requests[0]
    assert verify(SECRET, headers, body)
    assert headers["Idempotency-Key"] == "id-7"
    assert headers["Authorization"] == "Bearer tok"
    assert headers["Content-Type"] == "application/json"
    files = {"snapshot": "/pictures/7.jpg", "clip": "/clips/7.mp4"}
    assert json.loads(body) == {**event(7).to_dict(), **files}
    assert sink.waiting == 0


def test_a_signature_holds_for_its_secret_time_and_body() -> None:
    body = b'{"id": "a"}'
    headers = {TIMESTAMP: "1000", SIGNATURE: sign(SECRET, "1000", body)}
    assert verify(SECRET, headers, body, now=1000)
    assert verify(SECRET, headers, body, now=1299)
    assert verify(SECRET, {name.lower(): value for name, value in headers.items()}, body, now=1000)
    assert not verify(SECRET, headers, body, now=1301)  # sent again by somebody
    assert not verify("another", headers, body, now=1000)
    assert not verify(SECRET, headers, body + b" ", now=1000)
    assert not verify(SECRET, {**headers, TIMESTAMP: "1001"}, body, now=1000)
    assert not verify(SECRET, {}, body, now=1000)
    assert not verify(SECRET, {TIMESTAMP: "x", SIGNATURE: sign(SECRET, "x", body)}, body, now=1)


def test_the_signature_is_the_one_that_openssl_computes() -> None:
    body = b'{"id": "a"}'
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", "-hmac", SECRET],
        input=b"1000." + body,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.skip("the openssl program does not work here: the comparison did not run")
    assert sign(SECRET, "1000", body) == "sha256=" + done.stdout.decode().split()[-1]


@pytest.mark.parametrize("trouble", [503, 500, 429, 401, 404, DROP], ids=str)
def test_a_failing_receiver_is_asked_again_and_gets_all_in_order(
    tmp_path: Path, receiver: Receiver, trouble: int
) -> None:
    receiver.behaviour.extend([trouble, trouble, 200, trouble])
    sink = delivery(tmp_path, receiver)
    sent = send(sink, 4)
    assert receiver.wait_for_taken(4)
    sink.close(5)
    assert receiver.ids == sent
    keys = [headers["Idempotency-Key"] for headers, _ in receiver.requests]
    assert keys == ["id-0"] * 3 + ["id-1"] * 2 + ["id-2", "id-3"]


def test_a_rejected_event_is_put_aside_and_those_behind_it_go_on(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.behaviour.append(422)
    sink = delivery(tmp_path, receiver)
    sent = send(sink, 3)
    assert receiver.wait_for_taken(2)
    sink.close(5)
    assert receiver.ids == sent[1:]
    assert "id-0 was put aside" in caplog.text
    spool = Spool(tmp_path / "hook.db")
    told = [(event.id, event.reason) for event in spool.aside()]
    assert told == [("id-0", "it answered 422 Unprocessable Entity")]


def test_a_slow_receiver_does_not_hold_up_who_sends(tmp_path: Path, receiver: Receiver) -> None:
    receiver.behaviour.append(SILENT)
    sink = delivery(tmp_path, receiver, timeout=0.3)
    sent = send(sink, 3)
    assert receiver.taken == []  # all three are on the disk, and none has arrived
    assert receiver.wait_for_taken(3)
    sink.close(5)
    assert receiver.ids == sent


def test_a_receiver_that_is_gone_and_comes_back_gets_everything(
    tmp_path: Path, receiver: Receiver
) -> None:
    sink = delivery(tmp_path, receiver)
    sent = send(sink, 3)
    assert receiver.wait_for_taken(3)
    receiver.stop()
    sent += send(sink, 5, first=3)
    receiver.start()
    sent += send(sink, 2, first=8)
    assert receiver.wait_for_ids(set(sent))
    sink.close(5)
    assert list(dict.fromkeys(receiver.ids)) == sent


def test_what_could_not_be_delivered_is_sent_by_the_next_run(
    tmp_path: Path, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.otherwise = 503
    first = delivery(tmp_path, receiver)
    sent = send(first, 3)
    assert receiver.wait_for_requests(1)
    first.close(0.05)
    assert "3 event(s) could not be delivered" in caplog.text
    receiver.otherwise = 200
    second = delivery(tmp_path, receiver)
    assert receiver.wait_for_taken(3)
    second.close(5)
    assert receiver.ids == sent


def test_a_receiver_may_say_when_to_come_again(tmp_path: Path, receiver: Receiver) -> None:
    receiver.headers = {"Retry-After": "1"}
    receiver.behaviour.append(429)
    sink = delivery(tmp_path, receiver)
    before = time.monotonic()
    send(sink, 1)
    assert receiver.wait_for_taken(1)
    assert time.monotonic() - before >= 1
    sink.close(5)


_SENDER = """
import sys
from pathlib import Path
from scenewise.tasks.watch.delivery import Delivery
from scenewise.tasks.watch.spool import Spool
from scenewise.tasks.watch.webhook import Webhook
from scenewise.types import Event

path, url, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
sink = Delivery(Spool(path), Webhook(url, timeout_seconds=2), first_wait=0.01)
while True:
    name = f"id-{number}"
    sink.send(Event(name, "door", "cam", 1.0, "2026-03-01T22:00:00+00:00", 0.9), None, None)
    print(name, flush=True)
    number += 1
"""


@pytest.mark.slow
def test_no_event_is_lost_when_either_side_is_killed(tmp_path: Path, receiver: Receiver) -> None:
    """Our process is killed at any moment, several times, and the receiver has bad days."""
    told: list[str] = []
    for round_number in range(4):
        receiver.behaviour.extend([200] * 3 + [503, DROP] + [200] * 4 + [500])
        child = subprocess.Popen(
            [sys.executable, "-c", _SENDER, tmp_path / "hook.db", receiver.url, str(len(told))],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        for _ in range(12 + 9 * round_number):
            told.append(child.stdout.readline().strip())
        if round_number == 1:
            receiver.stop()
        child.send_signal(signal.SIGKILL)
        child.wait(10)
        told += [line.strip() for line in child.stdout.readlines() if line.endswith("\n")]
        child.stdout.close()
        if round_number == 1:
            receiver.start()
    sink = delivery(tmp_path, receiver)
    assert receiver.wait_for_ids(set(told), 60)
    sink.close(10)
    # twice is allowed, lost and out of order are not
    once = list(dict.fromkeys(receiver.ids))
    assert [name for name in once if name in set(told)] == told
    assert len(set(told)) == len(told) >= 12 + 21 + 30 + 39


def test_a_user_in_the_address_is_sent_and_not_shown(tmp_path: Path, receiver: Receiver) -> None:
    hook = Webhook(receiver.url.replace("://", "://me:p%40ss@"))
    sink = Delivery(Spool(tmp_path / "hook.db"), hook)
    sent = send(sink, 1)
    assert receiver.wait_for_taken(1)
    sink.close(5)
    assert receiver.ids == sent
    basic = "Basic " + base64.b64encode(b"me:p@ss").decode()
    assert receiver.requests[0][0]["Authorization"] == basic
    assert "p@ss" not in hook.name
    assert "p%40ss" not in hook.name


@pytest.mark.parametrize("url", ["", "ftp://host/x", "host/x", "http://", "http://h:port/"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    with pytest.raises(UsageError, match=r"https://host/path"):
        Webhook(url)


def test_nothing_secret_is_shown() -> None:
    hook = Webhook("https://user:hunter2@host:8443/in/hunter2?key=hunter2", secret="hunter2")
    assert hook.name == "the webhook https://host:8443/…"
    hook.close()
