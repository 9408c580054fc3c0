"""Words for cameras and things whose movement is known by construction."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from moving_films import WIDTH, Picture, Square, draw, look

from scenewise.errors import UnreadableMediaError, UsageError
from scenewise.media.camera_words import (
    MotionSummary,
    describe_motion,
    describe_motions,
    summarize_motion,
)
from scenewise.media.decode import VideoReader
from scenewise.media.film import FilmSettings, write_film

Film = Callable[[float], Picture]


def play(film: Film, rate: float, seconds: float = 1.0) -> MotionSummary:
    count = round(seconds * rate) + 1
    return summarize_motion((number / rate, film(number / rate)) for number in range(count))


CAMERAS: list[tuple[str, Film, tuple[str, ...]]] = [
    ("still", lambda t: look(), ()),
    ("right", lambda t: look(0.2 * WIDTH * t), ("pans right",)),
    ("left", lambda t: look(-0.2 * WIDTH * t), ("pans left",)),
    ("up", lambda t: look(0, -0.1 * WIDTH * t), ("tilts up",)),
    ("down", lambda t: look(0, 0.1 * WIDTH * t), ("tilts down",)),
    ("both", lambda t: look(0.1 * WIDTH * t, 0.1 * WIDTH * t), ("pans right", "tilts down")),
    ("in", lambda t: look(scale=math.exp(0.1 * t)), ("zooms in",)),
    ("out", lambda t: look(scale=math.exp(-0.1 * t)), ("zooms out",)),
    ("roll", lambda t: look(turn=12 * t), ("rolls",)),
]


@pytest.mark.parametrize("rate", [2, 10, 25])
@pytest.mark.parametrize(("film", "words"), [case[1:] for case in CAMERAS], ids=lambda value: "")
def test_the_camera_is_called_what_it_does(film: Film, words: tuple[str, ...], rate: float) -> None:
    summary = play(film, rate)
    assert summary.camera == words
    assert summary.heading is None
    assert summary.moving_share < 0.002


@pytest.mark.parametrize("rate", [5, 10, 25, 30])
def test_figures_are_per_second_whatever_the_frame_rate(rate: float) -> None:
    summary = play(
        lambda t: look(0.15 * WIDTH * t, scale=math.exp(0.05 * t), turn=4 * t), rate, 0.6
    )
    assert summary.pan == pytest.approx(0.15, abs=0.01)
    assert summary.tilt == pytest.approx(0, abs=0.01)
    assert summary.zoom == pytest.approx(0.05, abs=0.005)
    assert summary.roll == pytest.approx(4, abs=0.2)


@pytest.mark.parametrize(("speed", "word"), [(0.0, "still"), (0.08, "slow"), (0.7, "fast")])
def test_pace_is_still_slow_or_fast(speed: float, word: str) -> None:
    summary = play(lambda t: look(speed * WIDTH * t), 10)
    assert summary.pace == word
    assert summary.words()[0] == word


def test_a_hand_that_shakes_does_not_pan() -> None:
    summary = play(lambda t: look(6 * math.sin(19 * t), 5 * math.cos(23 * t)), 12, 2)
    assert summary.camera == ("shakes",)


def test_noise_is_still() -> None:
    random = np.random.default_rng(0)

    def noisy(time: float) -> Picture:
        noise = random.normal(0, 6, look().shape)
        return np.clip(look() + noise, 0, 255).astype(np.uint8)

    assert play(noisy, 10).words() == ("still",)


@pytest.mark.parametrize(
    ("step", "heading"),
    [((40, 0), "left to right"), ((-40, 0), "right to left"), ((0, -40), "upwards"),
     ((0, 40), "downwards")],
)  # fmt: skip
@pytest.mark.parametrize("pan", [0.0, 30.0])
def test_a_thing_has_a_heading_also_before_a_camera_that_pans(
    step: tuple[float, float], heading: str, pan: float
) -> None:
    """The camera follows the thing's sideways movement by half: against the scene it is faster."""
    sign = math.copysign(1, step[0]) if step[0] else 0
    square = Square(lambda t: (140 + step[0] * t, 70 + step[1] * t), side=44)
    summary = play(lambda t: draw(look(sign * pan * t), [square], t), 10)
    assert summary.heading == heading
    assert f"moves {heading}" in summary.words()
    expected = math.hypot(*step) + abs(sign * pan)
    assert summary.object_speed * WIDTH == pytest.approx(expected, rel=0.15)
    assert summary.moving_share == pytest.approx(44 * 44 / (320 * 180), rel=0.6)


def test_things_on_opposite_ways_have_no_common_heading() -> None:
    squares = [Square(lambda t: (60 + 40 * t, 30)), Square(lambda t: (220 - 40 * t, 110), seed=2)]
    summary = play(lambda t: draw(look(), squares, t), 10)
    assert summary.moving_share > 0.01
    assert summary.heading is None


def test_a_cut_is_no_movement() -> None:
    assert play(lambda t: look() if t < 0.5 else look(500, 300), 10).words() == ("still",)


def test_a_plain_picture_is_still_and_one_picture_says_nothing() -> None:
    wall = np.full((90, 160, 3), 120, np.uint8)
    assert play(lambda t: wall, 10).words() == ("still",)
    assert summarize_motion([(0.0, wall)]).words() == ()
    assert summarize_motion([]).pairs == 0


def test_pictures_far_apart_are_not_compared() -> None:
    assert summarize_motion([(0.0, look()), (1.0, look(40))]).pairs == 0


@pytest.mark.parametrize("second", [0.0, -1.0])
def test_times_rise(second: float) -> None:
    with pytest.raises(ValueError, match="rising time"):
        summarize_motion([(0.0, look()), (second, look())])


def test_a_summary_is_json() -> None:
    shape = json.loads(json.dumps(play(CAMERAS[1][1], 10).to_dict()))
    assert shape["words"] == ["pans right"]
    assert len(shape["directions"]) == 8


@pytest.mark.parametrize("rate", [24, 25, 30])
def test_a_span_of_a_file_is_described_from_few_pictures(tmp_path: Path, rate: int) -> None:
    """Still for three seconds, then a pan to the left for three."""
    path = tmp_path / "film.mp4"

    def film(time: float) -> Picture:
        return look(-0.15 * WIDTH * max(0.0, time - 3))

    pictures = (film(number / rate) for number in range(6 * rate))
    write_film(path, pictures, FilmSettings(frame_rate=Fraction(rate), quality=18))
    still, pan = describe_motion(path, 0, 3), describe_motion(path, 3.05, 99)
    assert still.words() == ("still",)
    assert pan.camera == ("pans left",)
    assert pan.pan == pytest.approx(-0.15, abs=0.01)
    assert (pan.start, pan.end) == pytest.approx((3.05, 6.0))
    assert max(still.pairs, pan.pairs) <= 24


def test_spans_in_one_pass_say_what_each_says_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "film.mp4"
    speeds = [0.0, -0.15, 0.15, 0.0]

    def film(time: float) -> Picture:
        way = sum(speed * min(1.0, max(0.0, time - i)) for i, speed in enumerate(speeds))
        return look(way * WIDTH)

    pictures = (film(number / 25) for number in range(100))
    write_film(path, pictures, FilmSettings(frame_rate=Fraction(25), quality=18))
    spans = [(0.0, 1.0), (1.0, 2.0), (2.0, 2.01), (2.01, 3.0), (3.0, 9.0), (9.0, 10.0)]
    alone = [describe_motion(path, start, end) for start, end in spans[:-1]]
    opened = []
    enter = VideoReader.__enter__

    def counted(reader: VideoReader) -> VideoReader:
        opened.append(reader)
        return enter(reader)

    monkeypatch.setattr(VideoReader, "__enter__", counted)
    along = list(describe_motions(path, spans))
    assert len(opened) == 1
    assert along[:-1] == alone
    assert [summary.camera for summary in along[1:4:2]] == [("pans left",), ("pans right",)]
    assert along[-1].words() == ()  # behind the end
    with pytest.raises(UsageError, match="follow one another"):
        describe_motions(path, [(0, 2), (1, 3)])
    assert list(describe_motions(path, [])) == []


def test_a_span_must_be_one_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    write_film(path, [look()] * 10)
    for start, end in ((1, 1), (2, 1), (-1, 2), (0, math.nan)):
        with pytest.raises(UsageError, match="a span needs 0 <= start < end"):
            describe_motion(path, start, end)
    with pytest.raises(UsageError, match=r"is 0\.40 s long"):
        describe_motion(path, 0.5, 1)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    with pytest.raises(UnreadableMediaError):
        describe_motion(broken, 0, 1)
