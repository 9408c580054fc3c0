"""How well labels or numbers are predicted: accuracy, precision, recall, confusion, error.

Pure functions on arrays, without random state of their own. Of videos that show several things at
once ``multi_label`` tells; whether stated probabilities are honest, ``reliability`` does.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """One class: of what was given this label, and of what has it, how much was right."""

    precision: float  # 0 where the label was never given, as scikit-learn has it
    recall: float
    f1: float  # their harmonic mean
    support: int  # how many have this label

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def accuracy(truth: Ints, predicted: Ints) -> float:
    """The share that is right; nan without any."""
    _check(truth, predicted)
    return float(np.mean(np.asarray(truth) == np.asarray(predicted))) if len(truth) else np.nan


def top_k_accuracy(truth: Ints, scores: Floats, k: int) -> float:
    """The share whose class (N,) is among the k best of the scores (N, C).

    Ties count as far as they can: a class among equal ones shares their mean rank, so that equal
    scores earn nothing.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    truth, scores = np.asarray(truth), np.asarray(scores)
    _check(truth, scores)
    if not len(truth):
        return np.nan
    own = scores[np.arange(len(truth)), truth][:, None]
    ranks = 1 + (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2
    return float(np.mean(ranks <= k))


def confusion_matrix(truth: Ints, predicted: Ints, classes: int) -> npt.NDArray[np.int64]:
    """(C, C): row c counts what those of class c were taken for."""
    _check(truth, predicted)
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (np.asarray(truth), np.asarray(predicted)), 1)
    return table


def class_figures(confusion: npt.NDArray[np.int64]) -> tuple[ClassFigures, ...]:
    """Precision, recall and F1 of each class from a confusion matrix (C, C).

    What is divided by nothing is 0: a class that is never predicted has precision 0.
    """
    right = np.diag(confusion).astype(float)
    given, support = confusion.sum(axis=0), confusion.sum(axis=1)
    precision = right / np.maximum(given, 1)
    recall = right / np.maximum(support, 1)
    both = np.maximum(given + support, 1)
    return tuple(
        ClassFigures(float(precision[c]), float(recall[c]), float(2 * right[c] / both[c]), int(n))
        for c, n in enumerate(support)
    )


@dataclass(frozen=True, slots=True)
class Mean:
    """Precision, recall and F1 over all classes, by one way to weigh them."""

    precision: float
    recall: float
    f1: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def mean_figures(confusion: npt.NDArray[np.int64]) -> dict[str, Mean]:
    """Means over the classes of a confusion matrix (C, C): micro, macro and weighted.

    Micro counts each video alike, so that with one label a video precision, recall and F1 are all
    the accuracy; macro counts each class alike that some video has, weighted each class by its
    support. A class without any video has no recall (scikit-learn says 0 and warns, and lets its
    macro mean fall by what was given to it): it is left out, while what is given to it is missing
    elsewhere. All nan without videos.
    """
    figures = class_figures(confusion)
    support = np.array([one.support for one in figures], dtype=np.float64)
    if not support.sum():
        nothing = Mean(np.nan, np.nan, np.nan)
        return {"micro": nothing, "macro": nothing, "weighted": nothing}
    table = np.array([[one.precision, one.recall, one.f1] for one in figures])
    macro = table[support > 0].mean(axis=0)
    share = float(np.trace(confusion) / support.sum())
    return {
        "micro": Mean(share, share, share),
        "macro": Mean(*map(float, macro)),
        "weighted": Mean(*map(float, np.average(table, axis=0, weights=support))),
    }


def mean_class_accuracy(confusion: npt.NDArray[np.int64]) -> float:
    """The mean recall over the classes (C, C) that occur; nan without any.

    scikit-learn calls it balanced accuracy. Classes without a video are left out: their recall is
    0 by 0, and no answer could be right.
    """
    recalls = [one.recall for one in class_figures(confusion) if one.support]
    return float(np.mean(recalls)) if recalls else np.nan


def mean_views(
    scores: Floats, groups: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.float64]]:
    """Group numbers (G,) in rising order, and the mean scores (G, C) of the views of each.

    ``scores`` (N, C) are those of clips and crops, ``groups`` (N,) say of which video. The mean is
    that of what is given: of probabilities, as video networks are published (10 clips of 3 crops
    and the like, to be said with the figure), or of logits.
    """
    scores, groups = np.asarray(scores, dtype=np.float64), np.asarray(groups)
    _check(groups, scores)
    names, place = np.unique(groups, return_inverse=True)
    total = np.zeros((len(names), scores.shape[1]))
    np.add.at(total, place, scores)
    return names, total / np.bincount(place, minlength=len(names))[:, None]


def macro_f1(figures: tuple[ClassFigures, ...]) -> float:
    """The mean F1 over classes, each weighing alike; nan without classes."""
    return float(np.mean([one.f1 for one in figures])) if figures else np.nan


def mean_absolute_error(truth: Floats, predicted: Floats) -> float:
    """The mean distance, in the unit of the numbers; nan without any."""
    _check(truth, predicted)
    return float(np.mean(np.abs(np.asarray(truth) - predicted))) if len(truth) else np.nan


def r_squared(truth: Floats, predicted: Floats) -> float:
    """1 less the share of the variance that is left: 1 is perfect, 0 as good as the mean.

    nan where the truth does not vary.
    """
    _check(truth, predicted)
    truth = np.asarray(truth, dtype=np.float64)
    spread = float(((truth - truth.mean()) ** 2).sum()) if len(truth) else 0.0
    if spread == 0:
        return np.nan
    return float(1 - ((truth - np.asarray(predicted, dtype=np.float64)) ** 2).sum() / spread)


def _check(truth: Ints | Floats, other: Ints | Floats) -> None:
    if len(truth) != len(other):
        raise ValueError(f"{len(truth)} true values do not go with {len(other)} predicted ones")
