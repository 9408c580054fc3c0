"""Free answers from files: exact match, VQA accuracy, WUPS, sentence measures, and a judge.

It knows shapes of files: ActivityNet-QA's pair, VQA's, and plain ones. The formulas are those of
``scenewise.metrics``. Choices among given answers are another task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenewise.errors import DataError
from scenewise.metrics.answers import (
    ACTIVITYNETQA_FREE,
    ACTIVITYNETQA_TYPES,
    exact_match,
    joined_share,
    normalised_match,
    shares_by_kind,
    vqa_accuracy,
)
from scenewise.metrics.evaluation.captions import sentence_figures
from scenewise.metrics.evaluation.files import Entry, one_each, read_entries, text_of
from scenewise.metrics.evaluation.result import Evaluation, meet, named
from scenewise.metrics.judge import ASPECTS, Judge, JudgedItem, judge_answers, judge_prompt
from scenewise.metrics.wordnet import THRESHOLDS, open_wordnet, wups

IDS = ("question_id", "qid", "id")
PREDICTED = ("prediction", "pred", "answer", "text")
TRUE = ("answers", "answer", "text")
KINDS = ("type", "kind", "question_type", "answer_type")
_PAIR = "consistency"
DEFAULT_ASPECTS = ("correctness", "detail", "context")


@dataclass(frozen=True, slots=True)
class QuestionOptions:
    """What is computed beside the exact match."""

    wups: bool = False  # needs WordNet
    sentences: bool = False  # BLEU and ROUGE-L, for answers of several words
    judge: Judge | None = None
    aspects: tuple[str, ...] = ()  # of the judge; () those that fit the questions


@dataclass(frozen=True, slots=True)
class _Question:
    id: str
    truths: tuple[str, ...]
    kind: str
    text: str
    second_text: str


def evaluate_questions(
    predictions: Path,
    references: Sequence[Path],
    *,
    allow_missing: bool,
    options: QuestionOptions = QuestionOptions(),
) -> Evaluation:
    """Free answers against the right ones. Several reference files are joined by id."""
    questions = _questions(references)
    given = one_each(read_entries(predictions, IDS, PREDICTED))
    met = meet({q.id: q for q in questions}, given, allow_missing=allow_missing)
    answers = {name: _answer(entry) for name, entry in given.items()}
    told = [answers.get(question.id) for question in questions]
    figures: dict[str, Any] = {}
    pairs = list(zip(questions, told, strict=True))
    exact = [float(t is not None and exact_match(t, q.truths)) for q, t in pairs]
    loose = [float(t is not None and normalised_match(t, q.truths)) for q, t in pairs]
    figures["exact_match"] = float(np.mean(exact))
    figures["normalised_match"] = float(np.mean(loose))
    figures |= _by_kind(questions, exact)
    if all(len(question.truths) > 1 for question in questions):
        shares = [0.0 if t is None else vqa_accuracy(t, q.truths) for q, t in pairs]
        figures["vqa_accuracy"] = float(np.mean(shares))
    if options.wups:
        figures["WUPS"] = _wups(pairs)
    if options.sentences:
        candidates = {q.id: t or "" for q, t in pairs}
        figures["sentences"] = sentence_figures(candidates, {q.id: q.truths for q in questions})
    if options.judge is not None:
        figures["judge"] = _judged(pairs, given, options.judge, options.aspects)
    return Evaluation("questions", len(questions), figures, met, _unjudged(figures))


def judge_prompts(
    predictions: Path, references: Sequence[Path], aspects: Sequence[str]
) -> list[str]:
    """The prompts of the first question with a prediction, one for each aspect."""
    questions = _questions(references)
    given = one_each(read_entries(predictions, IDS, PREDICTED))
    first = next((question for question in questions if question.id in given), None)
    if first is None:
        raise DataError(f"no question of {references[0]} has an answer in {predictions}.")
    entry = given[first.id]
    wanted = aspects or _fitting([first])
    return [judge_prompt(name, _item(first, _answer(entry), entry, name)) for name in wanted]


def _questions(references: Sequence[Path]) -> list[_Question]:
    """Questions of all files, in the order of the first that has an answer."""
    files = [one_each(read_entries(path, IDS, TRUE)) for path in references]
    with_answers = [file for file in files if any(e.value is not None for e in file.values())]
    if len(with_answers) != 1:
        raise DataError(
            f"one of the reference files must hold the right answers, as answer or answers; "
            f"{len(with_answers)} of {len(files)} do."
        )
    found = []
    for name, entry in with_answers[0].items():
        fields = dict(entry.fields)
        for file in files:
            if name in file:
                fields = {**file[name].fields, **fields}
        kind = next((fields[key] for key in KINDS if fields.get(key) is not None), "")
        found.append(
            _Question(
                name,
                _truths(entry),
                text_of(kind, entry.where, "the type"),
                str(fields.get("question") or ""),
                str(fields.get("second_question") or ""),
            )
        )
    return found


def _truths(entry: Entry) -> tuple[str, ...]:
    values = entry.value if isinstance(entry.value, list) else [entry.value]
    texts = [value.get("answer") if isinstance(value, dict) else value for value in values]
    if not texts or texts == [None]:
        raise DataError(f"{entry.where} has no right answer; name it answer or answers.")
    return tuple(text_of(text, entry.where, "a right answer") for text in texts)


def _answer(entry: Entry) -> str:
    if entry.value is None:
        raise DataError(f"{entry.where} has no answer; name it answer or prediction.")
    return text_of(entry.value, entry.where, "an answer")


def _by_kind(questions: Sequence[_Question], right: Sequence[float]) -> dict[str, Any]:
    """Exact matches by kind; numbers of ActivityNet-QA by their names, and its free questions."""
    kinds = [question.kind for question in questions]
    if not all(kinds):
        return {}
    shares = shares_by_kind(right, kinds)
    numbers = [str(number) for number in range(len(ACTIVITYNETQA_TYPES))]
    if not set(numbers) >= set(shares):
        return {"by_kind": {kind: share.to_dict() for kind, share in shares.items()}}
    named = {ACTIVITYNETQA_TYPES[int(kind)]: share for kind, share in shares.items()}
    free = joined_share(named, ACTIVITYNETQA_FREE)
    shape = {kind: share.to_dict() for kind, share in named.items()}
    return {"by_kind": shape | ({"free": free.to_dict()} if free.total else {})}


def _wups(pairs: Sequence[tuple[_Question, str | None]]) -> dict[str, float]:
    near = open_wordnet().similarity
    return {
        f"{threshold:.1f}": float(
            np.mean(
                [
                    0.0 if told is None else max(wups(told, t, threshold, near) for t in q.truths)
                    for q, told in pairs
                ]
            )
        )
        for threshold in THRESHOLDS
    }


def _judged(
    pairs: Sequence[tuple[_Question, str | None]],
    given: dict[str, Entry],
    judge: Judge,
    aspects: Sequence[str],
) -> dict[str, Any]:
    """What the judge says, with the prompt of the first item; what is missing gets 0 unasked."""
    questions = [question for question, _ in pairs]
    shape: dict[str, Any] = {}
    for aspect in aspects or _fitting(questions):
        items = [_item(q, told, given[q.id], aspect) for q, told in pairs if told is not None]
        figures = judge_answers(items, aspect, judge)
        unasked = {question.id: 0 for question, told in pairs if told is None}
        whole = type(figures)(aspect, {**figures.scores, **unasked}, figures.failures)
        shape[aspect] = {"name": ASPECTS[aspect][0], **whole.to_dict()}
        shape[aspect]["prompt"] = judge_prompt(aspect, items[0])
    return shape


def _unjudged(figures: dict[str, Any]) -> tuple[str, ...]:
    """What a reader must know of answers that the judge gave no score."""
    return tuple(
        f"{aspect}: the judge gave {one['failed']} answers no score, they are not in its mean: "
        f"{named(one['failures'])}"
        for aspect, one in figures.get("judge", {}).items()
        if one["failed"]
    )


def _fitting(questions: Sequence[_Question]) -> tuple[str, ...]:
    """Aspects as the paper uses them; its questions of time are a set of their own."""
    return (_PAIR,) if all(question.second_text for question in questions) else DEFAULT_ASPECTS


def _item(question: _Question, told: str, entry: Entry, aspect: str) -> JudgedItem:
    if not question.text:
        raise DataError(
            f"question {question.id!r} has no text, which a judge needs; give the file that has "
            "it as another --references."
        )
    second = entry.fields.get("second_answer") or ""
    if aspect == _PAIR and not (question.second_text and second):
        raise DataError(
            f"question {question.id!r}: consistency compares the answers to two wordings; give "
            "second_question in the references and second_answer in the predictions."
        )
    return JudgedItem(
        question.id, question.text, question.truths[0], told, question.second_text, str(second)
    )
