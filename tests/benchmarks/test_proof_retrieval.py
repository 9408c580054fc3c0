"""The experiment on retrieval runs end to end, small, and counts what it says it counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.proof import retrieval
from benchmarks.proof.label_runs import CONFIGS
from scenewise.cli.main import main
from scenewise.data.synthetic.actions import TWINS
from scenewise.data.synthetic.statements import holds, statement
from scenewise.data.synthetic.world import World, held_out
from scenewise.training import read_config

FILMS = retrieval.SMOKE_FILMS["test"]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("retrieval")
    retrieval.prepare(work, smoke=True, workers=1)
    return work


@pytest.fixture(scope="module")
def figures(work: Path) -> dict[str, Any]:
    return {name: retrieval.run(name, 0, work, "cpu", True) for name in retrieval.runs(True)}


def test_the_films_of_test_are_what_they_are_said_to_be() -> None:
    world = World(retrieval.settings())
    scenes = list(world.scenes("test", retrieval.FILMS["test"]))
    assert len(scenes) == 200
    for scene in scenes:
        assert sum(holds(statement(scene), other) for other in scenes) == 1
        assert held_out(scene.things[0].colour, scene.things[0].shape, scene.label)
    train = list(world.scenes("train", 1100))
    assert not any(held_out(s.things[0].colour, s.things[0].shape, s.label) for s in train)
    for part in retrieval.PARTS:
        seen, asked = (
            {retrieval._parts(scene)[part] for scene in some} for some in (train, scenes)
        )
        assert seen == asked
    # eleven classes in turn: 18 of each, and of the first two another pair
    assert retrieval.without_order(scenes) == pytest.approx(1 - 0.5 * (5 * 2 * 18 + 2) / 200)


def test_a_run_gives_its_figures(figures: dict[str, Any]) -> None:
    for name, given in figures.items():
        assert given["films"] == FILMS
        for way in retrieval.WAYS:
            recalls = [given[f"{way}_recall_{k}"] for k in (1, 5, 10)]
            assert 0 <= recalls[0] <= recalls[1] <= recalls[2] <= 1
            assert 1 <= given[f"{way}_median_rank"] <= FILMS * retrieval._RIGHT[way]
        assert all(0 <= value <= 1 for value in given["right"].values())
        assert given["right"]["pair"] >= given["right"]["action"] >= given["right"]["recall_1"]
        assert 0 <= given["fitting_two"] < 0.5
        assert (given["steps"] == 0) == (name == retrieval.UNTRAINED)
    learnt = figures["tsm"]
    assert learnt["last_loss"] < learnt["first_loss"] == pytest.approx(np.log(8), rel=0.5)


def test_the_table_has_every_run(figures: dict[str, Any]) -> None:
    rows = [
        {"name": name, "seed": 0, "figures": given, "seconds": 1.0, "device": "cpu, 1 thread"}
        for name, given in figures.items()
    ]
    table = retrieval.report(rows)
    for name, given in figures.items():
        assert f"| {name} | {given['text_to_video_recall_1']:.3f} ± 0.000" in table
    assert table.count(f"| chance | {1 / FILMS:.3f} |") == 2


def test_chance_is_counted_in_both_directions() -> None:
    assert retrieval.by_chance(200, 10, 1) == pytest.approx(10 / 200)
    assert retrieval.by_chance(200, 1, 4) == pytest.approx(1 / 200)
    assert retrieval.by_chance(200, 10, 4) == pytest.approx(1 - (1 - 1 / 200) ** 10, rel=0.02)


def test_what_is_right_in_the_nearest_film_is_counted() -> None:
    scenes = list(World(retrieval.settings()).scenes("test", FILMS))
    owners = np.arange(FILMS)
    perfect = retrieval.part_figures(np.eye(FILMS, dtype=np.float32), owners, scenes)
    assert perfect == {name: 0.0 if name == "twin" else 1.0 for name in perfect}
    # who finds the twin each time has all right but the action
    twins = np.eye(FILMS, dtype=np.float32)
    for first in range(FILMS - 1):
        if scenes[first + 1].label == dict(TWINS).get(scenes[first].label):
            twins[[first, first + 1]] = twins[[first + 1, first]]
    mistaken = retrieval.part_figures(twins, owners, scenes)
    share = 20 / 22  # two rounds of eleven classes, one of which has no twin
    assert mistaken["twin"] == pytest.approx(share)
    assert mistaken["recall_1"] == mistaken["action"] == pytest.approx(1 - share)
    assert mistaken["pair"] == mistaken["colour"] == mistaken["shape"] == 1.0


@pytest.mark.parametrize("name", [*retrieval.NETWORKS, retrieval.CONTROL])
def test_every_run_has_a_recipe_that_is_read(name: str, work: Path) -> None:
    captions = work / "world" / "captions"
    given = [f'data.annotations="{captions}"']
    config = read_config(CONFIGS / "retrieval" / f"{name}.toml", given)
    assert config.model.initialisation == "fan_in"
    assert config.data.val_split == "test"


@pytest.mark.slow
def test_the_network_of_a_run_indexes_and_searches(
    work: Path, figures: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not well after six steps: each film is found, by a number."""
    assert figures
    encoder = work / "runs" / "tsm-0" / "final"
    films = work / "world" / "videos" / "test" / "grow"
    library = ("--library", str(tmp_path / "library"))
    typed = ["index", str(films), *library, "--encoder", str(encoder), "--workers", "1"]
    assert main([*typed, "--quiet"]) == 0
    capfd.readouterr()
    question = "a striped red circle grows"
    assert main(["search", question, *library, "--in", "visual", "--json"]) == 0
    hits = json.loads(capfd.readouterr().out)["hits"]
    assert {Path(hit["path"]).name for hit in hits} == {path.name for path in films.iterdir()}
