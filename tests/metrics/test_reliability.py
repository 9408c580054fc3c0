"""Reliability numbers against hand-computed values and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, roc_auc_score

from scenewise.metrics.reliability import auroc, brier_score, expected_calibration_error


def test_auroc_by_hand() -> None:
    """Of the six pairs, four are in order and one is a tie."""
    scores = np.array([0.9, 0.6, 0.3, 0.6, 0.1])
    positive = np.array([True, True, True, False, False])
    assert auroc(scores, positive) == pytest.approx((4 + 0.5) / 6)


@given(
    pairs=st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=2, max_size=60).filter(
        lambda pairs: len({flag for _, flag in pairs}) == 2
    )
)
def test_auroc_agrees_with_sklearn(pairs: list[tuple[int, bool]]) -> None:
    scores = np.array([score for score, _ in pairs], dtype=np.float64)
    positive = np.array([flag for _, flag in pairs])
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores))


def test_auroc_needs_both_kinds() -> None:
    assert math.isnan(auroc(np.ones(3), np.ones(3, bool)))
    assert math.isnan(auroc(np.ones(3), np.zeros(3, bool)))


def test_calibration_error_by_hand() -> None:
    """Bin 0.2-0.3: stated 0.25 twice, one of two right. Bin 0.9-1.0: 0.95 and 1.0, both right.

    (2/4) |0.25 - 0.5| + (2/4) |0.975 - 1| = 0.1375
    """
    probabilities = np.array([0.25, 0.25, 0.95, 1.0])
    right = np.array([True, False, True, True])
    assert expected_calibration_error(probabilities, right) == pytest.approx(0.1375)


def test_an_edge_belongs_to_the_bin_above() -> None:
    """0.5 shares a bin with 0.55, not with 0.45: |0.45 - 0| / 3 + |1.05 - 1| / 3."""
    error = expected_calibration_error(np.array([0.45, 0.5, 0.55]), np.array([False, True, False]))
    assert error == pytest.approx((0.45 + 0.05) / 3)


def test_honest_probabilities_have_hardly_any_error() -> None:
    generator = np.random.default_rng(0)
    probabilities = generator.random(200_000)
    right = generator.random(200_000) < probabilities
    assert expected_calibration_error(probabilities, right) < 0.005
    assert expected_calibration_error(probabilities, ~right) > 0.4


def test_probabilities_are_checked() -> None:
    with pytest.raises(ValueError, match=r"0 to 1, got 0\.5 to 1\.5"):
        expected_calibration_error(np.array([0.5, 1.5]), np.array([True, False]))
    assert math.isnan(expected_calibration_error(np.zeros(0), np.zeros(0, bool)))


def test_brier_agrees_with_sklearn() -> None:
    generator = np.random.default_rng(3)
    probabilities, right = generator.random(100), generator.random(100) < 0.4
    assert brier_score(probabilities, right) == pytest.approx(
        brier_score_loss(right, probabilities)
    )
    assert math.isnan(brier_score(np.zeros(0), np.zeros(0, bool)))
