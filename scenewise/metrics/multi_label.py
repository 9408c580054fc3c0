"""How well scores find all labels of a video: average precision for each class, and its means.

The formula is the one of Charades and AudioSet, and scikit-learn's: the sum over rising recall of
the precision there, without interpolation. It knows arrays (N, C) and no names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class PrecisionFigures:
    """Average precision of each class, and means of it; nan where nothing is wanted."""

    classes: tuple[float, ...]  # nan for a class that no video has
    macro: float  # what is called mAP: the mean over the classes that some video has
    micro: float  # all videos and classes in one ranking
    weighted: float  # mean over classes by their support

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape of the means; ``None`` for what cannot be told."""
        told = {"mAP": self.macro, "mAP_micro": self.micro, "mAP_weighted": self.weighted}
        return {name: value if math.isfinite(value) else None for name, value in told.items()}


def average_precision(wanted: Flags, scores: Floats) -> float:
    """Average precision of one ranking (N,); nan where nothing is wanted.

    Equal scores are reached at once. Where nothing is wanted scikit-learn says 0 and warns: 0 is a
    judgement that such a class cannot earn, so it is nan here and left out of means.
    """
    wanted, scores = np.asarray(wanted, dtype=bool), np.asarray(scores)
    if wanted.shape != scores.shape or wanted.ndim != 1:
        raise ValueError(f"{scores.shape} scores for {wanted.shape} labels")
    if not wanted.any():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.append(falling[1:] != falling[:-1], True)  # of each run of equal scores
    found = np.cumsum(wanted[order])[last]
    precision = found / (np.flatnonzero(last) + 1)
    return float((np.diff(found, prepend=0) * precision).sum() / found[-1])


def precision_figures(wanted: Flags, scores: Floats) -> PrecisionFigures:
    """Average precision of each class of scores (N, C) for labels (N, C)."""
    wanted, scores = np.asarray(wanted, dtype=bool), np.asarray(scores)
    if wanted.shape != scores.shape or wanted.ndim != 2:
        raise ValueError(f"{scores.shape} scores for {wanted.shape} labels")
    if np.isnan(scores).any():
        raise ValueError("scores hold values that are not numbers")
    classes = [average_precision(wanted[:, c], scores[:, c]) for c in range(wanted.shape[1])]
    table, support = np.array(classes), wanted.sum(axis=0)
    there = support > 0
    if not there.any():
        return PrecisionFigures(tuple(classes), math.nan, math.nan, math.nan)
    return PrecisionFigures(
        tuple(classes),
        float(table[there].mean()),
        average_precision(wanted.ravel(), scores.ravel()),
        float(np.average(table[there], weights=support[there])),
    )
