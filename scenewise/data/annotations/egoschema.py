"""EgoSchema (Mangalam et al. 2023): 5,031 questions about three minutes of Ego4D, five choices.

``questions.json`` has the questions, ``subset_answers.json`` the answers of 500 of them; the others
are judged by the makers' server. ``subset`` is those 500, ``test`` all. The videos are named by the
question's id.
"""

from __future__ import annotations

from pathlib import Path

from scenewise.data.annotations.files import (
    Oddities,
    Record,
    find_file,
    look_for,
    read_json,
    records_of,
    unique,
)
from scenewise.data.annotations.videoqa import EQUAL_CHOICES
from scenewise.data.rows import Annotations, QuestionRow, Task
from scenewise.errors import DataError

_CHOICES = tuple(f"option {number}" for number in range(5))


def read(folder: Path, split: str, task: Task) -> Annotations[QuestionRow]:
    """One row a question; those whose answer is withheld have none."""
    odd = Oddities()
    path = find_file(folder, ("questions.json",), "the file of questions")
    answers = read_answers(folder, needed=split == "subset")
    rows = []
    for number, record in unique(records_of(path, read_json(path)), "q_uid"):
        if split == "subset" and number not in answers:
            continue
        choices = tuple(record.text(name) for name in _CHOICES)
        right = answers.get(number)
        odd.count(EQUAL_CHOICES, int(len(set(choices)) < len(choices)))
        rows.append(
            QuestionRow(
                number,
                record.text("question"),
                () if right is None else (choices[right],),
                choices,
                id=number,
                choice=right,
            )
        )
    if split == "subset" and len(rows) < len(answers):
        raise DataError(
            f"{path}: has {len(rows)} of the {len(answers)} questions of the subset; "
            "the whole file is needed."
        )
    return Annotations("egoschema", split, task, tuple(rows), notes=odd.notes())


def read_answers(folder: Path, *, needed: bool = True) -> dict[str, int]:
    """Number of the right choice, from 0, by the question's id; empty where it may be missing."""
    name = ("subset_answers.json",)
    path = find_file(folder, name, "the file of answers") if needed else look_for(folder, name)
    if path is None:
        return {}
    whole = read_json(path)
    if not isinstance(whole, dict):
        raise DataError(f"{path}: is no object of ids and numbers.")
    record = Record(str(path), whole)
    return {number: record.whole(number, below=len(_CHOICES)) for number in whole}
