"""Temperature scaling: it finds what scipy finds, and what the data were made with."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize
from scipy.special import log_softmax, softmax

from scenewise.metrics.reliability import confidences, expected_calibration_error
from scenewise.metrics.temperature import (
    GREATEST,
    LEAST,
    fit_temperature,
    scaled_probabilities,
)


def drawn(seed: int, sharper: float, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Logits that are ``sharper`` times those that the right classes were drawn with."""
    draw = np.random.default_rng(seed)
    honest = draw.normal(size=(rows, 5)) * 2
    truth = np.array([draw.choice(5, p=row) for row in softmax(honest, axis=1)])
    return honest * sharper, truth


@pytest.mark.parametrize("sharper", [0.25, 1.0, 3.0])
def test_the_temperature_that_data_were_made_with_is_found(sharper: float) -> None:
    logits, truth = drawn(0, sharper)
    assert fit_temperature(logits, truth) == pytest.approx(sharper, rel=0.08)


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_minimum_that_scipy_finds(seed: int) -> None:
    logits, truth = drawn(seed, 2.0, rows=200)

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(truth)), truth].mean())

    best = scipy.optimize.minimize_scalar(loss, bounds=(-4, 4), method="bounded")
    assert fit_temperature(logits, truth) == pytest.approx(np.exp(best.x), rel=1e-3)


def test_probabilities_become_more_honest_and_the_best_class_stays() -> None:
    logits, truth = drawn(1, 4.0)
    held_out, their_truth = drawn(2, 4.0)
    temperature = fit_temperature(logits, truth)
    before, after = scaled_probabilities(held_out), scaled_probabilities(held_out, temperature)
    np.testing.assert_array_equal(before.argmax(axis=1), after.argmax(axis=1))
    wrong = expected_calibration_error(*confidences(before, their_truth))
    mended = expected_calibration_error(*confidences(after, their_truth))
    assert wrong > 0.1
    assert mended < 0.03


def test_probabilities_are_those_of_scipy() -> None:
    logits = np.random.default_rng(3).normal(size=(6, 4)) * 500  # far beyond what exp can hold
    np.testing.assert_allclose(scaled_probabilities(logits, 3.0), softmax(logits / 3, axis=1))


def test_at_the_ends_of_the_search() -> None:
    logits = np.array([[1.0, 0.0], [0.5, 0.0]])
    assert fit_temperature(logits, np.array([1, 1])) == pytest.approx(GREATEST)  # always wrong
    assert LEAST <= fit_temperature(logits, np.array([0, 0])) < 0.1  # always right
    assert fit_temperature(np.ones((3, 2)), np.array([0, 1, 1])) == 1  # says nothing


@pytest.mark.parametrize(
    ("logits", "truth", "message"),
    [
        (np.zeros((2, 3)), np.array([0]), "for 1 right classes"),
        (np.zeros((0, 3)), np.zeros(0, int), "for 0 right classes"),
        (np.array([[np.inf, 0]]), np.array([0]), "not finite"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    logits: np.ndarray, truth: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        fit_temperature(logits, truth)


def test_a_temperature_lies_above_zero() -> None:
    with pytest.raises(ValueError, match="above 0, got 0"):
        scaled_probabilities(np.zeros((1, 2)), 0)
