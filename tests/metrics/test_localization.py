"""Overlap of spans, and recall at it, on cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scenewise.metrics.localization import (
    first_ious,
    pairwise_ious,
    ranked_ious,
    recall_among_first,
    recall_at_iou,
    temporal_iou,
)


@pytest.mark.parametrize(
    ("one", "other", "iou"),
    [
        ((0.0, 2.0), (0.0, 2.0), 1.0),
        ((0.0, 2.0), (1.0, 3.0), 1 / 3),
        ((0.0, 2.0), (2.0, 4.0), 0.0),
        ((0.0, 10.0), (4.0, 6.0), 0.2),
        ((3.0, 3.0), (3.0, 3.0), 0.0),
    ],
)
def test_temporal_iou(one: tuple[float, float], other: tuple[float, float], iou: float) -> None:
    assert temporal_iou(one, other) == pytest.approx(iou)
    assert temporal_iou(other, one) == pytest.approx(iou)


def test_recall_counts_first_spans_and_missing_ones() -> None:
    ious = first_ious([(0, 2), None, (0, 10), (5, 6)], [(0, 2), (0, 2), (0, 5), (0, 5)])
    assert ious.tolist() == [1.0, 0.0, 0.5, 0.0]
    assert recall_at_iou(ious, 0.5) == 0.5
    assert recall_at_iou(ious, 0.7) == 0.25
    with pytest.raises(ValueError, match="2 predictions for 1 question"):
        first_ious([None, None], [(0, 1)])
    with pytest.raises(ValueError, match="no question"):
        recall_at_iou(np.zeros(0), 0.5)


def test_pairs_have_the_ious_of_single_spans() -> None:
    draw = np.random.default_rng(0)
    some, others = np.sort(draw.integers(0, 20, (2, 15, 2)), axis=-1).astype(np.float64)
    table = pairwise_ious(some, others)
    for n, one in enumerate(some):
        for m, other in enumerate(others):
            assert table[n, m] == temporal_iou((one[0], one[1]), (other[0], other[1]))


def test_a_span_that_ends_before_it_starts_meets_nothing() -> None:
    assert pairwise_ious([[5.0, 3.0]], [[2.0, 6.0]]).tolist() == [[0]]


def test_recall_among_the_first_takes_the_best_of_them_and_of_several_true_spans() -> None:
    predicted = [[(0.0, 10.0), (20.0, 30.0)], [(0.0, 4.0)], []]
    true = [[(20.0, 30.0)], [(50.0, 60.0), (0.0, 5.0)], [(0.0, 1.0)]]
    ious = ranked_ious(predicted, true, 3)
    assert ious.tolist() == [[0, 1, 0], [0.8, 0, 0], [0, 0, 0]]
    assert recall_among_first(ious, 1, 0.5) == pytest.approx(1 / 3)
    assert recall_among_first(ious, 2, 0.5) == pytest.approx(2 / 3)
    assert recall_among_first(ious, 2, 0.9) == pytest.approx(1 / 3)


def test_more_than_was_kept_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="n must be 1 to 3, got 4"):
        recall_among_first(np.zeros((1, 3)), 4, 0.5)
    with pytest.raises(ValueError, match="1 predictions for 2 questions"):
        ranked_ious([[]], [[], []], 1)
