"""Histories as they are written, and what each row counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scenewise.errors import UsageError
from scenewise.tasks.watch_history import Watched, as_history, read_history, weights

DAY = 86_400.0


def test_a_table_and_lines_of_json_say_the_same(tmp_path: Path) -> None:
    table, lines = tmp_path / "h.csv", tmp_path / "h.jsonl"
    table.write_text("video,time,rating\na.mp4,1000,5\nb.mp4,,\n", "utf-8")
    rows: list[dict[str, Any]] = [
        {"video": "a.mp4", "time": 1000, "rating": 5},
        {"video": "b.mp4", "extra": True},
    ]
    lines.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", "utf-8")
    expected = (Watched("a.mp4", 1000.0, 5.0), Watched("b.mp4"))
    assert read_history(table) == read_history(lines) == as_history(rows) == expected


def test_dates_are_read(tmp_path: Path) -> None:
    path = tmp_path / "h.csv"
    path.write_text("video,time\na,2026-03-31\nb,2026-03-30\n", "utf-8")
    first, second = read_history(path)
    assert first.time is not None
    assert second.time is not None
    assert first.time - second.time == DAY


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("video,time\n", "is empty"),
        ("name,time\na,1\n", "no column video"),
        ("video,time\n,1\n", "row 2: names no video"),
        ("video,time\na,yesterday\n", "row 2: time"),
        ("video,rating\na,5\nb,good\n", "row 3: rating = 'good'"),
        ("video,rating\na,9\n", "--rating-scale"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "h.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        read_history(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [("[1, 2]\n", "row 1: is no JSON object"), ("{oops\n", "row 1"), ("\n", "is empty")],
)
def test_lines_that_are_no_objects_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "h.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=message):
        read_history(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.csv cannot be read"):
        read_history(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="is empty"):
        as_history([])


def test_recent_rows_and_ratings_weigh() -> None:
    rows = [
        Watched("a", 60 * DAY, 5),
        Watched("b", 30 * DAY, 5),
        Watched("c", 0.0, 5),
        Watched("d", 60 * DAY, 3),
        Watched("e", 60 * DAY, 1),
        Watched("f", 60 * DAY),
        Watched("g", None, 4),
    ]
    assert weights(rows, half_life_days=30) == pytest.approx([1, 0.5, 0.25, 0, -1, 0.5, 0.5])
    assert weights(rows[:3], half_life_days=60)[2] == pytest.approx(0.5)


def test_another_scale_of_ratings(tmp_path: Path) -> None:
    rows = as_history([{"video": "a", "rating": 0}, {"video": "b", "rating": 100}], (0, 100))
    assert list(weights(rows, rating_scale=(0, 100))) == [-1, 1]
    with pytest.raises(UsageError, match="worst:best"):
        weights(rows, rating_scale=(5, 1))
    with pytest.raises(UsageError, match="half-life"):
        weights(rows, half_life_days=0)
