"""Chance that can be kept, and streams that do not disturb each other."""

from __future__ import annotations

import random

import numpy as np
import torch

from scenewise.training.random_state import OwnChance, RandomState, unchanged_chance


def drawn() -> list[float]:
    """From every generator; gaussians leave a second one behind."""
    return [
        random.random(),
        random.gauss(0, 1),
        float(np.random.rand()),  # noqa: NPY002
        float(np.random.randn()),  # noqa: NPY002
        float(torch.rand(())),
        float(torch.randn(())),
    ]


def test_what_was_drawn_is_drawn_again() -> None:
    drawn()  # a second gaussian waits
    state = RandomState.now()
    first = drawn()
    assert drawn() != first
    RandomState.of(state.named("x/"), "x/").restore()
    assert drawn() == first


def test_a_seed_says_everything_and_changes_nothing() -> None:
    before = RandomState.now()
    one, other = RandomState.seeded(3), RandomState.seeded(3)
    after = drawn()
    before.restore()
    assert drawn() == after
    one.restore()
    first = drawn()
    other.restore()
    assert drawn() == first


def test_inside_nothing_is_drawn_from_outside() -> None:
    state = RandomState.now()
    expected = drawn()
    state.restore()
    with unchanged_chance():
        drawn()
    assert drawn() == expected


def test_a_stream_of_its_own_goes_on_where_it_was() -> None:
    state = RandomState.now()
    expected = drawn()
    RandomState.seeded(9).restore()
    stream = [drawn(), drawn()]
    state.restore()
    own = OwnChance(RandomState.seeded(9))
    with own():
        first = drawn()
    assert drawn() == expected
    with own():
        assert [first, drawn()] == stream
