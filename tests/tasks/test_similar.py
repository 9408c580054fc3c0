"""What looks alike, on films of plain colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.errors import UsageError
from scenewise.index.catalog import Chunk
from scenewise.library import Library
from scenewise.tasks.similar import window_at

SCENES = {
    "red.mp4": [("red", 2.0)],
    "mostly-red.mp4": [("red", 3.0), ("green", 1.0)],
    "half-red.mp4": [("green", 2.0), ("red", 2.0)],
    "blue.mp4": [("blue", 2.0)],
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, scenes in SCENES.items():
        write_colours(folder / name, scenes)
    return folder


@pytest.fixture(scope="module")
def library(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    directory = tmp_path_factory.mktemp("library")
    with Library.open(directory, encoder="colours", load=load_colours) as opened:
        opened.index(films, workers=1)
        yield opened


def test_videos_come_in_the_order_of_their_likeness(library: Library, films: Path) -> None:
    result = library.similar(films / "red.mp4")
    assert [Path(hit.path).name for hit in result.hits] == [
        "mostly-red.mp4",
        "half-red.mp4",
        "blue.mp4",
    ]
    assert result.hits[0].why[0].kind == "similarity"
    assert result.query == str((films / "red.mp4").resolve())
    assert result.found  # the nearest were asked for, and there are some


def test_an_instant_finds_moments(library: Library, films: Path) -> None:
    result = library.similar(films / "half-red.mp4", time=1.0)  # green
    best = result.hits[0]
    assert Path(best.path).name == "mostly-red.mp4"
    assert best.start == pytest.approx(3.0, abs=0.5)
    assert best.end == pytest.approx(4.0, abs=0.5)
    assert all(Path(hit.path).name != "half-red.mp4" for hit in result.hits)


def test_top_k_cuts(library: Library, films: Path) -> None:
    assert len(library.similar(films / "red.mp4", top_k=1).hits) == 1


@pytest.mark.parametrize(
    ("name", "time", "words"),
    [("nowhere.mp4", None, "nowhere"), ("red.mp4", 99.0, "outside"), ("red.mp4", -1.0, "outside")],
)
def test_what_is_not_there_is_refused(
    library: Library, films: Path, name: str, time: float | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        library.similar(films / name, time=time)


@pytest.mark.parametrize(
    ("time", "window"), [(0.0, 0), (0.5, 1), (0.99, 1), (1.4, 1), (1.6, 2), (2.5, 2), (3.0, 2)]
)
def test_the_window_of_an_instant(time: float, window: int) -> None:
    # three windows with a gap between 1.0 and 2.0 s
    chunk = Chunk(
        id=1,
        video_id="00",
        path="film.mp4",
        duration=3.0,
        starts=np.array([0.0, 0.5, 2.0]),
        ends=np.array([0.5, 1.0, 3.0]),
        times=np.array([0.0, 0.5, 2.0]),
        shots=(),
        modified=0.0,
        missing=False,
    )
    assert window_at(chunk, time) == window


def test_a_video_that_is_alone_has_none_like_it(films: Path, tmp_path: Path) -> None:
    with Library.open(tmp_path / "library", encoder="colours", load=load_colours) as alone:
        alone.index(films / "red.mp4", workers=1)
        result = alone.similar(films / "red.mp4")
    assert result.hits == ()
    assert not result.found
