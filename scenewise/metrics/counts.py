"""Intervals for counted events: alarms in so many hours. Pure functions on numbers."""

from __future__ import annotations

import math
from collections.abc import Callable


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
