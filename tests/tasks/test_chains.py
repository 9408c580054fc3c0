"""What follows what in one video, as facts about hand-made moments."""

from __future__ import annotations

from functools import partial
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.index.catalog import Chunk
from scenewise.tasks.chains import chain, follows
from scenewise.tasks.hits import Found
from scenewise.types import Why

NOTHING = np.zeros(0)


def video(number: int) -> Chunk:
    return Chunk(
        id=number,
        video_id=f"id{number}",
        path=f"/films/{number}.mp4",
        duration=1000.0,
        starts=NOTHING,
        ends=NOTHING,
        times=NOTHING,
        shots=(),
        modified=0.0,
        missing=False,
    )


VIDEOS = {number: video(number) for number in (1, 2)}


def moment(start: float, end: float, match: float, number: int = 1) -> Found:
    why = (Why("concept", f"at {start:g}"),)
    return Found(VIDEOS[number], start, end, match, match, (start + end) / 2, lambda: why)


pairs = partial(chain, ("a", "b"), within_seconds=60, count=None, group="moment")


def spans(found: list[Found]) -> list[tuple[float, float]]:
    return [(one.start, one.end) for one in found]


@pytest.mark.parametrize(
    ("second", "follow"),
    [
        ((12, 15), True),
        ((70, 75), True),  # just within
        ((70.1, 75), False),
        ((5, 15), True),  # begins while the first lasts
        ((0, 15), False),  # at the same time is not after
        ((2, 4), True),
    ],
)
def test_what_follows(second: tuple[float, float], follow: bool) -> None:
    assert follows(moment(0, 10, 0.5), moment(*second, 0.5), 60) is follow


def test_a_pair_spans_both_and_its_match_is_the_product() -> None:
    (pair,) = pairs(moments=[[moment(0, 10, 0.5)], [moment(20, 30, 0.4)]])
    assert (pair.start, pair.end) == (0, 30)
    assert pair.match == pytest.approx(0.2)
    assert pair.score == pair.match
    assert pair.sure == 0.4  # the verdict judges each part
    assert pair.start <= pair.thumbnail_time < pair.end


def test_why_names_both_parts_with_their_times() -> None:
    (pair,) = pairs(moments=[[moment(0, 10, 0.5)], [moment(20, 30, 0.4)]])
    told = [(why.kind, why.detail, why.start, why.end) for why in pair.why()]
    assert told == [("concept", "a: at 0", 0, 10), ("concept", "b: at 20", 20, 30)]


def test_order_and_video_matter() -> None:
    assert pairs(moments=[[moment(20, 30, 0.5)], [moment(0, 10, 0.5)]]) == []
    assert pairs(moments=[[moment(0, 10, 0.5)], [moment(20, 30, 0.5, number=2)]]) == []


def test_the_picture_lies_inside_where_the_second_is_part_of_the_first() -> None:
    (pair,) = pairs(moments=[[moment(0, 60, 0.5)], [moment(20, 25, 0.5)]])
    assert (pair.start, pair.end) == (0, 25)
    assert 0 <= pair.thumbnail_time < 25


def test_each_moment_is_in_one_pair() -> None:
    first = [moment(0, 10, 0.9), moment(100, 110, 0.5)]
    second = [moment(12, 15, 0.8), moment(112, 115, 0.7)]
    assert spans(pairs(moments=[first, second])) == [(0, 15), (100, 115)]


def test_of_equal_pairs_the_nearest_in_time_is_taken() -> None:
    (pair,) = pairs(moments=[[moment(0, 5, 0.5), moment(20, 25, 0.5)], [moment(30, 35, 0.5)]])
    assert (pair.start, pair.end) == (20, 35)


def test_three_things_in_a_row() -> None:
    lists = [[moment(0, 5, 0.9)], [moment(10, 15, 0.9)], [moment(20, 25, 0.9), moment(2, 3, 1.0)]]
    (found,) = chain(("a", "b", "c"), lists, 60, None, "moment")
    assert (found.start, found.end) == (0, 25)
    assert found.match == pytest.approx(0.9**3)


def test_videos_are_ranked_by_their_best_chain() -> None:
    first = [moment(0, 10, 0.5), moment(0, 10, 0.9, number=2), moment(500, 510, 0.3, number=2)]
    second = [moment(20, 30, 0.5), moment(20, 30, 0.9, number=2), moment(520, 530, 0.3, number=2)]
    found = chain(("a", "b"), [first, second], 60, 2, "video")
    assert [(one.chunk.id, round(one.match, 2)) for one in found] == [(2, 0.81), (1, 0.25)]


TIMES = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 5), st.integers(1, 9)), min_size=1, max_size=4
)


@given(TIMES, TIMES)
def test_the_first_pair_is_the_best_of_all_pairs(
    first: list[tuple[int, int, int]], second: list[tuple[int, int, int]]
) -> None:
    lists = [
        [moment(start, start + length, tenths / 10) for start, length, tenths in own]
        for own in (first, second)
    ]
    allowed = [
        a.match * b.match for a in lists[0] for b in lists[1] if follows(a, b, within_seconds=5)
    ]
    found = chain(("a", "b"), lists, 5, None, "moment")
    assert bool(found) == bool(allowed)
    if found:
        assert found[0].match == pytest.approx(max(allowed))
    for one, other in combinations(found, 2):
        assert one.match >= other.match - 1e-12
