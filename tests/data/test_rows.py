"""Rows go through JSON and come back as they were."""

from __future__ import annotations

import json

import pytest

from scenewise.data.rows import (
    CaptionRow,
    LabelRow,
    MomentRow,
    QuestionRow,
    Row,
    Task,
    row_from_dict,
)
from scenewise.types import Segment

ROWS: list[tuple[Task, Row]] = [
    ("captions", CaptionRow("ä", ("x", "y"), Segment(0.1, 2.7), "3")),
    ("moments", MomentRow("a", "q", (Segment(1, 2),), 9.5, "1", {4: (0, 4)}, 2.0)),
    ("questions", QuestionRow("a", "q", ("b",), ("b", "b"), "TN", None, "5", 1, "long")),
    ("labels", LabelRow("a", ("x",))),
]


@pytest.mark.parametrize(("task", "row"), ROWS)
def test_a_row_comes_back_from_json(task: Task, row: Row) -> None:
    assert row_from_dict(task, json.loads(json.dumps(row.to_dict()))) == row
