"""Predicted captions beside their references, checked and split into tokens.

It knows what may be given, and nothing of metrics. Every metric of this package takes
``CaptionPairs`` and gives ``Scored``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from scenewise.errors import UsageError
from scenewise.metrics.captioning.ptb import tokenize

_NAMED = 3  # so many ids stand in a message


@dataclass(frozen=True, slots=True)
class CaptionPairs:
    """One prediction and at least one reference for each of N videos, as tokens."""

    ids: tuple[str, ...]
    predictions: list[list[str]]  # N; an empty caption has no tokens
    references: list[list[list[str]]]  # N, of any number each


@dataclass(frozen=True, slots=True)
class Scored:
    """What a metric gives: one number for all videos, and one for each."""

    corpus: float  # not always the mean of the others: BLEU and METEOR count over all videos
    by_id: dict[str, float]


def pair_up(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> CaptionPairs:
    """Check that each prediction has its references and the reverse, and tokenize both.

    Raises UsageError where ids have no partner, references are empty, or a caption is no text;
    the message counts and names them. An empty prediction is allowed: it scores 0.
    """
    _check(predictions, references)
    ids = tuple(predictions)
    tokens = iter(tokenize(predictions.values()))
    predicted = list(islice(tokens, len(ids)))
    flat = iter(tokenize(sentence for one in ids for sentence in references[one]))
    return CaptionPairs(ids, predicted, [list(islice(flat, len(references[one]))) for one in ids])


def _check(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> None:
    faults: list[str] = []
    if lonely := [one for one in references if one not in predictions]:
        faults.append(f"{_counted(lonely)} without a prediction")
    if unknown := [one for one in predictions if one not in references]:
        faults.append(f"{_counted(unknown)} without references")
    if blank := [one for one in references if one in predictions and _is_blank(references[one])]:
        faults.append(f"{_counted(blank)} with empty references")
    if faults:
        raise UsageError(
            f"captions cannot be scored: {', '.join(faults)}; give one prediction and at least "
            "one reference that is not blank for each id."
        )
    if not predictions:
        raise UsageError("captions cannot be scored: there are none; give at least one.")
    texts = [one for one in predictions if not isinstance(predictions[one], str)]
    texts += [one for one in references if not all(isinstance(s, str) for s in references[one])]
    if texts:
        raise UsageError(
            f"captions cannot be scored: {_counted(texts)} with a caption that is no text; give "
            "a string for each prediction and a list of strings for its references."
        )


def _is_blank(references: Sequence[str]) -> bool:
    if isinstance(references, str) or not isinstance(references, Sequence):
        raise UsageError(
            f"references are a list of captions for each id, not {str(references)[:40]!r}."
        )
    return not any(not isinstance(one, str) or one.strip() for one in references)


def _counted(ids: Iterable[str]) -> str:
    names = [repr(one) for one in ids]
    more = ", ..." if len(names) > _NAMED else ""
    noun = "id" if len(names) == 1 else "ids"
    return f"{len(names)} {noun} ({', '.join(names[:_NAMED])}{more})"
