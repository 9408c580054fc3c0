"""A run that is killed anywhere goes on as if nothing had happened: bit for bit on a processor."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import killed_training
import pytest
import torch

from scenewise.training.checkpoint import CheckpointFolder, Saved

STEPS = 24


def trained(plans: list[tuple[str, str, list[int]]]) -> dict[str, list[int]]:
    """Run to the end, with kills on the way; how the attempts ended, by folder."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, killed_training.__file__, json.dumps(plans)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    ends: dict[str, list[int]] = json.loads(done.stdout)
    return ends


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each source a run that nobody disturbed and one that was killed five times."""
    folder = tmp_path_factory.mktemp("runs")
    plans: list[tuple[str, str, list[int]]] = []
    for source in ("skipping", "torch"):
        draw = random.Random(source)
        # before its first checkpoint; in three other epochs; while it writes one, soon after
        kills = [2, draw.randint(4, 7), killed_training.WRITING]
        kills += [draw.randint(14, 18), draw.randint(19, STEPS)]
        plans += [(str(folder / f"{source}-whole"), source, [])]
        plans += [(str(folder / f"{source}-killed"), source, kills)]
    ends = trained(plans)
    for name, _, kills in plans:
        assert ends[name] == [-signal.SIGKILL] * len(kills) + [killed_training.ENDED_WELL]
    return folder


def lines(folder: Path, kind: str, *keys: str) -> list[list[Any]]:
    """Of each line of a kind: the step, and what it says under these keys."""
    found = [json.loads(line) for line in (folder / "log.jsonl").read_text("utf-8").splitlines()]
    return [[line["step"], *(line[key] for key in keys)] for line in found if line["kind"] == kind]


def last_checkpoint(folder: Path) -> Saved:
    saved = CheckpointFolder(folder / "checkpoints").newest()
    assert saved is not None
    return saved


@pytest.mark.parametrize("source", ["skipping", "torch"])
def test_a_run_that_is_killed_goes_on_bit_for_bit(runs: Path, source: str) -> None:
    """With dropout, batch norm, accumulation, warm-up, clipping and a mean of the weights."""
    whole, killed = runs / f"{source}-whole", runs / f"{source}-killed"
    for kind, keys in (
        ("train", ("epoch", "loss", "parts", "lr", "gradient_norm")),
        ("evaluation", ("epoch", "figures")),
    ):
        assert lines(killed, kind, *keys) == lines(whole, kind, *keys), kind
    assert [line[0] for line in lines(killed, "train")] == list(range(1, STEPS + 1))

    one, other = last_checkpoint(whole), last_checkpoint(killed)
    assert one.tensors.keys() == other.tensors.keys()
    assert [n for n in one.tensors if not torch.equal(one.tensors[n], other.tensors[n])] == []
    assert one.state["best"] == other.state["best"]
    names = [sorted(path.name for path in (run / "best").iterdir()) for run in (whole, killed)]
    assert names[0] == names[1]
    assert len(names[0]) == 2
    assert list((killed / "checkpoints").glob(".*.part")) == []
