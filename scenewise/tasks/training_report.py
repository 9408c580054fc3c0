"""How good a classifier was on examples that were left out: the report, and what it is made of.

It knows labels, probabilities and figures; it trains nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.metrics.classification import (
    ClassFigures,
    accuracy,
    class_figures,
    confusion_matrix,
    macro_f1,
    top_k_accuracy,
)
from scenewise.metrics.reliability import expected_calibration_error
from scenewise.tasks.classifiers import Head
from scenewise.types import Failure

MOST_MISTAKES = 100  # named in a report

Rows = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Mistake:
    """An example that was taken for something else when it was left out."""

    example: str
    label: str
    predicted: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class TrainingReport:
    """How good a classifier was on left-out videos, and what it was made of."""

    name: str
    head: Head
    labels: tuple[str, ...]
    examples: int
    videos: int  # different contents
    folds: int
    figures: Mapping[str, float]  # see ``to_dict``
    classes: tuple[ClassFigures, ...] = ()  # one for each label
    confusion: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    mistakes: tuple[Mistake, ...] = ()
    failed: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape.

        ``figures`` of labels: accuracy, its ``chance`` (always the most frequent label), macro_f1,
        top5 from seven labels on, calibration_error; of a regression: mae, its ``mae_of_mean``
        (always the mean of the others), r2.
        """
        shape: dict[str, Any] = {
            "name": self.name,
            "head": self.head,
            "labels": list(self.labels),
            "examples": self.examples,
            "videos": self.videos,
            "folds": self.folds,
            "figures": dict(self.figures),
        }
        if self.classes:
            shape["classes"] = [
                {"label": label} | figures.to_dict()
                for label, figures in zip(self.labels, self.classes, strict=True)
            ]
            shape["confusion"] = self.confusion.tolist()
            shape["mistakes"] = [
                {
                    "example": one.example,
                    "label": one.label,
                    "predicted": one.predicted,
                    "probability": one.probability,
                }
                for one in self.mistakes
            ]
        shape["failed"] = [failure.to_dict() for failure in self.failed]
        shape["notes"] = list(self.notes)
        return shape


def judge(
    name: str,
    head: Head,
    labels: tuple[str, ...],
    classes: Ints,
    probabilities: Rows,
    examples: Sequence[str],
) -> TrainingReport:
    """The report of N left-out examples: their classes (N,), what was said of them (N, C).

    ``examples`` (N,) name them. Videos, folds and so on are the caller's to add.
    """
    predicted = probabilities.argmax(axis=1)
    confusion = confusion_matrix(classes, predicted, len(labels))
    per_class = class_figures(confusion)
    figures = {
        "accuracy": accuracy(classes, predicted),
        "chance": float(np.bincount(classes).max() / len(classes)),
        "macro_f1": macro_f1(per_class),
        "calibration_error": expected_calibration_error(
            probabilities.max(axis=1).clip(0, 1), predicted == classes
        ),
    }
    if len(labels) > 6:
        figures["top5"] = top_k_accuracy(classes, probabilities, 5)
    wrong = np.flatnonzero(predicted != classes)[:MOST_MISTAKES]
    mistakes = tuple(
        Mistake(
            examples[row],
            labels[classes[row]],
            labels[predicted[row]],
            float(probabilities[row, predicted[row]]),
        )
        for row in wrong
    )
    return TrainingReport(
        name=name,
        head=head,
        labels=labels,
        examples=len(classes),
        videos=0,
        folds=0,
        figures=figures,
        classes=per_class,
        confusion=confusion,
        mistakes=mistakes,
    )
