"""From the name of a task to its evaluation.

It knows which tasks there are and what each can be asked for; the files are read by the module of
each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scenewise.errors import UsageError
from scenewise.metrics.evaluation.captions import evaluate_captions
from scenewise.metrics.evaluation.choices import evaluate_choices
from scenewise.metrics.evaluation.labels import evaluate_labels
from scenewise.metrics.evaluation.moments import evaluate_highlights, evaluate_moments
from scenewise.metrics.evaluation.questions import QuestionOptions, evaluate_questions
from scenewise.metrics.evaluation.result import Evaluation
from scenewise.metrics.evaluation.retrieval import evaluate_retrieval

TASKS = ("retrieval", "moments", "highlights", "captions", "questions", "choices", "labels")


@dataclass(frozen=True, slots=True)
class Options:
    """What is computed beside the plain figures, and what is allowed."""

    allow_missing: bool = False  # what has no prediction counts as wrong, instead of an error
    dual_softmax: bool = False  # of retrieval
    average_views: bool = False  # of labels
    meteor: bool = True  # of captions; its program needs Java
    questions: QuestionOptions = field(default_factory=QuestionOptions)


def evaluate(
    task: str, predictions: Path, references: Sequence[Path], options: Options = Options()
) -> Evaluation:
    """Figures of a file of predictions. Raises UsageError, DataError and MissingExtraError."""
    if task not in TASKS:
        raise UsageError(f"there is no task {task!r}; allowed: {', '.join(TASKS)}.")
    allow = options.allow_missing
    if task == "questions":
        if not references:
            raise UsageError("questions need --references, the file with the right answers.")
        return evaluate_questions(
            predictions, references, allow_missing=allow, options=options.questions
        )
    if len(references) > 1:
        raise UsageError(f"{task} has one file of references, got {len(references)}.")
    if task == "retrieval":
        of_texts = references[0] if references else None
        return evaluate_retrieval(
            predictions, of_texts, allow_missing=allow, dual=options.dual_softmax
        )
    if not references:
        raise UsageError(f"{task} need --references, the file of what is right.")
    (right,) = references
    if task == "labels":
        return evaluate_labels(
            predictions, right, allow_missing=allow, average_views=options.average_views
        )
    if task == "captions":
        without = () if options.meteor else ("meteor",)
        return evaluate_captions(predictions, right, allow_missing=allow, without=without)
    function = {
        "moments": evaluate_moments,
        "highlights": evaluate_highlights,
        "choices": evaluate_choices,
    }[task]
    return function(predictions, right, allow_missing=allow)
