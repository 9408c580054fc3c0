"""Facts about positions: the published sine table, and tables at another size."""

from __future__ import annotations

import math

import pytest
import torch
from seeded import seeded_input

from scenewise.models.layers.positions import resize_grid, resize_line, sine_positions


def test_the_sine_table_is_the_published_formula() -> None:
    table = sine_positions(50, 8)
    for position in (0, 1, 49):
        for pair in range(4):
            angle = position / 10_000 ** (2 * pair / 8)
            assert float(table[position, 2 * pair]) == pytest.approx(math.sin(angle), abs=1e-5)
            assert float(table[position, 2 * pair + 1]) == pytest.approx(math.cos(angle), abs=1e-5)


def test_an_odd_width_ends_with_a_sine() -> None:
    assert sine_positions(3, 5).shape == (3, 5)


def test_a_line_is_stretched_and_its_own_length_is_untouched() -> None:
    table = seeded_input("table", (1, 4, 3))
    assert resize_line(table, 4) is table
    twice = resize_line(table, 8)
    assert torch.equal(twice[:, ::2], table)
    assert torch.equal(twice[:, 1::2], table)


def test_a_grid_keeps_its_marks() -> None:
    table = seeded_input("table", (1, 2 + 9, 4))
    assert resize_grid(table, (3, 3), marks=2, mode="bicubic") is table
    wide = resize_grid(table, (3, 6), marks=2, mode="nearest")
    assert wide.shape == (1, 2 + 18, 4)
    assert torch.equal(wide[:, :2], table[:, :2])
    assert torch.equal(wide[:, 2:].view(3, 6, 4)[:, ::2], table[0, 2:].view(3, 3, 4))
