"""Reliability numbers against hand-computed values and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from scenewise.metrics.reliability import (
    adaptive_calibration_error,
    adaptive_curve,
    auroc,
    brier_score,
    confidences,
    expected_calibration_error,
    maximum_calibration_error,
    multi_class_brier_score,
    negative_log_likelihood,
    reliability_curve,
)


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


# ---- curves


@pytest.mark.parametrize("bins", [5, 15])
def test_the_curve_is_that_of_scikit_learn(bins: int) -> None:
    """On an edge the two differ: there scikit-learn takes the bin below."""
    draw = np.random.default_rng(bins)
    probabilities, right = draw.random(300), draw.random(300) < 0.5
    came, stated = calibration_curve(right, probabilities, n_bins=bins)
    curve = reliability_curve(probabilities, right, bins)
    assert [one.stated for one in curve] == pytest.approx(list(stated))
    assert [one.came_true for one in curve] == pytest.approx(list(came))
    assert sum(one.count for one in curve) == 300


def test_bins_of_equal_number_are_those_of_scikit_learns_quantiles() -> None:
    draw = np.random.default_rng(1)
    probabilities, right = draw.random(1000) ** 3, draw.random(1000) < 0.5
    came, stated = calibration_curve(right, probabilities, n_bins=10, strategy="quantile")
    curve = adaptive_curve(probabilities, right, 10)
    assert {one.count for one in curve} == {100}
    assert [one.stated for one in curve] == pytest.approx(list(stated), abs=1e-3)
    assert [one.came_true for one in curve] == pytest.approx(list(came), abs=0.02)
    borders = [border for one in curve for border in (one.low, one.high)]
    assert borders == sorted(borders)


def test_adaptive_error_by_hand() -> None:
    """Two bins of two: |0.15 - 0.5| and |0.85 - 1|, half each."""
    probabilities, right = np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, True, True, True])
    error = adaptive_calibration_error(probabilities, right, bins=2)
    assert error == pytest.approx((0.35 + 0.15) / 2)
    assert adaptive_calibration_error(probabilities, right, bins=9) == pytest.approx(
        np.mean(np.abs(probabilities - right))
    )  # more bins than values: each value is one


def test_the_greatest_error_is_never_below_the_mean_one() -> None:
    draw = np.random.default_rng(2)
    for _ in range(20):
        probabilities, right = draw.random(50), draw.random(50) < 0.5
        mean = expected_calibration_error(probabilities, right)
        assert maximum_calibration_error(probabilities, right) >= mean
    assert maximum_calibration_error(np.array([0.25, 0.95]), np.array([True, True])) == 0.75
    assert math.isnan(maximum_calibration_error(np.zeros(0), np.zeros(0, bool)))
    assert math.isnan(adaptive_calibration_error(np.zeros(0), np.zeros(0, bool)))


# ---- several classes


def random_table(seed: int, rows: int = 60, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return draw.dirichlet(np.ones(classes), rows), draw.integers(0, classes, rows)


@pytest.mark.parametrize("seed", range(3))
def test_log_likelihood_and_brier_are_those_of_scikit_learn(seed: int) -> None:
    table, truth = random_table(seed)
    classes = np.arange(4)
    assert negative_log_likelihood(table, truth) == pytest.approx(
        log_loss(truth, table, labels=classes)
    )
    assert multi_class_brier_score(table, truth) == pytest.approx(
        brier_score_loss(truth, table, labels=classes, scale_by_half=False)
    )


def test_of_two_classes_the_brier_score_is_twice_the_binary_one() -> None:
    table, truth = random_table(3, classes=2)
    binary = brier_score(table[:, 1], truth == 1)
    assert multi_class_brier_score(table, truth) == pytest.approx(2 * binary)


def test_a_right_class_that_was_ruled_out_costs_as_scikit_learn_has_it() -> None:
    table, truth = np.array([[1.0, 0.0]]), np.array([1])
    assert negative_log_likelihood(table, truth) == pytest.approx(
        log_loss(truth, table, labels=[0, 1])
    )


def test_sure_and_right_is_perfect() -> None:
    table, truth = np.eye(3), np.arange(3)
    assert multi_class_brier_score(table, truth) == 0
    assert negative_log_likelihood(table, truth) == pytest.approx(0, abs=1e-12)
    stated, right = confidences(table, truth)
    assert stated.tolist() == [1, 1, 1]
    assert right.all()
    assert expected_calibration_error(stated, right) == 0


def test_uniform_probabilities_cost_the_logarithm_of_the_classes() -> None:
    table, truth = np.full((5, 4), 0.25), np.arange(5) % 4
    assert negative_log_likelihood(table, truth) == pytest.approx(math.log(4))
    assert multi_class_brier_score(table, truth) == pytest.approx(0.75)


def test_rows_that_are_no_distributions_are_refused() -> None:
    for table in (np.array([[0.5, 0.9]]), np.array([[1.5, -0.5]])):
        with pytest.raises(ValueError, match="must sum to 1"):
            negative_log_likelihood(table, np.array([0]))
    with pytest.raises(ValueError, match="for 2 right classes"):
        multi_class_brier_score(np.array([[0.5, 0.5]]), np.array([0, 1]))
    with pytest.raises(ValueError, match="2 probabilities for 3 outcomes"):
        reliability_curve(np.zeros(2), np.zeros(3, bool))
    assert math.isnan(negative_log_likelihood(np.zeros((0, 3)), np.zeros(0, int)))
    assert math.isnan(multi_class_brier_score(np.zeros((0, 3)), np.zeros(0, int)))
