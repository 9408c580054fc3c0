"""Experiments about popular claims: each runs through on a handful of films, and its arithmetic."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.proof import counting, equal_flops, frame_rates, merging, token_budgets
from benchmarks.proof.in_memory import Films, Joined, read_films, spread, write_films
from benchmarks.proof.pooling import label
from scenewise.data.synthetic.settings import WorldSettings
from scenewise.data.synthetic.world import World
from scenewise.models.pooling import masked_mean


@pytest.mark.parametrize(
    "name", ["pooling", "equal_flops", "frame_rates", "token_budgets", "merging"]
)
def test_an_experiment_runs_through(name: str, tmp_path: Path) -> None:
    experiment = import_module(f"benchmarks.proof.{name}")
    experiment.prepare(tmp_path, smoke=True)
    rows: list[dict[str, Any]] = []
    for one in experiment.runs(True):
        figures = experiment.run(one, 0, tmp_path, "cpu", True)
        assert figures["last_loss"] < figures["first_loss"]
        assert all(math.isfinite(number) for number in numbers(figures))
        rows.append({"name": one, "seed": 0, "figures": json.loads(json.dumps(figures))})
    assert set(experiment.runs(True)) <= set(experiment.runs(False))
    assert experiment.report(rows).startswith("| ")
    assert experiment.report([])  # what was not run is said, or left away


def numbers(figures: dict[str, Any]) -> list[float]:
    return [
        number
        for value in figures.values()
        for number in (numbers(value) if isinstance(value, dict) else [float(value)])
    ]


# --- frame rates


def test_frames_by_time_are_those_that_training_saw() -> None:
    """Both films of one scene: the frames that are taken show instants less than a frame apart."""
    for rate, other in frame_rates.DIRECTIONS.values():
        like, taken = frame_rates.by_number(rate), frame_rates.by_time(other, rate)
        assert len(like.frames) == len(taken.frames)
        for one, two in zip(like.frames, taken.frames, strict=True):
            shown = Fraction(2 * one + 1, 2 * rate)
            assert Fraction(two, other) <= shown < Fraction(two + 1, other)
        assert max(taken.frames) < other * frame_rates.SECONDS


def test_a_perfect_localizer_errs_by_the_rates_alone() -> None:
    """Scores that are certain of the true start and end, read at either rate."""
    true = np.array([[[1.3, 3.9]], [[4.0, 6.2]]])
    at = frame_rates.positions_of(true, 30)
    frames = len(frame_rates.by_number(30).frames)
    near = 1 - np.abs(np.arange(frames)[None, :, None, None] - at[:, None])
    found = frame_rates.best_positions(np.log(near.clip(1e-9)).astype(np.float32))
    np.testing.assert_allclose(found, at, atol=1e-3)
    right = frame_rates.measured(frame_rates.seconds_of(found, 30), true)
    assert right["miou"] > 0.995
    assert abs(right["start_shift_seconds"]) < 1e-3
    wrong = frame_rates.measured(frame_rates.seconds_of(found, 24), true)
    # what frame n of 30 a second shows at (n + 1/2) / 30 is taken to be at (n + 1/2) / 24
    assert wrong["start_shift_seconds"] == pytest.approx(np.median(true[..., 0]) / 4, abs=1e-3)
    assert wrong["miou"] < 0.5


def test_queries_without_one_answer_are_not_asked() -> None:
    truth = np.array([[[1.0, 2.0], [np.nan, np.nan]]])
    found = frame_rates.measured(np.array([[[1.0, 2.0], [0.0, 8.0]]]), truth)
    assert found["queries"] == 1
    assert found["miou"] == 1.0


def test_the_end_comes_after_the_start() -> None:
    scores = np.zeros((1, 5, 1, 2), np.float32)
    scores[0, 3, 0, 0], scores[0, 1, 0, 1], scores[0, 4, 0, 1] = 9.0, 9.0, 8.0
    start, end = frame_rates.best_positions(scores)[0, 0]
    assert end >= start > 2.5


# --- token budgets


def test_every_event_is_seen_in_two_frames() -> None:
    for events in token_budgets.EVENTS:
        world = World(
            WorldSettings(
                kind="stories",
                seconds=token_budgets.SECONDS,
                frame_rate=Fraction(token_budgets.RATE),
                events=events,
            )
        )
        for scene in world.scenes("train", 20):
            shown = token_budgets.happening(scene)
            assert (shown.sum(axis=0) > 0).sum() == events
            assert shown.sum(axis=0)[shown.any(axis=0)].min() >= 2


def test_each_budget_cuts_the_one_before_finer() -> None:
    sizes = list(token_budgets.BUDGETS.items())
    assert all(math.prod(shape) == budget for budget, shape in sizes)
    for (_, coarse), (_, fine) in pairwise(sizes):
        assert all(more % few == 0 for few, more in zip(coarse, fine, strict=True))


def test_as_many_answers_count_as_there_are_events() -> None:
    happened = np.zeros((10, 20), np.uint8)
    for film, events in enumerate(token_budgets.EVENTS * 2):
        happened[film, :events] = 1
    scores = happened.astype(np.float32)
    assert set(token_budgets.recall_by_events(scores, happened).values()) == {1.0}
    assert token_budgets.recall_by_events(-scores, happened)["2"] == 0.0
    scores[0, 1], scores[0, 7] = 0.0, 1.0  # one of two is missed, in one of two films
    assert token_budgets.recall_by_events(scores, happened)["2"] == 0.75


# --- costs


def test_the_two_networks_cost_the_same() -> None:
    costs = {kind: equal_flops.cost(kind) for kind in equal_flops.RATES}
    counts = [cost["multiply_adds"] for cost in costs.values()]
    assert max(counts) < 1.03 * min(counts)


def test_val_chooses_the_learning_rate_not_test() -> None:
    names = equal_flops.runs(False)[:2]
    rows = [
        {"name": name, "seed": 0, "figures": {"val_accuracy": val, "accuracy": test}}
        for name, val, test in ((names[0], 0.6, 0.1), (names[1], 0.5, 0.9))
    ]
    assert equal_flops.chosen(rows, "TimeSformer", equal_flops.SIZES[0]) == names[0]


@pytest.mark.parametrize("way", merging.WAYS)
@pytest.mark.parametrize("left", merging.LEFT)
def test_as_many_tokens_are_left_as_are_named(way: str, left: int) -> None:
    network = merging.build().eval()
    fewer = merging.reduced(network, way, left)
    clips = torch.randn(1, merging.FRAMES, 3, merging.SIZE, merging.SIZE)
    with torch.no_grad():
        tokens = fewer.tokens(clips)  # type: ignore[operator]
        assert tokens.shape[1] == 1 + merging.TOKENS // left
        assert network.tokens(clips).shape[1] == 1 + merging.TOKENS  # type: ignore[operator]
    assert dict(fewer.named_parameters()).keys() != dict(network.named_parameters()).keys()


def test_means_of_neighbours_are_of_neighbours() -> None:
    """With blocks that do nothing, an eighth of the tokens are means over 2 x 2 x 2 patches."""
    network = merging.build().eval()
    for value in network.get_submodule("blocks").parameters():
        nn.init.zeros_(value)
    clips = torch.randn(1, merging.FRAMES, 3, merging.SIZE, merging.SIZE)
    side = merging.SIZE // merging.PATCH
    with torch.no_grad():
        entered = network._encode(clips)  # type: ignore[operator]
        fewer = merging.reduced(network, "means of neighbours", 8)._encode(clips)  # type: ignore[operator]
    grid = entered[0, 1:].reshape(merging.FRAMES, side, side, -1)
    torch.testing.assert_close(fewer[0, 1], masked_mean(grid[:2, :2, :2].reshape(1, 8, -1))[0])
    torch.testing.assert_close(fewer[0, -1], masked_mean(grid[-2:, -2:, -2:].reshape(1, 8, -1))[0])


def test_what_is_kept_for_the_backward_pass_is_counted_once() -> None:
    """Two squares of one input keep the input, or what was made of it, once; weights never."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1))

        def forward(self, clip: torch.Tensor) -> torch.Tensor:
            scaled = clip * self.weight  # keeps the clip
            return scaled * scaled + scaled * scaled  # keeps what was made, four times

    assert counting.kept_of(Twice(), torch.zeros(1000)) == 2 * 4000


def test_parameters_grow_with_frames_where_a_linear_layer_reads_them_all() -> None:
    grown = [counting.parameter_count("C3D", frames, 112) for frames in (16, 32)]
    assert grown[1] - grown[0] == 512 * 4 * 4 * 4096  # one more instant for fc6
    same = [counting.parameter_count("I3D", frames, 112) for frames in (16, 32)]
    assert same[0] == same[1]


def test_counting_runs_through() -> None:
    figures = counting.run("attention", 0, Path(), "cpu", True)
    assert "93.2%" in counting.report([{"name": "attention", "seed": 0, "figures": figures}])


# --- films as arrays


def test_films_are_drawn_once_and_as_the_world_has_them(tmp_path: Path) -> None:
    settings = WorldSettings(size=16)
    films = Films("some", settings, 5, frames=(0, 7))
    write_films(tmp_path, [films], label)
    found = read_films(tmp_path, "some")
    for number, (frames, scene) in enumerate(World(settings).films("train", 5)):
        np.testing.assert_array_equal(found.frames[number], frames[[0, 7]])
        assert found.truth[number] == label(scene)
    before = (tmp_path / "some.npy").stat().st_mtime_ns
    write_films(tmp_path, [films], label)
    assert (tmp_path / "some.npy").stat().st_mtime_ns == before


def test_arrays_end_to_end_are_as_one() -> None:
    parts = [np.arange(3, dtype=np.uint8), np.arange(10, 14, dtype=np.uint8)]
    joined, whole = Joined(parts), np.concatenate(parts)
    assert len(joined) == 7
    np.testing.assert_array_equal(joined[2:5], whole[2:5])
    np.testing.assert_array_equal(joined[np.array([6, 0, 3])], whole[[6, 0, 3]])


def test_spread_names_the_deviation_of_a_sample() -> None:
    assert spread([1.0, 2.0, 3.0], 1) == "2.0 ± 1.0"
    assert spread([0.5]) == "0.500"
    assert spread([]) == "not run"
