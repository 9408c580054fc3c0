"""Charades-STA (Gao et al. 2017): sentences with a span, on films of daily doings at home.

A line is ``VIDEO START END##SENTENCE``. Durations come from ``charades.json`` (VSLNet) or from the
csv files of Charades. One span in seven reaches up to 1.6 s past the end of its video, as does the
action of Charades of which it was made; it is cut there, as 2D-TAN and VSLNet do. Without such a
file nothing is cut and no duration is given.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scenewise.data.annotations.files import (
    Oddities,
    Record,
    find_file,
    keyed_records,
    look_for,
    read_csv,
    read_json,
    read_lines,
)
from scenewise.data.annotations.spans import mended
from scenewise.data.rows import Annotations, MomentRow, Task
from scenewise.errors import DataError

_LINE = re.compile(r"(\S+)\s+(\S+)\s+(\S+?)\s*##(.*)")


def read(folder: Path, split: str, task: Task) -> Annotations[MomentRow]:
    """One row a line."""
    odd = Oddities()
    path = find_file(folder, (f"charades_sta_{split}.txt",), f"the file of {split}")
    rows = tuple(_rows(path, _durations(path.parent, split), odd))
    return Annotations("charades_sta", split, task, rows, notes=odd.notes())


def _rows(path: Path, durations: dict[str, float], odd: Oddities) -> Iterator[MomentRow]:
    for place, line in read_lines(path):
        found = _LINE.fullmatch(line)
        if found is None or not found[4].strip():
            raise DataError(f"{place}: {line[:60]!r} is not 'VIDEO START END##SENTENCE'.")
        video, start, end, sentence = found.groups()
        duration = durations.get(video)
        if durations and duration is None:
            odd.count("of the rows are of a video whose duration is not known, and are not cut")
        span = mended(Record(place, {}), start, end, duration, odd)
        if span is not None:
            yield MomentRow(video, sentence.strip(), (span,), duration)


def _durations(folder: Path, split: str) -> dict[str, float]:
    path = look_for(folder, ("charades.json",))
    if path is not None:
        return {
            key: record.number("duration") for key, record in keyed_records(path, read_json(path))
        }
    path = look_for(folder, (f"Charades_v1_{split}.csv",))
    if path is None:
        return {}
    return {r.text("id"): r.number("length") for r in read_csv(path, ("id", "length"))}
