"""Properties of the instants that sampling picks."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenewise.errors import UsageError
from scenewise.media import sampling
from scenewise.types import Segment

DURATIONS = st.floats(0.04, 20_000)
COUNTS = st.integers(1, 100)
settings.register_profile("busy", deadline=None)  # the machine may be busy
settings.load_profile("busy")
SEEDS = st.integers(0, 2**32 - 1)
RISING = st.lists(st.floats(0, 10_000), min_size=1, max_size=50).map(sorted)


def assert_inside(times: list[float], duration: float) -> None:
    assert all(0 <= time < duration for time in times)
    assert times == sorted(times)


@given(DURATIONS, COUNTS)
def test_uniform_takes_centres_of_equal_segments(duration: float, count: int) -> None:
    times = sampling.uniform(duration, count)
    assert_inside(times, duration)
    assert len(times) == count
    assert times[0] == pytest.approx(duration / count / 2)
    # symmetric: the rest after the last is that before the first
    assert duration - times[-1] == pytest.approx(times[0], rel=1e-6)


def test_uniform_by_hand() -> None:
    assert sampling.uniform(8.0, 4) == [1.0, 3.0, 5.0, 7.0]


@given(st.floats(0.04, 100), st.fractions(Fraction(1, 100), 30, max_denominator=1001))
def test_every_is_a_grid_from_zero_that_covers_all(duration: float, fps: Fraction) -> None:
    times = sampling.every(duration, fps)
    assert times[0] == 0
    assert times == [float(number / fps) for number in range(len(times))]
    assert_inside(times, duration)
    assert times[-1] >= duration - float(1 / fps) - 1e-5


@pytest.mark.parametrize(
    ("duration", "fps", "count"),
    [(10.0, 2, 20), (10.01, 2, 21), (3 * 0.1, 10, 3), (0.0, 2, 1), (0.3, Fraction(30000, 1001), 9)],
)
def test_every_by_hand(duration: float, fps: float | Fraction, count: int) -> None:
    assert len(sampling.every(duration, fps)) == count


@given(DURATIONS, COUNTS, SEEDS)
def test_random_is_seeded(duration: float, count: int, seed: int) -> None:
    times = sampling.at_random(duration, count, seed)
    assert_inside(times, duration)
    assert len(times) == count
    assert times == sampling.at_random(duration, count, seed)


@given(DURATIONS, COUNTS, SEEDS)
def test_stratified_takes_one_of_each_segment(duration: float, count: int, seed: int) -> None:
    times = sampling.stratified(duration, count, seed)
    assert_inside(times, duration)
    assert times == sampling.stratified(duration, count, seed)
    step = duration / count
    for number, time in enumerate(times):
        assert number * step <= time < (number + 1) * step * (1 + 1e-9)


def test_other_seeds_give_other_instants() -> None:
    assert sampling.at_random(10, 5, 1) != sampling.at_random(10, 5, 2)
    assert sampling.stratified(10, 5, 1) != sampling.stratified(10, 5, 2)


@given(RISING, COUNTS)
def test_uniform_of_takes_given_instants_in_order(times: list[float], count: int) -> None:
    taken = sampling.uniform_of(times, count)
    assert len(taken) == count
    assert taken == sorted(taken)
    assert set(taken) <= set(times)
    if count == len(times):
        assert taken == times


@given(RISING, st.floats(0, 100), st.integers(1, 50))
def test_keyframes_keep_their_distance(times: list[float], gap: float, most: int) -> None:
    taken = sampling.keyframes(times, min_gap_seconds=gap)
    assert taken[0] == times[0]
    assert all(later - earlier >= gap - 1e-5 for earlier, later in pairwise(taken))
    few = sampling.keyframes(times, min_gap_seconds=gap, max_count=most)
    assert len(few) == min(most, len(taken))
    assert set(few) <= set(taken)


def test_shots_by_hand() -> None:
    shots = [Segment(0, 2), Segment(2, 2), Segment(2, 6)]
    assert sampling.per_shot(shots) == [1.0, 2.0, 4.0]
    assert sampling.per_shot(shots, 2) == [0.5, 1.5, 2.0, 3.0, 5.0]


@given(st.floats(0.04, 60), st.integers(1, 16), st.floats(0.5, 30), st.floats(0.5, 30))
def test_clip_windows_cover_the_video(
    duration: float, frames: int, window: float, stride: float
) -> None:
    windows = sampling.clip_windows(duration, frames, window, stride)
    assert windows[0].start == 0
    assert all(item.end <= duration for item in windows)
    assert all(len(item.times) == frames for item in windows)
    for item in windows:
        assert all(item.start <= time < max(item.end, item.start + 1e-9) for time in item.times)
    for number, item in enumerate(windows):
        assert item.start == pytest.approx(number * stride)
    # nothing is left over but gaps of strides longer than windows
    assert windows[-1].end == pytest.approx(duration) or stride > window


def test_clip_windows_by_hand() -> None:
    windows = sampling.clip_windows(5.0, 2, 2.0, 2.0)
    assert [(item.start, item.end) for item in windows] == [(0, 2), (2, 4), (4, 5)]
    assert windows[-1].times == (4.25, 4.75)
    assert len(sampling.clip_windows(1.0, 8, 2.0, 1.0)) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda: sampling.uniform(-1, 3),
        lambda: sampling.uniform(float("nan"), 3),
        lambda: sampling.uniform(1, 0),
        lambda: sampling.every(1, 0),
        lambda: sampling.every(1, float("inf")),
        lambda: sampling.keyframes([]),
        lambda: sampling.keyframes([1.0], min_gap_seconds=-1),
        lambda: sampling.uniform_of([2.0, 1.0], 1),
        lambda: sampling.clip_windows(1, 1, 0, 1),
        lambda: sampling.clip_windows(1, 1, 1, float("nan")),
    ],
)
def test_values_that_are_none_are_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(UsageError):
        call()


@given(DURATIONS, COUNTS, st.integers(1, 16), st.floats(0.1, 60))
def test_clips_lie_evenly_from_the_first_moment_to_the_last(
    duration: float, count: int, frames: int, seconds: float
) -> None:
    clips = sampling.uniform_clips(duration, count, frames, seconds)
    for clip in clips:
        assert clip.end - clip.start == pytest.approx(min(seconds, duration))
        assert len(clip.times) == frames
        assert clip.start < clip.times[0]
        assert clip.times[-1] < clip.end
    if seconds >= duration:
        assert len(clips) == 1, "all would be the same"
    else:
        assert len(clips) in (count, 1)  # a room of nothing counts as none
    first, last = clips[0], clips[-1]
    assert first.start == pytest.approx(duration - last.end, abs=1e-6)
    if len(clips) > 1:
        assert first.start == 0
        gaps = [after.start - before.start for before, after in pairwise(clips)]
        assert gaps == pytest.approx([gaps[0]] * len(gaps), abs=1e-6)


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_clips_last_a_while(seconds: float) -> None:
    with pytest.raises(UsageError, match="window_seconds is above 0"):
        sampling.uniform_clips(10.0, 2, 4, seconds)
