"""DiDeMo's figures by hand and by properties."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from scenewise.metrics.didemo import piece_figures, piece_iou, possible_moments


@pytest.mark.parametrize(
    ("one", "other", "iou"),
    [
        ((1, 1), (1, 1), 1),
        ((0, 1), (1, 1), 1 / 2),  # both ends belong to a moment
        ((0, 2), (2, 3), 1 / 4),
        ((0, 0), (1, 1), 0),
        ((0, 0), (5, 5), 0),
    ],
)
def test_overlap_counts_pieces(one: tuple[int, int], other: tuple[int, int], iou: float) -> None:
    assert piece_iou(one, other) == piece_iou(other, one) == pytest.approx(iou)


def test_six_pieces_have_twenty_one_moments() -> None:
    moments = possible_moments(6)
    assert len(moments) == len(set(moments)) == 21
    assert all(0 <= first <= last <= 5 for first, last in moments)


def test_the_odd_one_of_four_people_is_dropped() -> None:
    marked = [[(1, 1), (1, 1), (1, 1), (5, 5)]]
    figures = piece_figures([[(1, 1), *possible_moments(6)]], marked)
    assert (figures.rank_at_1, figures.rank_at_5, figures.mean_iou) == (1, 1, 1)


def test_ranks_are_averaged_over_the_best_three() -> None:
    """Ranks 1, 1, 4 and more have the mean 2: not first, but among five. IoU (1 + 1 + 0) / 3."""
    ranked = [[(0, 0), (1, 1), (2, 2), (3, 3), (4, 4)]]
    figures = piece_figures(ranked, [[(0, 0), (0, 0), (3, 3), (4, 4)]])
    assert (figures.rank_at_1, figures.rank_at_5) == (0, 1)
    assert figures.mean_iou == pytest.approx(2 / 3)


def test_what_was_not_ranked_lies_behind_all_and_nothing_ranked_is_zero() -> None:
    figures = piece_figures([[(0, 0)], []], [[(0, 0), (1, 1), (1, 1), (1, 1)], [(0, 0)] * 4])
    assert figures.rank_at_5 == 0
    assert figures.mean_iou == pytest.approx((1 / 3 + 0) / 2)


def test_random_rankings_are_about_chance() -> None:
    """All four people agree, so the mean of three ranks is a rank: 1 and 5 of 21."""
    draw = np.random.default_rng(0)
    moments = possible_moments(6)
    ranked = [[moments[n] for n in draw.permutation(21)] for _ in range(4000)]
    marked = [[moments[draw.integers(21)]] * 4 for _ in range(4000)]
    figures = piece_figures(ranked, marked)
    assert figures.rank_at_1 == pytest.approx(1 / 21, abs=0.015)
    assert figures.rank_at_5 == pytest.approx(5 / 21, abs=0.03)


def test_marks_of_two_people_are_too_few() -> None:
    with pytest.raises(ValueError, match="marks of 3 people, got 2"):
        piece_figures([[(0, 0)]], [[(0, 0), (1, 1)]])
    with pytest.raises(ValueError, match="1 predictions for 0"):
        piece_figures([[(0, 0)]], [])
    assert math.isnan(piece_figures([], []).mean_iou)
    assert piece_figures([], []).to_dict()["Rank@1"] is None


@pytest.mark.shared
def test_the_first_piece_has_the_published_figures_of_the_frequency_prior(shared_dir: Path) -> None:
    """The prior puts (0, 0) first; its Rank@1 and mIoU on val are 0.186842 and 0.252216."""
    rows = json.loads((shared_dir / "annotations" / "didemo" / "val_data.json").read_text("utf-8"))
    marked = [[(first, last) for first, last in row["times"]] for row in rows]
    figures = piece_figures([[(0, 0)]] * len(marked), marked)
    assert figures.queries == 4180
    assert round(figures.rank_at_1, 6) == 0.186842
    assert round(figures.mean_iou, 6) == 0.252216
