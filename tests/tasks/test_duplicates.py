"""Copies among the videos of a library: which pairs, which seconds, and no others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from benchmarks.synthetic_windows import encoded_video, synthetic_spec
from scenewise import Library
from scenewise.encoders.spec import FloatArray, WindowFeatures
from scenewise.errors import UsageError
from scenewise.index.catalog import Catalog
from scenewise.index.reader import FeatureCache, IndexReader
from scenewise.media.film import FilmSettings, pan, write_film
from scenewise.tasks import duplicates
from scenewise.tasks.duplicates import DuplicateReport, find_duplicates

D = 48
Reading = Callable[[dict[int, FloatArray]], IndexReader]


def unit(vectors: npt.NDArray[Any]) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def scenes(count: int, seed: int) -> FloatArray:
    """Scenes of 10 windows (5 s), and like most encoders' pictures with much in common."""
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.normal(0, 0.15, (count, 10, D)), axis=1)
    common = np.random.default_rng(0).normal(size=D) * 1.5
    raw = random.normal(size=(count, 1, D)) + steps + common
    return unit(raw.reshape(-1, D))


FILMS: dict[int, FloatArray] = {number: scenes(6, number) for number in range(1, 13)}


@pytest.fixture
def reading(tmp_path: Path) -> Iterator[Reading]:
    """A library of films that are given as their windows."""
    with Catalog.open(tmp_path / "library", write=True, create=True) as catalog:
        yield lambda films: fill(catalog, films)


def fill(catalog: Catalog, films: dict[int, FloatArray]) -> IndexReader:
    generation = catalog.begin(synthetic_spec(D), "fps=2")
    for number, vectors in films.items():
        mean = unit(vectors.mean(axis=0, keepdims=True))[0]
        video = encoded_video(number, windows=len(vectors), dimension=D)
        video = replace(video, features=WindowFeatures(vectors), video_vector=mean)
        catalog.commit_video(generation.id, video)
    active = catalog.active()
    assert active is not None
    return IndexReader(catalog, active, FeatureCache())


def found(report: DuplicateReport) -> dict[tuple[int, int], str]:
    """Numbers of the films of each pair, and the kind."""
    return {
        (int(Path(pair.path).stem), int(Path(pair.other_path).stem)): pair.kind
        for pair in report.pairs
    }


@pytest.mark.parametrize("exact", [True, False], ids=["all windows", "by the index"])
def test_copies_are_found_and_nothing_else(
    reading: Reading, monkeypatch: pytest.MonkeyPatch, exact: bool
) -> None:
    if not exact:
        monkeypatch.setattr(duplicates, "EXACT_WINDOWS", 10)
    random = np.random.default_rng(3)
    copies = {
        21: unit(FILMS[1] + random.normal(0, 0.4 / np.sqrt(D), FILMS[1].shape)),  # re-encoded
        22: FILMS[2][15:45],  # cut out
        23: np.concatenate([scenes(2, 90), FILMS[3][20:50], scenes(2, 91)]),  # used in another
    }
    reader = reading(FILMS | copies)
    report = find_duplicates(reader)
    assert found(report) == {(1, 21): "duplicate", (2, 22): "part", (3, 23): "part"}
    assert report.videos == 15
    spans = {pair.other_path[-6:-4]: pair.shared[0] for pair in report.pairs}
    assert (spans["22"].a.start, spans["22"].a.end) == pytest.approx((7.5, 22.5), abs=0.5)
    assert (spans["23"].a.start, spans["23"].b.start) == pytest.approx((10, 10), abs=0.5)


def test_distinct_films_are_no_pairs(reading: Reading) -> None:
    assert find_duplicates(reading(FILMS), min_score=0.1).pairs == ()


def test_an_intro_that_many_share_is_no_copy(reading: Reading) -> None:
    intro = scenes(1, 77)
    series = {n: np.concatenate([intro, film]) for n, film in FILMS.items()}
    assert find_duplicates(reading(series)).pairs == ()


def test_blank_pictures_are_no_copy(reading: Reading) -> None:
    black = unit(np.random.default_rng(5).normal(size=(1, D)))
    fade = np.tile(black, (12, 1))
    films = {1: np.concatenate([FILMS[1], fade]), 2: np.concatenate([fade, FILMS[2]])} | {
        n: FILMS[n] for n in range(3, 9)
    }
    reader = reading(films)
    assert found(find_duplicates(reader)) == {(1, 2): "part"}  # where nobody says what is blank
    assert find_duplicates(reader, blanks=black).pairs == ()


def test_one_video_is_compared_with_all_others(reading: Reading) -> None:
    films = FILMS | {21: FILMS[1][5:40], 22: FILMS[2][5:40]}
    reader = reading(films)
    assert set(found(find_duplicates(reader, "0000022.mp4"))) == {(22, 2)}
    assert find_duplicates(reader, "0000009.mp4").pairs == ()
    with pytest.raises(UsageError, match="nothing"):
        find_duplicates(reader, "nothing.mp4")


@pytest.mark.parametrize("count", [1, 2])
def test_small_libraries_are_borne(reading: Reading, count: int) -> None:
    films = {1: FILMS[1], 2: FILMS[1]} if count == 2 else {1: FILMS[1]}
    pairs = find_duplicates(reading(films)).pairs
    assert len(pairs) == count - 1


@pytest.mark.parametrize(
    ("values", "message"), [({"min_score": 1.5}, "0 to 1"), ({"least_seconds": 0}, "more than 0")]
)
def test_values_that_are_not_allowed_are_named(
    reading: Reading, values: dict[str, float], message: str
) -> None:
    reader = reading({1: FILMS[1]})
    with pytest.raises(UsageError, match=message):
        find_duplicates(reader, **values)  # type: ignore[arg-type]  # one of two numbers


@pytest.mark.slow
def test_films_that_were_scaled_cut_and_framed_are_found_by_the_default_encoder(
    tmp_path: Path, prepared_cache: Path
) -> None:
    skimage_data = pytest.importorskip("skimage.data", reason="photographs: scenewise[demo]")
    names = ("astronaut", "chelsea", "coffee", "rocket", "camera", "retina", "coins", "moon")
    photographs = []
    for name in names:
        picture = getattr(skimage_data, name)()
        photographs.append(np.stack([picture] * 3, axis=2) if picture.ndim == 2 else picture)
    folder = tmp_path / "films"
    folder.mkdir()

    def write(name: str, shown: list[int], size: tuple[int, int] = (320, 180)) -> None:
        pictures = [
            picture
            for number in shown
            for picture in pan(
                photographs[number],
                2.0,
                frame_rate=Fraction(10),
                width=size[0],
                height=size[1],
            )
        ]
        write_film(folder / name, pictures, FilmSettings(frame_rate=Fraction(10), gop=10))

    write("first.mp4", [0, 1, 2, 3])
    write("second.mp4", [4, 5, 6, 7])
    write("small.mp4", [0, 1, 2, 3], size=(160, 90))
    write("cut.mp4", [5, 6])
    with Library.open(tmp_path / "library") as library:
        library.index(folder, workers=1)
        report = library.duplicates()
    pairs = {
        (Path(pair.path).name, Path(pair.other_path).name): pair.shared[0] for pair in report.pairs
    }
    assert set(pairs) == {("first.mp4", "small.mp4"), ("cut.mp4", "second.mp4")}
    cut = pairs["cut.mp4", "second.mp4"]
    assert (cut.a.start, cut.a.end, cut.b.start, cut.b.end) == pytest.approx((0, 4, 2, 6), abs=0.5)
