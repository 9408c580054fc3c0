"""Whether stated probabilities can be relied on: do they separate, and are they honest?

Pure functions on arrays.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]


def auroc(scores: Array, positive: Flags) -> float:
    """The probability that a positive scores above a negative, ties counting half.

    The area under the receiver operating characteristic, by the rank sum of Mann and Whitney
    (1947). ``scores`` and ``positive`` are (N,). nan where one of the two kinds is missing.
    """
    scores = np.asarray(scores, dtype=np.float64)
    positive = np.asarray(positive, dtype=bool)
    wanted, others = int(positive.sum()), int((~positive).sum())
    if wanted == 0 or others == 0:
        return float("nan")
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[place]  # ties share the mean of their ranks
    return float((ranks[positive].sum() - wanted * (wanted + 1) / 2) / (wanted * others))


def expected_calibration_error(probabilities: Array, right: Flags, bins: int = 10) -> float:
    """The mean distance between what was stated and what came true, over bins of equal width.

    Naeini, Cooper and Hauskrecht (2015). A probability on a bin's edge belongs to the bin above
    it, 1.0 to the last. nan without values.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    right = np.asarray(right, dtype=np.float64)
    if len(probabilities) == 0:
        return float("nan")
    if probabilities.min() < 0 or probabilities.max() > 1:
        raise ValueError(
            f"probabilities lie in 0 to 1, got {probabilities.min()} to {probabilities.max()}"
        )
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    stated = np.bincount(place, weights=probabilities, minlength=bins)
    came = np.bincount(place, weights=right, minlength=bins)
    return float(np.abs(stated - came).sum() / len(probabilities))


def brier_score(probabilities: Array, right: Flags) -> float:
    """The mean squared distance between probability and outcome (Brier, 1950); nan without any."""
    if len(probabilities) == 0:
        return float("nan")
    distance = np.asarray(probabilities, dtype=np.float64) - np.asarray(right, dtype=np.float64)
    return float(np.mean(distance**2))
