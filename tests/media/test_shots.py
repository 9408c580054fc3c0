"""Shot boundaries, on films of pans and hard cuts whose truth is known."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest

from scenewise.media.film import Box, pan
from scenewise.media.shots import ShotDetector, ShotSettings
from scenewise.types import Segment

Picture = npt.NDArray[np.uint8]
RATE = 10  # pictures a second that are made

LEFT: Box = (0.0, 0.0, 0.6, 0.6)
RIGHT: Box = (0.4, 0.4, 1.0, 1.0)
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
NEAR: Box = (0.2, 0.2, 0.8, 0.8)


def scene(seed: int) -> Picture:
    """A picture with colours of its own, shapes of several sizes, edges and texture."""
    rng = np.random.default_rng(seed)
    height, width = 240, 320
    rows, columns = np.mgrid[:height, :width]
    picture = np.empty((height, width, 3), dtype=np.float64)
    picture[:] = rng.uniform(20, 230, 3) + np.linspace(-30, 30, height)[:, None, None]
    for _ in range(int(rng.integers(6, 14))):
        radius = rng.uniform(10, 70)
        away = np.hypot(rows - rng.uniform(0, height), columns - rng.uniform(0, width))
        picture[away < radius] = rng.uniform(0, 255, 3)
    grain = rng.normal(0, 6, (height, width, 1))
    return (picture + grain).clip(0, 255).astype(np.uint8)


def moving(seed: int, seconds: float, start: Box, end: Box) -> list[Picture]:
    pictures = pan(scene(seed), seconds, start, end, frame_rate=Fraction(RATE), width=96, height=72)
    return list(pictures)


def shots(pictures: Sequence[Picture], rate: float) -> tuple[Segment, ...]:
    """Detect on every picture, or on fewer."""
    detector = ShotDetector()
    duration = len(pictures) / RATE
    for number in range(int(duration * rate)):
        detector.add(number / rate, pictures[min(len(pictures) - 1, int(number / rate * RATE))])
    spans = detector.finish(duration)
    # whatever the film: the spans cover it without gaps
    assert spans[0].start == 0.0
    assert spans[-1].end == duration
    assert all(a.end == b.start and a.duration > 0 for a, b in itertools.pairwise(spans))
    return spans


@pytest.mark.parametrize("rate", [2, 5, 10])
def test_hard_cuts_between_moving_shots_are_found_where_they_are(rate: int) -> None:
    lengths = (3.0, 2.0, 4.5, 1.5, 3.0)
    boxes = ((WHOLE, NEAR), (LEFT, RIGHT), (RIGHT, LEFT), (NEAR, WHOLE), (LEFT, NEAR))
    film: list[Picture] = []
    for seed, (seconds, (start, end)) in enumerate(zip(lengths, boxes, strict=True)):
        film += moving(seed, seconds, start, end)
    cuts = [span.start for span in shots(film, rate)][1:]
    # the first picture that is looked at after the cut
    truth = [np.ceil(at * rate - 1e-9) / rate for at in np.cumsum(lengths)[:-1]]
    assert cuts == pytest.approx(truth, abs=1e-6)


def test_many_seeded_films_have_few_misses_and_few_inventions() -> None:
    rng = np.random.default_rng(1)
    hits = misses = inventions = 0
    for film_number in range(12):
        film: list[Picture] = []
        truth: list[float] = []
        for shot in range(5):
            start, end = ((LEFT, RIGHT), (WHOLE, NEAR), (NEAR, RIGHT))[int(rng.integers(3))]
            seconds = int(rng.integers(4, 11)) / 2
            film += moving(1000 + film_number * 10 + shot, seconds, start, end)
            truth.append(len(film) / RATE)
        found = [span.start for span in shots(film, 2)][1:]
        matched = sum(any(abs(at - cut) < 0.01 for at in found) for cut in truth[:-1])
        hits, misses = hits + matched, misses + 4 - matched
        inventions += len(found) - matched
    assert hits / (hits + misses) >= 0.9
    assert hits / (hits + inventions) >= 0.9


@pytest.mark.parametrize("rate", [2, 10])
@pytest.mark.parametrize(
    ("start", "end"), [(WHOLE, NEAR), (LEFT, RIGHT), ((0.0, 0.2, 0.5, 0.7), (0.5, 0.2, 1.0, 0.7))]
)
def test_a_pan_is_one_shot(rate: int, start: Box, end: Box) -> None:
    for seed in range(8):
        assert len(shots(moving(seed, 5.0, start, end), rate)) == 1


def test_a_flash_is_no_boundary() -> None:
    film = moving(3, 5.0, WHOLE, NEAR)
    bright = film[25].astype(np.float64) * 0.4 + 150
    film[25] = bright.clip(0, 255).astype(np.uint8)
    assert len(shots(film, 2)) == 1  # the flash is one of the pictures looked at
    assert len(shots(film, 10)) == 1


@pytest.mark.parametrize("rate", [2, 10])
@pytest.mark.parametrize("black_seconds", [0.6, 1.0])
def test_a_fade_through_black_is_one_boundary(rate: int, black_seconds: float) -> None:
    first, second = moving(5, 4.0, WHOLE, NEAR), moving(6, 4.0, WHOLE, NEAR)
    fade = np.linspace(1.0, 0.0, 10)
    first[-10:] = [(p * s).astype(np.uint8) for p, s in zip(first[-10:], fade, strict=True)]
    second[:10] = [(p * s).astype(np.uint8) for p, s in zip(second[:10], fade[::-1], strict=True)]
    black = [np.zeros_like(first[0])] * round(black_seconds * 10)
    cuts = [span.start for span in shots([*first, *black, *second], rate)][1:]
    assert cuts == pytest.approx([4.0 + black_seconds / 2], abs=0.6)


def test_long_black_is_a_span_of_its_own() -> None:
    first, second = moving(5, 3.0, WHOLE, NEAR), moving(6, 3.0, WHOLE, NEAR)
    black = [np.zeros_like(first[0])] * 40
    cuts = [span.start for span in shots([*first, *black, *second], 2)][1:]
    assert cuts == pytest.approx([3.0, 7.0], abs=0.01)


def test_odd_input() -> None:
    assert shots([scene(1)], 10) == (Segment(0.0, 0.1),)
    assert ShotDetector().finish(3.0) == (Segment(0.0, 3.0),)
    assert ShotDetector().finish(0.0) == (Segment(0.0, 0.0),)
    assert len(shots([np.zeros((2, 2, 3), np.uint8)] * 30, 10)) == 1
    detector = ShotDetector(ShotSettings(least_seconds=0.5))
    detector.add(1.0, scene(1))
    detector.add(1.0, scene(1))  # the same picture again
    with pytest.raises(ValueError, match="rising time"):
        detector.add(0.5, scene(1))
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        detector.add(2.0, np.zeros((4, 4), np.uint8))
