"""The rule that says which clip shows which kind, and the figure that is made of it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.kind_questions import average_precision, labels


@pytest.mark.parametrize(
    ("queries", "kinds"),
    [
        ("seagulls in the sky", {"an animal", "a bird"}),
        ("yoga | downward facing dog", {"sports"}),
        ("person with a dog", {"a person", "an animal", "a mammal", "a pet", "a dog"}),
        ("rocks", set()),
    ],
)
def test_kinds_follow_from_the_words(queries: str, kinds: set[str]) -> None:
    shown = labels([{"queries": queries, "visible": ""}])
    assert {kind for kind, (there,) in shown.items() if there} == kinds


@pytest.mark.parametrize(
    ("ranked", "precision"),
    [([1, 1, 0, 0], 1.0), ([0, 1], 0.5), ([1, 0, 1], (1 + 2 / 3) / 2), ([0, 0, 0, 1], 0.25)],
)
def test_average_precision(ranked: list[int], precision: float) -> None:
    assert average_precision(np.array(ranked, dtype=bool)) == pytest.approx(precision)
