"""Every verb with an encoder of CLIP's kind: vectors and a likeness to words, no concepts."""

from __future__ import annotations

from pathlib import Path

import pytest
from colour_encoder import load_wordless
from colour_films import write_colours

from scenewise import Library

RED = (3.0, 6.0)  # seconds of film.mp4
STEP = 0.5


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """film.mp4 (blue, red, green), twin.mp4 (a longer ending), warm.mp4, cold.mp4."""
    folder = tmp_path_factory.mktemp("films")
    write_colours(folder / "film.mp4", [("blue", 3.0), ("red", 3.0), ("green", 2.0)])
    write_colours(folder / "twin.mp4", [("blue", 3.0), ("red", 3.0), ("green", 3.0)])
    write_colours(folder / "warm.mp4", [("red", 2.0), ("yellow", 3.0)])
    write_colours(folder / "cold.mp4", [("cyan", 2.0), ("blue", 3.0)])
    return folder


@pytest.fixture(scope="module")
def library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("data") / "library"
    opened = Library.open(folder, encoder="wordless", load=load_wordless)
    opened.index(films, workers=1)
    return opened


def lies_at(start: float, end: float, wanted: tuple[float, float]) -> bool:
    return abs(start - wanted[0]) <= STEP and abs(end - wanted[1]) <= STEP


def test_search_and_similar(library: Library) -> None:
    (hit, *_) = library.search("red", video="film.mp4").hits
    assert lies_at(hit.start, hit.end, RED)
    assert [why.kind for why in hit.why] == ["similarity"]
    assert library.similar("film.mp4").hits[0].path.endswith("twin.mp4")


def test_locate_classify_and_ask(library: Library) -> None:
    (span, *_) = library.locate("film.mp4", "red").hits
    assert lies_at(span.start, span.end, RED)
    labels = library.classify("cold.mp4", labels="cyan blue,red yellow").labels
    assert labels[0].name == "cyan blue"
    asked = library.ask("What is it?", "warm.mp4", choices=["red yellow", "green"])
    assert asked.text == "red yellow"


def test_caption_and_annotate_say_what_is_known_without_words(
    library: Library, films: Path, tmp_path: Path
) -> None:
    captions = library.caption("film.mp4", dense=True).captions
    assert captions[0].start == 0.0
    assert captions[-1].end == pytest.approx(8.0, abs=0.1)
    assert all(caption.text for caption in captions)
    report = library.annotate(films, output=tmp_path / "notes")
    assert (report.written, report.failed) == (4, ())


def test_summarize(library: Library, tmp_path: Path) -> None:
    summary = library.summarize("film.mp4", storyboard=tmp_path / "s.png", reel=tmp_path / "r.mp4")
    chapters = summary.chapters
    assert chapters[0].start == 0.0
    assert chapters[-1].end == pytest.approx(8.0, abs=0.1)
    assert [one.end for one in chapters[:-1]] == [one.start for one in chapters[1:]]
    assert all(chapter.title for chapter in chapters)
    assert (tmp_path / "s.png").is_file()
    assert (tmp_path / "r.mp4").is_file()


def test_recommend_and_duplicates(library: Library) -> None:
    hits = library.recommend("film.mp4", diversity=0).hits
    assert hits[0].title.endswith("twin.mp4")
    assert all(hit.reason for hit in hits)
    library.duplicates()  # plain colours are blank pictures, which make no pair


def test_detect_labels_what_moves(library: Library) -> None:
    found = library.detect("film.mp4", ["red", "blue"])
    assert found.tracks == ()  # nothing moves, and it is no error


def test_train_and_teach(library: Library, films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    for label, colour in (("hot", "red"), ("not", "cyan")):
        for number, seconds in enumerate((1.0, 1.5, 2.0)):
            write_colours(folder / label / f"{number}.mp4", [(colour, seconds)])
    assert library.train_classifier("heat", folder).figures["accuracy"] == 1
    assert library.classify("warm.mp4", classifier="heat").labels[0].name == "hot"
    library.teach("my red", good=[f"{films / 'film.mp4'}@3-6"], bad=[f"{films / 'film.mp4'}@0-3"])
    (hit, *_) = library.search(classifier="my red", video="twin.mp4").hits
    assert lies_at(hit.start, hit.end, RED)


def test_watch(library: Library, films: Path) -> None:
    from scenewise.media.live_sources import LiveOptions

    events = list(
        library.watch(films / "film.mp4", rules=["red"], live=LiveOptions(fast=True), fps=4)
    )
    assert [event.rule for event in events] == ["red"]
    assert RED[0] <= events[0].time <= RED[1]
