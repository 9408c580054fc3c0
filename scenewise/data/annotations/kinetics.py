"""Kinetics-400, 600 and 700 (Kay et al. 2017; Carreira et al. 2018, 2019): one action a clip.

Reads the makers' csv (``label,youtube_id,time_start,time_end,split``) and the lists that training
code makes of it (``PATH LABEL`` a line, the label a number or a name). A clip of the csv is named
``ID_000010_000020`` as the downloaders name its file. Classes are in the order of the alphabet,
which is the order of the numbers in use; lists of numbers take names from ``classes.txt`` where
that lies beside them.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scenewise.data.annotations.files import (
    Oddities,
    Record,
    find_file,
    look_for,
    read_csv,
    read_lines,
    read_list,
)
from scenewise.data.rows import Annotations, LabelRow, Task
from scenewise.errors import DataError

_COLUMNS = ("label", "youtube_id", "time_start", "time_end")
_CLASSES = ("classes.txt", "label_map.txt")


def read_400(folder: Path, split: str, task: Task) -> Annotations[LabelRow]:
    """Kinetics-400."""
    return _read(folder, split, task, 400)


def read_600(folder: Path, split: str, task: Task) -> Annotations[LabelRow]:
    """Kinetics-600."""
    return _read(folder, split, task, 600)


def read_700(folder: Path, split: str, task: Task) -> Annotations[LabelRow]:
    """Kinetics-700."""
    return _read(folder, split, task, 700)


def _read(folder: Path, split: str, task: Task, version: int) -> Annotations[LabelRow]:
    short = {"val": "validate"}.get(split, split)
    names = [
        *(f"kinetics{mark}{version}_{split}.csv" for mark in ("-", "_", "")),
        f"{split}.csv",
        f"{short}.csv",
        f"kinetics{version}_{split}_list_videos.txt",
        f"kinetics{version}_{split}.txt",
        f"{split}.txt",
    ]
    path = find_file(folder, names, f"the file of {split}")
    odd = Oddities()
    if _first_line(path).startswith("label,"):
        rows = tuple(_clips(path, odd, may_lack_label=split == "test"))
        classes = tuple(sorted({label for row in rows for label in row.labels}))
    else:
        known = look_for(path.parent, _CLASSES)
        rows, classes = label_list(path, read_list(known) if known else ())
    if len(classes) not in (0, version):
        odd.count(f"classes are in this file; Kinetics-{version} has {version}", len(classes))
    return Annotations(f"kinetics{version}", split, task, rows, classes, odd.notes())


def _first_line(path: Path) -> str:
    return next((line for _, line in read_lines(path)), "")


def _clips(path: Path, odd: Oddities, *, may_lack_label: bool) -> Iterator[LabelRow]:
    seen: set[str] = set()
    for record in read_csv(path, _COLUMNS):
        start, end = record.whole("time_start"), record.whole("time_end")
        if end <= start:
            raise record.error(f"ends at {end} s and starts at {start} s")
        name = f"{record.text('youtube_id')}_{start:06d}_{end:06d}"
        if name in seen:
            odd.count("of the clips stand there twice; the first is kept")
            continue
        seen.add(name)
        label = record.optional("label") if may_lack_label else record.text("label")
        yield LabelRow(name, (label,) if label else ())


def label_list(
    path: Path, classes: tuple[str, ...] = ()
) -> tuple[tuple[LabelRow, ...], tuple[str, ...]]:
    """Rows and classes of a list of ``PATH LABEL``. Numbers, from 0, name the given classes."""
    found = [_entry(place, line) for place, line in read_lines(path)]
    if not found:
        raise DataError(f"{path}: holds no line 'PATH LABEL'.")
    if all(label.isdecimal() for _, _, label in found):
        names = classes or tuple(str(n) for n in range(1 + max(int(label) for *_, label in found)))
        labels = [
            names[Record(place, {"label": label}).whole("label", below=len(names))]
            for place, _, label in found
        ]
    else:
        names = classes or tuple(sorted({label for *_, label in found}))
        unknown = next((entry for entry in found if entry[2] not in names), None)
        if unknown:
            raise DataError(f"{unknown[0]}: {unknown[2]!r} is none of the {len(names)} classes.")
        labels = [label for *_, label in found]
    rows = (LabelRow(name, (label,)) for (_, name, _), label in zip(found, labels, strict=True))
    return tuple(rows), names


def _entry(place: str, line: str) -> tuple[str, str, str]:
    separator = "," if "," in line and " " not in line else None
    parts = line.rsplit(separator, 1)
    if len(parts) != 2 or not all(part.strip() for part in parts):
        raise DataError(f"{place}: {line[:60]!r} is not 'PATH LABEL'.")
    return place, parts[0].strip(), parts[1].strip()
