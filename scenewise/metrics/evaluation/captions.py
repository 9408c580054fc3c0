"""Captions from files, against several sentences each; the formulas are those of ``captioning``.

It knows shapes of files: ``{id: text}``, COCO's lists, and lines of id and text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scenewise.errors import DataError
from scenewise.metrics import captioning
from scenewise.metrics.evaluation.files import Entry, one_each, read_entries, text_of
from scenewise.metrics.evaluation.result import Evaluation, meet

IDS = ("image_id", "video_id", "video", "id")
VALUES = ("captions", "caption", "text")
_NOT_OF_ANSWERS = ("meteor", "cider", "cider_d")  # which say little of answers of a few words


def evaluate_captions(
    predictions: Path, references: Path, *, allow_missing: bool, without: Sequence[str] = ()
) -> Evaluation:
    """One sentence for each id against all sentences of the references; a missing one is empty.

    ``without`` names measures that are left out, such as METEOR, whose program needs Java.
    """
    wanted: dict[str, list[str]] = {}
    for entry in read_entries(references, IDS, VALUES):
        wanted.setdefault(entry.id, []).extend(_sentences(entry))
    given = one_each(read_entries(predictions, IDS, VALUES))
    met = meet(wanted, given, allow_missing=allow_missing)
    candidates = {name: _one(given[name]) if name in given else "" for name in wanted}
    figures = sentence_figures(candidates, wanted, without)
    return Evaluation("captions", len(wanted), figures, met)


def sentence_figures(
    candidates: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    without: Sequence[str] = _NOT_OF_ANSWERS,
) -> dict[str, Any]:
    """Figures of the whole set by name; what is not left out by name is BLEU and ROUGE-L."""
    return captioning.evaluate(candidates, references, without=without)


def _sentences(entry: Entry) -> list[str]:
    values = entry.value if isinstance(entry.value, list) else [entry.value]
    if not values or values == [None]:
        raise DataError(f"{entry.where} has no sentence; name it caption or captions.")
    return [text_of(value, entry.where, "a sentence") for value in values]


def _one(entry: Entry) -> str:
    sentences = _sentences(entry)
    if len(sentences) > 1:
        raise DataError(f"{entry.where} has {len(sentences)} captions; one is judged, leave one.")
    return sentences[0]
