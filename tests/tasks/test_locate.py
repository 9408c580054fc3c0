"""Moments inside one video: films of colours whose spans are known by construction."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import COLOURS, load_colours
from hypothesis import given
from hypothesis import strategies as st

from scenewise.encoders.spec import WindowFeatures
from scenewise.errors import UsageError
from scenewise.index.footage import Footage
from scenewise.library import Library
from scenewise.media.film import FilmSettings, write_film
from scenewise.metrics.localization import temporal_iou
from scenewise.tasks.locate import heat_curve, moments_of
from scenewise.types import Segment

STEP = 0.5  # seconds from window to window at the default sampling

SCENES = (("green", 3.3), ("red", 4.2), ("blue", 2.6), ("red", 3.1), ("white", 3.8))


def colour_at(time: float) -> str:
    for colour, seconds in SCENES:
        if time < seconds:
            return colour
        time -= seconds
    return SCENES[-1][0]


def write_scenes(path: Path, times: list[float]) -> Path:
    """The same scenes with frames at these times."""
    pictures = []
    for time in times:
        code = COLOURS.index(colour_at(time))
        rgb = [255 * (code >> shift & 1) for shift in (2, 1, 0)]
        pictures.append(np.full((48, 64, 3), rgb, np.uint8))
    write_film(path, pictures, FilmSettings(gop=25), times=times)
    return path


DURATION = sum(seconds for _, seconds in SCENES)


def even(rate: Fraction) -> list[float]:
    return [float(n / rate) for n in range(int(DURATION * rate))]


def uneven() -> list[float]:
    """25 frames per second, of which two thirds are left out here and there, but for changes."""
    random = np.random.default_rng(0)
    times = even(Fraction(25))
    new = [True] + [colour_at(one) != colour_at(next) for one, next in pairwise(times)]
    return [time for time, keep in zip(times, new, strict=True) if keep or random.random() < 1 / 3]


RATES = {
    "24": even(Fraction(24)),
    "25": even(Fraction(25)),
    "30": even(Fraction(30)),
    "variable": uneven(),
}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("rates")
    return {name: write_scenes(folder / f"{name}.mp4", times) for name, times in RATES.items()}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    return Library.open(
        tmp_path_factory.mktemp("none") / "library", encoder="colours", load=load_colours
    )


@pytest.mark.parametrize("rate", RATES)
def test_spans_are_those_of_the_scenes_whatever_the_frame_rate(
    films: dict[str, Path], library: Library, rate: str
) -> None:
    located = library.locate(films[rate], "red")
    assert located.found
    spans = sorted((hit.start, hit.end) for hit in located.hits)
    assert len(spans) == 2
    for (start, end), (true_start, true_end) in zip(spans, [(3.3, 7.5), (10.1, 13.2)], strict=True):
        assert abs(start - true_start) <= STEP
        assert abs(end - true_end) <= STEP
    for hit in located.hits:
        assert colour_at(hit.thumbnail_time) == "red"
        assert [why.detail for why in hit.why]


def test_the_same_content_gives_the_same_spans_at_every_frame_rate(
    films: dict[str, Path], library: Library
) -> None:
    found = [
        sorted((hit.start, hit.end) for hit in library.locate(path, "blue").hits)
        for path in films.values()
    ]
    for spans in found[1:]:
        assert len(spans) == len(found[0])
        assert np.allclose(spans, found[0], atol=STEP)


def test_what_is_not_shown_is_not_found(films: dict[str, Path], library: Library) -> None:
    assert library.locate(films["25"], "red").found
    assert not library.locate(films["25"], "magenta").found
    assert library.locate(films["25"], "magenta", min_match=0.9).hits == ()
    assert len(library.locate(films["25"], "red", min_match=0.9).hits) == 2


def test_limits(films: dict[str, Path], library: Library) -> None:
    assert len(library.locate(films["25"], "red", limit=1).hits) == 1
    for options in ({"limit": 0}, {"min_match": 1.5}):
        with pytest.raises(UsageError, match="is not allowed"):
            library.locate(films["25"], "red", **options)
    with pytest.raises(UsageError, match="holds no words"):
        library.locate(films["25"], " ?! ")


def test_the_json_has_hits_and_the_curve_apart(films: dict[str, Path], library: Library) -> None:
    located = library.locate(films["25"], "red")
    shape = located.to_dict()
    assert [hit["rank"] for hit in shape["hits"]] == [1, 2]
    assert "heat" not in shape
    windows = located.heat.to_dict()["windows"]
    assert windows[0]["start"] == 0.0
    assert max(window["level"] for window in windows) == 1.0
    best = max(windows, key=lambda window: window["level"])
    assert located.hits[0].start <= best["start"] < located.hits[0].end


def footage(scores: list[float], step: float = STEP, shots: tuple[Segment, ...] = ()) -> Footage:
    """Windows whose content is one of two pictures, by their score."""
    starts = np.arange(len(scores), dtype=np.float64) * step
    high = np.array(scores) > 0.5
    vectors = np.where(high[:, None], [1.0, 0.0], [0.0, 1.0]).astype(np.float32)
    return Footage(
        path="film.mp4",
        video_id="f" * 16,
        duration=len(scores) * step,
        starts=starts,
        ends=starts + step,
        times=starts,
        features=WindowFeatures(vectors),
        shots=shots,
    )


def spans_of(scores: list[float], film: Footage) -> list[tuple[float, float]]:
    heat = heat_curve(film, np.array(scores))
    return [(span.start, span.end) for span, _ in moments_of(film, heat)]


def test_a_blink_does_not_end_a_moment_and_a_pause_does() -> None:
    blink = [0.0] * 8 + [1.0] * 6 + [0.0] + [1.0] * 6 + [0.0] * 8
    assert spans_of(blink, footage(blink)) == [(4.0, 10.5)]
    pause = [0.0] * 8 + [1.0] * 6 + [0.0] * 6 + [1.0] * 6 + [0.0] * 8
    assert sorted(spans_of(pause, footage(pause))) == [(4.0, 7.0), (10.0, 13.0)]


def test_a_cut_that_is_near_is_the_boundary() -> None:
    scores = [0.0] * 8 + [1.0] * 6 + [0.0] * 8
    shots = (Segment(0.0, 4.2), Segment(4.2, 6.9), Segment(6.9, 11.0))
    assert spans_of(scores, footage(scores, shots=shots)) == [(4.2, 6.9)]
    far = (Segment(0.0, 2.0), Segment(2.0, 9.0), Segment(9.0, 11.0))
    assert spans_of(scores, footage(scores, shots=far)) == [(4.0, 7.0)]


def test_a_film_that_scores_alike_throughout_is_one_moment() -> None:
    scores = [0.7] * 10
    assert spans_of(scores, footage(scores)) == [(0.0, 5.0)]
    assert spans_of([0.7], footage([0.7])) == [(0.0, 0.5)]


def test_finer_sampling_gives_the_same_moment() -> None:
    coarse = [0.0] * 8 + [1.0] * 6 + [0.0] * 8
    fine = [score for score in coarse for _ in range(4)]
    (first,) = spans_of(coarse, footage(coarse))
    (second,) = spans_of(fine, footage(fine, step=STEP / 4))
    assert temporal_iou(first, second) > 0.8


def test_windows_of_clips_overlap_and_the_span_is_still_the_scene(
    films: dict[str, Path], tmp_path: Path
) -> None:
    with Library.open(tmp_path / "none", encoder="colour-clips", load=load_colours) as library:
        spans = sorted((hit.start, hit.end) for hit in library.locate(films["25"], "red").hits)
    stride = 1.0
    assert np.allclose(spans, [(3.3, 7.5), (10.1, 13.2)], atol=stride)


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=60),
    st.lists(st.floats(0.01, 30), max_size=6),
)
def test_moments_lie_inside_the_video_and_do_not_overlap(
    scores: list[float], cuts: list[float]
) -> None:
    film = footage(scores)
    edges = sorted({cut for cut in cuts if cut < film.duration})
    if edges:
        shots = tuple(
            Segment(start, end)
            for start, end in zip([0.0, *edges], [*edges, film.duration], strict=True)
        )
        film = replace(film, shots=shots)
    heat = heat_curve(film, np.array(scores))
    found = moments_of(film, heat)
    assert found
    for span, peak in found:
        assert 0 <= span.start < span.end <= film.duration
        assert film.starts[peak] < span.end
        assert film.ends[peak] > span.start
    spans = sorted((span.start, span.end) for span, _ in found)
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    peaks = [heat.scores[peak] for _, peak in found]
    assert peaks == sorted(peaks, reverse=True)
