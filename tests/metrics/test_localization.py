"""Overlap of spans, and recall at it, on cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scenewise.metrics.localization import first_ious, recall_at_iou, temporal_iou


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
