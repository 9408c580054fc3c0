"""How well spans of time meet the true ones: intersection over union, and recall at it.

Pure functions on numbers, as moment retrieval reports them (Gao et al., "TALL: Temporal Activity
Localization via Language Query", 2017): R1@m is the share of questions whose first span has an
IoU of at least m.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Span = tuple[float, float]  # start, end in seconds


def temporal_iou(one: Span, other: Span) -> float:
    """Seconds in both by seconds in either; 0 where both are empty."""
    both = max(0.0, min(one[1], other[1]) - max(one[0], other[0]))
    either = (one[1] - one[0]) + (other[1] - other[0]) - both
    return both / either if either > 0 else 0.0


def first_ious(predicted: Sequence[Span | None], true: Sequence[Span]) -> npt.NDArray[np.float64]:
    """IoU (Q,) of the first predicted span of each question; nothing predicted counts as 0."""
    if len(predicted) != len(true):
        raise ValueError(f"{len(predicted)} predictions for {len(true)} questions")
    return np.array(
        [
            0.0 if guess is None else temporal_iou(guess, truth)
            for guess, truth in zip(predicted, true, strict=True)
        ]
    )


def recall_at_iou(ious: npt.NDArray[np.float64], threshold: float) -> float:
    """R1@threshold from the IoUs (Q,) of the first spans; Q >= 1."""
    if not len(ious):
        raise ValueError("recall of no question")
    return float((ious >= threshold).mean())
