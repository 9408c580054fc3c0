"""Submodular selection: what it promises, held against every possible choice."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest

from scenewise.tasks.highlights import coverage, likeness, select_pieces

Rows = npt.NDArray[np.float64]


def problem(seed: int, windows: int = 30, pieces: int = 9) -> tuple[Rows, Rows, Rows]:
    random = np.random.default_rng(seed)
    like = random.random((windows, pieces)) ** 3
    weights = random.random(windows)
    return like, weights / weights.sum(), random.uniform(1, 3, pieces)


@pytest.mark.parametrize("seed", range(10))
def test_covering_is_monotone_and_gives_diminishing_returns(seed: int) -> None:
    like, weights, _ = problem(seed)
    random = np.random.default_rng(seed)
    order = random.permutation(like.shape[1]).tolist()
    values = [coverage(like, weights, order[:count]) for count in range(len(order) + 1)]
    assert values[0] == 0
    assert values[-1] == pytest.approx(1)
    assert all(after >= before - 1e-12 for before, after in itertools.pairwise(values))
    few, many, new = order[:2], order[:5], order[6]
    gain = [coverage(like, weights, [*s, new]) - coverage(like, weights, s) for s in (few, many)]
    assert gain[0] >= gain[1] - 1e-12


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("budget", [1.5, 4.0, 8.0])
def test_the_choice_fits_and_is_nearly_the_best_of_all(seed: int, budget: float) -> None:
    like, weights, seconds = problem(seed)
    chosen = select_pieces(like, weights, seconds, budget)
    assert seconds[list(chosen.pieces)].sum() <= budget + 1e-9
    assert len(set(chosen.pieces)) == len(chosen.pieces)
    possible = (
        subset
        for size in range(1, 10)
        for subset in itertools.combinations(range(9), size)
        if seconds[list(subset)].sum() <= budget
    )
    best = max((coverage(like, weights, subset) for subset in possible), default=0.0)
    # promised for any problem is a share of 1 - 1 / sqrt(e); these are no hard ones
    assert chosen.coverage >= (1 - 1 / np.e) * best
    assert chosen.coverage == pytest.approx(coverage(like, weights, chosen.pieces))


@pytest.mark.parametrize("seed", range(5))
def test_a_longer_reel_covers_no_less(seed: int) -> None:
    like, weights, seconds = problem(seed)
    covered = [select_pieces(like, weights, seconds, budget).coverage for budget in (2, 4, 6, 20)]
    assert covered == sorted(covered)


def test_what_is_shown_once_is_not_shown_again() -> None:
    scenes = np.eye(8, dtype=np.float32)[[0, 1, 0, 1, 2, 0, 1, 2]]
    like = likeness(scenes, scenes)
    chosen = select_pieces(like, np.full(8, 1 / 8), np.ones(8), 8.0)
    assert sorted(scenes[list(chosen.pieces)].argmax(axis=1).tolist()) == [0, 1, 2]
    assert chosen.coverage == pytest.approx(1)
    assert chosen.exhausted


def test_a_video_of_one_thing_is_shown_by_its_first_piece() -> None:
    same = np.tile(np.eye(8, dtype=np.float32)[:1], (20, 1))
    chosen = select_pieces(likeness(same, same), np.full(20, 1 / 20), np.ones(20), 5.0)
    assert chosen.pieces == (0,)
    assert chosen.coverage == 1


def test_the_weights_say_what_counts() -> None:
    scenes = np.eye(8, dtype=np.float32)[[0, 0, 0, 1, 2]]
    like = likeness(scenes, scenes)
    even = select_pieces(like, np.full(5, 0.2), np.ones(5), 1.0)
    focused = select_pieces(like, np.array([0.05, 0.05, 0.05, 0.8, 0.05]), np.ones(5), 1.0)
    assert even.pieces == (0,)
    assert focused.pieces == (3,)


def test_one_long_piece_may_be_better_than_many_short_ones() -> None:
    like = np.zeros((10, 3))
    like[:, 0] = 1.0  # covers all, and fills the reel
    like[0, 1] = 1.0  # covers one window in no time
    like[1, 2] = 1.0
    chosen = select_pieces(like, np.full(10, 0.1), np.array([5.0, 0.1, 0.1]), 5.0)
    assert chosen.pieces == (0,)


def test_nothing_fits_into_nothing() -> None:
    like, weights, seconds = problem(0)
    assert select_pieces(like, weights, seconds, 0.5).pieces == ()
