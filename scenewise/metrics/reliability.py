"""Whether stated probabilities can be relied on: do they separate, and are they honest?

Pure functions on arrays: of one probability and what came true (N,), or of the probabilities (N, C)
of classes and the right one (N,). Of several classes the field judges the best one's probability,
which ``confidences`` gives. To make probabilities more honest, see ``temperature``.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

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


@dataclass(frozen=True, slots=True)
class Bin:
    """One point of a reliability diagram."""

    low: float  # the bin holds low <= p < high; the last one also its upper end
    high: float
    count: int
    stated: float  # mean probability
    came_true: float  # share that was right

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def reliability_curve(probabilities: Array, right: Flags, bins: int = 10) -> tuple[Bin, ...]:
    """Bins of equal width that are not empty, in order of probability (N,)."""
    probabilities, outcomes = _checked(probabilities, right)
    place = np.minimum((probabilities * bins).astype(int), bins - 1)
    return tuple(
        _bin(probabilities[place == b], outcomes[place == b], b / bins, (b + 1) / bins)
        for b in np.unique(place)
    )


def adaptive_curve(probabilities: Array, right: Flags, bins: int = 10) -> tuple[Bin, ...]:
    """Bins of equal number, as far as so many can be shared out evenly (Nguyen and O'Connor, 2015).

    A bin's borders are the least and the greatest of its own probabilities.
    """
    probabilities, outcomes = _checked(probabilities, right)
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return tuple(
        _bin(probabilities[p], outcomes[p], float(probabilities[p[0]]), float(probabilities[p[-1]]))
        for p in parts
    )


def expected_calibration_error(probabilities: Array, right: Flags, bins: int = 10) -> float:
    """The mean distance between what was stated and what came true, over bins of equal width.

    Naeini, Cooper and Hauskrecht (2015). A probability on a bin's edge belongs to the bin above
    it, 1.0 to the last. nan without values.
    """
    return _mean_gap(reliability_curve(probabilities, right, bins))


def adaptive_calibration_error(probabilities: Array, right: Flags, bins: int = 10) -> float:
    """The same over bins of equal number: where most lies, it looks closest (Nixon et al., 2019).

    nan without values.
    """
    return _mean_gap(adaptive_curve(probabilities, right, bins))


def maximum_calibration_error(probabilities: Array, right: Flags, bins: int = 10) -> float:
    """The greatest distance of a bin of equal width, however few it holds (Naeini et al., 2015).

    nan without values.
    """
    curve = reliability_curve(probabilities, right, bins)
    return max((abs(one.stated - one.came_true) for one in curve), default=float("nan"))


def brier_score(probabilities: Array, right: Flags) -> float:
    """The mean squared distance between probability and outcome (Brier, 1950); nan without any."""
    if len(probabilities) == 0:
        return float("nan")
    distance = np.asarray(probabilities, dtype=np.float64) - np.asarray(right, dtype=np.float64)
    return float(np.mean(distance**2))


def confidences(
    probabilities: Array, truth: npt.NDArray[np.integer]
) -> tuple[npt.NDArray[np.float64], Flags]:
    """The greatest probability (N,) of each row (N, C), and whether it is the right class (N,)."""
    probabilities = _distributions(probabilities, truth)
    return probabilities.max(axis=1), probabilities.argmax(axis=1) == np.asarray(truth)


def multi_class_brier_score(probabilities: Array, truth: npt.NDArray[np.integer]) -> float:
    """The mean squared distance (N, C) from the right class's unit vector, summed over classes.

    Brier's own form (1950), from 0 to 2: of two classes it is twice ``brier_score``. nan without
    any.
    """
    probabilities = _distributions(probabilities, truth)
    if not len(probabilities):
        return float("nan")
    aim = np.zeros_like(probabilities)
    aim[np.arange(len(aim)), np.asarray(truth)] = 1
    return float(np.mean(((probabilities - aim) ** 2).sum(axis=1)))


def negative_log_likelihood(probabilities: Array, truth: npt.NDArray[np.integer]) -> float:
    """The mean of -log of the right class's probability (N, C), in nats; nan without any.

    A right class that was ruled out would make it infinite: probabilities count as at least the
    spacing of their own number type, as scikit-learn has it.
    """
    given = np.asarray(probabilities)
    least = float(np.finfo(given.dtype if given.dtype.kind == "f" else np.float64).eps)
    probabilities = _distributions(probabilities, truth)
    if not len(probabilities):
        return float("nan")
    own = probabilities[np.arange(len(probabilities)), np.asarray(truth)]
    return float(-np.mean(np.log(np.clip(own, least, 1 - least))))


def _mean_gap(curve: tuple[Bin, ...]) -> float:
    total = sum(one.count for one in curve)
    if not total:
        return float("nan")
    return sum(abs(one.stated - one.came_true) * one.count for one in curve) / total


def _bin(probabilities: npt.NDArray[np.float64], right: Array, low: float, high: float) -> Bin:
    return Bin(low, high, len(right), float(probabilities.mean()), float(right.mean()))


def _checked(
    stated: Array, right: Flags
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    probabilities = np.asarray(stated, dtype=np.float64)
    outcomes = np.asarray(right, dtype=np.float64)
    if probabilities.shape != outcomes.shape:
        raise ValueError(f"{len(probabilities)} probabilities for {len(outcomes)} outcomes")
    if len(probabilities) and not (probabilities.min() >= 0 and probabilities.max() <= 1):
        raise ValueError(
            f"probabilities lie in 0 to 1, got {probabilities.min()} to {probabilities.max()}"
        )
    return probabilities, outcomes


def _distributions(probabilities: Array, truth: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """Rows (N, C) that sum to 1, for as many right classes (N,)."""
    table = np.asarray(probabilities, dtype=np.float64)
    if table.ndim != 2 or len(table) != len(truth):
        raise ValueError(f"{table.shape} probabilities for {len(truth)} right classes")
    if not np.allclose(table.sum(axis=1), 1, atol=1e-3) or (table < 0).any():
        raise ValueError("each row of probabilities must sum to 1, without negative ones")
    return table
