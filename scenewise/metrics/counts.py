"""Intervals for what is counted: alarms in so many hours, hits of so many. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist


def poisson_interval(count: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact interval of a Poisson mean from one count (Garwood, 1936).

    The limits are those means at which so few, or so many, would be seen with probability
    (1 - confidence) / 2.
    """
    if count < 0 or not 0 < confidence < 1:
        raise ValueError(f"a count of {count} at confidence {confidence} has no interval")
    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else _solve(lambda mean: 1 - _below(count - 1, mean) - tail, count)
    return low, _solve(lambda mean: tail - _below(count, mean), count)


def _below(count: int, mean: float) -> float:
    """P(X <= count) for a Poisson variable, summed in logarithms."""
    logs = [k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(count + 1)]
    top = max(logs)
    return min(1.0, math.exp(top) * math.fsum(math.exp(value - top) for value in logs))


def _solve(rising: Callable[[float], float], count: int) -> float:
    low, high = 1e-12, count + 10 * math.sqrt(count + 1) + 10
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return (low + high) / 2


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The interval of a share from so many successes in so many trials (Wilson, 1927)."""
    if not 0 <= successes <= trials or trials < 1 or not 0 < confidence < 1:
        raise ValueError(f"{successes} of {trials} at confidence {confidence} has no interval")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / trials
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    reach = z / (1 + z**2 / trials)
    reach *= math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    return max(0.0, middle - reach), min(1.0, middle + reach)
