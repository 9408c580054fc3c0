"""Length one, and shares that sum to one."""

from __future__ import annotations

import numpy as np
import pytest

from scenewise.encoders.vectors import softmax, unit


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_directions_stay_and_lengths_become_one(shape: tuple[int, ...]) -> None:
    vectors = np.random.default_rng(1).normal(size=shape) * 1e3
    found = unit(vectors)
    assert found.dtype == np.float32
    assert np.linalg.norm(found, axis=-1) == pytest.approx(1.0)
    assert (found * np.linalg.norm(vectors, axis=-1, keepdims=True)) == pytest.approx(
        vectors, rel=1e-5
    )


def test_what_has_no_direction_stays() -> None:
    assert unit(np.zeros((2, 3), np.float32)).tolist() == [[0.0] * 3] * 2


def test_shares_keep_ratios_of_exponents_however_large() -> None:
    found = softmax(np.array([[1000.0, 1000.0 + np.log(3)], [-1000.0, -1000.0]]))
    assert found == pytest.approx(np.array([[0.25, 0.75], [0.5, 0.5]]))
