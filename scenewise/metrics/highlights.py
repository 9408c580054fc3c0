"""How well scores of short clips find the highlights of a video: average precision and HIT@1.

The formulas are those of QVHighlights' evaluator (Lei, Berg and Bansal, 2021; average precision of
Gygli et al., "Video2GIF", 2016). Several people rated each clip from 0 to 4; a clip is a highlight
for one of them where the rating is at least that of a level. It knows arrays; it knows no file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

LEVELS = {"Fair": 2, "Good": 3, "VeryGood": 4}  # least rating of a highlight

Floats = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class HighlightQuery:
    """Ratings (C, people) of the clips of one video for a query, and predicted scores."""

    ratings: npt.NDArray[np.integer]  # (C, people); 0 where a clip was not rated
    scores: Floats  # one a clip; may be too short or too long


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """Shares at one level; nan without queries."""

    mean_average_precision: float  # mean over people and queries
    hit_at_1: float  # the best clip is a highlight for at least one person

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; ``None`` for what cannot be told."""
        told = {"mAP": self.mean_average_precision, "HIT@1": self.hit_at_1}
        return {name: value if math.isfinite(value) else None for name, value in told.items()}


@dataclass(frozen=True, slots=True)
class HighlightFigures:
    """Figures by level."""

    queries: int
    levels: dict[str, LevelFigures]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        levels = {name: level.to_dict() for name, level in self.levels.items()}
        return {"queries": self.queries, **levels}


def highlight_figures(queries: Sequence[HighlightQuery]) -> HighlightFigures:
    """Figures at each level.

    For average precision scores are cut to the number of clips, and lacking ones are 0, whatever
    the scale of the others; HIT@1 takes the best of all that was given, so a best score beyond the
    last clip is wrong. Without any score both are 0. Of equal scores the first is the best.
    """
    people = {query.ratings.shape[1] for query in queries}
    if len(people) > 1:
        raise ValueError(f"queries were rated by {sorted(people)} people: they cannot be averaged")
    if not queries:
        nothing = LevelFigures(math.nan, math.nan)
        return HighlightFigures(0, dict.fromkeys(LEVELS, nothing))
    levels = {}
    for name, least in LEVELS.items():
        precisions, hits = [], []
        for query in queries:
            wanted = query.ratings >= least  # (C, people)
            precisions.append(_precisions(wanted, query.scores))
            best = int(np.argmax(query.scores)) if len(query.scores) else len(wanted)
            hits.append(best < len(wanted) and bool(wanted[best].any()))
        levels[name] = LevelFigures(float(np.mean(precisions)), float(np.mean(hits)))
    return HighlightFigures(len(queries), levels)


def interpolated_average_precision(wanted: npt.NDArray[np.bool_], scores: Floats) -> Floats:
    """Average precision (L,) of scores (C,) for L sets of wanted ones (C, L).

    The mean, over the recalls that are reached one after the other, of the best precision at that
    recall or a higher one. Equal scores are reached at once, and that step counts as one. 0 where
    nothing is wanted, 1 where everything is.
    """
    wanted, scores = np.asarray(wanted, dtype=bool), np.asarray(scores)
    if len(wanted) != len(scores):
        raise ValueError(f"{len(scores)} scores for {len(wanted)} clips")
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    last = np.append(falling[1:] != falling[:-1], True)  # of each run of equal scores
    found = np.cumsum(wanted[order], axis=0)[last]  # (steps, L)
    precision = found / (np.flatnonzero(last) + 1)[:, None]
    best = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    reached = np.diff(found, axis=0, prepend=0) > 0
    result = (best * reached).sum(axis=0) / np.maximum(reached.sum(axis=0), 1)
    return np.where(wanted.all(axis=0), 1.0, result)


def _precisions(wanted: npt.NDArray[np.bool_], scores: Floats) -> Floats:
    """Average precision for each person (people,), of as many scores as there are clips."""
    if not len(scores):
        return np.zeros(wanted.shape[1])
    fitting = np.zeros(len(wanted))
    fitting[: len(scores)] = scores[: len(wanted)]
    return interpolated_average_precision(wanted, fitting)
