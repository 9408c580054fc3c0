"""Which seconds are shared, on vectors whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from scenewise.encoders.spec import FloatArray
from scenewise.tasks.alignment import Timed, align

D = 48
STEP = 0.5  # seconds from window to window


def scenes(count: int, length: int, seed: int) -> FloatArray:
    """``count`` scenes of ``length`` windows; inside a scene the picture moves a little."""
    random = np.random.default_rng(seed)
    steps = np.cumsum(random.normal(0, 0.15, (count, length, D)), axis=1)
    raw = random.normal(size=(count, 1, D)) + steps
    return unit(raw.reshape(-1, D))


def unit(vectors: npt.NDArray[Any]) -> FloatArray:
    made = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(made, np.float32)


def noisy(vectors: FloatArray, amount: float, seed: int = 9) -> FloatArray:
    random = np.random.default_rng(seed)
    return unit(np.asarray(vectors + random.normal(0, amount / np.sqrt(D), vectors.shape)))


def timed(vectors: FloatArray, *, shift: float = 0.0, weights: FloatArray | None = None) -> Timed:
    starts: npt.NDArray[np.float64] = np.arange(len(vectors), dtype=np.float64) * STEP
    full = np.ones(len(vectors), np.float32) if weights is None else weights
    return Timed(starts + shift, starts + shift + STEP, vectors, full, len(vectors) * STEP + shift)


FILM = scenes(8, 10, seed=1)  # 40 s
OTHER = scenes(8, 10, seed=2)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_whole_copy_is_aligned_from_end_to_end(noise: float) -> None:
    (copy,) = align(timed(FILM), timed(noisy(FILM, noise)), 0.4)
    assert (copy.a.start, copy.a.end, copy.b.start, copy.b.end) == (0, 40, 0, 40)
    assert copy.score > 0.9


@pytest.mark.parametrize(("first", "last"), [(0, 20), (23, 43), (60, 80)])
def test_a_cut_is_found_at_its_seconds(first: int, last: int) -> None:
    (copy,) = align(timed(FILM), timed(noisy(FILM[first:last], 0.4)), 0.4)
    assert (copy.a.start, copy.a.end) == pytest.approx((first / 2, last / 2), abs=STEP)
    assert (copy.b.start, copy.b.end) == pytest.approx((0, 10), abs=STEP)
    assert copy.score > 0.7


def test_a_stretch_inside_another_film_is_found_in_both() -> None:
    mixed = np.concatenate([OTHER[:30], FILM[20:50], OTHER[30:]])
    (copy,) = align(timed(FILM), timed(mixed), 0.4)
    assert (copy.a.start, copy.a.end) == pytest.approx((10, 25), abs=STEP)
    assert (copy.b.start, copy.b.end) == pytest.approx((15, 30), abs=STEP)


def test_two_stretches_in_another_order_are_both_found() -> None:
    swapped = np.concatenate([FILM[50:80], OTHER[:20], FILM[:30]])
    copies = sorted(align(timed(FILM), timed(swapped), 0.4), key=lambda copy: copy.a.start)
    spans = [(copy.a.start, copy.a.end, copy.b.start, copy.b.end) for copy in copies]
    assert spans == [
        pytest.approx((0, 15, 25, 40), abs=STEP),
        pytest.approx((25, 40, 0, 15), abs=STEP),
    ]


def test_a_short_interruption_does_not_end_a_stretch() -> None:
    damaged = FILM.copy()
    damaged[36:40] = OTHER[:4]
    (copy,) = align(timed(FILM), timed(damaged), 0.4)
    assert (copy.a.start, copy.a.end) == (0, 40)


def test_sampling_that_began_elsewhere_is_borne() -> None:
    # windows of the copy fall between those of the original
    between = unit(np.asarray((FILM[:-1] + FILM[1:]) / 2))
    (copy,) = align(timed(FILM), timed(between, shift=STEP / 2), 0.4)
    assert copy.a.duration > 35
    assert copy.b.start - copy.a.start == pytest.approx(0, abs=STEP)


def test_different_films_share_nothing() -> None:
    assert [copy for copy in align(timed(FILM), timed(OTHER), 0.4) if copy.score > 0.1] == []


def test_a_still_picture_proves_no_more_than_one() -> None:
    """Two films share one picture for half a minute: less evidence than ten seconds of scenes."""
    still = np.tile(FILM[:1], (60, 1))
    first = np.concatenate([FILM, still])
    second = np.concatenate([OTHER, still])
    scores = [copy.score for copy in align(timed(first), timed(second), 0.4)]
    moving = align(timed(FILM), timed(FILM[20:40]), 0.4)[0]
    assert 0 < max(scores) < moving.score


def test_what_weighs_nothing_is_no_evidence() -> None:
    nothing = np.zeros(len(FILM), np.float32)
    copies = align(timed(FILM, weights=nothing), timed(FILM), 0.4)
    assert all(copy.score == 0 for copy in copies)


def test_short_stretches_are_left_out() -> None:
    mixed = np.concatenate([OTHER[:30], FILM[20:25], OTHER[30:]])
    assert align(timed(FILM), timed(mixed), 0.4, least_seconds=4.0) == []


def test_long_films_are_aligned_in_bounded_memory() -> None:
    long = scenes(400, 10, seed=4)  # 4,000 windows: more than one block of rows
    (copy,) = align(timed(long), timed(long[1500:2100]), 0.4)
    assert (copy.a.start, copy.a.end) == pytest.approx((750, 1050), abs=STEP)
