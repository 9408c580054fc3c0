"""How well ranked pieces of a video meet those that several people marked: DiDeMo's figures.

Hendricks et al., "Localizing Moments in Video with Natural Language", 2017: a video is cut into
pieces of five seconds, four people mark the first and the last piece of a moment, and the three
that fit a prediction best count, which drops an outlier. It knows pieces, not seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Any

import numpy as np

Pieces = tuple[int, int]  # first and last piece, both belong to the moment
PIECE_SECONDS = 5.0
AGREEING = 3  # people of four that count


@dataclass(frozen=True, slots=True)
class PieceFigures:
    """Shares, and the mean IoU of the first moment; nan without queries."""

    queries: int
    rank_at_1: float
    rank_at_5: float
    mean_iou: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; ``None`` for what cannot be told."""
        told = {"Rank@1": self.rank_at_1, "Rank@5": self.rank_at_5, "mIoU": self.mean_iou}
        shape: dict[str, Any] = {"queries": self.queries}
        return shape | {k: value if math.isfinite(value) else None for k, value in told.items()}


def possible_moments(pieces: int) -> tuple[Pieces, ...]:
    """All moments of a video of so many pieces: 21 for six."""
    return tuple(combinations_with_replacement(range(pieces), 2))


def piece_iou(one: Pieces, other: Pieces) -> float:
    """Pieces in both by pieces from the first of either to the last.

    That is the published formula: where the two do not meet, it is 0 all the same.
    """
    both = max(0, min(one[1], other[1]) + 1 - max(one[0], other[0]))
    return both / (max(one[1], other[1]) + 1 - min(one[0], other[0]))


def piece_figures(
    ranked: Sequence[Sequence[Pieces]], marked: Sequence[Sequence[Pieces]]
) -> PieceFigures:
    """Rank@1, Rank@5 and mean IoU of ranked moments of each query.

    Within rank k is a query where the mean of the three best ranks is at most k; a marked moment
    that was not ranked lies behind all. Nothing ranked is an IoU of 0. Raises ValueError where
    fewer than three people marked a moment.
    """
    if len(ranked) != len(marked):
        raise ValueError(f"{len(ranked)} predictions for {len(marked)} queries")
    ranks, ious = [], []
    for moments, marks in zip(ranked, marked, strict=True):
        if len(marks) < AGREEING:
            raise ValueError(f"a moment needs the marks of {AGREEING} people, got {len(marks)}")
        place = {tuple(moment): number for number, moment in reversed([*enumerate(moments, 1)])}
        ranks.append(np.mean(sorted(place.get(tuple(m), math.inf) for m in marks)[:AGREEING]))
        fits = sorted(piece_iou(moments[0], mark) for mark in marks) if moments else [0.0]
        ious.append(np.mean(fits[-AGREEING:]))
    if not ranks:
        return PieceFigures(0, math.nan, math.nan, math.nan)
    table = np.array(ranks)
    return PieceFigures(
        len(ranks), float((table <= 1).mean()), float((table <= 5).mean()), float(np.mean(ious))
    )
