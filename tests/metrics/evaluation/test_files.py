"""Prediction files: the shapes that are read alike, and what is said of broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scenewise.errors import DataError, ScenewiseError, UsageError
from scenewise.metrics.evaluation.files import read_entries
from scenewise.metrics.evaluation.result import Evaluation, Met, meet, named

WRITTEN = {
    "map.json": '{"a": "x", "7": "y"}',
    "list.json": '[{"id": "a", "text": "x"}, {"id": 7, "text": "y"}]',
    "wrapped.json": '{"annotations": [{"id": "a", "text": "x"}, {"id": 7, "text": "y"}]}',
    "inner.json": '{"a": {"text": "x"}, "7": {"text": "y"}}',
    "lines.jsonl": '{"id": "a", "text": "x"}\n\n{"id": 7, "text": "y"}\n',
    "table.csv": "id,text\r\na,x\r\n7,y\r\n",
    "lines.txt": "a\tx\n\n7\ty\n",
    "marked.tsv": "\ufeffa\tx\n7\ty\n",
}


@pytest.mark.parametrize("name", WRITTEN)
def test_all_shapes_give_the_same_entries(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text(WRITTEN[name], "utf-8", newline="")
    entries = read_entries(path, ("id",), ("text",))
    assert [(entry.id, entry.value) for entry in entries] == [("a", "x"), ("7", "y")]
    assert all(str(path) in entry.where for entry in entries)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "", "is empty"),
        ("a.json", "[]", "holds nothing"),
        ("a.json", "{}", "holds nothing"),
        ("a.json", '{"a": 1', r"is no JSON: .* \(line 1, column"),
        ("a.json", '{"a": 1, "a": 2}', "the key 'a' stands there twice"),
        ("a.json", "3", "holds a number; a mapping or a list is needed"),
        ("a.json", "[3]", "entry 1 is a number; an object with an id"),
        ("a.json", '[{"name": 3}]', "entry 1 has no id; name it by id or key"),
        ("a.json", '[{"id": true}]', "the id must be a text, got true or false"),
        ("a.json", "[" * 100_000, "nested too deeply|is no JSON"),
        ("a.jsonl", '{"id": 1}\n{', "line 2 is no JSON"),
        ("a.csv", "id,id\n1,2\n", "must name each column once"),
        ("a.csv", "id,text\n1\n", "line 2: not as many cells"),
        ("a.csv", "id,text\n1,2,3\n", "line 2: not as many cells"),
        ("a.csv", 'id,text\n1,"2\n', "is no CSV"),
        ("a.csv", "id,text\n", "holds nothing"),
        ("a.txt", "a x\n", "line 1: an id, a tab and a text"),
        ("a.txt", "a\tx\n\ty\n", "line 2: an id, a tab and a text"),
    ],
)
def test_broken_files_are_one_sentence(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match=message):
        read_entries(path, ("id", "key"), ("text",))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_entries(tmp_path / "absent.json", ("id",), ())
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(DataError, match="cannot be read: Is a directory"):
        read_entries(tmp_path / "folder.json", ("id",), ())
    (tmp_path / "latin.json").write_bytes(b'{"a": "caf\xe9"}')
    with pytest.raises(DataError, match="no text in UTF-8"):
        read_entries(tmp_path / "latin.json", ("id",), ())
    with pytest.raises(UsageError, match=r"ends in \.pkl, .* allowed: \.json, \.jsonl"):
        read_entries(tmp_path / "a.pkl", ("id",), ())


def test_ids_meet_or_are_named() -> None:
    assert meet("abc", "abcd", allow_missing=False) == Met((), ("d",))
    assert meet("abc", "ad", allow_missing=True) == Met(("b", "c"), ("d",))
    with pytest.raises(DataError, match=r"2 of 3 .* no prediction: 'b', 'c'; .* --allow-missing"):
        meet("abc", "ad", allow_missing=False)
    for allowed in (True, False):
        with pytest.raises(DataError, match="no id is in both files: the predictions have 'x'"):
            meet("abc", "x", allow_missing=allowed)


def test_many_names_are_cut() -> None:
    assert named("abcdefg") == "'a', 'b', 'c', 'd', 'e' and 2 more"
    assert named("") == "none"


def test_rows_join_nested_names_and_leave_details_to_json() -> None:
    figures = {"a": {"b": 0.5, "by_class": {"x": 1.0}}, "n": 3, "unknown": None, "curve": [1]}
    evaluation = Evaluation("labels", 3, figures, Met((), ("z",)), ("a note",))
    assert evaluation.rows() == [("a b", "0.5000"), ("n", "3"), ("unknown", "-")]
    shape = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert shape["figures"] == figures
    assert shape["superfluous"] == ["z"]
    assert shape["notes"] == ["a note"]


def test_every_refusal_is_an_error_of_this_package() -> None:
    assert issubclass(DataError, ScenewiseError)
    assert (DataError.exit_code, UsageError.exit_code) == (1, 2)
