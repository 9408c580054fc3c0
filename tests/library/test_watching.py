"""``Library.watch``: rules of every sense over streams, with real detectors."""

from __future__ import annotations

import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import COLOURS, load_colours
from colour_films import write_colours

from scenewise.errors import MediaError, UsageError
from scenewise.library import Library
from scenewise.media.film import FilmSettings, Sound, write_film
from scenewise.media.live_sources import LiveOptions
from scenewise.tasks.watch.rule import Line, Rule

FAST = LiveOptions(fast=True)


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library.open(tmp_path / "library", encoder="colours", load=load_colours)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    scenes = [("blue", 4.0), ("red", 4.0), ("blue", 4.0), ("green", 4.0)]
    return write_colours(tmp_path_factory.mktemp("watch") / "film.mp4", scenes)


def test_sentences_raise_where_they_are_true(library: Library, film: Path) -> None:
    events = list(library.watch(f"cam={film}", rules=["red", "green"], live=FAST))
    assert [(event.rule, event.source) for event in events] == [("red", "cam"), ("green", "cam")]
    for event, start in zip(events, (4.0, 12.0), strict=True):
        assert start <= event.time < start + 1.5


def test_a_library_that_was_filled_lends_its_encoder(library: Library, film: Path) -> None:
    library.index(film)
    reopened = Library.open(library.directory, load=load_colours)
    (event,) = reopened.watch(film, rules="red", live=FAST)
    assert event.source == str(film)


def test_what_crosses_a_line_is_followed_in_the_stream(library: Library, tmp_path: Path) -> None:
    """A white square walks from left to right over a grey yard, and later back."""
    pictures = []
    for number in range(240):
        picture = np.full((180, 320, 3), 90, np.uint8)
        step = number - 60 if number < 120 else 180 - number
        left = 20 + 4 * min(60, max(0, step))
        if number >= 40:
            picture[80:120, left : left + 40] = 240
        pictures.append(picture)
    path = tmp_path / "walk.mp4"
    write_film(path, pictures, FilmSettings(frame_rate=Fraction(12), gop=24))
    line = Line(points=((0.5, 1.0), (0.5, 0.0)))
    rule = Rule(name="door", line=line)
    events = list(library.watch(path, rules=[rule], live=FAST))
    # at 12 a second the square's middle is in the picture's middle at frames 90 and 150
    assert [event.time for event in events] == pytest.approx([90 / 12, 150 / 12], abs=1.5)
    assert all(event.rule == "door" for event in events)


def test_sounds_are_heard_in_the_stream(library: Library, tmp_path: Path) -> None:
    """Noise from second 2 to 4, otherwise silence."""
    samples = np.zeros((1, 44_100 * 6), np.float32)
    random = np.random.default_rng(1)
    samples[0, 2 * 44_100 : 4 * 44_100] = random.normal(0, 0.2, 2 * 44_100)
    blue = np.zeros((48, 64, 3), np.uint8)
    blue[..., 2] = 255 if COLOURS[1] == "blue" else 0
    path = tmp_path / "noise.mkv"
    write_film(path, [blue] * 60, FilmSettings(frame_rate=Fraction(10)), sound=Sound(samples))
    rule = Rule(name="bang", sound="onset", cooldown_seconds=0)
    times = [event.time for event in library.watch(path, rules=[rule], live=FAST)]
    assert any(2.0 <= time <= 3.5 for time in times)
    assert all(2.0 <= time <= 5.0 for time in times)


def test_closing_the_iterator_ends_the_threads(library: Library, film: Path) -> None:
    events = library.watch(film, rules=["red"], live=FAST)
    next(events)
    events.close()
    for thread in threading.enumerate():
        if thread.name.startswith("watch "):
            thread.join(timeout=5)
            assert not thread.is_alive(), thread.name


def test_a_stop_from_outside_ends_it(library: Library) -> None:
    stop = threading.Event()
    threading.Timer(0.5, stop.set).start()
    source = "lavfi:color=blue:size=64x48:rate=10"
    assert list(library.watch(source, rules=["red"], stop=stop)) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sources": []}, "needs a source"),
        ({"sources": "film.mov"}, "there is no such file"),
        ({"rules": []}, "there is no rule"),
        ({"fps": 0}, "at most 60, got 0"),
        ({"fps": 61}, "at most 60, got 61"),
    ],
)
def test_what_is_refused(
    library: Library, film: Path, options: dict[str, object], said: str
) -> None:
    given: dict[str, object] = {"sources": film, "rules": ["red"], **options}
    with pytest.raises(UsageError, match=said):
        list(library.watch(**given))  # type: ignore[arg-type] # wrong ones are the test


def test_a_file_that_is_no_film(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("no film")
    with pytest.raises(MediaError, match=r"notes\.mp4: not readable as a video"):
        list(library.watch(path, rules=["red"], live=FAST))
