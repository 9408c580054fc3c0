"""Examples to train a classifier on: a folder of folders, or a table.

A folder has one subfolder for each label (as torchvision's ImageFolder), with videos anywhere in
it. A table is a CSV file with the columns ``video`` and ``label``, and perhaps ``start`` and
``end``; a video is a path, from the table's own folder on, or a file name or id of the library.

It knows names, labels and times; it opens no video.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scenewise.config import expand_user
from scenewise.errors import UsageError
from scenewise.index.discover import discover
from scenewise.tasks.cut import parse_time

COLUMNS = "video,label, and perhaps start and end"


@dataclass(frozen=True, slots=True)
class Example:
    """A video, or ``[start, end)`` seconds of it, and what it is an example of."""

    video: str
    label: str
    start: float | None = None  # None: from the beginning
    end: float | None = None  # None: to the end

    def __str__(self) -> str:
        if self.start is None and self.end is None:
            return self.video
        end = "" if self.end is None else f"{self.end:g}"
        return f"{self.video}@{self.start or 0:g}-{end}"


def read_examples(source: str | Path) -> list[Example]:
    """Examples of a folder or a CSV file, in a fixed order. Raises UsageError."""
    path = expand_user(source)
    if path.is_dir():
        return _read_folder(path)
    if path.is_file():
        return _read_table(path)
    raise UsageError(
        f"{source} is neither a folder nor a file; give a folder with one subfolder for each "
        f"label, or a CSV file with the columns {COLUMNS}."
    )


def numbers_of(examples: Iterable[Example]) -> list[float]:
    """The labels as numbers, for a regression. Raises UsageError for one that is none."""
    found = []
    for example in examples:
        try:
            value = float(example.label)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise UsageError(
                f"{example}: the label {example.label!r} is no number, and a regression needs "
                "numbers; leave --regression out to train on labels."
            )
        found.append(value)
    return found


def _read_folder(folder: Path) -> list[Example]:
    labels = sorted(
        entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    examples = [
        Example(stamp.path, label.name)
        for label in labels
        for stamp in sorted(discover([label]).files, key=lambda stamp: stamp.path)
    ]
    if not examples:
        raise UsageError(
            f"{folder} holds no subfolder with videos; make one subfolder for each label, such "
            f"as {folder.name}/cat and {folder.name}/dog, and put the videos there."
        )
    return examples


def _read_table(path: Path) -> list[Example]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text; save the table as CSV in UTF-8.") from None
    rows = csv.DictReader(io.StringIO(text, newline=""), skipinitialspace=True, strict=True)
    try:
        columns = {name.strip().lower(): name for name in rows.fieldnames or () if name}
        if not {"video", "label"} <= set(columns):
            named = ", ".join(columns) or "none"
            raise UsageError(f"{path} has the columns {named}; the first line must name {COLUMNS}.")
        examples = [
            _example(path, rows.line_num, {name: row[own] for name, own in columns.items()})
            for row in rows
        ]
    except csv.Error as error:
        raise UsageError(f"{path}, line {rows.line_num}: it is no CSV ({error}).") from None
    if not examples:
        raise UsageError(f"{path} holds no example; write one line for each, with {COLUMNS}.")
    return examples


def _example(path: Path, line: int, row: dict[str, str | None]) -> Example:
    cells = {name: (value or "").strip() for name, value in row.items()}
    where = f"{path}, line {line}"
    for name in ("video", "label"):
        if not cells[name]:
            raise UsageError(f"{where}: there is no {name}.")
    try:
        start, end = (
            parse_time(cells[name]) if cells.get(name) else None for name in ("start", "end")
        )
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    if end is not None and end <= (start or 0.0):
        raise UsageError(f"{where}: the example does not end after its start.")
    beside = path.parent / expand_user(cells["video"])
    return Example(str(beside) if beside.is_file() else cells["video"], cells["label"], start, end)
