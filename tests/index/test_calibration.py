"""``match``: what it must do for any scores, and by hand-computed cases."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.encoders.spec import EncoderSpec, FloatArray, Query, WindowFeatures
from scenewise.index.calibration import (
    BACKGROUND_VIDEOS,
    FOUND_FROM,
    OFFSET,
    SLOPE,
    Calibrator,
    is_found,
    standing,
)
from scenewise.media.target import Target
from scenewise.types import Why

QUERY = Query("a cat", np.ones(1, np.float32))


class PlainEncoder:
    """Scores are the windows' only coordinate."""

    spec = EncoderSpec("plain", "1", 1, Target(), (0, 0, 0), (1, 1, 1))

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        raise AssertionError("calibration looks at no pictures")

    def encode_query(self, text: str) -> Query:
        raise AssertionError("calibration reads no words")

    def encode_image(self, image: npt.NDArray[np.uint8]) -> Query:
        raise AssertionError("calibration looks at no pictures")

    def score(self, query: Query, features: WindowFeatures) -> FloatArray:
        return np.asarray(features.vectors[:, 0] * query.vector[0], dtype=np.float32)

    def explain(self, query: Query, features: WindowFeatures) -> tuple[Why, ...]:
        return ()

    def close(self) -> None:
        pass


class EncoderWithBackground(PlainEncoder):
    """Its background scores are 0 and 2 by turns: mean 1, deviation 1."""

    def background(self) -> WindowFeatures:
        return WindowFeatures(np.array([[0.0], [2.0]] * 50, dtype=np.float32))


def of(*scores: float) -> FloatArray:
    return np.array(scores, dtype=np.float32)


def normal_quantile(share: float) -> float:
    """By bisection on the error function, independent of the code under test."""
    low, high = -10.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        if 0.5 * (1 + math.erf(middle / math.sqrt(2))) < share:
            low = middle
        else:
            high = middle
    return low


def test_by_hand_without_background() -> None:
    """Four videos: mean 2, deviation 1; the best of four stands q(1 - 1/6) out by chance."""
    calibrator = Calibrator(PlainEncoder(), slope=1.5, offset=-2.0)
    z = (3 - 2) / 1 - normal_quantile(1 - 1 / 6)
    (match,) = calibrator.match(QUERY, of(3), of(1, 3, 1, 3))
    assert match == pytest.approx(1 / (1 + math.exp(-(1.5 * z - 2))), abs=1e-6)


def test_by_hand_with_background() -> None:
    """One video beside a background that counts for ``BACKGROUND_VIDEOS``."""
    calibrator = Calibrator(EncoderWithBackground())
    total = BACKGROUND_VIDEOS + 1
    mean = (BACKGROUND_VIDEOS * 1 + 7) / total
    square = (BACKGROUND_VIDEOS * 2 + 49) / total  # the background's mean square is 1 + 1
    z = (7 - mean) / math.sqrt(square - mean**2) - normal_quantile(2 / 3)
    background = calibrator.background_scores(QUERY)
    assert standing(of(7), of(7), background) == pytest.approx([z], abs=1e-4)
    assert calibrator.match(QUERY, of(7), of(7)) == pytest.approx(
        [1 / (1 + math.exp(-(SLOPE * z + OFFSET)))], abs=1e-5
    )


def test_windows_stand_in_where_an_encoder_brings_no_background() -> None:
    windows = of(*([0, 2] * 50))
    brought = Calibrator(EncoderWithBackground()).match(QUERY, of(4, 1), of(4, 1))
    lent = Calibrator(PlainEncoder()).match(QUERY, of(4, 1), of(4, 1), window_scores=windows)
    np.testing.assert_allclose(lent, brought)


def test_an_outlier_is_found_and_a_crowd_is_not() -> None:
    calibrator = Calibrator(EncoderWithBackground())
    rng = np.random.default_rng(0)
    crowd = rng.normal(1, 1, 60).astype(np.float32)
    best = np.sort(crowd)[::-1][:5]
    assert not is_found(calibrator.match(QUERY, best, crowd))
    assert is_found(calibrator.match(QUERY, of(7), np.append(crowd, of(7))))
    # in a library of one film the background decides
    assert is_found(calibrator.match(QUERY, of(6), of(6)))
    assert not is_found(calibrator.match(QUERY, of(1.5), of(1.5)))


def test_the_same_score_means_less_in_a_larger_library() -> None:
    calibrator = Calibrator(EncoderWithBackground())
    sample = of(*([0, 2] * 20))
    matches = [
        float(calibrator.match(QUERY, of(4), sample, videos=videos)[0])
        for videos in (40, 400, 4000, 40_000)
    ]
    assert matches == sorted(matches, reverse=True)
    assert matches[0] > 1.5 * matches[-1]


def test_nothing_stands_out_where_all_is_equal() -> None:
    assert not is_found(Calibrator(PlainEncoder()).match(QUERY, of(5, 5), of(5, 5)))


def test_verdict() -> None:
    assert not is_found(of())
    assert is_found(of(0.1, FOUND_FROM))
    assert not is_found(of(0.1, FOUND_FROM - 0.01))


scores = st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=50)


@given(hits=scores, videos=scores)
def test_a_probability_that_rises_with_the_score(hits: list[float], videos: list[float]) -> None:
    ordered = of(*sorted(hits, reverse=True))
    for encoder in (PlainEncoder(), EncoderWithBackground()):
        match = Calibrator(encoder).match(QUERY, ordered, of(*videos))
        assert match.shape == ordered.shape
        assert ((match >= 0) & (match <= 1)).all()
        assert (np.diff(match) <= 0).all()
