"""How well spans of time meet the true ones: intersection over union, and recall at it.

Pure functions on numbers, as moment retrieval reports them (Gao et al., "TALL: Temporal Activity
Localization via Language Query", 2017): Rn@m is the share of questions with a span of an IoU of at
least m among the first n. The average precision of ranked spans is that of ``moments``; spans of
whole pieces are judged by ``didemo``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Span = tuple[float, float]  # start, end in seconds
Floats = npt.NDArray[np.float64]


def temporal_iou(one: Span, other: Span) -> float:
    """Seconds in both by seconds in either; 0 where both are empty."""
    both = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    either = (one[1] - one[0]) + (other[1] - other[0]) - both
    return both / either if either > 0 else 0.0


def pairwise_ious(some: npt.ArrayLike, others: npt.ArrayLike) -> Floats:
    """IoU (..., N, M) of each of N spans (..., N, 2) with each of M spans (..., M, 2).

    A span that ends before it starts meets nothing.
    """
    one = np.asarray(some, dtype=np.float64)[..., :, None, :]
    other = np.asarray(others, dtype=np.float64)[..., None, :, :]
    both = np.minimum(one[..., 1], other[..., 1]) - np.maximum(one[..., 0], other[..., 0])
    both = np.maximum(both, 0.0)
    either = (one[..., 1] - one[..., 0]) + (other[..., 1] - other[..., 0]) - both
    ious = np.zeros_like(both)
    np.divide(both, either, out=ious, where=either > 0)
    return np.asarray(ious)


def first_ious(predicted: Sequence[Span | None], true: Sequence[Span]) -> Floats:
    """IoU (Q,) of the first predicted span of each question; nothing predicted counts as 0."""
    if len(predicted) != len(true):
        raise ValueError(f"{len(predicted)} predictions for {len(true)} questions")
    return np.array(
        [
            0.0 if guess is None else temporal_iou(guess, truth)
            for guess, truth in zip(predicted, true, strict=True)
        ]
    )


def ranked_ious(
    predicted: Sequence[Sequence[Span]], true: Sequence[Sequence[Span]], most: int
) -> Floats:
    """IoU (Q, most) of each question's ranked spans with the nearest of its true ones.

    What is predicted beyond the first ``most`` does not count, and what is lacking is 0.
    """
    if len(predicted) != len(true):
        raise ValueError(f"{len(predicted)} predictions for {len(true)} questions")
    ious = np.zeros((len(true), most))
    for row, guesses, truths in zip(ious, predicted, true, strict=True):
        if guesses and truths:
            best = pairwise_ious(guesses[:most], truths).max(axis=1)
            row[: len(best)] = best
    return ious


def recall_at_iou(ious: Floats, threshold: float) -> float:
    """R1@threshold from the IoUs (Q,) of the first spans; Q >= 1."""
    if not len(ious):
        raise ValueError("recall of no question")
    return float((ious >= threshold).mean())


def recall_among_first(ious: Floats, n: int, threshold: float) -> float:
    """Rn@threshold from the IoUs (Q, K) of ranked spans, K >= n; Q >= 1."""
    if not 1 <= n <= ious.shape[1]:
        raise ValueError(f"n must be 1 to {ious.shape[1]}, got {n}")
    return recall_at_iou(ious[:, :n].max(axis=1), threshold)
