"""Two processes (gloo) train as one: the same losses, one log, one checkpoint, no deadlock."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import training_together
from tiny_training import SkippingBatches, learner

from scenewise.training.checkpoint import CheckpointFolder

LOSS_KEYS = ("epoch", "loss", "parts", "gradient_norm")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All scenarios, in the same two processes."""
    folder = tmp_path_factory.mktemp("together")
    path = os.pathsep.join(entry for entry in sys.path if entry)
    both = [
        subprocess.Popen(
            [sys.executable, training_together.__file__, str(folder), str(rank)],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        for rank in range(training_together.WORLD)
    ]
    try:
        said = [process.communicate(timeout=120)[1] for process in both]
    finally:
        for process in both:  # one waits for ever for another that failed
            process.kill()
            process.wait()
    assert [process.returncode for process in both] == [0, 0], said
    return folder


def given(runs: Path, scenario: str) -> list[dict[str, Any]]:
    """What each process gave."""
    return [json.loads((runs / f"{scenario}.{rank}.json").read_text("utf-8")) for rank in (0, 1)]


def logged(folder: Path, kind: str, *keys: str) -> list[list[Any]]:
    found = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
    return [[one["step"], *(one[key] for key in keys)] for one in found if one["kind"] == kind]


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_two_processes_are_as_good_as_one_with_all_rows(
    runs: Path, tmp_path: Path, kind: str
) -> None:
    """Also where one has fewer rows in the last batch; the norm is that of all gradients."""
    training_together.run(
        tmp_path, learner(), SkippingBatches(6), ema_decay=0.5, keep_best=9, batch_size=6
    )
    folder = runs / f"{kind}_together" / "run"
    alone, both = (logged(each, "train", "loss", "gradient_norm") for each in (tmp_path, folder))
    assert len(both) == 4  # once, and not once a process
    for one, other in zip(alone, both, strict=True):
        assert other == pytest.approx(one, rel=1e-4)
    alone, both = (logged(each, "evaluation", "figures") for each in (tmp_path, folder))
    for one, other in zip(alone, both, strict=True):
        assert other[1] == pytest.approx(one[1], rel=1e-4)
    mine = CheckpointFolder(tmp_path / "checkpoints").newest()
    theirs = CheckpointFolder(folder / "checkpoints").newest()
    assert mine is not None
    assert theirs is not None
    for part in ("learner/", "optimizer/", "mean/"):
        expected, found = mine.part(part), theirs.part(part)
        assert expected.keys() == found.keys()
        assert expected
        for name, tensor in expected.items():
            torch.testing.assert_close(found[name], tensor, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_they_go_on_with_equal_losses(runs: Path, kind: str) -> None:
    """Each with its own dropout; the checkpoint is the full state, as torch gathers it."""
    folder = runs / f"{kind}_resumed"
    whole, parts = (logged(folder / each, "train", *LOSS_KEYS) for each in ("whole", "parts"))
    assert parts == whole
    assert [line[0] for line in parts] == [1, 2, 3, 4]
    for rank, report in enumerate(given(runs, f"{kind}_resumed")):
        assert (report["parts"]["resumed_from"], report["parts"]["steps"]) == (3, 4)
        assert report["parts"]["loss"] == report["whole"]["loss"]
        assert report["shapes"] == {
            name: list(value.shape) for name, value in learner().state_dict().items()
        }
        assert report["same"] == ([] if rank else [True] * 4)


def test_what_is_broken_with_one_stops_both_in_the_same_words(runs: Path) -> None:
    first, second = given(runs, "one_is_broken")
    assert first["stopped"] == second["stopped"]
    assert first["stopped"].startswith("The loss of step 2 is no number, with rows 13;")
    assert first["report"] == second["report"]
    assert (first["report"]["skipped"], first["report"]["steps"]) == (1, 3)


def test_an_epoch_ends_for_both_where_one_has_no_more(runs: Path) -> None:
    # of 5 and 4 batches in two epochs; in steps of three batches
    assert given(runs, "one_has_less") == [{"known": 8, "promised": 2}] * 2


def test_ctrl_c_at_one_ends_both(runs: Path) -> None:
    reports = given(runs, "one_is_interrupted")
    assert [(one["ended"], one["steps"]) for one in reports] == [("interrupted", 2)] * 2
