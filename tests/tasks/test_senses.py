"""Searches over pictures and words, on films of plain colours with lines that are known."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.encoders import load_audio
from scenewise.encoders.audio import AudioQuery
from scenewise.errors import UsageError
from scenewise.index.catalog import Catalog
from scenewise.index.records import AudioWindows, TextKind, TextSegment, Track
from scenewise.index.track_plan import SETTING, TrackPlan
from scenewise.library import Library
from scenewise.types import Modality, Moment, SearchResult, Sound

SCENES = {
    "harbour": [("black", 4.0), ("red", 4.0), ("black", 4.0)],
    "market": [("green", 6.0), ("red", 6.0)],
    "office": [("blue", 12.0)],
    "speech": [("white", 12.0)],
}
LINES: dict[str, tuple[TextKind, list[tuple[float, float, str]]]] = {
    "harbour": ("speech", [(5.0, 7.0, "the red lighthouse"), (9.0, 11.0, "a ferry leaves")]),
    "office": ("subtitle", [(1.0, 3.0, "our budget for the lighthouse"), (8.0, 9.0, "thank you")]),
    "speech": ("ocr", [(2.0, 4.0, "red tape"), (6.0, 8.0, "budget")]),
}
FILLER = [(0.01 * n, 0.01 * n + 0.01, f"filler{n} words{n}") for n in range(300)]


def add_lines(directory: Path, films: Path) -> None:
    """Put the lines where an index of real films has its subtitles, signs and speech."""
    with Catalog.open(directory, write=True) as catalog:
        for name, (kind, lines) in LINES.items():
            texts = tuple(TextSegment(kind, *line) for line in lines)
            video_id = catalog.resolve(str(films / f"{name}.mp4"))
            assert catalog.commit_tracks(video_id, [Track(kind, "test", texts=texts)])
        # so that a word which stands in one line of the library is known to be a rare one
        filler = tuple(TextSegment("ocr", *line) for line in FILLER)
        market = catalog.resolve(str(films / "market.mp4"))
        catalog.commit_tracks(market, [Track("ocr", "test", texts=filler)])


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, scenes in SCENES.items():
        write_colours(folder / f"{name}.mp4", scenes)
    return folder


@pytest.fixture(scope="module")
def plain(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The films without a word."""
    with Library.open(
        tmp_path_factory.mktemp("plain"), encoder="colours", load=load_colours
    ) as library:
        library.index(films, workers=1)
        yield library


@pytest.fixture(scope="module")
def library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """The films and their lines."""
    directory = tmp_path_factory.mktemp("library")
    with Library.open(directory, encoder="colours", load=load_colours) as library:
        library.index(films, workers=1)
    add_lines(directory, films)
    with Library.open(directory, load=load_colours) as library:
        yield library


def first(result: SearchResult) -> Moment:
    return result.hits[0]


def name(hit: Moment) -> str:
    return Path(hit.path).stem


def senses(hit: Moment) -> set[Modality]:
    return {why.modality for why in hit.why}


# ---- one sense, or several


def test_what_is_only_said_is_found_where_it_is_said(library: Library) -> None:
    hit = first(library.search("ferry"))
    assert (name(hit), hit.start, hit.end) == ("harbour", 9.0, 11.0)
    (why,) = [why for why in hit.why if why.modality == "text"]
    assert (why.kind, why.detail, why.start, why.end) == ("speech", "a ferry leaves", 9.0, 11.0)
    assert library.search("ferry").found


def test_what_is_seen_and_said_at_one_time_comes_first(library: Library) -> None:
    result = library.search("red")
    hit = first(result)
    assert name(hit) == "harbour"
    assert senses(hit) == {"visual", "text"}
    seen = first(library.search("red", modalities=["visual"])).match
    read = first(library.search("red", modalities=["text"])).match
    assert hit.match > max(seen, read)
    assert hit.start <= hit.thumbnail_time < hit.end
    assert 5.0 <= hit.thumbnail_time < 7.0  # where the senses meet
    # shown without a word, and written without being shown
    assert {"market", "speech"} <= {name(hit) for hit in result.hits}


def test_the_order_is_that_of_the_match_where_senses_are_joined(library: Library) -> None:
    hits = library.search("red", top_k=100).hits
    assert [hit.score for hit in hits] == [hit.match for hit in hits]
    assert [hit.match for hit in hits] == sorted((hit.match for hit in hits), reverse=True)
    for hit in hits:
        assert hit.start <= hit.thumbnail_time < hit.end
    places = [(hit.path, hit.start, hit.end) for hit in hits]
    assert len(places) == len(set(places))


def test_words_that_nobody_says_leave_pictures_as_they_were(
    library: Library, plain: Library
) -> None:
    for query in ("green", "yellow cyan", "magenta"):
        assert library.search(query) == plain.search(query)
        assert library.search(query, group="video") == plain.search(query, group="video")


def test_a_library_without_words_answers_as_pictures_alone(plain: Library) -> None:
    for query in ("red", "blue", "ferry"):
        assert plain.search(query) == plain.search(query, modalities=("visual",))


def test_videos_come_once_in_groups(library: Library) -> None:
    hits = library.search("red", group="video").hits
    names = [name(hit) for hit in hits]
    assert sorted(names) == sorted(SCENES)
    assert names[0] == "harbour"


def test_quoted_words_are_a_phrase(library: Library) -> None:
    (hit,) = library.search('"red tape"', modalities=["text"]).hits
    assert name(hit) == "speech"


def test_filters_hold_for_every_sense(library: Library, films: Path) -> None:
    hits = library.search("budget", modalities=["text"]).hits
    assert {name(hit) for hit in hits} == {"office", "speech"}
    (hit,) = library.search("budget", modalities=["text"], video=films / "office.mp4").hits
    assert name(hit) == "office"
    assert library.search("budget", modalities=["text"], path="market*").hits == ()


# ---- without pictures


def test_words_alone_load_no_encoder(library: Library) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("an encoder was loaded")

    with Library.open(library.directory, load=refuse) as blind:  # type: ignore[arg-type]  # fails
        hit = first(blind.search("ferry", modalities=("text", "audio")))
        assert (name(hit), hit.start, hit.end) == ("harbour", 9.0, 11.0)
        assert hit.start <= hit.thumbnail_time < hit.end
        with pytest.raises(AssertionError, match="was loaded"):
            blind.search("ferry")


def test_what_a_library_has_nothing_of_is_said(plain: Library) -> None:
    result = plain.search("ferry", modalities=["text"])
    assert (result.found, result.hits) == (False, ())
    assert "holds no words" in result.notes[0]
    assert plain.search("ferry").notes == ()  # nobody asked for words alone


@pytest.mark.parametrize("modalities", [(), ("smell",), "visual"])
def test_odd_senses_are_refused_in_one_sentence(
    plain: Library, modalities: tuple[Modality, ...]
) -> None:
    with pytest.raises(UsageError, match=r"allowed"):
        plain.search("red", modalities=modalities)


def test_modules_of_senses_that_a_library_lacks_are_not_imported(
    plain: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("words", "hearing"):
        monkeypatch.setitem(sys.modules, f"scenewise.tasks.{module}", None)  # importing fails
    assert plain.search("red").hits


# ---- more than one question


def test_something_said_then_something_shown(library: Library) -> None:
    result = library.search("lighthouse", then="ferry")
    assert (name(first(result)), first(result).start, first(result).end) == ("harbour", 5.0, 11.0)
    assert result.query == "lighthouse then ferry"
    details = [why.detail for why in first(result).why]
    assert "lighthouse: the red lighthouse" in details
    assert "ferry: a ferry leaves" in details
    late = library.search("lighthouse", then="ferry", within_seconds=1.0)
    assert late.hits == () or first(late).match < first(result).match


def test_what_is_said_pushes_a_moment_away(library: Library) -> None:
    before = library.search("red", top_k=100)
    after = library.search("red", without="lighthouse", top_k=100)
    assert name(first(before)) == "harbour"
    assert name(first(after)) != "harbour"


def test_every_occurrence_counts_the_senses_together(library: Library) -> None:
    result = library.search("budget", modalities=["text"], all_occurrences=True, min_match=0.1)
    assert result.count == len(result.hits) == 2
    assert {Path(video.path).stem: video.count for video in result.videos} == {
        "office": 1,
        "speech": 1,
    }


# ---- sound


class FakeEars:
    """An audio encoder of four sounds, each an axis."""

    sounds = ("rain", "bell", "engine", "voice")
    loaded = 0

    def __init__(self, *arguments: object, **options: object) -> None:
        FakeEars.loaded += 1
        self.closed = False

    def encode_text(self, text: str) -> AudioQuery:
        vector = np.array([float(sound in text) for sound in self.sounds], np.float32)
        return AudioQuery(text, vector / max(1.0, float(np.linalg.norm(vector))))

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def sounding(library: Library, films: Path, tmp_path: Path) -> Path:
    """A library of the films with music in one, and another one's sound as vectors."""
    directory = library.backup(tmp_path / "sounding")
    with Catalog.open(directory, write=True) as catalog:
        music = Track("sound", "test", sounds=(Sound("music", 2.0, 6.0, 0.9),))
        catalog.commit_tracks(catalog.resolve(str(films / "office.mp4")), [music])
        for name in SCENES:
            vectors = np.full((12, 4), 0.1, np.float32)
            if name == "market":
                vectors[7:10] = (0, 1, 0, 0)  # a bell from 7 to 10 s
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            starts = np.arange(12, dtype=np.float64)
            audio = AudioWindows(starts, starts + 1, vectors)
            track = Track("audio", "fake", audio=audio)
            catalog.commit_tracks(catalog.resolve(str(films / f"{name}.mp4")), [track])
        catalog.set_setting(SETTING, TrackPlan(audio_encoder="fake").to_setting())
    return directory


def test_a_sound_is_found_by_its_name(sounding: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_audio, "load_audio_encoder", FakeEars)
    with Library.open(sounding, load=load_colours) as library:
        hit = first(library.search("music"))
        assert (name(hit), hit.start, hit.end) == ("office", 2.0, 6.0)
        assert "sound" in {why.kind for why in hit.why}


def test_sound_in_words_is_found_by_the_audio_encoder(
    sounding: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_audio, "load_audio_encoder", FakeEars)
    FakeEars.loaded = 0
    with Library.open(sounding, load=load_colours) as library:
        hit = first(library.search("a bell", modalities=["audio"]))
        assert name(hit) == "market"
        assert 6.0 <= hit.start < hit.end <= 11.0
        assert {why.kind for why in hit.why} == {"audio"}
        library.search("a bell")
        assert FakeEars.loaded == 1  # and kept
        library.search("a bell", modalities=["visual", "text"])
        ears = library._audio_encoder
        assert ears is not None
    assert isinstance(ears[1], FakeEars)
    assert ears[1].closed


def test_without_its_audio_encoder_the_rest_answers_and_says_so(sounding: Path) -> None:
    with Library.open(sounding, load=load_colours) as library:
        result = library.search("ferry")
        assert name(first(result)) == "harbour"
        assert "sound was not searched by these words" in result.notes[0]
        assert library.search("ferry", modalities=["text"]).notes == ()
