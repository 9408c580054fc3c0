"""Every recipe runs as its page says, on generated films whose truth is known, by the real encoder.

The first fence of ``docs/recipes/NAME.md`` is typed line by line, in a folder of its own.
"""

from __future__ import annotations

import csv
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scenewise.cli.main import main

pytest.importorskip("skimage")

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
RECIPES = ROOT / "docs" / "recipes"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``python examples/make_media.py`` makes, once for all recipes."""
    folder = tmp_path_factory.mktemp("made") / "media"
    sys.path.insert(0, str(EXAMPLES))
    try:
        runpy.run_path(str(EXAMPLES / "make_media.py"))["make_media"](folder)
    finally:
        sys.path.remove(str(EXAMPLES))
    return folder


@pytest.fixture(autouse=True)
def at_home(media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the examples and media of its own; the library is a private one."""
    shutil.copytree(media, tmp_path / "media")
    (tmp_path / "examples").symlink_to(EXAMPLES)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("SCENEWISE_WORKERS", "1")


def script(*words: str) -> int:
    """A script with its arguments, in this process; its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", list(words))
        try:
            runpy.run_path(words[0], run_name="__main__")
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def lines_of(recipe: str) -> list[list[str]]:
    """The commands of the first fence of a page."""
    page = (RECIPES / f"{recipe}.md").read_text("utf-8")
    fence = re.search(r"^```\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert fence is not None
    lines = [shlex.split(line, comments=True) for line in fence.group(1).splitlines()]
    first = ["python", "examples/make_media.py", "media"]
    assert lines[0] == first, "a page begins with making the media"
    return lines[1:]


def follow(recipe: str, capsys: pytest.CaptureFixture[str]) -> list[tuple[int, str]]:
    """Type what a page says; of every line its exit code and what it printed."""
    done = []
    for program, *words in lines_of(recipe):
        code = main(words) if program == "scenewise" else script(*words)
        assert program in ("scenewise", "python")
        done.append((code, capsys.readouterr().out))
    return done


def rows(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def run(*words: str) -> subprocess.CompletedProcess[str]:
    """A script as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_script_explains_itself(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert script(str(path), "--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    module = runpy.run_path(str(path))
    assert " ".join(module["__doc__"].split()) in said
    assert len(path.read_text("utf-8").splitlines()) <= 160


def test_moderation_names_the_film_with_the_forbidden_thing_and_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ((code, said),) = follow("content-moderation", capsys)
    assert code == 4
    assert "5 videos judged, 1 break" in said
    (breach,) = rows("report.csv")
    assert Path(breach["video"]).name == "launch.mp4"  # the rocket, from 4 to 8 s
    assert (breach["rule"], breach["action"]) == ("weapons", "block")
    assert float(breach["start"]) == pytest.approx(4, abs=0.5)
    assert float(breach["end"]) == pytest.approx(8, abs=0.5)


def test_moderation_of_a_folder_without_forbidden_things_ends_well() -> None:
    Path("media/clips/launch.mp4").unlink()
    assert script("examples/content_moderation.py", "media/clips") == 0
    assert rows("moderation.csv") == []


def test_rules_of_a_camera_raise_for_the_visitor_and_the_bang_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (_, tried), (code, said) = follow("security-camera", capsys)
    figures = [line.split("\t") for line in tried.splitlines() if "\t" in line]
    # rule, events, alarms that were not expected, found of expected
    assert [(row[0], row[1], row[2], row[-1]) for row in figures] == [
        ("on the ground", "1", "0", "1 of 1"),
        ("bang", "1", "0", "1 of 1"),
    ]
    assert code == 0
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["rule"] for event in events] == ["on the ground", "bang"]
    for event in events:
        assert Path(event["clip"]).stat().st_size > 1000
        assert Path(event["snapshot"]).stat().st_size > 1000


def test_a_webhook_receiver_prints_signed_events_and_refuses_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import httpx2

    monkeypatch.setenv("SCENEWISE_WEBHOOK_SECRET", "a secret")
    command = [sys.executable, "examples/webhook_receiver.py", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        address = receiver.stdout.readline().split()[-1]
        try:
            assert httpx2.post(address, json={"id": "forged"}).status_code == 401
            camera = ["yard=media/yard/visitor.mp4", "--fast", "--rules", "examples/yard.toml"]
            assert main(["watch", *camera, "--webhook", address, "--spool", "spool"]) == 0
            told = [receiver.stdout.readline().split(" ", 1)[1] for _ in range(2)]
        finally:
            receiver.terminate()
        assert [line.strip() for line in told] == ["yard on the ground", "yard bang"]


def test_traffic_is_counted_as_it_was_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    made = runpy.run_path(str(EXAMPLES / "make_media.py"))
    *_, (code, said) = follow("road-traffic", capsys)
    assert code == 0
    counted = list(csv.DictReader(said.splitlines()))
    drawn = [(int((time + 2) // 10), way) for time, way in made["CROSSINGS"]]
    assert [(int(row["in"]), int(row["out"])) for row in counted] == [
        (drawn.count((part, "in")), drawn.count((part, "out"))) for part in (0, 1)
    ]


def test_traffic_counts_on_where_a_watch_began_anew(tmp_path: Path) -> None:
    def crossing(time: float, detail: str) -> str:
        why = [
            {"kind": "motion", "modality": "visual", "detail": detail, "start": time, "end": time}
        ]
        event = {"id": str(time), "rule": "vehicles", "source": "a", "time": time, "wall": "x"}
        return json.dumps({**event, "match": 1.0, "why": why, "clip": None, "snapshot": None})

    told = ["crossed in (in 1, out 0)", "crossed out (in 1, out 1)", "crossed in (in 1, out 0)"]
    Path("events.jsonl").write_text("\n".join(map(crossing, (1.0, 2.0, 3.0), told)))
    wanted = ["--per", "60", "--output", "table.csv"]
    assert script("examples/road_traffic.py", "events.jsonl", *wanted) == 0
    (row,) = rows("table.csv")
    assert (row["in"], row["out"]) == ("2", "1")
