"""The experiments on labelled films run end to end, small, and count what they say they count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.proof import actions, fusion
from scenewise.data.synthetic.sound_scenes import ONE_SENSE_BEST, SOUND_CLASSES


@pytest.fixture(scope="module")
def films_of_actions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("actions")
    actions.prepare(work, smoke=True, workers=1)
    return work


@pytest.fixture(scope="module")
def films_with_sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("fusion")
    fusion.prepare(work, smoke=True, workers=1)
    return work


def row(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "seed": 0, "figures": figures, "seconds": 1.0, "device": "cpu, 1 thread"}


def check_figures(figures: dict[str, Any], films: int) -> None:
    confusion = np.array(figures["confusion"])
    assert confusion.sum() == figures["films"] == films
    assert confusion.trace() / films == pytest.approx(figures["accuracy"])
    # the classes take turns, so every split has all of them alike
    assert len(set(confusion.sum(axis=1).tolist())) == 1
    assert np.isfinite(figures["first_loss"])
    assert figures["last_loss"] < figures["first_loss"]
    assert figures["first_loss"] == pytest.approx(np.log(len(figures["classes"])), rel=0.5)


@pytest.mark.parametrize("name", actions.runs(True))
def test_a_run_over_actions_gives_its_figures(name: str, films_of_actions: Path) -> None:
    figures = actions.run(name, 0, films_of_actions, "cpu", True)
    check_figures(figures, actions.SMOKE_FILMS["test"])
    assert set(figures["classes"]) == set(actions.CLASSES)
    table = actions.report([row(name, figures)])
    assert f"{figures['accuracy']:.3f} ± 0.000" in table
    assert ("sees no order" in table) == (name in actions.CONTROLS)


@pytest.mark.parametrize("name", fusion.runs(True))
def test_a_run_over_sight_and_sound_gives_its_figures(name: str, films_with_sound: Path) -> None:
    figures = fusion.run(name, 0, films_with_sound, "cpu", True)
    check_figures(figures, fusion.SMOKE_FILMS["test"])
    assert set(figures["classes"]) == set(SOUND_CLASSES)
    assert f"{figures['accuracy']:.3f} ± 0.000" in fusion.report([row(name, figures)])


@pytest.mark.parametrize(
    "recipe",
    [f"actions/{name}" for name in actions.runs(False)]
    + [f"fusion/{name}" for name in fusion.runs(False) if name != "late"],
)
def test_every_run_has_a_recipe_that_is_read(recipe: str, films_of_actions: Path) -> None:
    from benchmarks.proof.label_runs import CONFIGS
    from scenewise.training import read_config

    labels = films_of_actions / "world" / "labels"
    config = read_config(CONFIGS / f"{recipe}.toml", [f'data.annotations="{labels}"'])
    assert (config.data.sound_rate is not None) == ("audio" in recipe)


def test_who_knows_the_pair_alone_is_right_by_chance_within_twins() -> None:
    classes = actions.CLASSES
    blind = np.zeros((len(classes), len(classes)), dtype=np.int64)
    for first in range(0, len(classes), 2):
        blind[first : first + 2, first : first + 2] = 5  # its own class or the twin, alike
    figures = actions.twin_figures(blind, classes)
    assert figures["pair_accuracy"] == 1
    assert figures["within_twins"] == 0.5
    assert {one["within"] for one in figures["by_pair"].values()} == {0.5}
    assert figures["without_turning"] == 0.5
    seeing = actions.twin_figures(np.eye(len(classes), dtype=np.int64), classes)
    assert seeing["pair_accuracy"] == seeing["within_twins"] == 1
    # every film of the first pair is taken for one of the second: nothing is known within it
    lost = np.eye(len(classes), dtype=np.int64)
    lost[:2] = 0
    lost[:2, 2] = 1
    figures = actions.twin_figures(lost, classes)
    assert figures["pair_accuracy"] == pytest.approx(10 / 12)
    assert figures["within_twins"] == 1
    assert next(iter(figures["by_pair"].values())) == {"within": None, "films": 0}


def test_late_fusion_joins_what_each_sense_leaves_open() -> None:
    """Eye and ear that know all they can are right together, and 5 times of 8 alone."""
    names = list(SOUND_CLASSES)

    def perfect(key: str) -> np.ndarray[Any, np.dtype[np.float32]]:
        alike = [
            [getattr(SOUND_CLASSES[a], key) == getattr(SOUND_CLASSES[b], key) for b in names]
            for a in names
        ]
        return np.where(alike, 0, -30).astype(np.float32)

    sight, hearing = perfect("action"), perfect("sound")
    truth = np.arange(len(names))
    for alone in (sight, hearing):
        shares = np.exp(alone) / np.exp(alone).sum(axis=1, keepdims=True)
        assert shares[truth, truth].mean() == pytest.approx(ONE_SENSE_BEST)
    assert (fusion.late_fusion([sight, hearing]).argmax(axis=1) == truth).all()
