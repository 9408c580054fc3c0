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
from PIL import Image

from scenewise.cli.main import main
from scenewise.media.decode import VideoReader

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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["make_media.py", "examples/yard.csv"], "cannot be written"),
        (["content_moderation.py", "nowhere"], "nowhere"),
        (["content_moderation.py", "media/clips", "--policy", "none"], "name a policy"),
        (["content_moderation.py", "media/clips", "--policy", "examples/yard.toml"], "no policy"),
        (["content_moderation.py", "media/clips", "--policy", "examples/yard.csv"], "no policy"),
        (["label_trends.py", "media/channel", "--labels", ","], "two or more"),
        (["label_trends.py", "media/yard", "--png", "no/folder.png"], "no/folder.png"),
        (["sports_highlights.py", "nofile.mp4"], "nofile.mp4"),
        (["customer_service.py", "nofile.mp4"], "nofile.mp4"),
        (["customer_service.py", "media/customer/call.mp4", "--faq", "none"], "name a table"),
        (
            ["customer_service.py", "media/customer/call.mp4", "--faq", "examples/yard.csv"],
            "column",
        ),
        (["road_traffic.py", "none"], "name a file of events"),
        (["road_traffic.py", "examples/yard.csv"], "holds no events"),
        (["road_traffic.py", "examples/yard.csv", "--per", "0"], "more than 0"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_input_is_one_sentence(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert script(f"examples/{words[0]}", *words[1:]) in (1, 2)
    last = capsys.readouterr().err.splitlines()[-1]
    assert said in last


def test_moderation_names_the_film_with_the_forbidden_thing_and_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ((code, said),) = follow("content-moderation", capsys)
    assert code == 4
    assert "judged: 5, break the policy: 1;" in said
    (breach,) = rows("report.csv")
    assert Path(breach["video"]).name == "launch.mp4"  # the rocket, from 4 to 8 s
    assert (breach["rule"], breach["action"]) == ("weapons", "block")
    assert float(breach["start"]) == pytest.approx(4, abs=0.5)
    assert float(breach["end"]) == pytest.approx(8, abs=0.5)


def test_moderation_of_a_folder_without_forbidden_things_ends_well() -> None:
    Path("media/clips/launch.mp4").unlink()
    assert script("examples/content_moderation.py", "media/clips") == 0
    assert rows("moderation.csv") == []


def test_films_behind_links_are_judged(capsys: pytest.CaptureFixture[str]) -> None:
    Path("links").mkdir()
    Path("links/a.mp4").symlink_to(Path("media/clips/launch.mp4").absolute())
    assert script("examples/content_moderation.py", "links") == 4
    assert "judged: 1, break the policy: 1;" in capsys.readouterr().out


def test_rules_of_a_camera_raise_for_the_visitor_and_the_bang_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (_, tried), (code, said) = follow("security-camera", capsys)
    headings, *figures = [line.split("\t") for line in tried.splitlines() if "\t" in line]
    assert (headings[0], headings[1], headings[2], headings[-1]) == (
        "rule",
        "events",
        "alarms",  # that were not expected
        "found",
    )
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


def test_a_reel_has_the_loud_moments_and_not_the_quiet_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    ((code, said),) = follow("sports-highlights", capsys)
    assert code == 0
    assert "3 moments seen, 2 heard, 2 of the seen are loud" in said
    # shown from 8, 15 and 24 s for 3 s each; bangs at 9 and 25 s, and a second around
    spans = [tuple(map(float, span)) for span in re.findall(r"^([\d.]+)-([\d.]+) s$", said, re.M)]
    assert spans == [pytest.approx((7, 12), abs=1), pytest.approx((23, 28), abs=1)]
    with VideoReader("highlights.mp4") as reel:
        assert reel.duration == pytest.approx(sum(end - start for start, end in spans), abs=0.3)


def test_a_reel_of_what_is_not_there_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    wanted = ["--sound", "silence", "--within", "0", "--query", "a guitar"]
    assert script("examples/sports_highlights.py", "media/match/race.mp4", *wanted) == 0
    assert "0 of the seen are loud" in capsys.readouterr().out
    assert not Path("highlights.mp4").exists()


def test_of_two_drives_the_one_in_the_right_order_is_found(
    capsys: pytest.CaptureFixture[str],
) -> None:
    steps = follow("driving-footage", capsys)
    assert [code for code, _ in steps] == [0, 0, 0, 0]
    (_, found), (_, moving) = steps[1], steps[3]
    first = re.search(r"^#1 \[[\d.]+\] (\S+) 00:(\S+)-00:(\S+)$", found, re.M)
    assert first is not None
    assert Path(first[1]).name == "commute.mp4"
    assert (float(first[2]), float(first[3])) == pytest.approx((4, 12), abs=0.5)
    assert "nothing found" not in found
    assert "holiday.mp4" not in found
    table = {Path(row["path"]).name: row for row in rows("notes/scenewise.csv")}
    assert set(table) == {"commute.mp4", "crossing.mp4", "holiday.mp4"}
    assert table["commute.mp4"]["labels"].startswith("a motorcycle")
    assert re.search(r"^#1 \[[\d.]+\] a motorcycle ", moving, re.M)
    assert "#2" not in moving  # one thing crosses
    assert Path("crossing.png").stat().st_size > 1000


def test_a_customer_gets_the_right_reply(capsys: pytest.CaptureFixture[str]) -> None:
    ((code, said),) = follow("customer-service", capsys)
    assert code == 0
    answers = dict(line.split(": ", 1) for line in said.splitlines())
    assert answers["face"] == "cannot tell"  # a cup of coffee has none
    assert answers["emotion"].startswith("angry ")
    assert answers["intent"].startswith("payment ")
    assert answers["reply"].startswith("We return the second charge")


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        ("Ten days and nobody knows where my order is.", "The link in your confirmation"),
        ("How do I get the lime out of it?", "Run the cleaning programme"),
        ("The cup broke on the first day, please take it back.", "Print the label"),
        ("I cannot log in any more.", "Choose"),
        ("The mountain was covered by snow.", "none fits"),
    ],
)
def test_other_customers_get_other_replies(
    said: str, reply: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("media/customer/call.srt").write_text(f"1\n00:00:01,000 --> 00:00:03,000\n{said}\n")
    assert script("examples/customer_service.py", "media/customer/call.mp4") == 0
    assert f"reply: {reply}" in capsys.readouterr().out


def test_shares_of_a_month_sum_to_one_and_follow_what_was_made(
    capsys: pytest.CaptureFixture[str],
) -> None:
    made = runpy.run_path(str(EXAMPLES / "make_media.py"))
    ((code, said),) = follow("label-trends", capsys)
    assert code == 0
    table = rows("trends.csv")
    assert Path("trends.csv").read_text().splitlines() == said.splitlines()
    assert [row["span"] for row in table] == list(made["MONTHS"])
    for row, shown in zip(table, made["MONTHS"].values(), strict=True):
        assert float(row["a cat"]) + float(row["a rocket"]) == pytest.approx(1, abs=0.001)
        assert float(row["a cat"]) == pytest.approx(shown["chelsea.png"] / 4, abs=0.1)
    with Image.open("trends.png") as chart:
        colours = {chart.convert("RGB").getpixel((60, y)) for y in range(15, 235)}
    assert len(colours) == 2  # January's bar: two labels


def test_an_archive_is_sorted_by_its_own_scheme(capsys: pytest.CaptureFixture[str]) -> None:
    *_, (found_code, found), (code, doubles) = follow("archive-annotation", capsys)
    assert (found_code, code) == (0, 0)
    labels = {Path(row["path"]).name: row["labels"] for row in rows("notes/scenewise.csv")}
    best = {name: words.split(" 0.")[0].split(" 1.")[0] for name, words in labels.items()}
    assert best.pop("breakfast.mp4") in ("animals", "food")  # a cat, then coffee
    assert best == {
        "campus.mp4": "film making",
        "garden.mp4": "plants",
        "launch.mp4": "space",
        "travel.mp4": "architecture",
    }
    with_flowers = {"garden.mp4", "launch.mp4", "travel.mp4"}
    assert {
        Path(path).name for path in re.findall(r"^#\d+ \[\S+ (\S+)", found, re.M)
    } == with_flowers
    pairs = re.findall(r"part: \S+?(\w+\.mp4) and \S+?(\w+\.mp4)$", doubles, re.M)
    assert {frozenset(pair) for pair in pairs} == {
        frozenset(pair)
        for pair in [
            ("garden.mp4", "launch.mp4"),
            ("garden.mp4", "travel.mp4"),
            ("launch.mp4", "travel.mp4"),
            ("breakfast.mp4", "launch.mp4"),  # the coffee
            ("campus.mp4", "garden.mp4"),  # the grass
        ]
    }


def test_cats_are_recommended_to_who_likes_cats(capsys: pytest.CaptureFixture[str]) -> None:
    made = runpy.run_path(str(EXAMPLES / "make_media.py"))
    _, (_, like), (_, suits) = follow("similar-videos", capsys)
    cats = {
        f"{month}-{day + 1:02d}.mp4"
        for month, shown in made["MONTHS"].items()
        for day in range(shown["chelsea.png"])
    }

    def names(said: str) -> list[str]:
        return [Path(path).name for path in re.findall(r"^#\d+ \[\S+ (\S+)", said, re.M)]

    assert len(names(like)) == 3
    assert set(names(like)) <= cats
    assert set(names(suits)) == cats - {"2026-01-01.mp4"}  # watched, and the other five


def test_a_head_that_was_trained_names_new_footage(capsys: pytest.CaptureFixture[str]) -> None:
    _, (_, report), (code, said) = follow("specialist-footage", capsys)
    assert code == 0
    assert "12 examples of 12 videos" in report
    assert Path("slides.png").stat().st_size > 1000
    told = {Path(one["path"]).stem: one["labels"][0] for one in json.loads(said)["videos"]}
    best = {name: label["name"] for name, label in told.items()}
    assert best == {"retina4": "retina", "tissue4": "tissue", "cells4": "cells"}


def test_every_recipe_is_tried_here_and_linked_by_the_readme() -> None:
    tried = set(re.findall(r'follow\("([\w-]+)"', Path(__file__).read_text("utf-8")))
    pages = {page.stem for page in RECIPES.glob("*.md")}
    linked = re.findall(r"\(docs/recipes/([\w-]+)\.md\)", (ROOT / "README.md").read_text("utf-8"))
    assert tried == pages == set(linked)
