"""Labels through the library and the command line, on films of plain colours."""

from __future__ import annotations

from pathlib import Path

import pytest
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.errors import UsageError
from scenewise.library import Library
from scenewise.tasks.classify import Classification
from scenewise.types import Failure


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_colours(folder / "red.mp4", [("red", 2.0)])
    write_colours(folder / "both.mp4", [("red", 3.0), ("blue", 4.0)])
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


def test_files_and_videos_of_the_library_are_labelled_alike(films: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "none", encoder="colours", load=load_colours) as library:
        fresh = library.classify(films / "both.mp4", labels="red,blue", over_time=True)
    with Library.open(tmp_path / "library", encoder="colours", load=load_colours) as library:
        library.index(films / "both.mp4", workers=1)
        known = library.classify("both.mp4", labels=["red", "blue"], over_time=True)
    assert fresh.labels == known.labels
    assert [(span.label, span.start, span.end) for span in known.segments] == [
        ("red", 0.0, 3.0),
        ("blue", 3.0, 7.0),
    ]


def test_a_file_that_breaks_does_not_end_the_others(films: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "none", encoder="colours", load=load_colours) as library:
        names = [films / name for name in ("broken.mp4", "gone.mp4", "red.mp4")]
        first, second, third = library.classify_many(names, labels="red,blue")
    assert isinstance(first, Failure)
    assert isinstance(second, Failure)
    assert isinstance(third, Classification)
    assert third.labels[0].name == "red"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, "one of the four"),
        ({"labels": "a,b", "label_set": "ucf101"}, "one of the four"),
        ({"labels": "a"}, "two or more labels"),
        ({"labels": "a,a"}, "twice"),
        ({"labels": "a,b", "top_k": 0}, "top_k"),
        ({"labels": "a,b", "template": "x"}, "once"),
        ({"label_set": "nothing"}, "no set of labels"),
        ({"classifier": "door"}, "called 'door'"),
        ({"classifier": "door", "template": "{}"}, "asks no words"),
    ],
)
def test_odd_wishes_are_refused_before_anything_is_decoded(
    wanted: dict[str, object], words: str, films: Path, tmp_path: Path
) -> None:
    with (
        Library.open(tmp_path / "none", encoder="colours", load=load_colours) as library,
        pytest.raises(UsageError, match=words),
    ):
        library.classify(films / "broken.mp4", **wanted)  # type: ignore[arg-type]  # odd on purpose
