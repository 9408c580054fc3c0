"""How well ranked spans find the moments of a query: recall and average precision over IoU.

The formulas are those of QVHighlights' evaluator (Lei, Berg and Bansal, "QVHighlights: Detecting
Moments and Highlights in Videos via Natural Language Queries", 2021): for each query and each IoU
an interpolated average precision, as in object detection, where a true window is found once only.
It knows arrays; it knows no file.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.metrics.localization import Span, pairwise_ious, ranked_ious, recall_among_first

AP_IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))  # 0.5, 0.55, … 0.95
RECALL_IOUS = (0.3, 0.5, 0.7)
RECALL_FIRST = (1, 5)
LONGEST_LIST = 10  # windows of a query that the evaluator looks at, in the order of the file

# seconds of a true window, from more than the first up to the second
LENGTHS = {"short": (0.0, 10.0), "middle": (10.0, 30.0), "long": (30.0, math.inf)}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class MomentQuery:
    """What one query should find, and what was found, best first."""

    true: tuple[Span, ...]
    predicted: tuple[Span, ...]
    scores: tuple[float, ...] | None = None  # of what was found; None: the order says all


@dataclass(frozen=True, slots=True)
class MomentFigures:
    """Figures as shares; nan where there is no query."""

    queries: int
    recall: dict[int, dict[float, float]]  # by n and IoU: a span among the first n is right
    mean_iou: float  # of the first span with the nearest true one
    precision: dict[float, float]  # mean average precision by IoU
    mean_average_precision: float  # over IoU 0.5 to 0.95
    by_length: dict[str, MomentFigures] = field(default_factory=dict)  # short, middle, long

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; ``None`` for what cannot be told."""
        shape: dict[str, Any] = {"queries": self.queries}
        for n, shares in self.recall.items():
            shape |= {f"R{n}@{iou:g}": _told(share) for iou, share in shares.items()}
        shape["mIoU"] = _told(self.mean_iou)
        shape["mAP"] = _told(self.mean_average_precision)
        shape |= {f"mAP@{iou:g}": _told(share) for iou, share in self.precision.items()}
        if self.by_length:
            shape["by_length"] = {name: one.to_dict() for name, one in self.by_length.items()}
        return shape


def moment_figures(queries: Sequence[MomentQuery]) -> MomentFigures:
    """Recall and mean average precision of all queries, and by the length of the true windows.

    Of one length are the windows that have it, and the queries with such a window; everything
    that was predicted counts for each. Recall looks at the spans in their given order, average
    precision in that of their scores, both at the first ten given.
    """
    parts = {}
    for name, (more, most) in LENGTHS.items():
        cut = [
            MomentQuery(within, query.predicted, query.scores)
            for query in queries
            if (within := tuple(w for w in query.true if more < w[1] - w[0] <= most))
        ]
        parts[name] = _figures(cut)
    return _figures(queries, parts)


def average_precisions(
    queries: Sequence[MomentQuery], ious: Sequence[float] = AP_IOUS
) -> npt.NDArray[np.float64]:
    """Interpolated average precision (Q, len(ious)) of each query; without prediction 0.

    Predictions are taken by falling score, equal ones in their order. Each takes the nearest true
    window that is near enough and not taken yet, else it is wrong. The precision at a recall is
    the best at that recall or a higher one (Pascal VOC 2011).
    """
    found, wanted = _padded(queries)
    near = pairwise_ious(found, wanted)  # (Q, P, G); -1 where one of the two is padding
    near[np.isnan(found[..., 0])[:, :, None] | np.isnan(wanted[..., 0])[:, None, :]] = -1.0
    right = _assigned(near, np.asarray(ious))  # (Q, T, P)
    count, places = np.cumsum(right, axis=2), np.arange(1, near.shape[1] + 1)
    precision = np.maximum.accumulate((count / places)[..., ::-1], axis=2)[..., ::-1]
    truths = np.array([max(1, len(query.true)) for query in queries])
    return np.asarray((right * precision).sum(axis=2) / truths[:, None], dtype=np.float64)


def _assigned(near: Floats, ious: Floats) -> npt.NDArray[np.bool_]:
    """Which predictions are right (Q, T, P) at each IoU (T,), from all IoUs (Q, P, G)."""
    queries, predictions, windows = near.shape
    rows, thresholds = np.arange(queries), len(ious)
    free = np.ones((queries, thresholds, windows), dtype=bool)
    right = np.zeros((queries, thresholds, predictions), dtype=bool)
    # of equally near windows the last is tried first, as the evaluator's reversed sort has it
    nearest = np.argsort(near, axis=2, kind="stable")[..., ::-1]
    for place in range(predictions):
        for nth in range(windows):
            window = nearest[:, place, nth]
            enough = near[rows, place, window][:, None] >= ious  # (Q, T)
            takes = enough & free[rows, :, window] & ~right[:, :, place]
            right[:, :, place] |= takes
            free[rows, :, window] &= ~takes
    return right


def _padded(queries: Sequence[MomentQuery]) -> tuple[Floats, Floats]:
    """Predicted (Q, P, 2) by falling score, and true windows (Q, G, 2); nan where there is none."""
    longest = max((min(len(query.predicted), LONGEST_LIST) for query in queries), default=0)
    widest = max((len(query.true) for query in queries), default=0)
    found = np.full((len(queries), max(longest, 1), 2), np.nan)
    wanted = np.full((len(queries), max(widest, 1), 2), np.nan)
    for number, query in enumerate(queries):
        spans = np.asarray(query.predicted[:LONGEST_LIST], dtype=np.float64).reshape(-1, 2)
        if query.scores is not None:
            scores = np.asarray(query.scores[:LONGEST_LIST], dtype=np.float64)
            spans = spans[np.argsort(-scores, kind="stable")]
        found[number, : len(spans)] = spans
        if query.true:
            wanted[number, : len(query.true)] = query.true
    return found, wanted


def _figures(
    queries: Sequence[MomentQuery], by_length: dict[str, MomentFigures] | None = None
) -> MomentFigures:
    if not queries:
        nothing = math.nan
        recall = {n: dict.fromkeys(_recall_ious(n), nothing) for n in RECALL_FIRST}
        precision = dict.fromkeys(AP_IOUS, nothing)
        return MomentFigures(0, recall, nothing, precision, nothing, by_length or {})
    ious = ranked_ious(
        [query.predicted for query in queries],
        [query.true for query in queries],
        max(RECALL_FIRST),
    )
    precisions = average_precisions(queries).mean(axis=0)
    return MomentFigures(
        queries=len(queries),
        recall={
            n: {iou: recall_among_first(ious, n, iou) for iou in _recall_ious(n)}
            for n in RECALL_FIRST
        },
        mean_iou=float(ious[:, 0].mean()),
        precision={iou: float(value) for iou, value in zip(AP_IOUS, precisions, strict=True)},
        mean_average_precision=float(precisions.mean()),
        by_length=by_length or {},
    )


def _recall_ious(n: int) -> tuple[float, ...]:
    """Where recall is told: for the first span also at each IoU of the average precision."""
    return tuple(sorted({*RECALL_IOUS, *AP_IOUS})) if n == 1 else RECALL_IOUS


def _told(value: float) -> float | None:
    return value if math.isfinite(value) else None
