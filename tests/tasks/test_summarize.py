"""Chapters and highlights on footage whose content is known by construction."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from colour_encoder import COLOURS, ColourEncoder

from scenewise.encoders.spec import WindowFeatures
from scenewise.encoders.vocabulary import Concept
from scenewise.errors import UsageError
from scenewise.index.footage import Footage
from scenewise.index.records import TextKind, TextSegment
from scenewise.tasks.summarize import chapters_of, highlights_of
from scenewise.tasks.wording import Wording
from scenewise.types import Segment

ENCODER = ColourEncoder("colours")
WORDS = Wording(
    ENCODER, vocabulary=[Concept(n, colour, colour, "", "") for n, colour in enumerate(COLOURS)]
)


def footage(*scenes: tuple[str, float], step: float = 0.5, cuts: bool = True) -> Footage:
    """Plain colours (two with a + between them alternate every second), each for some seconds."""
    edges = np.concatenate([[0.0], np.cumsum([seconds for _, seconds in scenes])])
    duration = float(edges[-1])
    times = np.arange(0, duration - 1e-9, step)
    rows = []
    for time in times.tolist():
        colours = scenes[int(np.searchsorted(edges, time + 1e-9)) - 1][0].split("+")
        rows.append(COLOURS.index(colours[int(time) % len(colours)]))
    shots = tuple(Segment(a, b) for a, b in pairwise(edges.tolist()))
    return Footage(
        path="film.mp4",
        video_id="0123",
        duration=duration,
        starts=times,
        ends=np.minimum(times + step, duration),
        times=times,
        features=WindowFeatures(np.eye(8, dtype=np.float32)[rows]),
        shots=shots if cuts else (Segment(0.0, duration),),
    )


def shown(film: Footage, spans: tuple[Segment, ...]) -> list[str]:
    """The colours of spans, each once, in order of time."""
    rows = film.features.vectors.argmax(axis=1)
    found: list[str] = []
    for span in spans:
        inside = (film.times >= span.start - 1e-6) & (film.times < span.end - 1e-6)
        found += [COLOURS[row] for row in rows[inside].tolist()]
    return list(dict.fromkeys(found))


@pytest.mark.parametrize("cuts", [True, False], ids=["shots", "one shot"])
@pytest.mark.parametrize("step", [0.25, 0.5, 1.0])
def test_a_chapter_ends_where_the_content_changes(step: float, cuts: bool) -> None:
    film = footage(("red", 12), ("blue", 8), ("green", 20), step=step, cuts=cuts)
    chapters = chapters_of(film, WORDS)
    assert [chapter.title for chapter in chapters] == ["red", "blue", "green"]
    assert [chapter.start for chapter in chapters] == pytest.approx([0, 12, 20])
    assert [chapter.end for chapter in chapters] == pytest.approx([12, 20, 40])
    for chapter in chapters:
        assert chapter.start <= chapter.thumbnail_time < chapter.end


def test_shots_of_like_content_are_one_chapter() -> None:
    """Two places, each seen in shots that differ less than the places do."""
    film = footage(*[("red", 3), ("yellow", 2)] * 3, *[("blue", 2), ("cyan", 2)] * 4)
    vectors = film.features.vectors.copy()
    vectors[film.times < 15] += 1.5 * np.eye(8, dtype=np.float32)[COLOURS.index("black")]
    vectors[film.times >= 15] += 1.5 * np.eye(8, dtype=np.float32)[COLOURS.index("white")]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chapters = chapters_of(replace(film, features=WindowFeatures(vectors)), WORDS)
    assert [(chapter.start, chapter.end) for chapter in chapters] == [(0, 15), (15, 31)]
    assert [chapter.shots for chapter in chapters] == [6, 8]


def test_chapters_follow_one_another_without_a_gap() -> None:
    random = np.random.default_rng(0)
    scenes = [
        (COLOURS[n], float(s))
        for n, s in zip(random.integers(0, 8, 20), random.uniform(1, 9, 20), strict=True)
    ]
    film = footage(*scenes)
    chapters = chapters_of(film, WORDS)
    assert chapters[0].start == 0
    assert chapters[-1].end == film.duration
    assert all(one.end == other.start for one, other in pairwise(chapters))
    assert all(chapter.end - chapter.start >= 4 - 1e-6 for chapter in chapters)


def test_a_wanted_number_of_chapters() -> None:
    film = footage(("red", 12), ("blue", 8), ("green", 20))
    assert [one.start for one in chapters_of(film, WORDS, count=2)] == [0, 20]
    assert len(chapters_of(film, WORDS, count=1)) == 1
    assert len(chapters_of(film, WORDS, count=5)) == 5
    with pytest.raises(UsageError, match="chapters = 0"):
        chapters_of(film, WORDS, count=0)


def test_what_has_no_name_is_told_by_its_words_or_untitled() -> None:
    grey = np.full((40, 8), 8**-0.5, np.float32)
    film = replace(footage(("red", 20)), features=WindowFeatures(grey))
    (chapter,) = chapters_of(film, WORDS)
    assert chapter.title == "untitled"
    lines = (TextSegment("subtitle", 1, 2, "short"), TextSegment("ocr", 3, 4, "a longer\nline"))
    (chapter,) = chapters_of(replace(film, texts=lines), WORDS)
    assert chapter.title == "“a longer line”"


def test_a_title_names_what_is_special_about_a_chapter() -> None:
    """Half of each picture is white all along; the other half tells the chapters apart."""
    film = footage(("red", 10), ("blue", 10))
    vectors = film.features.vectors + np.eye(8, dtype=np.float32)[COLOURS.index("white")]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    chapters = chapters_of(replace(film, features=WindowFeatures(vectors)), WORDS)
    assert [chapter.title.split(", ")[0] for chapter in chapters] == ["red", "blue"]


@pytest.mark.parametrize("seconds", [3.0, 6.0, 10.0, 17.5])
def test_highlights_fit_do_not_overlap_and_lie_in_the_video(seconds: float) -> None:
    film = footage(("red", 9), ("blue", 8), ("green", 7), ("white", 11), ("cyan", 5))
    found = highlights_of(film, seconds)
    assert 0 < found.seconds <= seconds + 1e-6
    assert all(one.end < other.start for one, other in pairwise(found.spans))
    assert found.spans[0].start >= 0
    assert found.spans[-1].end <= film.duration


def test_highlights_show_everything_once() -> None:
    film = footage(("red", 9), ("blue", 8), ("red", 7), ("white", 11), ("blue", 5), ("red", 10))
    found = highlights_of(film, 15)
    assert sorted(shown(film, found.spans)) == ["blue", "red", "white"]
    assert len(found.spans) == 3  # one piece of each
    assert found.coverage == pytest.approx(1)
    assert found.exhausted


def test_more_seconds_cover_no_less() -> None:
    film = footage(*[(colour, 6.0) for colour in COLOURS])
    covered = [highlights_of(film, seconds).coverage for seconds in (2, 4, 8, 12, 20)]
    assert covered == sorted(covered)
    assert covered[0] < covered[-1] == pytest.approx(1)


def test_a_question_moves_the_choice() -> None:
    film = footage(("red", 20), ("blue", 20), ("green", 3))
    plain = highlights_of(film, 3)
    focused = highlights_of(film, 3, encoder=ENCODER, query="green")
    assert "green" not in shown(film, plain.spans)
    assert "green" in shown(film, focused.spans)
    only = highlights_of(film, 1.5, encoder=ENCODER, query="green")
    assert shown(film, only.spans) == ["green"]


def test_a_video_that_is_short_enough_is_its_own_highlight() -> None:
    film = footage(("red", 4), ("blue", 4))
    assert highlights_of(film, 30).spans == (Segment(0, 8),)
    assert highlights_of(footage(("red", 60)), 30).seconds <= 4  # one thing, shown once


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_odd_lengths_are_refused(seconds: float) -> None:
    with pytest.raises(UsageError, match="seconds"):
        highlights_of(footage(("red", 4)), seconds)


@pytest.mark.parametrize(
    ("lines", "title"),
    [
        ([("ocr", 3, 9, "Grand Opening")], "“Grand Opening”"),
        ([("ocr", 3, 9, "新聞")], "“新聞”"),
        ([("ocr", 3, 9, "x7 KQ")], "untitled"),
        ([("ocr", 3, 6, "BURKY"), ("ocr", 6, 9, "BUNKK")], "untitled"),
        ([("ocr", 3, 6, "BURKY"), ("ocr", 6, 9, "BUNKK"), ("speech", 2, 3, "Hi")], "“Hi”"),
        ([("ocr", 3, 6, "Grand Opening"), ("ocr", 6, 9, "Half price")], "“Grand Opening”"),
    ],
    ids=["plain", "unspaced", "no word", "two ways", "speech is left", "two lines"],
)
def test_a_title_is_read_only_where_that_is_certain(
    lines: list[tuple[TextKind, float, float, str]], title: str
) -> None:
    grey = np.full((40, 8), 8**-0.5, np.float32)
    film = replace(footage(("red", 20)), features=WindowFeatures(grey))
    texts = tuple(TextSegment(*line) for line in lines)
    (chapter,) = chapters_of(replace(film, texts=texts), WORDS)
    assert chapter.title == title
