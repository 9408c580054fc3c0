"""``scenewise watch``: where events go, and trials of rules, on films of colours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from colour_encoder import load_colours
from colour_films import write_colours
from receiver import Receiver

from scenewise.cli.main import main
from scenewise.library.core import LibraryCore
from scenewise.tasks.watch.webhook import verify

RULES = """
[[rule]]
name = "stop"
sentence = "red"
cooldown_seconds = 0

[[rule]]
name = "go"
sentence = "green"
"""


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every library of this module is one of colours."""
    opening = LibraryCore.open.__func__  # type: ignore[attr-defined] # a class method has one
    monkeypatch.setattr(opening, "__kwdefaults__", {**opening.__kwdefaults__, "load": load_colours})
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("SCENEWISE_ENCODER", "colours")
    monkeypatch.chdir(tmp_path)
    write_colours(tmp_path / "films" / "a.mp4", [("blue", 4.0), ("red", 4.0), ("blue", 4.0)])
    write_colours(tmp_path / "films" / "b.mp4", [("green", 4.0), ("blue", 4.0)])
    (tmp_path / "rules.toml").write_text(RULES, encoding="utf-8")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


def test_events_go_to_a_file_and_signed_to_a_webhook(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SCENEWISE_WEBHOOK_SECRET", "a secret")
    to = ["--webhook", receiver.url, "--events", "events.jsonl", "--spool", "spool"]
    assert main(["watch", "gate=films/a.mp4", "--fast", "--rules", "rules.toml", *to]) == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(event["rule"], event["source"]) for event in printed] == [("stop", "gate")]
    written = [json.loads(line) for line in Path("events.jsonl").read_text().splitlines()]
    assert written == printed == receiver.taken
    headers, body = receiver.requests[0]
    assert verify("a secret", headers, body)
    assert len(list(Path("spool").glob("webhook-*.db"))) == 1


def test_what_a_receiver_missed_is_sent_by_the_next_watch(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.stop()
    command = ["watch", "films/a.mp4", "--fast", "--rules", "rules.toml", "--spool", "spool"]
    assert main([*command, "--webhook", receiver.url]) == 0
    first = json.loads(capsys.readouterr().out)
    receiver.start()
    assert main([*command, "--webhook", receiver.url]) == 0
    assert first["id"] in receiver.ids


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--webhook", "ftp://host/"], "https://host/path"),
        (["--mqtt", "http://host"], "mqtt://host:1883"),
        (["--events", "none/events.jsonl"], "events cannot be written to none/events.jsonl"),
        (["--expected", "labels.csv"], "--expected goes with --test"),
        (["--pack", "burglars"], "no pack is called 'burglars'"),
    ],
)
def test_bad_values_are_told(
    more: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(["watch", "films/a.mp4", "--fast", "--rules", "rules.toml", *more])
    assert code == (1 if "--events" in more else 2)
    caught = capsys.readouterr()
    assert said in caught.err
    assert caught.out == ""


def test_a_pack_says_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "films/b.mp4", "--fast", "--pack", "fire-and-smoke"]) == 0
    assert "no fire detector" in capsys.readouterr().err
    assert main(["watch", "films/b.mp4", "--fast", "--pack", "fire-and-smoke", "-q"]) == 0
    assert "no fire detector" not in capsys.readouterr().err


def test_rules_are_tried_on_a_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", "films", "--test", "--rules", "rules.toml"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "films/a.mp4 00:04.5 stop [1.00] red"
    assert lines[1].startswith("films/b.mp4 00:00.5 go [1.00]")
    assert lines[2] == "2 recordings, 0.3 minutes"
    assert lines[3].split("\t") == ["rule", "events", "alarms", "per hour", "95 %"]
    assert lines[4].split("\t")[:4] == ["stop", "1", "1", "180.00"]
    assert not Path("library").exists()


def test_a_trial_with_labels_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    Path("labels.csv").write_text("video,start,end,rule\na.mp4,4,8,stop\nb.mp4,6,8,go\n")
    wanted = ["--rules", "rules.toml", "--expected", "labels.csv", "--json"]
    assert main(["watch", "films", "--test", *wanted]) == 0
    shape = json.loads(capsys.readouterr().out)
    stop, go = shape["rules"]
    assert (stop["expected"], stop["found"], stop["alarms"]) == (1, 1, 0)
    assert (go["expected"], go["found"], go["alarms"]) == (1, 0, 1)
    assert shape["failed"] == []
    assert main(["watch", "films", "--test", *wanted[:-1]]) == 0
    rows = capsys.readouterr().out.splitlines()[-2:]
    assert [row.split("\t")[-1] for row in rows] == ["1 of 1", "0 of 1"]


def test_a_recording_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("films/c.mp4").write_bytes(b"no film" * 99)
    assert main(["watch", "films", "--test", "--rules", "rules.toml"]) == 3
    caught = capsys.readouterr()
    assert "films/c.mp4: " in caught.err
    assert "2 recordings" in caught.out
    assert main(["watch", "none", "--test", "--rules", "rules.toml"]) == 2
    assert main(["watch", "films/c.mp4", "--test", "--rules", "rules.toml"]) == 1
    Path("empty").mkdir()
    assert main(["watch", "empty", "--test", "--rules", "rules.toml"]) == 2
    assert "there is no recording" in capsys.readouterr().err
