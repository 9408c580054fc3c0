"""Relevance and diversity, on vectors whose neighbours are known."""

from __future__ import annotations

import numpy as np
import pytest

from scenewise.encoders.spec import FloatArray
from scenewise.tasks.taste import centred, choose, joined

AXES = np.eye(8, dtype=np.float32)


def unit(*rows: FloatArray) -> FloatArray:
    made = np.stack(rows)
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)


# 0, 1, 2 are alike; 3 is like them a little; 4 and 5 are of another kind; 6 lies between
THINGS = unit(
    AXES[0] + 0.2 * AXES[5],
    AXES[0] + 0.2 * AXES[6],
    AXES[0] + 0.3 * AXES[7],
    0.6 * AXES[0] + 0.8 * AXES[3],
    AXES[1],
    AXES[1] + 0.1 * AXES[2],
    AXES[0] + AXES[1],
)


def places(history: FloatArray, weights: list[float], **options: float) -> list[int]:
    picks = choose(
        THINGS,
        history,
        np.array(weights),
        count=int(options.get("count", 3)),
        diversity=options.get("diversity", 0.0),
    )
    return [pick.place for pick in picks]


def test_the_most_alike_come_first() -> None:
    assert set(places(AXES[:1], [1.0])) == {0, 1, 2}


def test_two_tastes_are_both_served_not_their_middle() -> None:
    best = places(AXES[:2], [1.0, 1.0], count=5)
    assert 6 not in best[:4]
    assert {4, 5} <= set(best)


def test_a_heavier_taste_comes_first() -> None:
    assert places(AXES[:2], [0.2, 1.0])[:2] == [4, 5]


def test_what_is_like_the_disliked_is_pushed_away() -> None:
    best = places(AXES[:2], [1.0, -1.0], count=7)
    assert set(best[-2:]) == {4, 5}
    assert best.index(6) > best.index(3)


def test_dislikes_alone_leave_what_is_unlike_them() -> None:
    picks = choose(THINGS, AXES[:1], np.array([-1.0]), count=2, diversity=0.0)
    assert {pick.place for pick in picks} == {4, 5}
    assert [pick.like for pick in picks] == [None, None]


def test_diversity_spreads_the_choice() -> None:
    near = places(AXES[:1], [1.0], diversity=0.0)
    spread = places(AXES[:1], [1.0], diversity=0.7)
    assert spread[0] == near[0]
    assert len({0, 1, 2} & set(spread)) < 3

    def alike(chosen: list[int]) -> float:
        cosines = THINGS[chosen] @ THINGS[chosen].T
        return float(cosines[np.triu_indices(3, 1)].mean())

    assert alike(spread) < alike(near)


def test_what_is_not_allowed_is_not_chosen() -> None:
    allowed = np.array([False, True, True, True, True, True, True])
    picks = choose(THINGS, AXES[:1], np.ones(1), count=10, allowed=allowed)
    assert 0 not in [pick.place for pick in picks]
    assert len(picks) == 6


def test_each_choice_says_what_it_is_like() -> None:
    picks = choose(THINGS, AXES[:2], np.array([1.0, 0.5]), count=7, diversity=0.0)
    like = {pick.place: pick.like for pick in picks}
    assert (like[0], like[4]) == (0, 1)


@pytest.mark.parametrize("scale", [1.0, 7.0])
def test_relevance_does_not_depend_on_the_scale_of_the_weights(scale: float) -> None:
    one = choose(THINGS, AXES[:2], np.array([1.0, -0.5]), count=3)
    other = choose(THINGS, AXES[:2], scale * np.array([1.0, -0.5]), count=3)
    assert [pick.relevance for pick in one] == pytest.approx([pick.relevance for pick in other])


def test_what_all_have_in_common_is_taken_away() -> None:
    random = np.random.default_rng(0)
    narrow = random.normal(size=(200, 8)).astype(np.float32) + 4
    narrow /= np.linalg.norm(narrow, axis=1, keepdims=True)
    assert np.median(narrow @ narrow.T) > 0.8
    wide = centred(narrow)
    assert abs(np.median(wide @ wide.T)) < 0.15
    assert np.linalg.norm(wide, axis=1) == pytest.approx(1, abs=1e-5)


def test_an_empty_side_stays_empty() -> None:
    sides = np.stack([AXES[0], 0 * AXES[0], AXES[1]])
    assert not centred(sides)[1].any()
    both = joined(centred(sides), AXES[[2, 3, 4]])
    assert both[1] == pytest.approx(AXES[3])
