"""Text files read entry by entry: what is taken as it comes, and how what is wrong is told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from scenewise.data.annotations import files
from scenewise.data.annotations.files import (
    Record,
    read_csv,
    read_json,
    read_jsonl,
    read_lines,
    read_list,
    records_of,
    stream_object,
)
from scenewise.errors import DataError


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize(
    "text",
    [
        b"a,b\n1,x\n2,y\n",
        b"\xef\xbb\xbfa,b\n1,x\n2,y\n",
        b"a,b\r\n1,x\r\n2,y\r\n",
        b"a,b\n\n1,x\n\n\n2,y",
        b'a, b \n1,"x"\n2,"y"\n',
    ],
    ids=["plain", "byte order mark", "windows", "blank lines", "quoted"],
)
def test_a_table_is_the_same_in_every_dress(tmp_path: Path, text: bytes) -> None:
    rows = [dict(r.fields) for r in read_csv(written(tmp_path / "t.csv", text), ("a", "b"))]
    assert rows == [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]


def test_a_cell_may_hold_line_ends_and_any_language(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", 'video,text\nä,"zwei\nZeilen, und ein ""Zitat"""\n猫,ねこ\n')
    first, second = read_csv(path)
    assert first.text("text") == 'zwei\nZeilen, und ein "Zitat"'
    assert (second.text("video"), second.text("text")) == ("猫", "ねこ")
    assert second.place == f"{path}, line 4"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1\n", "line 2: has 1 values where the first line names 2"),
        ("a,b\n1,2,3\n", "line 2: has 3 values where the first line names 2"),
        ("a,c\n1,2\n", "line 1: has no column 'b'; needed: a, b; it has: a, c"),
        ("", "line 1: has no column 'a'; needed: a, b; it has: nothing"),
        ("a,b,a\n1,2,3\n", "line 1: names the column 'a' twice"),
        ('a,b\n1,"x\n', "is no CSV"),
        (b"a,b\n1,\xff\xfe\n", "is not UTF-8 text"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_with_its_line(
    tmp_path: Path, text: str | bytes, said: str
) -> None:
    with pytest.raises(DataError, match=said) as caught:
        list(read_csv(written(tmp_path / "t.csv", text), ("a", "b")))
    assert str(caught.value).startswith(str(tmp_path / "t.csv"))
    assert str(caught.value).endswith(".")


def test_a_list_has_each_name_once(tmp_path: Path) -> None:
    assert read_list(written(tmp_path / "l.txt", "\ufeffa\r\n\r\n b \n")) == ("a", "b")
    with pytest.raises(DataError, match=r"line 3: 'a' stands there already, in .*line 1"):
        read_list(written(tmp_path / "l.txt", "a\nb\na\n"))
    with pytest.raises(DataError, match="holds nothing"):
        read_list(written(tmp_path / "l.txt", "\n \n"))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt: there is no such file"):
        list(read_lines(tmp_path / "gone.txt"))
    with pytest.raises(DataError, match="cannot be read"):
        list(read_lines(tmp_path))


def test_a_packed_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    assert [record.whole("a") for record in read_jsonl(path)] == [1, 2]
    path.write_bytes(gzip.compress(b'{"a": 1}\n' * 1000)[:-12])
    with pytest.raises(DataError, match="cannot be read"):
        list(read_jsonl(path))
    with pytest.raises(DataError, match="cannot be read"):
        list(read_jsonl(written(tmp_path / "no.gz", "text")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": 1}\n{"a": }\n', "line 2: is no JSON: Expecting value at character 7"),
        ('{"a": 1}\n[1]\n', r"line 2: is \[1\]; an object with names is needed"),
        ('{"a": 1, "a": 2}\n', "line 1: 'a' stands twice in one object"),
        ("[" * 100_000, "line 1: is nested too deeply"),
    ],
)
def test_what_is_wrong_in_json_lines_is_told_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        list(read_jsonl(written(tmp_path / "t.jsonl", text)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a":\n1,,}', "line 2: is no JSON"),
        ('{"a": {"b": 1, "b": 2}}', "'b' stands twice in one object"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_what_is_wrong_in_json_is_told(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_json(written(tmp_path / "t.json", text))


def test_entries_of_a_list_are_objects(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    with pytest.raises(DataError, match="entry 2: is 5; an object with names is needed"):
        list(records_of(path, [{}, 5]))
    with pytest.raises(DataError, match="videos is no list"):
        list(records_of(path, None, "videos"))


RECORD = Record(
    "f, line 9",
    {"t": " x ", "e": "", "n": 5, "s": "2.5", "bad": "five", "l": [], "inf": "inf", "b": True},
)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: RECORD.text("gone"), "has no 'gone'; it has t, e, n"),
        (lambda: RECORD.text("e"), "'e' is empty; allowed: text"),
        (lambda: RECORD.text("l"), r"'l' is \[\]; allowed: text"),
        (lambda: RECORD.text("b"), "'b' is True; allowed: text"),
        (lambda: RECORD.number("bad"), "'bad' is 'five'; allowed: a finite number"),
        (lambda: RECORD.number("inf"), "'inf' is 'inf'; allowed: a finite number"),
        (lambda: RECORD.number("b"), "'b' is True; allowed: a finite number"),
        (lambda: RECORD.whole("s"), "'s' is '2.5'; allowed: a whole number, at least 0"),
        (lambda: RECORD.whole("n", below=5), "'n' is 5; allowed: a whole number, 0 to 4"),
        (lambda: RECORD.texts("l"), "'l' is an empty list"),
        (lambda: RECORD.list_of("t"), "'t' is ' x '; allowed: a list"),
    ],
)
def test_a_field_of_another_kind_is_told_with_what_is_allowed(call: Any, said: str) -> None:
    with pytest.raises(DataError, match=f"^f, line 9: {said}"):
        call()


def test_fields_are_read_as_what_they_are() -> None:
    assert (RECORD.text("t"), RECORD.text("n"), RECORD.number("s")) == ("x", "5", 2.5)
    assert (RECORD.whole("n"), RECORD.texts("t"), RECORD.optional("e")) == (5, ("x",), "")
    assert not RECORD.has("e")
    assert not RECORD.has("l")


@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_a_large_object_is_read_entry_by_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(files, "_CHUNK", chunk)
    whole = {f"v{n}": {"text": ['say "}" \\ {', "ä猫"], "start": [n, 2.5e1]} for n in range(50)}
    path = written(tmp_path / "c.json", json.dumps(whole, indent=1, ensure_ascii=False))
    assert {key: dict(record.fields) for key, record in stream_object(path)} == whole
    assert list(stream_object(written(tmp_path / "e.json", " {\n} "))) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a": {}, "b": {"c": [1, 2', "after b: "),
        ('{"a": {} "b": {}}', "after a: ',' is needed"),
        ('{"a": 5}', "after a: a text or an object is needed"),
        ("[]", "after the beginning: '{' is needed"),
        ('{"a": {}', "after a: ',' is needed"),
        ('{"a": "x"}', "entry a: is 'x'; an object with names is needed"),
    ],
)
def test_a_large_object_that_is_damaged_says_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        list(stream_object(written(tmp_path / "c.json", text)))
