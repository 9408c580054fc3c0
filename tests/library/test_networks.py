"""Every verb with networks of our own: a video-text model, a backbone without words, a classifier.

The toys see mean colours, so what is right is known by construction.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import toy_networks
from colour_films import write_colours
from PIL import Image
from toy_networks import NOTE, write_classifier, write_video_text

from scenewise import Library
from scenewise.errors import EncoderError, UsageError
from scenewise.tasks.classify import Classification
from scenewise.types import Failure

STEP = 2.0  # seconds: a window of the toys


@pytest.fixture(scope="module", autouse=True)
def toys() -> Iterator[None]:
    with toy_networks.registered():
        yield


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_colours(folder / "film.mp4", [("blue", 6.0), ("red", 6.0), ("green", 6.0)])
    write_colours(folder / "twin.mp4", [("blue", 6.0), ("red", 6.0), ("green", 7.0)])
    write_colours(folder / "warm.mp4", [("yellow", 8.0)])
    return folder


@pytest.fixture(scope="module")
def worded(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    root = tmp_path_factory.mktemp("worded")
    name = str(write_video_text(root / "network", exact=False))
    with Library.open(root / "library", encoder=name) as library:
        assert library.index(films, workers=1).indexed == 3
        yield library


@pytest.fixture(scope="module")
def wordless(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    root = tmp_path_factory.mktemp("wordless")
    name = str(write_classifier(root / "network"))
    with Library.open(root / "library", encoder=name) as library:
        assert library.index(films, workers=1).indexed == 3
        yield library


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_classifier(tmp_path_factory.mktemp("classifier") / "network"))


def lies_at(start: float, end: float, wanted: tuple[float, float]) -> bool:
    return abs(start - wanted[0]) <= STEP and abs(end - wanted[1]) <= STEP


def test_a_video_text_model_finds_the_moment(worded: Library) -> None:
    result = worded.search("a video of red", video="film.mp4")
    assert lies_at(result.hits[0].start, result.hits[0].end, (6.0, 12.0))
    assert NOTE in result.notes
    (span, *_) = worded.locate("film.mp4", "red").hits
    assert lies_at(span.start, span.end, (6.0, 12.0))
    assert worded.classify("warm.mp4", labels="red,yellow,blue").labels[0].name == "yellow"


def test_a_backbone_indexes_and_is_asked_by_example(
    wordless: Library, films: Path, tmp_path: Path
) -> None:
    assert wordless.similar("film.mp4").hits[0].path.endswith("twin.mp4")
    Image.fromarray(np.full((48, 64, 3), (255, 0, 0), np.uint8)).save(tmp_path / "red.png")
    result = wordless.search(image=tmp_path / "red.png", video="film.mp4")
    assert lies_at(result.hits[0].start, result.hits[0].end, (6.0, 12.0))
    wordless.duplicates()  # plain colours are blank pictures, which make no pair


def test_a_backbone_is_taught(wordless: Library, films: Path, tmp_path: Path) -> None:
    film = films / "film.mp4"
    wordless.teach("my red", good=[f"{film}@6-12"], bad=[f"{film}@0-5"])
    (hit, *_) = wordless.search(classifier="my red", video="twin.mp4").hits
    assert lies_at(hit.start, hit.end, (6.0, 12.0))
    for label, colour in (("hot", "red"), ("cold", "blue")):
        for number, seconds in enumerate((3.0, 4.0, 5.0)):
            write_colours(tmp_path / "clips" / label / f"{number}.mp4", [(colour, seconds)])
    figures = wordless.train_classifier("heat", tmp_path / "clips").figures
    assert figures["accuracy"] == 1
    written = write_colours(tmp_path / "new.mp4", [("red", 3.0)])
    assert wordless.classify(written, classifier="heat").labels[0].name == "hot"


def test_a_backbone_asked_in_words_says_what_to_do(wordless: Library) -> None:
    for ask in (
        lambda: wordless.search("red"),
        lambda: wordless.locate("film.mp4", "red"),
        lambda: wordless.classify("film.mp4", labels="red,blue"),
        lambda: list(wordless.classify_many(["film.mp4", "warm.mp4"], labels="red,blue")),
    ):
        with pytest.raises(EncoderError, match="knows pictures and no words: search with --image"):
            ask()
    assert wordless.search("red", modalities=("text", "audio")).hits == ()


def test_a_networks_classes_need_no_library(classifier: str, films: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "none") as library:
        whole = library.classify(films / "film.mp4", model=classifier, top_k=2)
        over = library.classify(films / "film.mp4", model=classifier, over_time=True)
        single = library.classify(films / "film.mp4", model=classifier, clips=1)
    assert not (tmp_path / "none").exists()
    assert len(whole.labels) == 2
    assert (whole.source, whole.encoder) == ("network toy_backbone", classifier)
    # starts at 0, 4, 8, 12, 16: two of blue's, one of red's, two of green's
    shares = {label.name: label.probability for label in over.labels}
    assert whole.notes == ("the mean over 5 clips of 2 s, 4 frames each",)
    assert {label.name for label in whole.labels} == {"blue", "green"}
    assert whole.labels[0].probability == pytest.approx(0.4, abs=0.01)
    assert shares == pytest.approx({"red": 1 / 3, "green": 1 / 3, "blue": 1 / 3}, abs=0.01)
    assert [span.label for span in over.segments] == ["blue", "red", "green"]
    assert [span.start for span in over.segments] == pytest.approx([0.0, 6.0, 12.0], abs=0.5)
    assert over.segments[-1].end == pytest.approx(18.0, abs=0.1)
    assert single.labels[0].name == "red", "a single clip lies in the middle"
    assert single.notes == ("judged by one clip of 2 s, 4 frames",)


def test_a_short_video_is_one_clip(classifier: str, tmp_path: Path) -> None:
    film = write_colours(tmp_path / "short.mp4", [("green", 0.6)])
    with Library.open(tmp_path / "none") as library:
        answer = library.classify(film, model=classifier, over_time=True)
    assert answer.labels[0].name == "green"
    (span,) = answer.segments
    assert [span.start, span.end] == pytest.approx([0.0, 0.6], abs=0.01)
    assert answer.notes == ("judged by one clip of 0.6 s, 4 frames",)


def test_a_video_of_the_library_is_named_as_everywhere(worded: Library, classifier: str) -> None:
    answer = worded.classify("warm.mp4", model=classifier)
    assert answer.path.endswith("warm.mp4")
    assert answer.video_id == worded.classify("warm.mp4", labels="red,yellow").video_id


def test_files_that_break_do_not_end_the_others(
    classifier: str, films: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with Library.open(tmp_path / "none") as library:
        names = [tmp_path / "broken.mp4", films / "warm.mp4"]
        first, second = library.classify_many(names, model=classifier)
    assert isinstance(first, Failure)
    assert isinstance(second, Classification)


def test_what_does_not_go_together_is_refused(classifier: str, tmp_path: Path) -> None:
    with Library.open(tmp_path / "none") as library:
        with pytest.raises(UsageError, match="one of the four"):
            library.classify("a.mp4", model=classifier, labels="a,b")
        with pytest.raises(UsageError, match="ask no words"):
            library.classify("a.mp4", model=classifier, template="a {}")
        with pytest.raises(UsageError, match="counted for a network with a classifier alone"):
            library.classify("a.mp4", labels="a,b", clips=3)
        with pytest.raises(UsageError, match="clips = 0 is not allowed"):
            library.classify("a.mp4", model=classifier, clips=0)
