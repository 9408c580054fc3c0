"""Highlight figures: by hand, against scikit-learn's curve, by properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from scenewise.metrics.highlights import (
    HighlightQuery,
    highlight_figures,
    interpolated_average_precision,
)
from scenewise.metrics.qvhighlights import qvhighlights_report


def by_curve(wanted: np.ndarray, scores: np.ndarray) -> float:
    """Mean interpolated precision where scikit-learn's recall falls."""
    precision, recall, _ = precision_recall_curve(wanted, scores)
    best = np.maximum.accumulate(precision)  # from the highest recall downwards
    return float(best[np.flatnonzero(np.diff(recall))].mean())


@pytest.mark.parametrize("levels", [3, 1000])
def test_average_precision_is_that_of_the_curve(levels: int) -> None:
    draw = np.random.default_rng(levels)
    for _ in range(40):
        scores = draw.integers(0, levels, 20).astype(np.float64)
        wanted = draw.random((20, 3)) < 0.4
        wanted[0], wanted[1] = True, False
        found = interpolated_average_precision(wanted, scores)
        assert found == pytest.approx([by_curve(wanted[:, n], scores) for n in range(3)])


def test_average_precision_by_hand() -> None:
    """Right at places 1 and 4 of 4: precision 1 and 1/2."""
    wanted = np.array([[True], [False], [False], [True]])
    scores = np.array([0.9, 0.8, 0.7, 0.6])
    assert interpolated_average_precision(wanted, scores) == pytest.approx([0.75])


def test_nothing_wanted_is_zero_and_all_wanted_is_one() -> None:
    wanted = np.array([[False, True], [False, True]])
    assert interpolated_average_precision(wanted, np.zeros(2)).tolist() == [0, 1]
    with pytest.raises(ValueError, match="3 scores for 2 clips"):
        interpolated_average_precision(wanted, np.zeros(3))


def test_a_hit_takes_one_person_and_precision_the_mean_of_all() -> None:
    ratings = np.array([[4, 0], [0, 0]])
    figures = highlight_figures([HighlightQuery(ratings, np.array([0.9, 0.1]))])
    level = figures.levels["VeryGood"]
    assert level.hit_at_1 == 1
    assert level.mean_average_precision == 0.5  # the second person saw no highlight: 0


def test_levels_are_thresholds_of_the_ratings() -> None:
    query = HighlightQuery(np.array([[2], [3], [4], [0]]), np.array([0.9, 0.5, 0.4, 0.1]))
    hits = {name: level.hit_at_1 for name, level in highlight_figures([query]).levels.items()}
    assert hits == {"Fair": 1, "Good": 0, "VeryGood": 0}


def test_lacking_scores_are_zero_whatever_the_others_are() -> None:
    """All given scores lie below 0, so the padded clips stand before them."""
    ratings = np.array([[4], [0], [0]])
    short = HighlightQuery(ratings, np.array([-0.5]))
    assert highlight_figures([short]).levels["Good"].mean_average_precision == pytest.approx(1 / 3)
    assert highlight_figures([short]).levels["Good"].hit_at_1 == 1


def test_a_best_score_beyond_the_last_clip_is_no_hit_and_is_cut_for_precision() -> None:
    long = HighlightQuery(np.array([[4], [0]]), np.array([0.5, 0.1, 0.9]))
    level = highlight_figures([long]).levels["Good"]
    assert (level.hit_at_1, level.mean_average_precision) == (0, 1)


def test_without_scores_all_is_zero_and_without_queries_not_a_number() -> None:
    none = highlight_figures([HighlightQuery(np.full((2, 3), 4), np.zeros(0))])
    assert {level.mean_average_precision for level in none.levels.values()} == {0}
    assert {level.hit_at_1 for level in none.levels.values()} == {0}
    assert math.isnan(highlight_figures([]).levels["Fair"].hit_at_1)
    assert highlight_figures([]).to_dict()["Fair"] == {"mAP": None, "HIT@1": None}


def test_perfect_scores_are_one_and_a_higher_level_never_has_more_hits() -> None:
    draw = np.random.default_rng(1)
    queries = []
    for _ in range(50):
        ratings = draw.integers(0, 5, (20, 1))
        ratings[:2] = [[4], [0]]
        queries.append(HighlightQuery(ratings, ratings[:, 0] + draw.random(20) / 2))
    perfect = highlight_figures(queries)
    assert {level.mean_average_precision for level in perfect.levels.values()} == {1}
    noisy = [HighlightQuery(query.ratings, draw.random(20)) for query in queries]
    hits = [level.hit_at_1 for level in highlight_figures(noisy).levels.values()]
    assert hits == sorted(hits, reverse=True)


def test_people_of_different_number_are_not_averaged() -> None:
    queries = [HighlightQuery(np.zeros((2, n), int), np.zeros(2)) for n in (2, 3)]
    with pytest.raises(ValueError, match=r"\[2, 3\] people"):
        highlight_figures(queries)


def test_the_official_names_are_percent_with_two_decimals() -> None:
    ratings = np.array([[4, 0, 0]] * 3)
    queries = [HighlightQuery(ratings, np.arange(3.0)), HighlightQuery(ratings * 0, np.arange(3.0))]
    report = qvhighlights_report(highlights=highlight_figures(queries))
    assert report["HL-min-Good"] == {"HL-mAP": 16.67, "HL-Hit1": 50.0}
    assert report["brief"]["HL-min-Good-mAP"] == 16.67
