"""Retrieval numbers against hand-computed values."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats

from scenewise.metrics.retrieval import (
    bootstrap_interval,
    mean_reciprocal_rank,
    median_rank,
    ranks_of,
    recall_at,
)


def test_ranks_by_hand() -> None:
    scores = np.array([[0.1, 0.9, 0.5], [0.3, 0.2, 0.1], [0.5, 0.5, 0.1], [1.0, 1.0, 1.0]])
    correct = np.array([2, 0, 1, 0])
    assert ranks_of(scores, correct).tolist() == [2, 1, 1.5, 2]


def test_ranks_agree_with_scipy() -> None:
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 8, (40, 12)).astype(np.float64)  # many ties
    correct = generator.integers(0, 12, 40)
    expected = scipy.stats.rankdata(-scores, axis=1)[np.arange(40), correct]
    np.testing.assert_array_equal(ranks_of(scores, correct), expected)


def test_recall_median_and_reciprocal_by_hand() -> None:
    ranks = np.array([1.0, 2, 4, 10])
    assert [recall_at(ranks, k) for k in (1, 2, 5, 10)] == [0.25, 0.5, 0.75, 1.0]
    assert median_rank(ranks) == 3
    assert mean_reciprocal_rank(ranks) == pytest.approx((1 + 0.5 + 0.25 + 0.1) / 4)


def test_no_queries_is_not_a_number() -> None:
    nothing = np.zeros(0)
    assert math.isnan(recall_at(nothing, 1))
    assert math.isnan(median_rank(nothing))
    assert math.isnan(mean_reciprocal_rank(nothing))
    assert all(map(math.isnan, bootstrap_interval(median_rank, nothing, nothing.astype(int))))


def test_recall_needs_a_first_place() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        recall_at(np.ones(3), 0)


def test_interval_of_independent_values_is_the_textbook_one() -> None:
    """For a mean: 1.96 standard errors to both sides."""
    values = np.random.default_rng(1).normal(size=400)
    low, high = bootstrap_interval(lambda x: float(x.mean()), values, np.arange(400), samples=2000)
    error = values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)


def test_repeating_a_groups_values_does_not_narrow_the_interval() -> None:
    values = np.random.default_rng(2).normal(size=50)
    plain = bootstrap_interval(lambda x: float(x.mean()), values, np.arange(50))
    repeated = bootstrap_interval(
        lambda x: float(x.mean()), np.repeat(values, 4), np.repeat(np.arange(50), 4)
    )
    assert repeated == pytest.approx(plain)
