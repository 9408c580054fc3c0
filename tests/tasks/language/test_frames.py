"""Which frames a model is shown: bounded, spread, and exactly those of the film."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from colour_films import write_colours
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scenewise.tasks.language.frames import read_frames, spread
from scenewise.types import Segment

spans = st.builds(
    lambda start, length: Segment(start, start + length),
    st.floats(0, 5000),
    st.floats(0, 500),
)


@given(st.lists(spans, max_size=20), st.lists(spans, max_size=40), st.integers(1, 12))
def test_frames_are_few_rising_and_inside(
    wanted: list[Segment], shots: list[Segment], count: int
) -> None:
    times = spread(wanted, shots, 6000.0, count)
    assert 1 <= len(times) <= count
    assert times == sorted(times)
    inside = wanted or [Segment(0, 6000.0)]
    assert all(any(span.start <= time <= span.end for span in inside) for time in times)


def test_each_span_is_seen_and_the_longest_most() -> None:
    times = spread([Segment(10, 11), Segment(20, 26)], (), 60.0, 4)
    assert times == [10.5, 21, 23, 25]


def test_a_film_of_many_shots_is_seen_by_its_shots() -> None:
    shots = [Segment(i, i + 1) for i in range(16)]
    assert spread([], shots, 16.0, 4) == [2.5, 6.5, 10.5, 14.5]
    assert spread([], shots[:2], 16.0, 4) == [2, 6, 10, 14]


def test_frames_are_those_of_the_film_and_small(tmp_path: Path) -> None:
    film = write_colours(tmp_path / "film.mp4", [("red", 1.0), ("blue", 1.0)], size=(640, 360))
    frames = read_frames(film, [0.5, 0.51, 1.5])
    assert [frame.time for frame in frames] == pytest.approx([0.5, 1.5])
    for frame, colour in zip(frames, ([255, 0, 0], [0, 0, 255]), strict=True):
        picture = np.asarray(Image.open(io.BytesIO(frame.jpeg)))
        assert picture.shape == (288, 512, 3)
        assert np.abs(picture.mean(axis=(0, 1)) - colour).max() < 12
