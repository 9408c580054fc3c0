"""Which instants a clip looks at."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numbered_films import settings
from pydantic import ValidationError

from scenewise.data.clip_times import clip_times
from scenewise.types import Segment

SPAN = Segment(10.0, 18.0)


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("options", "view", "expected"),
    [
        pytest.param({}, 0, [11, 13, 15, 17], id="middles of the segments"),
        pytest.param({"views": 2}, 0, [10.5, 12.5, 14.5, 16.5], id="first of two views"),
        pytest.param({"views": 2}, 1, [11.5, 13.5, 15.5, 17.5], id="second of two views"),
        pytest.param({"sampling": "uniform"}, 0, [11, 13, 15, 17], id="uniform"),
        pytest.param(
            {"sampling": "dense"}, 0, [13.25, 13.75, 14.25, 14.75], id="one window: the middle"
        ),
        pytest.param(
            {"sampling": "dense", "views": 3}, 0, [10.25, 10.75, 11.25, 11.75], id="first window"
        ),
        pytest.param(
            {"sampling": "dense", "views": 3}, 2, [16.25, 16.75, 17.25, 17.75], id="last window"
        ),
        pytest.param({"sampling": "rate", "fps": 0.5}, 0, [10, 12, 14, 16], id="at a rate"),
        # ten instants, of which 0, 3, 6, 9 are chosen as numpy's linspace does
        pytest.param(
            {"sampling": "rate", "fps": 1.25}, 0, [10, 12.4, 14.8, 17.2], id="too many at a rate"
        ),
    ],
)
def test_in_testing(options: dict[str, Any], view: int, expected: list[float]) -> None:
    chosen = clip_times(SPAN, settings(**options), window_seconds=2.0, view=view)
    assert chosen.times == pytest.approx(expected)


@given(seed=st.integers(0, 10_000), duration=st.floats(0.05, 500))
def test_in_training_each_segment_gives_one(seed: int, duration: float) -> None:
    span = Segment(3.0, 3.0 + duration)
    chosen = clip_times(span, settings(), window_seconds=2.0, draw=chance(seed))
    segments = [math.floor((time - 3.0) / duration * 4 + 1e-9) for time in chosen.times]
    assert [max(a, b) for a, b in zip(segments, range(4), strict=True)] == segments
    assert all(abs(a - b) <= 1e-6 or a == b for a, b in zip(segments, range(4), strict=True))
    assert all(span.start <= time < span.end for time in chosen.times)


def test_a_dense_window_begins_anywhere_and_stays_inside() -> None:
    starts = []
    for seed in range(300):
        times = clip_times(
            SPAN, settings(sampling="dense"), window_seconds=2.0, draw=chance(seed)
        ).times
        assert np.diff(times) == pytest.approx([0.5] * 3)
        starts.append(times[0] - 0.25)
    assert 10 <= min(starts) < 10.5
    assert 15.5 < max(starts) <= 16


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        pytest.param({"sampling": "dense"}, [0.25, 0.75, 0.25, 0.75], id="dense repeats"),
        pytest.param({"sampling": "dense", "short": "pad"}, [0.25, 0.75], id="dense is padded"),
        pytest.param({"sampling": "rate", "fps": 2}, [0, 0.5, 0, 0.5], id="rate repeats"),
        pytest.param({"sampling": "rate", "fps": 2, "short": "pad"}, [0, 0.5], id="rate padded"),
        pytest.param({}, [0.125, 0.375, 0.625, 0.875], id="segments lie closer"),
    ],
)
def test_a_short_video(options: dict[str, Any], expected: list[float]) -> None:
    chosen = clip_times(Segment(0.0, 1.0), settings(**options), window_seconds=2.0)
    assert chosen.times == pytest.approx(expected)
    assert chosen.frames == 4


def test_a_video_without_length_has_one_frame() -> None:
    for options in ({"sampling": "dense", "short": "pad"}, {"sampling": "rate", "fps": 1}):
        chosen = clip_times(Segment(2.0, 2.0), settings(**options), window_seconds=2.0)
        assert set(chosen.times) == {2.0}


def test_tempo_stretches_the_steps_within_its_bounds() -> None:
    steps = [
        clip_times(
            SPAN, settings(sampling="dense"), window_seconds=2.0, draw=chance(seed), tempo=2.0
        ).step_seconds
        for seed in range(300)
    ]
    assert 0.25 - 1e-9 <= min(steps) < 0.27
    assert 0.93 < max(steps) <= 1 + 1e-9
    # as often faster as slower
    assert 0.4 < np.mean(np.array(steps) < 0.5) < 0.6


def test_reversal_turns_the_clip_round_as_often_as_it_says() -> None:
    turned = 0
    for seed in range(200):
        times = clip_times(
            SPAN, settings(), window_seconds=2.0, draw=chance(seed), reverse=0.25
        ).times
        turned += times[0] > times[-1]
        assert list(times) == sorted(times, reverse=times[0] > times[-1])
    assert 30 < turned < 70


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"sampling": "rate"}, "fps belongs to sampling"),
        ({"fps": 2.0}, "fps belongs to sampling"),
        ({"window_seconds": 2.0}, "window_seconds belongs to"),
        ({"sampling": "rate", "fps": 1.0, "views": 2}, "has one view"),
        ({"short_side": 10}, "at least size"),
    ],
)
def test_settings_that_do_not_belong_together(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        settings(**given)
