"""UCF101 and HMDB51: clips in a folder for each class, three published splits each.

UCF101 (Soomro et al. 2012): ``trainlist01.txt`` (``CLASS/CLIP NUMBER``), ``testlist01.txt``
(``CLASS/CLIP``) and ``classInd.txt`` (``NUMBER CLASS``, from 1). HMDB51 (Kuehne et al. 2011):
``CLASS_test_split1.txt`` for each class (``CLIP MARK``: 1 trains, 2 tests, 0 is left out), or
``hmdb51.csv`` of MIL-NCE with the same marks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scenewise.data.annotations.files import Record, find_file, look_for, read_csv, read_lines
from scenewise.data.rows import Annotations, LabelRow, Task
from scenewise.errors import DataError

SPLITS = ("train1", "test1", "train2", "test2", "train3", "test3")
_MARKS = {"train": 1, "test": 2}
_OF_A_CLASS = re.compile(r"(.+)_test_split[123]\.txt")


def read_ucf101(folder: Path, split: str, task: Task) -> Annotations[LabelRow]:
    """Rows in the order of the list; classes by their numbers."""
    classes = _class_numbers(find_file(folder, ("classInd.txt",), "the list of classes"))
    part, number = split[:-1], split[-1]
    path = find_file(folder, (f"{part}list0{number}.txt",), f"the list of {split}")
    rows = tuple(_ucf_rows(path, classes))
    return Annotations("ucf101", split, task, rows, tuple(classes.values()))


def _class_numbers(path: Path) -> dict[int, str]:
    classes: dict[int, str] = {}
    for place, line in read_lines(path):
        number, _, name = line.partition(" ")
        if not number.isdecimal() or not name.strip():
            raise DataError(f"{place}: {line[:60]!r} is not 'NUMBER CLASS'.")
        if int(number) != len(classes) + 1:
            raise DataError(f"{place}: number {number} stands where {len(classes) + 1} should.")
        classes[int(number)] = name.strip()
    return classes


def _ucf_rows(path: Path, classes: dict[int, str]) -> Iterator[LabelRow]:
    for place, line in read_lines(path):
        clip, _, number = line.partition(" ")
        label = clip.partition("/")[0]
        if "/" not in clip or label not in classes.values():
            raise DataError(f"{place}: {clip[:60]!r} is in the folder of none of the classes.")
        if number.strip():
            said = Record(place, {"class": number}).whole("class", below=len(classes) + 1)
            if classes.get(said) != label:
                raise DataError(f"{place}: class {said} is not {label}, in whose folder it is.")
        yield LabelRow(clip, (label,))


def read_hmdb51(folder: Path, split: str, task: Task) -> Annotations[LabelRow]:
    """Rows by class and then as in the files; classes in the order of the alphabet."""
    part, number = split[:-1], split[-1]
    table = look_for(folder, ("hmdb51.csv",))
    if table is not None:
        marked = list(_hmdb_table(table, f"split{number}"))
    else:
        files = sorted(folder.glob(f"*_test_split{number}.txt")) if folder.is_dir() else []
        if not files:
            raise DataError(
                f"{folder}: the lists of {split} are missing; "
                f"looked for hmdb51.csv, CLASS_test_split{number}.txt."
            )
        marked = [entry for path in files for entry in _hmdb_list(path)]
    rows = tuple(
        LabelRow(f"{label}/{clip}", (label,))
        for label, clip, mark in marked
        if mark == _MARKS[part]
    )
    classes = tuple(sorted({label for label, _, _ in marked}))
    return Annotations("hmdb51", split, task, rows, classes)


def _hmdb_table(path: Path, column: str) -> Iterator[tuple[str, str, int]]:
    for record in read_csv(path, ("video_id", "label", column)):
        label = record.text("label").removesuffix("_test")
        yield label, record.text("video_id"), record.whole(column, below=3)


def _hmdb_list(path: Path) -> Iterator[tuple[str, str, int]]:
    named = _OF_A_CLASS.fullmatch(path.name)
    assert named is not None  # by the pattern that found it
    for place, line in read_lines(path):
        clip, _, mark = line.rpartition(" ")
        if not clip.strip():
            raise DataError(f"{place}: {line[:60]!r} is not 'CLIP MARK'.")
        yield named[1], clip.strip(), Record(place, {"mark": mark}).whole("mark", below=3)
