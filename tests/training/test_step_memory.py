"""Memory of a step: exact where it can be written out, near the measured peak where it cannot."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models import create_model
from scenewise.training.learner import LOSS, Figures, Learner, Objective
from scenewise.training.objectives.classification import Classification
from scenewise.training.step_memory import step_memory

ROOT = Path(__file__).resolve().parents[2]
FLOAT = 4


class Squares(Objective):
    """The sum of the squares of two linear layers, whose parts can be counted by hand."""

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        output = model(batch.features)
        return {LOSS: (output * output).sum()}


def adamw(learner: Learner) -> torch.optim.Optimizer:
    return torch.optim.AdamW(learner.parameters(), lr=1e-3)


def test_the_parts_of_two_linear_layers_by_hand() -> None:
    rows, inputs, hidden, outputs = 64, 32, 16, 8
    network = nn.Sequential(
        nn.Linear(inputs, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, outputs, bias=False)
    )
    batch = Batch(torch.arange(rows), features=torch.zeros(rows, inputs))
    memory = step_memory(Learner(network, Squares()), adamw, batch)
    weights = FLOAT * (inputs * hidden + hidden * outputs)
    assert memory.weights == weights
    assert memory.gradients == weights
    # two means for each number, and a count of steps for each of two tensors
    assert memory.optimizer == 2 * weights + 2 * FLOAT
    assert memory.batch == FLOAT * rows * inputs + 8 * rows
    # kept: what comes out of ReLU and the output; the loss lives too; the sum before ReLU is freed
    assert memory.activations == FLOAT * (rows * hidden + rows * outputs + 1)
    held = memory.weights + memory.optimizer + memory.batch + memory.activations
    assert held <= memory.peak <= held + memory.gradients + 3 * FLOAT * rows * hidden


def test_frozen_parameters_need_no_gradients_and_nothing_of_the_optimizer() -> None:
    network = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 8))
    network[0].requires_grad_(False)
    learner = Learner(network, Squares())
    memory = step_memory(
        learner,
        lambda one: torch.optim.AdamW(p for p in one.parameters() if p.requires_grad),
        Batch(torch.arange(4), features=torch.zeros(4, 8)),
    )
    assert memory.weights == 2 * memory.gradients


def test_a_step_that_looks_at_values_says_that_it_cannot_be_counted() -> None:
    class Looks(Objective):
        def forward(self, model: nn.Module, batch: Batch) -> Figures:
            output: Tensor = model(batch.features)
            return {LOSS: output.sum() if output.sum().item() > 0 else -output.sum()}

    with pytest.raises(TrainingError, match="cannot be counted ahead"):
        step_memory(
            Learner(nn.Linear(2, 2), Looks()),
            adamw,
            Batch(torch.arange(1), features=torch.ones(1, 2)),
        )


MEASURE = """
import sys, torch
from scenewise.data.batch import Batch
from scenewise.models import create_model
from scenewise.models.peak_memory import _give_back, _peak, _start
from scenewise.training.learner import LOSS, Learner
from scenewise.training.objectives.classification import Classification

torch.set_num_threads(1)

def steps(name, rows):
    learner = Learner(create_model(name).train(), Classification())
    optimizer = torch.optim.AdamW(learner.parameters(), lr=1e-3)
    clips = torch.rand(rows, 8, 3, 64, 64)
    batch = Batch(torch.arange(rows), clips=clips, targets=torch.zeros(rows, dtype=torch.long))
    for _ in range(2):
        optimizer.zero_grad()
        learner(batch)[LOSS].backward()
        optimizer.step()

name, rows = sys.argv[1], int(sys.argv[2])
steps(name, 1)  # libraries that are loaded at their first use are no part of a step
_give_back()
before, how = _start()
steps(name, rows)
print(_peak(how) - before if how == "VmHWM" else -1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the process's peak as Linux has it")
@pytest.mark.parametrize(("name", "rows"), [("c3d_tiny", 24), ("timesformer_tiny", 12)])
def test_the_count_is_within_a_fifth_of_the_measured_peak(name: str, rows: int) -> None:
    """In a process of its own, whose allocator gives freed memory back at once."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "MALLOC_TRIM_THRESHOLD_": "0",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, name, str(rows)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
        timeout=120,
    )
    measured = json.loads(done.stdout)
    if measured < 0:
        pytest.skip("the peak of this process cannot be set back, so nothing was compared")
    clips = torch.zeros(rows, 8, 3, 64, 64)
    batch = Batch(torch.arange(rows), clips=clips, targets=torch.zeros(rows, dtype=torch.long))
    memory = step_memory(Learner(create_model(name), Classification()), adamw, batch)
    assert memory.peak > 50e6, "too small to be told from what a process does anyway"
    assert 0.8 * measured <= memory.peak <= 1.05 * measured
