"""Moments and rank scores of one video, as facts about hand-made scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.encoders.spec import FloatArray
from scenewise.tasks.ranking import (
    TimeArray,
    combine,
    find_moments,
    find_occurrences,
    find_runs,
    rank_video,
    rank_windows,
)

STEP = 0.5


def grid(count: int) -> tuple[TimeArray, TimeArray]:
    """Windows of half a second, one after another."""
    starts = np.arange(count, dtype=np.float64) * STEP
    ends: TimeArray = starts + STEP
    return starts, ends


def of(*scores: float) -> FloatArray:
    return np.array(scores, dtype=np.float32)


@dataclass
class Case:
    scores: FloatArray
    spans: list[tuple[float, float]]
    background: float | None = 0.0
    gaps: list[int] = field(default_factory=list)  # before these windows lies a second of nothing


CASES = {
    "one run in the middle": Case(of(0, 0, 0, 8, 9, 8, 0, 0, 0), [(1.5, 3.0)]),
    "all along": Case(of(8, 9, 8, 9, 8, 9), [(0.0, 3.0)]),
    "one short flicker does not cut": Case(of(0, 9, 9, 6, 9, 9, 0, 0), [(0.5, 3.0)]),
    "two runs, the better first": Case(
        of(7, 7, 7, 0, 0, 0, 9, 9, 9, 0, 0), [(3.0, 4.5), (0.0, 1.5)]
    ),
    "at the beginning": Case(of(9, 9, 0, 0, 0, 0), [(0.0, 1.0)]),
    "at the end": Case(of(0, 0, 0, 0, 9, 9), [(2.0, 3.0)]),
    "a gap in time cuts": Case(of(9, 9, 9, 8, 8, 8), [(0.0, 1.5), (2.5, 4.0)], gaps=[3]),
    "a single window": Case(of(3), [(0.0, 0.5)]),
    "everything below the background": Case(of(1, 1, 4, 4, 4, 1, 1), [(1.5, 2.0)], background=9),
    "background from the video": Case(of(0, 1, 0, 1, 9, 9, 9, 0, 1), [(2.0, 3.5)], None),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_spans(case: Case) -> None:
    starts, ends = grid(len(case.scores))
    for gap in case.gaps:
        starts[gap:] += 1
        ends[gap:] += 1
    found = find_moments(case.scores, starts, ends, float(ends[-1]), background=case.background)
    assert [(span.start, span.end) for span in found] == case.spans
    for span in found:
        inside = (starts >= span.start) & (ends <= span.end)
        assert case.scores[span.peak_index] == case.scores[inside].max()


def test_no_windows_no_moments() -> None:
    nothing = np.array([])
    assert find_moments(of(), nothing, nothing, 0.0) == []


def test_rank_score_is_half_peak_half_mean() -> None:
    assert rank_video(of(1, 2, 6, 6, 6), 4.2) == pytest.approx((6 + 4.2) / 2)
    assert rank_video(of(5), 5) == pytest.approx(5)
    assert combine(3.0, 1.0) == 2.0


def test_a_film_about_it_beats_a_film_that_shows_it_once() -> None:
    about, once = of(8, 8, 8, 8, 8, 8), of(8, 8, 8, 0, 0, 0)
    assert rank_video(about, float(about.mean())) > rank_video(once, float(once.mean()))


windows = st.lists(st.floats(-50, 50, width=32), min_size=1, max_size=40)


@given(
    scores=windows,
    background=st.one_of(st.none(), st.floats(-60, 60)),
    limit=st.integers(1, 6),
    cut=st.floats(0, STEP * 0.9),
)
def test_what_always_holds(
    scores: list[float], background: float | None, limit: int, cut: float
) -> None:
    values = np.array(scores, dtype=np.float32)
    starts, ends = grid(len(values))
    duration = float(ends[-1]) - cut  # the last window is often cut by the end of the video
    found = find_moments(values, starts, ends, duration, limit=limit, background=background)
    assert 1 <= len(found) <= limit
    assert found[0].score == pytest.approx(rank_video(values, float(values.mean())), abs=1e-4)
    assert [span.score for span in found] == sorted((s.score for s in found), reverse=True)
    for span in found:
        assert 0 <= span.start < span.end <= duration
        assert span.start in starts
        assert span.end == duration or span.end in ends
        assert starts[span.peak_index] >= span.start
        assert min(ends[span.peak_index], duration) <= span.end
    ordered = sorted(found, key=lambda span: span.start)
    assert all(a.end <= b.start for a, b in pairwise(ordered))


@given(scores=windows, factor=st.floats(0.125, 8), shift=st.floats(-20, 20))
def test_scale_of_the_encoder_does_not_matter(
    scores: list[float], factor: float, shift: float
) -> None:
    """Whole numbers of quarters, so that rounding moves no window over the threshold."""
    values = np.round(np.array(scores) * 4).astype(np.float32)
    factor, shift = 2.0 ** round(np.log2(factor)), float(round(shift))
    starts, ends = grid(len(values))
    plain = find_moments(values, starts, ends, float(ends[-1]), background=0.0)
    moved = find_moments(
        (values * factor + shift).astype(np.float32),
        starts,
        ends,
        float(ends[-1]),
        background=shift,
    )
    assert [(s.start, s.end, s.peak_index) for s in plain] == [
        (s.start, s.end, s.peak_index) for s in moved
    ]


# ---- every occurrence


def test_a_weaker_occurrence_does_not_have_to_reach_half_the_peak() -> None:
    scores = of(0, 9, 9, 9, 0, 0, 0, 3, 3, 3, 0, 0)
    starts, ends = grid(len(scores))
    (strong,) = find_moments(scores, starts, ends, 6.0, background=0.0)
    found = find_occurrences(
        scores, starts, ends, 6.0, accept=lambda ranks: ranks >= strong.score - 3.5, background=0.0
    )
    assert [(span.start, span.end) for span in found] == [(0.5, 2.0), (3.5, 5.0)]
    assert found[0] == strong
    assert found[1].score == strong.score - 3.0  # half of what its peak lacks


def test_each_occurrence_ends_half_way_down_its_own_peak() -> None:
    scores = of(2, 2, 2, 9, 9, 9, 2, 2, 2)
    starts, ends = grid(len(scores))
    (found,) = find_occurrences(
        scores, starts, ends, 4.5, accept=lambda ranks: ranks >= 0, background=0.0
    )
    assert (found.start, found.end) == (1.5, 3.0)


def test_where_nothing_is_good_enough_nothing_occurs() -> None:
    scores = of(1, 2, 3)
    starts, ends = grid(3)
    nothing = np.zeros(3, dtype=bool)
    assert find_occurrences(scores, starts, ends, 1.5, accept=lambda ranks: nothing) == []
    assert find_occurrences(of(), *grid(0), 0.0, accept=lambda ranks: ranks > 0) == []


@given(st.lists(st.floats(0, 10, width=32), min_size=1, max_size=30))
def test_moments_score_what_their_best_windows_are_worth(values: list[float]) -> None:
    scores = np.array(values, np.float32)
    starts, ends = grid(len(scores))
    worth = rank_windows(scores, starts, ends)
    for span in find_moments(scores, starts, ends, float(ends[-1])):
        inside = (starts >= span.start) & (ends <= span.end)
        assert span.score == pytest.approx(worth[inside].max())
    everything = find_occurrences(
        scores, starts, ends, float(ends[-1]), accept=lambda ranks: ranks >= worth.max()
    )
    assert everything[0].score == pytest.approx(worth.max())


# ---- probabilities


def test_runs_of_probabilities() -> None:
    values = of(0.1, 0.9, 0.9, 0.9, 0.1, 0.1, 0.6, 0.6, 0.6, 0.0)
    starts, ends = grid(len(values))
    found = find_runs(values, starts, ends, 5.0, least=0.5)
    assert [(span.start, span.end) for span in found] == [(0.5, 2.0), (3.5, 4.0)]
    assert [round(span.score, 3) for span in found] == [0.9, 0.6]
    assert find_runs(values, starts, ends, 5.0, least=0.95) == []
