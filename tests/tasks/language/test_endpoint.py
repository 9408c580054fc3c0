"""What an endpoint may do, and what becomes of it: against a real HTTP server on the loopback."""

from __future__ import annotations

import base64
import logging
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from chat_server import Reply, chat_server, fails, says

from scenewise.errors import ModelError, UsageError
from scenewise.tasks.language.endpoint import (
    LARGEST_ANSWER_BYTES,
    LONGEST_PAUSE_SECONDS,
    TRIES,
    OpenAIEndpoint,
)
from scenewise.tasks.language.model import FrameImage

KEY = "sk-secret-0123456789"
FRAMES = [FrameImage(0.5, b"\xff\xd8first"), FrameImage(61.0, b"\xff\xd8second")]


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def ask(
    url: str, *, key: str | None = KEY, seconds: float = 20.0, pauses: list[float] | None = None
) -> str:
    slept = pauses if pauses is not None else []
    with OpenAIEndpoint(
        "seer", url, key=key, answer_seconds=seconds, sleep=slept.append
    ) as endpoint:
        return endpoint.reply("What is this?", FRAMES, instruction="Be brief.")


# ---- what is sent


def test_frames_go_as_pictures_after_their_times_and_the_question_last() -> None:
    with chat_server(says(" A cat. ")) as server:
        assert ask(server.url + "/") == "A cat."
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body["model"] == "seer"
    assert asked.body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert asked.texts == ["Frame at 00:00.5:", "Frame at 01:01.0:", "What is this?"]
    kind, data = asked.pictures[1].split(",")
    assert kind == "data:image/jpeg;base64"
    assert base64.b64decode(data) == b"\xff\xd8second"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"


def test_without_a_key_none_is_sent() -> None:
    with chat_server(says("A cat.")) as server:
        ask(server.url, key=None)
    assert "Authorization" not in server.asked[0].headers


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ([{"type": "text", "text": "A "}, {"type": "text", "text": "dog."}], "A dog."),
        ("<think>a cat? no</think>\n\nA dog.", "A dog."),
    ],
)
def test_answers_in_other_clothes(content: object, text: str) -> None:
    with chat_server(says(content)) as server:
        assert ask(server.url) == text


def test_parameters_that_an_endpoint_refuses_are_left_out() -> None:
    replies = (
        fails(400, "Unsupported parameter", param="max_tokens"),
        fails(400, "'temperature' does not support 0 with this model."),
        says("A cat."),
    )
    with chat_server(*replies) as server:
        assert ask(server.url) == "A cat."
    assert [{"max_tokens", "temperature"} & set(asked.body) for asked in server.asked] == [
        {"max_tokens", "temperature"},
        {"temperature"},
        set(),
    ]


# ---- what passes is tried again, what does not is not


def test_too_many_requests_wait_as_long_as_is_asked() -> None:
    busy = Reply(429, b"{}", {"Retry-After": "7"})
    until = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)
    pauses: list[float] = []
    with chat_server(busy, Reply(429, b"{}", {"Retry-After": until}), says("ok")) as server:
        assert ask(server.url, pauses=pauses) == "ok"
    assert pauses[0] == 7.0
    assert 20 < pauses[1] <= 30


def test_an_endpoint_that_wants_a_long_pause_is_not_waited_for() -> None:
    reply = Reply(429, b"{}", {"Retry-After": str(LONGEST_PAUSE_SECONDS + 1)})
    pauses: list[float] = []
    with chat_server(reply) as server, pytest.raises(ModelError, match="too many requests"):
        ask(server.url, pauses=pauses)
    assert (len(server.asked), pauses) == (1, [])


def test_pauses_grow() -> None:
    pauses: list[float] = []
    with (
        chat_server(fails(500, "out of memory")) as server,
        pytest.raises(ModelError, match=r"failed \(500\), 4 times: “out of memory”"),
    ):
        ask(server.url, pauses=pauses)
    assert len(server.asked) == TRIES
    assert pauses == sorted(pauses)
    assert pauses[-1] > 2 * pauses[0]


def test_a_connection_that_breaks_is_made_again() -> None:
    half = Reply(body=says("never").body, cut=10)
    with chat_server(half, says("whole")) as server:
        assert ask(server.url) == "whole"
    with chat_server(half) as server, pytest.raises(ModelError, match="broke the connection off"):
        ask(server.url)
    assert len(server.asked) == TRIES


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (fails(400, "no pictures here"), r"\(400\): “no pictures here”; check that seer takes"),
        (fails(401), "does not let us in .* the key was refused; set SCENEWISE_MODEL_KEY"),
        (fails(403), "does not let us in"),
        (fails(404, "model 'seer' not found"), r"knows no model seer.*“model 'seer' not found”"),
        (fails(413), "frames too large"),
        (Reply(302, b"", {"Location": "http://127.0.0.1:1/"}), "redirects are not followed"),
    ],
)
def test_refusals_are_told_once(reply: Reply, words: str) -> None:
    with chat_server(reply) as server, pytest.raises(ModelError, match=words) as caught:
        ask(server.url)
    assert len(server.asked) == 1
    assert "\n" not in str(caught.value)


def test_a_key_that_is_missing_is_asked_for() -> None:
    with chat_server(fails(401)) as server, pytest.raises(ModelError, match="a key is needed"):
        ask(server.url, key=None)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>hello</html>", "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "without choices"),
        (b"17", "without choices"),
        (b'{"choices": []}', "without choices"),
        (b'{"choices": [{"text": "old"}]}', "without choices"),
        (says("  \n").body, "empty answer"),
        (says(None, finish_reason="length").body, "empty answer .it ended with length"),
        (says("<think>for ever", finish_reason="length").body, "empty answer"),
        (says("x" * LARGEST_ANSWER_BYTES).body, "more than 4 MB"),
    ],
    ids=range(11),
)
def test_answers_that_are_none(body: bytes, words: str) -> None:
    with chat_server(Reply(body=body)) as server, pytest.raises(ModelError, match=words) as caught:
        ask(server.url)
    assert len(server.asked) == 1
    assert "\n" not in str(caught.value)


def test_a_slow_model_is_not_waited_for_twice() -> None:
    with (
        chat_server(Reply(wait=True)) as server,
        pytest.raises(ModelError, match=r"did not answer within 0\.2 s"),
    ):
        ask(server.url, seconds=0.2)
    assert len(server.asked) == 1


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and does not listen
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with pytest.raises(ModelError, match=r"cannot be reached .*is it running\?"):
            ask(url)


# ---- the key


def test_no_message_and_no_log_holds_the_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with (
        chat_server(fails(401, f"Incorrect API key provided: {KEY}")) as server,
        pytest.raises(ModelError) as caught,
    ):
        ask(server.url + "?version=hidden")
    assert KEY not in str(caught.value) + caplog.text + repr(caught.value.__cause__)
    assert "hidden" not in str(caught.value)
    assert server.asked[0].path == "/v1/chat/completions?version=hidden"


@pytest.mark.parametrize("key", ["", "two words", "line\nbreak", "ключ"])
def test_what_cannot_be_a_key_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(UsageError, match="model_key is not a key") as caught:
        ask("http://127.0.0.1:1", key=key)
    assert not key or key not in str(caught.value)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(UsageError, match="SCENEWISE_MODEL_KEY") as caught:
        ask("http://user:hunter2@127.0.0.1:1/v1")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "localhost:80", "ftp://a/b", "http://", "file:///etc/passwd"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="model_url is not an address"):
        ask(url)
