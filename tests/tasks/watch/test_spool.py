"""Events on disk: in order, each once, bounded, and there again after the process died."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from scenewise.errors import StorageError, UsageError
from scenewise.tasks.watch.spool import Spool


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def ids(spool: Spool) -> list[str]:
    """Everything that waits, taking it out."""
    found = []
    while (event := spool.oldest()) is not None:
        found.append(event.id)
        spool.delivered(event)
    return found


def test_events_come_out_in_the_order_in_which_they_went_in(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db")
    for number in range(5):
        spool.put(str(number), {"n": number})
    assert len(spool) == 5
    first = spool.oldest()
    assert first is not None
    assert (first.id, first.body) == ("0", {"n": 0})
    assert ids(spool) == ["0", "1", "2", "3", "4"]
    assert len(spool) == 0


def test_what_waits_already_is_not_written_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db")
    for name in ("a", "b", "a"):
        spool.put(name, {})
    assert (len(spool), ids(spool)) == (2, ["a", "b"])


def test_another_run_goes_on_where_this_one_ended(tmp_path: Path) -> None:
    first = Spool(tmp_path / "s.db")
    for name in "abc":
        first.put(name, {"name": name})
    event = first.oldest()
    assert event is not None
    first.delivered(event)
    first.close()
    second = Spool(tmp_path / "s.db")
    assert len(second) == 2
    second.put("d", {})
    assert ids(second) == ["b", "c", "d"]


def test_what_was_put_outlives_a_killed_process(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom scenewise.tasks.watch.spool import Spool\n"
        "spool = Spool(Path(sys.argv[1]))\nnumber = 0\n"
        "while True:\n"
        "    spool.put(str(number), {'n': number})\n"
        "    print(number, flush=True)\n    number += 1\n"
    )
    path = tmp_path / "s.db"
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    told = [child.stdout.readline() for _ in range(20)]
    child.send_signal(signal.SIGKILL)
    told += child.stdout.readlines()
    child.wait(10)
    child.stdout.close()
    kept = ids(Spool(path))
    whole = [line.strip() for line in told if line.endswith("\n")]
    assert len(whole) >= 20
    assert kept[: len(whole)] == whole
    assert len(kept) <= len(whole) + 1  # the one that was written and not told yet


def test_a_full_spool_puts_the_oldest_aside_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    spool = Spool(tmp_path / "s.db", limit=3)
    for number in range(5):
        spool.put(str(number), {})
    assert [event.id for event in spool.aside()] == ["0", "1"]
    assert "more than 3 events wait" in caplog.text
    assert spool.retry_aside() == 2
    assert ids(spool) == ["2", "3", "4", "0", "1"]


def test_what_was_put_aside_is_bounded_too(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db", limit=3)
    for number in range(20):
        spool.put(str(number), {})
    assert len(spool) == 3
    assert len(spool.aside()) <= 4


def test_an_event_is_put_aside_after_days_of_trying_but_not_without_a_try(tmp_path: Path) -> None:
    clock = Clock()
    spool = Spool(tmp_path / "s.db", keep_seconds=100, now=clock)
    spool.put("old", {})
    clock.now += 500
    event = spool.oldest()
    assert event is not None
    spool.failed(event)
    spool.put("new", {})
    assert ids(spool) == ["new"]
    (aside,) = spool.aside()
    assert (aside.id, aside.reason) == ("old", "it could not be delivered for 0.00115741 days")


def test_a_second_process_is_told(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "s.db")
    with pytest.raises(UsageError, match="another process delivers the events of"):
        Spool(tmp_path / "s.db")
    spool.close()
    Spool(tmp_path / "s.db").close()


def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match="name another folder"):
        Spool(tmp_path / "file" / "s.db")
    (tmp_path / "broken.db").write_text("this is no database" * 100)
    with pytest.raises(StorageError, match="cannot be opened"):
        Spool(tmp_path / "broken.db")


def test_a_body_comes_back_as_it_was(tmp_path: Path) -> None:
    body = {"path": "a\udcffb", "number": 0.1, "none": None, "list": [1, "ü"]}
    spool = Spool(tmp_path / "s.db")
    spool.put("a", body)
    event = spool.oldest()
    assert event is not None
    assert json.dumps(event.body) == json.dumps(body)
