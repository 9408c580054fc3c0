"""How well a ranking puts the right item first: recall at k, median rank, and their uncertainty.

Ranks are 1-based; lower is better. Pure functions on arrays, without random state of their own.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]


def ranks_of(scores: Array, correct: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """The rank of item ``correct[q]`` among the scores (Q, N) of query q, higher scores first.

    Ties take the mean of the ranks that they share, so that equal scores earn nothing.
    """
    scores = np.asarray(scores)
    own = scores[np.arange(len(scores)), correct][:, None]
    above = (scores > own).sum(axis=1)
    equal = (scores == own).sum(axis=1) - 1
    return np.asarray(1 + above + equal / 2, dtype=np.float64)


def recall_at(ranks: Array, k: int) -> float:
    """The share of queries whose right item is among the first k; nan without queries."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return float(np.mean(np.asarray(ranks) <= k)) if len(ranks) else float("nan")


def median_rank(ranks: Array) -> float:
    """The middle rank; nan without queries."""
    return float(np.median(ranks)) if len(ranks) else float("nan")


def mean_reciprocal_rank(ranks: Array) -> float:
    """The mean of 1 / rank; nan without queries."""
    return float(np.mean(1 / np.asarray(ranks, dtype=np.float64))) if len(ranks) else float("nan")


def bootstrap_interval(
    statistic: Callable[[Array], float],
    values: Array,
    groups: npt.NDArray[np.integer],
    *,
    seed: int = 0,
    samples: int = 1000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of ``statistic(values)`` when whole groups are drawn anew.

    ``groups`` (N,) says which values belong together, such as the queries of one clip: they are
    no independent trials, and an interval that draws single values would be too narrow.
    """
    values, groups = np.asarray(values), np.asarray(groups)
    members = [values[groups == name] for name in np.unique(groups)]
    if not members:
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    drawn = [
        statistic(np.concatenate([members[number] for number in pick]))
        for pick in generator.integers(0, len(members), (samples, len(members)))
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)
