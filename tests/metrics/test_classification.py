"""Figures of classification against scikit-learn's, and at the edges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from scenewise.metrics.classification import (
    Ints,
    accuracy,
    class_figures,
    confusion_matrix,
    macro_f1,
    mean_absolute_error,
    mean_class_accuracy,
    mean_figures,
    mean_views,
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


# ---- means over classes


def random_labels(seed: int, classes: int = 6) -> tuple[Ints, Ints]:
    """Class 0 is never true and class 1 never predicted."""
    draw = np.random.default_rng(seed)
    truth, predicted = draw.integers(1, classes, 80), draw.integers(0, classes, 80)
    return truth, np.where(predicted == 1, 2, predicted)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("way", ["micro", "macro", "weighted"])
def test_means_are_those_of_scikit_learn_over_the_classes_that_occur(seed: int, way: str) -> None:
    """scikit-learn is told the classes: the recall of one without support it leaves undefined."""
    truth, predicted = random_labels(seed)
    mean = mean_figures(confusion_matrix(truth, predicted, 6))[way]
    expected = reference.precision_recall_fscore_support(
        truth,
        predicted,
        labels=None if way == "micro" else np.unique(truth),
        average=way,
        zero_division=0,
    )[:3]
    assert (mean.precision, mean.recall, mean.f1) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(4))
def test_mean_class_accuracy_is_balanced_accuracy(seed: int) -> None:
    truth, predicted = random_labels(seed)
    keep = np.isin(predicted, truth)  # else scikit-learn warns of classes that are not there
    table = confusion_matrix(truth[keep], predicted[keep], 6)
    expected = reference.balanced_accuracy_score(truth[keep], predicted[keep])
    assert mean_class_accuracy(table) == pytest.approx(expected)


def test_perfect_labels_have_all_means_at_one_and_none_have_no_mean() -> None:
    truth = np.array([0, 1, 1, 3])
    table = confusion_matrix(truth, truth, 5)
    assert {m.f1 for m in mean_figures(table).values()} == {1.0}
    assert mean_class_accuracy(table) == 1
    nothing = np.zeros((3, 3), np.int64)
    assert math.isnan(mean_class_accuracy(nothing))
    assert math.isnan(mean_figures(nothing)["macro"].recall)


def test_the_numbers_of_classes_change_nothing() -> None:
    truth, predicted = random_labels(9)
    other = np.random.default_rng(0).permutation(6)
    one = mean_figures(confusion_matrix(truth, predicted, 6))
    two = mean_figures(confusion_matrix(other[truth], other[predicted], 6))
    for way, mean in one.items():
        assert mean.to_dict() == pytest.approx(two[way].to_dict())


# ---- views


def test_views_of_one_video_are_averaged() -> None:
    names, scores = mean_views(np.array([[1.0, 0], [0, 1], [0.5, 0.1]]), np.array([7, 3, 7]))
    assert names.tolist() == [3, 7]
    assert scores == pytest.approx(np.array([[0, 1], [0.75, 0.05]]))


def test_one_view_each_is_itself() -> None:
    scores = np.random.default_rng(0).random((5, 3))
    names, mean = mean_views(scores, np.arange(5))
    assert names.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(mean, scores)
    with pytest.raises(ValueError, match="4 true values"):
        mean_views(scores, np.arange(4))
