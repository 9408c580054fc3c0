"""On histories whose truth is known, recommendations beat popularity and chance."""

from __future__ import annotations

import pytest

from benchmarks.recommend import World, generate, judge, run

SMALL = World(people=40, clusters=10, videos_per_cluster=15)


def test_recommendations_beat_popularity_and_chance() -> None:
    scores = run(SMALL)
    ours = scores["recommend"]
    for name in ("popularity", "random"):
        assert ours.hit_rate > scores[name].hit_rate + 0.2
        assert ours.ndcg > 1.5 * scores[name].ndcg


def test_what_is_to_be_found_was_not_watched() -> None:
    _, people = generate(SMALL)
    for person in people:
        assert not {int(row.video) for row in person.history} & set(person.next)


def test_orders_are_judged_as_defined() -> None:
    hit, ndcg = judge([1, 2, 3], (1, 2, 3))
    assert hit
    assert ndcg == pytest.approx(1.0)
    assert judge([9, 8, 7], (1, 2, 3)) == (False, 0.0)
    hit, ndcg = judge([9, 1], (1,))
    assert hit
    assert ndcg == pytest.approx(0.6309, abs=1e-4)
