"""Intervals of counts, against published tables and the distributions themselves."""

from __future__ import annotations

import pytest
from scipy import stats

from scenewise.metrics.counts import poisson_interval, wilson_interval


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (5, 1.623, 11.668), (10, 4.795, 18.390)],
)
def test_the_table_of_garwood(count: int, low: float, high: float) -> None:
    assert poisson_interval(count) == pytest.approx((low, high), abs=1e-3)


@pytest.mark.parametrize("count", [0, 1, 3, 47, 1000])
@pytest.mark.parametrize("confidence", [0.5, 0.9, 0.99])
def test_a_poisson_interval_is_that_of_the_chi_square(count: int, confidence: float) -> None:
    tail = (1 - confidence) / 2
    low = stats.chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    high = stats.chi2.ppf(1 - tail, 2 * count + 2) / 2
    assert poisson_interval(count, confidence) == pytest.approx((low, high), rel=1e-6)


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (0, 10), (3, 10), (10, 10), (99, 1000)])
def test_wilson_is_what_scipy_computes(successes: int, trials: int) -> None:
    found = stats.binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, trials) == pytest.approx((found.low, found.high), abs=1e-9)


def test_impossible_counts_are_refused() -> None:
    for count, confidence in ((-1, 0.95), (1, 1.0)):
        with pytest.raises(ValueError, match="no interval"):
            poisson_interval(count, confidence)
    for successes, trials in ((2, 1), (0, 0)):
        with pytest.raises(ValueError, match="no interval"):
            wilson_interval(successes, trials)
