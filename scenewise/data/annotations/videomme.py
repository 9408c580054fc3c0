"""Video-MME (Fu et al. 2024): 2,700 questions about 900 videos, four choices.

Reads its JSON form (videos with their questions, or one object a question), JSON lines, CSV and
TSV. The Parquet file of the hub is not read, as that would need another package: save it as one of
those. ``group`` is short, medium or long, ``kind`` the type of task; the videos are named by their
YouTube id where the file has it.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scenewise.data.annotations.files import (
    Oddities,
    Record,
    look_for,
    read_csv,
    read_json,
    read_jsonl,
    records_of,
    unique,
)
from scenewise.data.annotations.videoqa import EQUAL_CHOICES
from scenewise.data.rows import Annotations, QuestionRow, Task
from scenewise.errors import DataError

_NAMES = tuple(
    f"{stem}.{suffix}"
    for stem in ("videomme", "video-mme", "Video-MME", "test", "Video-MME_test")
    for suffix in ("json", "jsonl", "csv", "tsv")
)
_LETTER = re.compile(r"\(?([A-Z])\)?[.):]\s*(.*)", re.S)


def read(folder: Path, split: str, task: Task) -> Annotations[QuestionRow]:
    """One row a question."""
    odd = Oddities()
    path = folder if folder.is_file() else look_for(folder, _NAMES)
    if path is None:
        raise DataError(
            f"{folder}: the file of Video-MME is missing; looked for videomme.json, .jsonl, .csv "
            "or .tsv. A Parquet file is not read: save it as one of those."
        )
    rows = []
    for number, record in unique(_questions(path), "question_id"):
        choices = tuple(_without_letter(record, place, text) for place, text in _options(record))
        letter = record.text("answer").strip("().")
        right = ord(letter) - ord("A") if len(letter) == 1 else -1
        if not 0 <= right < len(choices):
            allowed = ", ".join(chr(ord("A") + number) for number in range(len(choices)))
            raise record.error(f"'answer' is {letter!r}; allowed: {allowed}")
        odd.count(EQUAL_CHOICES, int(len(set(choices)) < len(choices)))
        video = record.optional("videoID") or record.optional("video") or record.text("video_id")
        kind, length = record.optional("task_type"), record.optional("duration")
        rows.append(
            QuestionRow(
                video,
                record.text("question"),
                (choices[right],),
                choices,
                kind,
                id=number,
                choice=right,
                group=length,
            )
        )
    return Annotations("videomme", split, task, tuple(rows), notes=odd.notes())


def _questions(path: Path) -> Iterator[Record]:
    if path.suffix in (".csv", ".tsv"):
        yield from read_csv(path, delimiter="\t" if path.suffix == ".tsv" else ",")
    elif path.suffix == ".jsonl":
        yield from read_jsonl(path)
    else:
        for video in records_of(path, read_json(path)):
            if "questions" not in video.fields:
                yield video
                continue
            shared = {name: value for name, value in video.fields.items() if name != "questions"}
            for number, entry in enumerate(video.list_of("questions"), 1):
                fields = entry if isinstance(entry, dict) else {}
                yield Record(f"{video.place}, question {number}", {**shared, **fields})


def _options(record: Record) -> Iterator[tuple[int, str]]:
    name = "options" if record.has("options") else "candidates"
    value: Any = record.value(name)
    if isinstance(value, str):
        value = _parsed(record, name, value)
    yield from enumerate(Record(record.place, {name: value}).texts(name))


def _parsed(record: Record, name: str, text: str) -> Any:
    """A list that a table holds as text: of JSON, of Python, or of NumPy without commas.

    Python takes texts without a comma between them for one text: a list of one is none.
    """
    for parse in (json.loads, ast.literal_eval, _numpy_list):
        try:
            value = parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, list) and len(value) > 1:
            return value
    raise record.error(f"{name!r} is {text[:60]!r}; allowed: a list of texts")


def _numpy_list(text: str) -> list[str]:
    body = text.strip().removeprefix("[").removesuffix("]")
    found = re.findall(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"", body)
    return [(one or other).replace("\\'", "'").replace('\\"', '"') for one, other in found]


def _without_letter(record: Record, place: int, text: str) -> str:
    """``A. Apples`` is ``Apples``, where A is the letter of this place."""
    found = _LETTER.fullmatch(text)
    if found is None or ord(found[1]) - ord("A") != place:
        return text
    if not found[2].strip():
        raise record.error(f"choice {text!r} has no words")
    return found[2].strip()
