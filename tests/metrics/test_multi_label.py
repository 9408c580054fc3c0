"""Average precision of several labels a video, against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from scenewise.metrics.multi_label import average_precision, precision_figures


@pytest.mark.parametrize("levels", [2, 7, 10_000])
def test_average_precision_is_that_of_scikit_learn_ties_included(levels: int) -> None:
    draw = np.random.default_rng(levels)
    for _ in range(20):
        wanted = draw.random(30) < 0.3
        wanted[0] = True
        scores = draw.integers(0, levels, 30).astype(np.float64)
        expected = average_precision_score(wanted, scores)
        assert average_precision(wanted, scores) == pytest.approx(expected)


def test_average_precision_by_hand() -> None:
    """Right at places 1 and 3: (1 + 2/3) / 2."""
    found = average_precision(np.array([True, False, True]), np.array([0.9, 0.5, 0.1]))
    assert found == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("way", ["macro", "micro", "weighted"])
def test_means_are_those_of_scikit_learn(seed: int, way: str) -> None:
    draw = np.random.default_rng(seed)
    wanted, scores = draw.random((40, 5)) < 0.3, draw.random((40, 5)).round(1)
    figures = precision_figures(wanted, scores)
    expected = average_precision_score(wanted, scores, average=way)
    assert getattr(figures, way) == pytest.approx(expected)


def test_a_class_that_no_video_has_is_left_out_of_the_means() -> None:
    """scikit-learn would count it as 0, and warn that it has no meaning."""
    wanted = np.array([[True, False], [False, False]])
    figures = precision_figures(wanted, np.array([[0.9, 0.9], [0.1, 0.1]]))
    assert figures.macro == figures.weighted == 1
    assert math.isnan(figures.classes[1])
    with pytest.warns(UserWarning, match="No positive class"):
        assert average_precision_score(wanted[:, 1], [0.9, 0.1]) == 0


def test_perfect_scores_are_one_and_random_ones_about_the_share_of_what_is_wanted() -> None:
    draw = np.random.default_rng(0)
    wanted = draw.random((3000, 2)) < 0.25
    assert precision_figures(wanted, wanted.astype(np.float64)).macro == 1
    chance = precision_figures(wanted, draw.random((3000, 2)))
    assert chance.macro == pytest.approx(0.25, abs=0.03)
    constant = precision_figures(wanted, np.zeros((3000, 2)))
    assert constant.classes == pytest.approx(wanted.mean(axis=0))  # equal scores: the share itself


def test_the_order_of_videos_changes_nothing() -> None:
    draw = np.random.default_rng(1)
    wanted, scores = draw.random((50, 3)) < 0.4, draw.integers(0, 4, (50, 3)).astype(float)
    order = draw.permutation(50)
    moved = precision_figures(wanted[order], scores[order])
    assert moved.classes == pytest.approx(precision_figures(wanted, scores).classes)


def test_nothing_wanted_has_no_figure_and_odd_shapes_are_refused() -> None:
    figures = precision_figures(np.zeros((3, 2), bool), np.zeros((3, 2)))
    assert figures.to_dict() == {"mAP": None, "mAP_micro": None, "mAP_weighted": None}
    with pytest.raises(ValueError, match="scores for"):
        precision_figures(np.zeros((3, 2), bool), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="scores for"):
        average_precision(np.zeros(3, bool), np.zeros(2))
    with pytest.raises(ValueError, match="not numbers"):
        precision_figures(np.ones((1, 1), bool), np.array([[math.nan]]))
