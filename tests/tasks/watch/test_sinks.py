"""Outputs as they are asked for: opened all or none, JSON lines as documented."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from receiver import Receiver

from scenewise.errors import StorageError, UsageError
from scenewise.tasks.watch.sinks import JsonLines, SinkSettings, open_sinks, spool_file
from scenewise.types import Event

EVENT = Event("id", "rule", "cam", 1.5, "2026-03-01T22:00:00.000+00:00", 0.5)


def test_json_lines_are_events(tmp_path: Path) -> None:
    stream = io.StringIO()
    lines = JsonLines(stream)
    lines.send(EVENT, Path("/s.jpg"), Path("/c.mp4"))
    lines.send(EVENT, None, None)
    lines.close(1)
    assert not stream.closed
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert first == EVENT.to_dict() | {"why": [], "snapshot": "/s.jpg", "clip": "/c.mp4"}
    assert second == EVENT.to_dict() | {"why": []}


def test_a_file_is_gone_on_with(tmp_path: Path) -> None:
    for _ in range(2):
        (sink,) = open_sinks(SinkSettings(spool=tmp_path, jsonl=tmp_path / "events.jsonl"))
        sink.send(EVENT, None, None)
        sink.close(1)
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 2
    with pytest.raises(StorageError, match="events cannot be written to"):
        open_sinks(SinkSettings(spool=tmp_path, jsonl=tmp_path / "no" / "events.jsonl"))


def test_all_outputs_are_opened_or_none(tmp_path: Path) -> None:
    receiver = Receiver()
    try:
        fine = SinkSettings(spool=tmp_path, webhooks=(receiver.url,), webhook_secret="s")
        broken = SinkSettings(spool=tmp_path, webhooks=(receiver.url, "nowhere"))
        with pytest.raises(UsageError, match="https://host/path"):
            open_sinks(broken)
        (sink,) = open_sinks(fine)  # its spool was let go
        sink.send(EVENT, None, None)
        assert receiver.wait_for_taken(1)
        sink.close(5)
        assert receiver.taken == [EVENT.to_dict() | {"why": []}]
    finally:
        receiver.stop()


def test_settings_show_no_secret() -> None:
    shown = repr(
        SinkSettings(
            spool=Path("x"),
            mqtt="mqtt://me:hunter2@h",
            mqtt_password="hunter2",
            webhook_secret="hunter2",
            webhook_token="hunter2",
        )
    )
    assert "hunter2" not in shown
    assert "hunter2" not in str(spool_file(Path("x"), "webhook", "https://me:hunter2@h/"))
