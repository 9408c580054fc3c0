"""One's own annotations: folders, tables and JSON lines, for every task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from scenewise.data.annotations.registry import read_annotations
from scenewise.data.rows import CaptionRow, LabelRow, MomentRow, QuestionRow, Row, Task
from scenewise.errors import DataError
from scenewise.types import Segment


def lines(folder: Path, *entries: dict[str, Any], name: str = "train.jsonl") -> None:
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    (folder / name).write_text(text, "utf-8")


CASES: list[tuple[Task, str, list[dict[str, Any]], tuple[Row, ...]]] = [
    (
        "captions",
        "video,caption,start,end\na.mp4,a | b,,\na.mp4,c,,\na.mp4,d,1,2.5\n",
        [
            {"video": "a.mp4", "captions": ["a | b", "c"]},
            {"video": "a.mp4", "caption": "d", "start": 1, "end": 2.5},
        ],
        (CaptionRow("a.mp4", ("a | b", "c")), CaptionRow("a.mp4", ("d",), Segment(1, 2.5))),
    ),
    (
        "moments",
        "video,query,start,end,duration\na,x,1,2,9\na,y,0,12,9\na,x,4,5,9\n",
        [
            {"video": "a", "query": "x", "spans": [[1, 2], [4, 5]], "duration": 9},
            {"video": "a", "query": "y", "start": 0, "end": 12, "duration": 9},
        ],
        (
            MomentRow("a", "x", (Segment(1, 2), Segment(4, 5)), 9.0),
            MomentRow("a", "y", (Segment(0, 9),), 9.0),
        ),
    ),
    (
        "questions",
        "video,question,answer,choices,kind,id\na,who,me,you | me,DO,7\na,why,so|thus,,,8\n",
        [
            {
                "video": "a",
                "question": "who",
                "answer": "me",
                "choices": ["you", "me"],
                "kind": "DO",
                "id": 7,
            },
            {"video": "a", "question": "why", "answers": ["so", "thus"], "id": 8},
        ],
        (
            QuestionRow("a", "who", ("me",), ("you", "me"), "DO", id="7", choice=1),
            QuestionRow("a", "why", ("so", "thus"), id="8"),
        ),
    ),
    (
        "labels",
        "video,label,start,end\nx/ä.mp4,run|jump,,\nb,walk,1,2\n",
        [
            {"video": "x/ä.mp4", "labels": ["run", "jump"]},
            {"video": "b", "label": "walk", "start": 1, "end": 2},
        ],
        (LabelRow("x/ä.mp4", ("run", "jump")), LabelRow("b", ("walk",), Segment(1, 2))),
    ),
]


@pytest.mark.parametrize(("task", "table", "entries", "rows"), CASES, ids=lambda c: str(c)[:9])
def test_a_table_and_json_lines_say_the_same(
    tmp_path: Path, task: Task, table: str, entries: list[dict[str, Any]], rows: tuple[Row, ...]
) -> None:
    (tmp_path / "train.csv").write_bytes(b"\xef\xbb\xbf" + table.replace("\n", "\r\n").encode())
    lines(tmp_path, *entries)
    assert read_annotations("csv", tmp_path, task=task).rows == rows
    assert read_annotations("jsonl", tmp_path, task=task).rows == rows


@pytest.mark.parametrize(
    ("task", "entry", "said"),
    [
        ("captions", {"video": "a"}, "has no 'caption'; it has video"),
        ("captions", {"video": "a", "caption": " "}, "'caption' is empty"),
        ("captions", {"video": "a", "captions": ["x", ""]}, "'captions' is empty"),
        ("captions", {"video": "a", "caption": "x", "start": 1}, "has no 'end'"),
        ("captions", {"video": "a", "caption": "x", "start": 2, "end": 2}, "goes from 2 to 2 s"),
        ("captions", {"video": 1.5, "caption": {}}, "'caption' is {}; allowed: text"),
        ("moments", {"video": "a", "query": "x", "start": 3, "end": 1}, "goes from 3 to 1 s"),
        ("moments", {"video": "a", "query": "x", "start": -1, "end": 1}, "allowed: 0 <= start"),
        ("moments", {"video": "a", "query": "x", "spans": [[1]]}, r"'spans' holds \[1\]"),
        ("moments", {"video": "a", "query": "x", "start": "ten", "end": 1}, "'start' is 'ten'"),
        (
            "questions",
            {"video": "a", "question": "x", "answer": "c", "choices": ["a", "b"]},
            "answer 'c' is none of the choices; allowed: 'a', 'b'",
        ),
        ("labels", {"video": "a", "label": "|"}, "'label' is empty"),
        ("labels", {"video": "a", "labels": []}, "'labels' is an empty list"),
        ("labels", {"video": "a"}, "has no 'label'; it has video"),
        ("labels", {"video": "a", "label": "x", "split": "dev"}, "'split' is 'dev'; allowed"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, task: Task, entry: dict[str, Any], said: str
) -> None:
    lines(tmp_path, {"split": "test", "video": "fine"}, entry)
    with pytest.raises(DataError, match=rf"train\.jsonl, line 2: .*{said}"):
        read_annotations("jsonl", tmp_path, task=task)


def test_one_file_has_the_splits_that_its_rows_name(tmp_path: Path) -> None:
    table = "video,label,split\na,x,train\nb,y,val\nc,x,\n"
    path = tmp_path / "mine.csv"
    path.write_text(table, "utf-8")
    train = read_annotations("csv", path, "train", task="labels")
    val = read_annotations("csv", path, "val", task="labels")
    assert (train.videos, val.videos) == (("a", "c"), ("b", "c"))
    assert train.classes == val.classes == ("x", "y")
    path.write_text("video,label,split\na,x,train\n", "utf-8")
    with pytest.raises(DataError, match=r"mine\.csv: holds no row of val"):
        read_annotations("csv", path, "val", task="labels")


def test_a_class_has_one_number_in_all_splits(tmp_path: Path) -> None:
    lines(tmp_path, {"video": "a", "label": "cat"}, {"video": "b", "label": "dog"})
    lines(tmp_path, {"video": "c", "label": "dog"}, name="val.jsonl")
    for split in ("train", "val"):
        found = read_annotations("jsonl", tmp_path, split, task="labels")
        assert found.classes == ("cat", "dog")
    (tmp_path / "classes.txt").write_text("dog\ncat\nowl\n", "utf-8")
    assert read_annotations("jsonl", tmp_path, task="labels").classes == ("dog", "cat", "owl")
    (tmp_path / "classes.txt").write_text("dog\n", "utf-8")
    with pytest.raises(DataError, match="has no class 'cat', which a row is labelled with"):
        read_annotations("jsonl", tmp_path, task="labels")


def test_a_folder_of_labels_has_the_same_classes_in_all_splits(tmp_path: Path) -> None:
    for place in ("train/dog/1.mp4", "train/cat/2.mp4", "train/cat/.part", "val/dog/3.mp4"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).touch()
    train, val = (read_annotations("folder", tmp_path, split) for split in ("train", "val"))
    assert train.videos == ("train/cat/2.mp4", "train/dog/1.mp4")
    assert val.rows == (LabelRow("val/dog/3.mp4", ("dog",)),)
    assert train.classes == val.classes == ("cat", "dog")
    with pytest.raises(DataError, match="test: holds no file in a subfolder"):
        read_annotations("folder", tmp_path, "test")


def test_a_folder_without_splits_is_every_split(tmp_path: Path) -> None:
    (tmp_path / "dog" / "deep").mkdir(parents=True)
    (tmp_path / "dog" / "deep" / "1.mp4").touch()
    for split in ("train", "val"):
        assert read_annotations("folder", tmp_path, split).videos == ("dog/deep/1.mp4",)


def test_captions_that_stand_there_twice_are_counted(tmp_path: Path) -> None:
    lines(tmp_path, {"video": "a", "caption": "x"}, {"video": "a", "captions": ["x", "y"]})
    found = read_annotations("jsonl", tmp_path)
    assert found.rows == (CaptionRow("a", ("x", "y")),)
    assert found.notes == ("1 captions stand there twice; the first is kept",)
