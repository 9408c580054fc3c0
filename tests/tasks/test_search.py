"""Questions and their answers on films whose colours are known by construction."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colour_encoder import COLOURS, load_colours
from colour_films import write_colours, write_noise
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from scenewise.errors import ScenewiseError, UsageError
from scenewise.index import reader as reader_module
from scenewise.library import Library
from scenewise.tasks import scoring
from scenewise.tasks.query import instant, normalise
from scenewise.types import Moment

# when each file was last modified: one on each of the first days of March 2026
SCENES = {
    "a.mp4": ("2026-03-01", [("black", 1.0), ("red", 1.5), ("black", 1.0)]),
    "b.mp4": ("2026-03-02", [("blue", 4.0)]),
    "deep/c.mkv": ("2026-03-03", [("green", 2.0), ("red", 1.0), ("green", 1.0), ("red", 2.0)]),
    "d.webm.mp4": ("2026-03-04", [("yellow", 0.5), ("white", 0.5)]),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, (day, scenes) in SCENES.items():
        path = write_colours(folder / name, scenes)
        noon = datetime.fromisoformat(f"{day}T12:00").timestamp()
        os.utime(path, (noon, noon))
    return folder


@pytest.fixture(scope="module")
def library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    directory = tmp_path_factory.mktemp("library")
    with Library.open(directory, encoder="colours", load=load_colours) as opened:
        opened.index(films, workers=1)
        yield opened


def names(hits: tuple[Moment, ...]) -> list[str]:
    return [Path(hit.path).name for hit in hits]


def spans(hits: tuple[Moment, ...], name: str) -> list[tuple[float, float]]:
    return [(hit.start, hit.end) for hit in hits if Path(hit.path).name == name]


# ---- moments


@pytest.mark.parametrize(
    ("query", "name", "start", "end"),
    [
        ("red", "a.mp4", 1.0, 2.5),
        ("red", "c.mkv", 4.0, 6.0),
        ("blue", "b.mp4", 0.0, 4.0),
        ("green", "c.mkv", 0.0, 2.0),
        ("yellow", "d.webm.mp4", 0.0, 0.5),
    ],
)
def test_a_colour_is_found_where_it_is_shown(
    library: Library, query: str, name: str, start: float, end: float
) -> None:
    hits = library.search(query).hits
    # to the sampling step, as promised
    assert any(
        abs(found[0] - start) <= 0.5 and abs(found[1] - end) <= 0.5 for found in spans(hits, name)
    )


def test_hits_are_ranked_and_lie_in_their_videos(library: Library) -> None:
    result = library.search("red")
    assert [hit.rank for hit in result.hits] == list(range(1, len(result.hits) + 1))
    scores = [hit.score for hit in result.hits]
    assert scores == sorted(scores, reverse=True)
    durations = {video.path: video.duration for video in library.videos()}
    for hit in result.hits:
        duration = durations[hit.path]
        assert duration is not None
        assert 0 <= hit.start < hit.end <= duration
        assert hit.start <= hit.thumbnail_time < hit.end
        assert 0 <= hit.match <= 1
    assert set(names(result.hits)[:2]) == {"a.mp4", "c.mkv"}


def test_why_speaks_of_the_moment(library: Library) -> None:
    hit = library.search("red").hits[0]
    assert [(why.kind, why.detail) for why in hit.why] == [("concept", "red")]


def test_equal_questions_have_equal_answers(library: Library) -> None:
    assert library.search("red green") == library.search("red green")


def test_a_video_counts_once_in_groups_of_videos(library: Library) -> None:
    moments, videos = library.search("red"), library.search("red", group="video")
    assert names(moments.hits).count("c.mkv") >= 2
    assert sorted(names(videos.hits)) == sorted(set(names(videos.hits)))
    assert len(videos.hits) == 4
    best = {Path(hit.path).name: hit.start for hit in reversed(moments.hits)}
    for hit in videos.hits[:2]:
        assert hit.start == best[Path(hit.path).name]


def test_top_k_and_min_match_cut(library: Library) -> None:
    everything = library.search("red", top_k=100)
    assert len(library.search("red", top_k=1).hits) == 1
    limit = everything.hits[0].match
    cut = library.search("red", top_k=100, min_match=limit)
    assert cut.hits
    assert all(hit.match >= limit for hit in cut.hits)
    assert len(cut.hits) < len(everything.hits)


def test_a_picture_is_a_question(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "blue.png"
    Image.fromarray(np.full((50, 90, 3), (0, 0, 255), np.uint8)).save(path)
    result = library.search(image=path)
    assert names(result.hits)[0] == "b.mp4"
    assert result.query == str(path)


def test_many_questions_at_once(library: Library) -> None:
    results = library.search_many(["red", "blue"], top_k=2)
    assert results == [library.search("red", top_k=2), library.search("blue", top_k=2)]


# ---- filters


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"a.mp4", "b.mp4", "c.mkv", "d.webm.mp4"}),
        ({"path": "*.mp4"}, {"a.mp4", "b.mp4", "d.webm.mp4"}),
        ({"path": "[ab].*"}, {"a.mp4", "b.mp4"}),
        ({"path": "*/deep/*"}, {"c.mkv"}),
        ({"path": "*.avi"}, set()),
        ({"after": "2026-03-02"}, {"b.mp4", "c.mkv", "d.webm.mp4"}),
        ({"before": date(2026, 3, 2)}, {"a.mp4"}),
        ({"after": "2026-03-01T12:01", "before": "2026-03-03T12:00"}, {"b.mp4"}),
        ({"after": datetime(2026, 3, 4, tzinfo=UTC).timestamp()}, {"d.webm.mp4"}),
        ({"min_duration": 4.0}, {"b.mp4", "c.mkv"}),
        ({"max_duration": 1.0}, {"d.webm.mp4"}),
        ({"min_duration": 3.5, "path": "*.mp4"}, {"a.mp4", "b.mp4"}),
    ],
)
def test_filters_choose_videos(
    library: Library, options: dict[str, Any], expected: set[str]
) -> None:
    hits = library.search("red", group="video", **options).hits
    assert set(names(hits)) == expected


def test_where_nothing_could_be_searched_the_answer_says_why(
    library: Library, films: Path, tmp_path: Path
) -> None:
    kept_out = library.search("red", min_duration=3600)
    assert (kept_out.found, kept_out.hits) == (False, ())
    assert "no video passes the filters" in kept_out.notes[0]
    shutil.copy(films / "b.mp4", tmp_path / "b.mp4")
    with Library.open(tmp_path / "library", encoder="colours", load=load_colours) as other:
        assert "the library is empty" in other.search("red").notes[0]
        other.index(tmp_path / "b.mp4", workers=1)
        (tmp_path / "b.mp4").unlink()
        other.index(tmp_path / "b.mp4")
        assert "all its videos are missing" in other.search("red").notes[0]
        other.remove([video.path for video in other.videos()])
        assert "the library is empty" in other.search("red").notes[0]


def test_a_video_is_chosen_by_path_or_id(library: Library, films: Path) -> None:
    path = str(films / "b.mp4")
    [hit] = library.search("red", group="video", video=films / "b.mp4").hits
    assert hit.path == str((films / "b.mp4").resolve())
    assert library.search("red", group="video", video=hit.video_id[:8]).hits == (hit,)
    both = library.search("red", group="video", video=[path, films / "a.mp4"])
    assert names(both.hits) == ["a.mp4", "b.mp4"]
    with pytest.raises(UsageError, match=r"nothing\.mp4"):
        library.search("red", video="nothing.mp4")


def test_missing_videos_answer_only_on_demand(films: Path, tmp_path: Path) -> None:
    copies = tmp_path / "films"
    shutil.copytree(films, copies)
    with Library.open(tmp_path / "library", encoder="colours", load=load_colours) as library:
        library.index(copies, workers=1)
        (copies / "b.mp4").unlink()
        library.index(copies, workers=1)
        assert "b.mp4" not in names(library.search("blue", top_k=100).hits)
        assert names(library.search("blue", include_missing=True).hits)[0] == "b.mp4"


# ---- a library that is too large to score whole


def test_candidates_of_a_large_library_find_the_same_first_hits(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {query: library.search(query).hits[0] for query in ("red", "blue", "yellow")}
    monkeypatch.setattr(scoring, "ALL_WINDOWS", 5)
    monkeypatch.setattr(scoring, "MOST_WINDOWS", 1)
    monkeypatch.setattr(scoring, "FEWEST_VIDEOS", 2)
    for query, hit in whole.items():
        found = library.search(query)
        assert (found.hits[0].path, found.hits[0].start) == (hit.path, hit.start)
        assert len({hit.path for hit in found.hits}) <= 2


def test_of_a_long_video_only_what_counts_is_scored(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = library.search("red").hits[0]
    for name, value in (
        ("ALL_WINDOWS", 5),
        ("LONG_WINDOWS", 4),
        ("SURROUNDINGS", 1),
        ("SAMPLE", 3),
        ("NEAREST_WINDOWS", 9),  # all that are red
    ):
        monkeypatch.setattr(scoring, name, value)
    monkeypatch.setattr(reader_module, "WHOLE_WINDOWS", 4)
    hits = library.search("red").hits
    found = {(hit.path, hit.start) for hit in hits}
    assert (whole.path, whole.start) in found
    durations = {video.path: video.duration or 0.0 for video in library.videos()}
    assert all(0 <= hit.start < hit.end <= durations[hit.path] for hit in hits)


# ---- every occurrence, one after another, without


def test_every_occurrence_is_found_and_counted(library: Library) -> None:
    result = library.search("red", all_occurrences=True, min_match=0.01)
    assert result.count == len(result.hits)
    assert spans(result.hits, "a.mp4") == [(1.0, 2.5)]
    assert sorted(spans(result.hits, "c.mkv")) == [(2.0, 3.0), (4.0, 6.0)]
    assert next((Path(video.path).name, video.count) for video in result.videos) == ("c.mkv", 2)
    shape = result.to_dict()
    assert shape["count"] == sum(video["count"] for video in shape["videos"])
    assert "count" not in library.search("red").to_dict()


def test_a_limit_cuts_occurrences_and_not_their_number(library: Library) -> None:
    everything = library.search("red", all_occurrences=True, min_match=0.01)
    cut = library.search("red", all_occurrences=True, min_match=0.01, top_k=1)
    assert (len(cut.hits), cut.count) == (1, everything.count)
    assert cut.hits[0] == everything.hits[0]
    videos = library.search("red", all_occurrences=True, min_match=0.01, group="video")
    assert len(videos.hits) == len(videos.videos)
    assert videos.count == everything.count


def test_where_nothing_occurs_the_count_is_none_at_all(library: Library) -> None:
    result = library.search("cyan", all_occurrences=True, min_match=0.9)
    assert (result.count, result.hits, result.found) == (0, (), False)
    assert result.to_dict()["count"] == 0
    assert library.search("red", all_occurrences=True, path="*.avi").count == 0


def test_all_windows_of_a_large_library_are_looked_at_for_every_occurrence(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = library.search("red", all_occurrences=True, min_match=0.01)
    for name, value in (("ALL_WINDOWS", 5), ("MOST_WINDOWS", 1), ("FEWEST_VIDEOS", 1)):
        monkeypatch.setattr(scoring, name, value)
    assert library.search("red", all_occurrences=True, min_match=0.01) == whole


def test_one_colour_then_another(library: Library) -> None:
    hit = library.search("green", then="red").hits[0]
    assert Path(hit.path).name == "c.mkv"
    assert (hit.start, hit.end) in [(0.0, 3.0), (0.0, 6.0), (3.0, 6.0)]
    assert hit.start <= hit.thumbnail_time < hit.end
    assert {why.detail for why in hit.why} == {"green: green", "red: red"}
    for why in hit.why:
        assert why.start is not None
        assert why.end is not None
        assert hit.start <= why.start < why.end <= hit.end
    three = library.search("green", then=("red", "green")).hits[0]
    assert (three.start, three.end) == (0.0, 4.0)


def test_the_order_decides(library: Library) -> None:
    forward = library.search("red", then="black", top_k=1).hits[0]
    assert Path(forward.path).name == "a.mp4"
    assert (forward.start, forward.end) == (1.0, 3.5)
    backward = library.search("yellow", then="white").hits[0]
    assert Path(backward.path).name == "d.webm.mp4"
    best = max(
        (hit.match for hit in library.search("white", then="yellow").hits),
        default=0.0,
    )
    assert best < backward.match


def test_chains_in_a_library_too_large_to_score_whole(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = library.search("green", then="red").hits[0]
    for name, value in (("ALL_WINDOWS", 5), ("MOST_WINDOWS", 1), ("FEWEST_VIDEOS", 2)):
        monkeypatch.setattr(scoring, name, value)
    found = library.search("green", then="red").hits[0]
    assert (found.path, found.start, found.end) == (whole.path, whole.start, whole.end)


def test_what_is_not_wanted_is_pushed_away(library: Library) -> None:
    plain = library.search("red", group="video", top_k=100)
    less = library.search("red", without="green", group="video", top_k=100)
    place = {name: number for number, name in enumerate(names(plain.hits))}
    match = {Path(hit.path).name: hit.match for hit in plain.hits}
    assert names(less.hits)[0] == "a.mp4"
    assert {"a.mp4", "c.mkv"} == {name for name, number in place.items() if number < 2}
    for hit in less.hits:
        assert hit.match <= match[Path(hit.path).name]
    # a moment that shows red and no green keeps its place, whatever its video shows elsewhere
    moments = library.search("red", without="green")
    assert set(names(moments.hits[:2])) == {"a.mp4", "c.mkv"}


def test_without_itself_nothing_is_found(library: Library) -> None:
    plain, nothing = library.search("yellow"), library.search("yellow", without="yellow")
    assert plain.found
    assert not nothing.found
    assert nothing.hits[0].match < plain.hits[0].match


def test_of_what_is_ruled_out_by_its_own_words_no_more_is_left_than_of_a_coin(
    tmp_path: Path,
) -> None:
    """p (1 - p) of each moment, also where its windows are not all as good as its best."""
    films = [write_noise(tmp_path / "films" / "noise.mp4", seconds=6)]
    films += [write_colours(tmp_path / "films" / f"{name}.mp4", [(name, 1)]) for name in COLOURS]
    with Library.open(tmp_path / "library", encoder="colours", load=load_colours) as opened:
        opened.index(films, workers=1)
        for words in COLOURS:
            plain = opened.search(words, top_k=100)
            matches = {(hit.path, hit.start, hit.end): hit.match for hit in plain.hits}
            for hit in opened.search(words, without=words).hits:
                match = matches[hit.path, hit.start, hit.end]
                assert hit.match == pytest.approx(match * (1 - match), abs=1e-6)


def test_a_picture_may_be_followed_by_words(library: Library, tmp_path: Path) -> None:
    path = tmp_path / "green.png"
    Image.fromarray(np.full((50, 90, 3), (0, 255, 0), np.uint8)).save(path)
    hit = library.search(image=path, then="red").hits[0]
    assert Path(hit.path).name == "c.mkv"
    assert hit.why[0].detail == "green.png: green"
    with pytest.raises(UsageError, match="add visual"):
        library.search(image=path, modalities=["text"])


# ---- words


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("  a   dog\n", "a dog"),
        ('"a dog!"', "a dog"),
        ("«un chien»?", "un chien"),
        ("cafe\u0301", "café"),
        ("C++", "C++"),
        ("it's 5 o'clock", "it's 5 o'clock"),
        ("¿dónde?", "dónde"),
    ],
)
def test_words_are_normalised(typed: str, words: str) -> None:
    assert normalise(typed) == words


@pytest.mark.parametrize("typed", ["", "   ", "?!", "«»", "\x00", "\u200b"])
def test_a_query_without_words_is_refused(library: Library, typed: str) -> None:
    with pytest.raises(UsageError, match="holds no words"):
        library.search(typed)


@given(st.text(min_size=1))
def test_normalising_twice_changes_nothing(text: str) -> None:
    try:
        once = normalise(text)
    except UsageError:
        return
    assert normalise(once) == once


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"query": None}, "words or a picture"),
        ({"query": "red", "image": "x.png"}, "one of them"),
        ({"query": "red", "top_k": 0}, "top_k = 0"),
        ({"query": "red", "within_seconds": 5.0}, "only with then"),
        ({"query": "red", "then": "blue", "within_seconds": -1.0}, "within_seconds = -1.0"),
        ({"query": "red", "then": "?!"}, "holds no words"),
        ({"query": "red", "without": ""}, "holds no words"),
        ({"query": "red", "modalities": ["smell"]}, "'smell' is no way to search"),
        ({"classifier": "cars"}, "no classifier of this library is called 'cars'"),
        ({"classifier": "cars", "modalities": ["text"]}, "add visual"),
        ({"query": "red", "min_match": 1.5}, "min_match = 1.5"),
        ({"query": "red", "group": "shot"}, "moment or video"),
        ({"query": "red", "after": "yesterday"}, "after = 'yesterday' is not a date"),
        ({"query": "red", "min_duration": -1}, "min_duration"),
        ({"image": "nowhere.png"}, "no such file"),
    ],
)
def test_odd_questions_are_refused_in_one_sentence(
    library: Library, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(ScenewiseError, match=words) as caught:
        library.search(**options)
    assert "\n" not in str(caught.value)


def test_a_date_without_zone_is_local() -> None:
    assert instant("after", "2026-03-01") == datetime(2026, 3, 1).timestamp()
    assert instant("after", "2026-03-01T00:00:00+00:00") == 1772323200.0
