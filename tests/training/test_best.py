"""Which evaluations are kept, and when waiting ends."""

from __future__ import annotations

from typing import Any

import pytest

from scenewise.training.best import Best
from scenewise.training.settings import TrainSettings

NAN = float("nan")


def after(name: str, values: list[float], **settings: Any) -> Best:
    best = Best(TrainSettings(best_figure=name, **settings))
    for step, value in enumerate(values, start=1):
        best.add(step, {name: value})
    return best


@pytest.mark.parametrize(
    ("name", "settings", "steps"),
    [
        ("top_1", {}, [2, 4]),
        ("loss", {}, [3, 1]),
        ("val_loss", {}, [3, 1]),
        ("median_rank", {}, [3, 1]),
        ("loss", {"best_is": "highest"}, [2, 4]),
        ("top_1", {"best_is": "lowest"}, [3, 1]),
    ],
)
def test_direction(name: str, settings: dict[str, Any], steps: list[int]) -> None:
    best = after(name, [2.0, 5.0, 1.0, 4.0], keep_best=2, **settings)
    assert [step for step, _ in best.entries] == steps


def test_of_equal_ones_the_earlier_stays() -> None:
    assert after("top_1", [1.0, 1.0, 1.0]).entries == [(1, 1.0)]


@pytest.mark.parametrize(
    ("values", "settings", "stops"),
    [
        ([1, 2, 3, 4], {"patience": 1}, False),
        ([4, 3, 2], {"patience": 2}, True),
        ([4, 3, 5, 4], {"patience": 2}, False),
        ([1, 1.05, 1.1], {"patience": 2, "min_delta": 0.2}, True),
        # small gains add up: they are compared with what had to be bettered
        ([1, 1.15, 1.3, 1.45], {"patience": 2, "min_delta": 0.2}, False),
        ([1, NAN, NAN], {"patience": 2}, True),
        ([NAN, NAN, 1], {"patience": 3}, False),
        ([4, 3, 2, 1], {}, False),
    ],
)
def test_patience(values: list[float], settings: dict[str, Any], stops: bool) -> None:
    assert after("top_1", values, **settings).stop is stops


def test_what_is_no_number_is_never_the_best() -> None:
    assert after("loss", [NAN, 3.0, NAN]).entries == [(2, 3.0)]


def test_the_first_figure_counts_where_none_is_named_and_the_loss_before_all() -> None:
    best = Best(TrainSettings())
    assert best.figure({"top_1": 0.5, "top_5": 0.9}) == "top_1"
    assert best.figure({"top_1": 0.5, "loss": 0.9}) == "loss"


def test_state_comes_back() -> None:
    best = after("top_1", [1.0, 3.0, 2.0], keep_best=2, patience=5)
    other = Best(best.settings)
    other.load(best.state())
    assert (other.entries, other.top, other.waited) == (best.entries, best.top, best.waited)
