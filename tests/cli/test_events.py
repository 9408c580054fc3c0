"""``scenewise events``: what a real receiver refused is shown, and sent after all."""

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
from scenewise.tasks.watch.spool import Spool

WATCH = ["watch", "gate=film.mp4", "--fast", "--rule", "red", "--spool", "spool", "-q"]


@pytest.fixture(autouse=True)
def _colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every library of this module is one of colours."""
    opening = LibraryCore.open.__func__  # type: ignore[attr-defined] # a class method has one
    monkeypatch.setattr(opening, "__kwdefaults__", {**opening.__kwdefaults__, "load": load_colours})
    monkeypatch.setenv("SCENEWISE_LIBRARY", str(tmp_path / "library"))
    monkeypatch.setenv("SCENEWISE_ENCODER", "colours")
    monkeypatch.chdir(tmp_path)
    write_colours(tmp_path / "film.mp4", [("blue", 2.0), ("red", 3.0)])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.stop()


def test_what_a_webhook_refused_is_shown_and_sent_after_all(
    receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    receiver.behaviour.append(422)  # and from then on it takes all
    assert main([*WATCH, "--webhook", receiver.url]) == 0
    raised = json.loads(capsys.readouterr().out)
    assert receiver.taken == []

    assert main(["events", "--spool", "spool"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    host = receiver.url.removesuffix("events")
    assert first == f"the webhook {host}…: 0 events waiting, 1 put aside"
    for part in (raised["id"], raised["wall"], "gate", "red", "it answered 422"):
        assert part in second

    assert main(["events", "--spool", "spool", "--resend", "--json"]) == 0
    (held,) = json.loads(capsys.readouterr().out)["receivers"]
    assert (held["waiting"], held["resent"], held["aside"]) == (1, 1, [])
    # another film without events: what waits goes to the same receiver
    write_colours(Path("film.mp4"), [("blue", 2.0)])
    assert main([*WATCH, "--webhook", receiver.url]) == 0
    assert receiver.ids == [raised["id"]]
    capsys.readouterr()
    assert main(["events", "--spool", "spool"]) == 0
    assert capsys.readouterr().out == f"the webhook {host}…: 0 events waiting, 0 put aside\n"


def test_a_spool_that_a_watch_holds_is_left_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    held = Spool(Path("spool/webhook-0.db"))
    try:
        assert main(["events", "--spool", "spool"]) == 0
        assert "webhook-0.db: a watch that runs delivers these" in capsys.readouterr().err
        assert main(["events", "--spool", "spool", "--resend", "--json"]) == 3
        (shape,) = json.loads(capsys.readouterr().out)["receivers"]
        assert shape["busy"] is True
    finally:
        held.close()


def test_a_folder_without_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["events"]) == 0
    assert "no event has ever waited here" in capsys.readouterr().err
    assert main(["events", "--spool", "nowhere", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"spool": "nowhere", "receivers": []}
    assert not (tmp_path / "nowhere").exists()


def test_a_file_that_is_no_spool_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    Path("spool").mkdir()
    Path("spool/mqtt-0.db").write_bytes(b"no database" * 99)
    assert main(["events", "--spool", "spool"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "mqtt-0.db cannot be opened" in said.err
