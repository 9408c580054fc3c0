"""Choices from files: the right one of several answers, by kind of question.

It knows shapes of files: NExT-QA's table, EgoSchema's mapping, and plain ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from scenewise.errors import DataError
from scenewise.metrics.choices import choice_figures
from scenewise.metrics.evaluation.files import Entry, list_of, read_document, read_entries, text_of
from scenewise.metrics.evaluation.files import one_each as by_id
from scenewise.metrics.evaluation.result import Evaluation, meet

IDS = ("id", "question_id", "q_uid", "qid")
PREDICTED = ("prediction", "pred", "choice", "answer", "text")
TRUE = ("answer", "text")
_COLUMN = re.compile(r"a\d+")  # of a choice, in NExT-QA's table


def evaluate_choices(predictions: Path, references: Path, *, allow_missing: bool) -> Evaluation:
    """Chosen answers, by number from 0 or by their text, against the right ones."""
    wanted = _references(references)
    given = by_id(read_entries(predictions, IDS, PREDICTED))
    met = meet(wanted, given, allow_missing=allow_missing)
    right, outside = [], 0
    for name, entry in wanted.items():
        choices = _choices(entry)
        truth = _number(entry.value, choices, entry.where, "the right answer")
        if truth is None:
            raise DataError(
                f"{entry.where}: the right answer is none of the choices; give its number from 0 "
                "or its text."
            )
        if name not in given:
            right.append(False)
            continue
        chosen = _number(given[name].value, choices, given[name].where, "the chosen answer")
        outside += chosen is None
        right.append(chosen == truth)
    kinds = [str(e.fields.get("type") or e.fields.get("kind") or "") for e in wanted.values()]
    figures = choice_figures(right, kinds if all(kinds) else None).to_dict()
    notes = (f"{outside} answers are none of the choices: they count as wrong",) if outside else ()
    return Evaluation("choices", len(right), figures, met, notes)


def _references(path: Path) -> dict[str, Entry]:
    """Entries by id; NExT-QA numbers its questions anew for each video, so its id is both."""
    document = read_document(path)
    entries = read_entries(path, IDS, TRUE)
    if isinstance(document, list) and all({"video", "qid"} <= set(row) for row in document):
        entries = [
            Entry(f"{e.fields['video']}_{e.fields['qid']}", e.value, e.fields, e.where)
            for e in entries
        ]
    return by_id(entries)


def _choices(entry: Entry) -> tuple[str, ...]:
    """The texts of the choices; empty where the file has numbers alone."""
    if "choices" in entry.fields:
        values = list_of(entry.fields["choices"], entry.where, "choices")
    else:
        names = [name for name in entry.fields if _COLUMN.fullmatch(name)]
        values = [entry.fields[name] for name in sorted(names, key=lambda name: int(name[1:]))]
    return tuple(text_of(value, entry.where, "a choice") for value in values)


def _number(value: Any, choices: Sequence[str], where: str, what: str) -> int | None:
    """The number of a choice, given as number or as text; None where it is none of them.

    A text that is itself a choice is meant as text, even where it is a number.
    """
    if isinstance(value, dict):
        raise DataError(f"{where}: {what} is not named; name it prediction or answer.")
    told = text_of(value, where, what).strip()
    if isinstance(value, str) and told in choices:
        return choices.index(told)
    try:
        number = int(told)
    except ValueError:
        if not choices:
            raise DataError(
                f"{where}: {what} is {told!r}, and the references list no choices; give its "
                "number from 0."
            ) from None
        return None
    inside = number >= 0 and (not choices or number < len(choices))
    return number if inside else None
