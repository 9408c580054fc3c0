"""Examples from folders and tables, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenewise.errors import UsageError
from scenewise.tasks.examples import Example, numbers_of, read_examples


def touch(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_a_folder_has_a_subfolder_for_each_label(tmp_path: Path) -> None:
    for name in ("dog/b.mp4", "dog/more/a.mkv", "a cat/c.webm", ".hidden/d.mp4", "e.mp4"):
        touch(tmp_path / name)
    touch(tmp_path / "dog" / "notes.txt")
    found = read_examples(tmp_path)
    names = [(Path(one.video).relative_to(tmp_path).as_posix(), one.label) for one in found]
    assert names == [("a cat/c.webm", "a cat"), ("dog/b.mp4", "dog"), ("dog/more/a.mkv", "dog")]


def test_a_table_has_videos_labels_and_times(tmp_path: Path) -> None:
    beside = touch(tmp_path / "clip, one.mp4")
    table = tmp_path / "examples.csv"
    table.write_text(
        'Label,video,start,end,by\ndog,"clip, one.mp4",0:01.5,4,me\ncat,known.mp4,,,\n', "utf-8"
    )
    assert read_examples(table) == [
        Example(str(beside), "dog", 1.5, 4.0),
        Example("known.mp4", "cat"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "columns none"),
        ("video,class\na,b\n", "columns video, class"),
        ("video,label\n", "no example"),
        ("video,label\na.mp4,\n", r"line 2: there is no label"),
        ("video,label,start\na.mp4,x,soon\n", r"line 2: 'soon'"),
        ("video,label,start,end\na.mp4,x,5,5\n", r"line 2: .* end after its start"),
        ('video,label\n"a.mp4,x\n', "no CSV"),
    ],
)
def test_odd_tables_are_refused(text: str, words: str, tmp_path: Path) -> None:
    table = tmp_path / "examples.csv"
    table.write_text(text, "utf-8")
    with pytest.raises(UsageError, match=words):
        read_examples(table)


def test_what_holds_no_examples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no subfolder with videos"):
        read_examples(tmp_path)
    with pytest.raises(UsageError, match="neither a folder nor a file"):
        read_examples(tmp_path / "gone")
    (tmp_path / "latin.csv").write_bytes(b"video,label\ncaf\xe9.mp4,x\n")
    with pytest.raises(UsageError, match="UTF-8"):
        read_examples(tmp_path / "latin.csv")


def test_numbers_are_numbers() -> None:
    assert numbers_of([Example("a", "1.5"), Example("b", "-2")]) == [1.5, -2.0]
    for odd in ("fast", "nan", "inf", "1,5"):
        with pytest.raises(UsageError, match="is no number"):
            numbers_of([Example("a", odd)])
