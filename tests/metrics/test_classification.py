"""Figures of classification against scikit-learn's, and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from scenewise.metrics.classification import (
    accuracy,
    class_figures,
    confusion_matrix,
    macro_f1,
    mean_absolute_error,
    r_squared,
    top_k_accuracy,
)


@pytest.mark.parametrize("seed", range(5))
def test_labels_are_judged_as_scikit_learn_does(seed: int) -> None:
    random = np.random.default_rng(seed)
    classes = 2 + seed
    truth, predicted = random.integers(0, classes, (2, 60))
    table = confusion_matrix(truth, predicted, classes)
    every = np.arange(classes)
    assert np.array_equal(table, reference.confusion_matrix(truth, predicted, labels=every))
    assert accuracy(truth, predicted) == pytest.approx(reference.accuracy_score(truth, predicted))
    figures = class_figures(table)
    expected = reference.precision_recall_fscore_support(
        truth, predicted, labels=every, zero_division=0
    )
    for place, name in enumerate(("precision", "recall", "f1", "support")):
        assert [getattr(one, name) for one in figures] == pytest.approx(expected[place].tolist())
    assert macro_f1(figures) == pytest.approx(expected[2].mean())


@pytest.mark.parametrize("k", [1, 2, 4])
def test_top_k_is_that_of_scikit_learn(k: int) -> None:
    random = np.random.default_rng(k)
    truth, scores = random.integers(0, 5, 50), random.normal(size=(50, 5))
    expected = reference.top_k_accuracy_score(truth, scores, k=k, labels=np.arange(5))
    assert top_k_accuracy(truth, scores, k) == pytest.approx(expected)


def test_equal_scores_earn_nothing() -> None:
    assert top_k_accuracy(np.array([0, 3]), np.zeros((2, 5)), 2) == 0


@pytest.mark.parametrize("seed", range(3))
def test_numbers_are_judged_as_scikit_learn_does(seed: int) -> None:
    truth, predicted = np.random.default_rng(seed).normal(size=(2, 40))
    assert mean_absolute_error(truth, predicted) == pytest.approx(
        reference.mean_absolute_error(truth, predicted)
    )
    assert r_squared(truth, predicted) == pytest.approx(reference.r2_score(truth, predicted))


def test_a_class_that_is_never_said_has_precision_zero() -> None:
    never, always = class_figures(confusion_matrix(np.array([0, 1]), np.array([1, 1]), 2))
    assert (never.precision, never.recall, never.f1, never.support) == (0, 0, 0, 1)
    assert (always.precision, always.recall) == (0.5, 1)


def test_nothing_gives_nan_and_odd_shapes_are_refused() -> None:
    nothing = np.zeros(0, np.int64)
    assert math.isnan(accuracy(nothing, nothing))
    assert math.isnan(top_k_accuracy(nothing, np.zeros((0, 3)), 1))
    assert math.isnan(macro_f1(()))
    assert math.isnan(mean_absolute_error(np.zeros(0), np.zeros(0)))
    assert math.isnan(r_squared(np.ones(3), np.zeros(3)))
    with pytest.raises(ValueError, match="2 true values"):
        accuracy(np.zeros(2, np.int64), np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="at least 1"):
        top_k_accuracy(np.zeros(2, np.int64), np.zeros((2, 2)), 0)
