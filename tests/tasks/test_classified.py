"""What a named classifier finds in a library of plain colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from colour_encoder import COLOURS, load_colours
from colour_films import write_colours

from scenewise.errors import EncoderMismatchError, UsageError
from scenewise.index.catalog import Catalog
from scenewise.library import Library
from scenewise.tasks.classifiers import Classifier, save_classifier
from scenewise.types import Moment

SCENES = {
    "a": [("black", 2.0), ("red", 2.0), ("black", 2.0)],
    "b": [("red", 1.0), ("blue", 2.0), ("red", 3.0)],
    "c": [("blue", 4.0)],
}


def head(name: str, wanted: str, digest: str, **changes: Any) -> Classifier:
    """A yes/no classifier of one colour, sure of itself."""
    weight = np.zeros((2, len(COLOURS)), np.float32)
    weight[1, COLOURS.index(wanted)] = 6.0
    options: dict[str, Any] = {
        "name": name,
        "head": "logistic",
        "labels": ("other", wanted),
        "arrays": {"weight": weight, "bias": np.array([3.0, 0.0], np.float32)},
        "encoder": "colours",
        "encoder_digest": digest,
        "positive": 1,
    }
    return Classifier(**{**options, **changes})


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    films = tmp_path_factory.mktemp("films")
    for name, scenes in SCENES.items():
        write_colours(films / f"{name}.mp4", scenes)
    directory = tmp_path_factory.mktemp("library")
    with Library.open(directory, encoder="colours", load=load_colours) as library:
        library.index(films, workers=1)
    with Catalog.open(directory, write=True) as catalog:
        generation = catalog.active()
        assert generation is not None
        digest = generation.spec.digest()
        save_classifier(catalog, head("alarm", "red", digest))
        save_classifier(catalog, head("many", "red", digest, positive=None))
        save_classifier(catalog, head("foreign", "red", "0" * 16))
    with Library.open(directory, load=load_colours) as library:
        yield library


def places(hits: tuple[Moment, ...]) -> list[tuple[str, float, float]]:
    return [(Path(hit.path).stem, hit.start, hit.end) for hit in hits]


def test_hits_are_runs_of_likely_windows(library: Library) -> None:
    result = library.search(classifier="alarm")
    assert result.found
    likely = tuple(hit for hit in result.hits if hit.match >= 0.5)
    assert sorted(places(likely)) == [("a", 2.0, 4.0), ("b", 0.0, 1.0), ("b", 3.0, 6.0)]
    for hit in likely:
        (why,) = hit.why
        assert (why.kind, why.modality) == ("classifier", "visual")
        assert why.detail == "alarm: red 0.95"  # 1 / (1 + exp(-(6 - 3)))
        assert hit.start <= hit.thumbnail_time < hit.end
    assert [hit.match for hit in result.hits] == sorted(
        (hit.match for hit in result.hits), reverse=True
    )


def test_it_loads_no_encoder(library: Library) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("an encoder was loaded")

    with Library.open(library.directory, load=refuse) as blind:  # type: ignore[arg-type]  # fails
        assert blind.search(classifier="alarm").hits == library.search(classifier="alarm").hits


def test_every_occurrence_is_counted(library: Library) -> None:
    result = library.search(classifier="alarm", all_occurrences=True, min_match=0.5)
    assert result.count == 3
    assert [(Path(video.path).stem, video.count) for video in result.videos] == [("b", 2), ("a", 1)]


def test_the_best_moment_of_each_video(library: Library) -> None:
    hits = library.search(classifier="alarm", group="video").hits
    assert sorted(place[0] for place in places(hits)) == ["a", "b", "c"]
    assert places(hits)[-1][0] == "c"
    assert hits[-1].match < 0.1


def test_beside_words_both_have_to_hold(library: Library) -> None:
    plain = {place: hit.match for hit in library.search("blue").hits for place in places((hit,))}
    judged = library.search("blue", classifier="alarm", top_k=100)
    for hit in judged.hits:
        assert {why.kind for why in hit.why} == {"concept", "classifier"}
    red_and_red = library.search("red", classifier="alarm").hits[0]
    assert Path(red_and_red.path).stem in "ab"
    blue = {place: hit.match for hit in judged.hits for place in places((hit,))}
    assert blue[("c", 0.0, 4.0)] < 0.2 * plain[("c", 0.0, 4.0)]


def test_words_may_follow_and_be_kept_out(library: Library) -> None:
    pair = library.search(classifier="alarm", then="blue").hits[0]
    assert places((pair,)) == [("b", 0.0, 3.0)]
    assert next(why.detail for why in pair.why) == "classifier: alarm: red 0.95"
    without = library.search(classifier="alarm", without="red")
    assert without.hits[0].match < library.search(classifier="alarm").hits[0].match


def test_a_label_is_named_where_there_are_several(library: Library) -> None:
    named = library.search(classifier="many=red").hits
    assert places(named) == places(library.search(classifier="alarm").hits)
    assert places(library.search(classifier="many=other").hits)[0][0] in "abc"
    with pytest.raises(UsageError, match="other, red"):
        library.search(classifier="many")
    with pytest.raises(UsageError, match="allowed: other, red"):
        library.search(classifier="alarm=green")


def test_one_that_does_not_fit_is_refused(library: Library) -> None:
    with pytest.raises(EncoderMismatchError, match="foreign"):
        library.search(classifier="foreign")
    with pytest.raises(UsageError, match="there are alarm, foreign, many"):
        library.search("red", classifier="nobody")
