"""16 bits in the forward pass, 32 in weights and gradients."""

from __future__ import annotations

import pytest
import torch
from tiny_training import SquaredError, batch_of, learner, network
from torch import nn

from scenewise.data.batch import Batch
from scenewise.training.learner import LOSS, Figures, Learner, Objective
from scenewise.training.overfit import overfit
from scenewise.training.precision import Precision
from scenewise.training.processes import Processes
from scenewise.training.settings import PrecisionName, TrainSettings
from scenewise.training.step import Stepper

CPU = torch.device("cpu")
HALF: dict[PrecisionName, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_passes_are_in_16_bits_and_weights_are_not(name: PrecisionName) -> None:
    seen: list[torch.dtype] = []

    class Looking(Objective):
        def forward(self, model: nn.Module, batch: Batch) -> Figures:
            assert batch.features is not None
            seen.append(model(batch.features).dtype)
            figures: Figures = SquaredError()(model, batch)
            return figures

    module = Learner(network(), Looking())
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    settings = TrainSettings(precision=name)
    curve = overfit(module, optimizer, settings, batch_of(list(range(8))), 40)
    assert set(seen) == {HALF[name]}
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert {p.grad.dtype for p in module.parameters() if p.grad is not None} == {torch.float32}
    assert curve[-1] < curve[0] / 2


@pytest.mark.parametrize(("name", "close"), [("bf16", 0.05), ("fp16", 0.005)])
def test_gradients_come_back_to_their_size(name: PrecisionName, close: float) -> None:
    found = []
    for precision in ("fp32", name):
        module = learner()
        optimizer = torch.optim.SGD(module.parameters(), lr=0.0)
        settings = TrainSettings(precision=precision)
        stepper = Stepper(module, optimizer, settings, Precision(precision, CPU), Processes())
        stepper.step(iter([batch_of(range(9)), batch_of(range(5))]), 2, 1)
        found.append(
            torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
        )
    assert float((found[1] - found[0]).norm() / found[0].norm()) < close


def test_gradients_that_overflow_in_fp16_leave_a_step_out_and_halve_the_factor() -> None:
    """Up to where they fit; that is no error."""

    class Steep(Objective):
        def forward(self, model: nn.Module, batch: Batch) -> Figures:
            assert batch.features is not None
            return {LOSS: 20 * model(batch.features).sum()}

    module = Learner(nn.Linear(4, 1), Steep())
    precision = Precision("fp16", CPU)
    stepper = Stepper(
        module,
        torch.optim.SGD(module.parameters(), lr=1e-3),
        TrainSettings(precision="fp16"),
        precision,
        Processes(),
    )
    scales, taken = [], []
    for number in range(1, 12):
        step = stepper.step(iter([batch_of([1])]), 1, number)
        assert step is not None
        taken.append(step.taken)
        scales.append(precision.state()["scale"])
    first = taken.index(True)
    # 20 times 2^16 is beyond the largest number of fp16, 65504, and 20 times 2^11 is not
    assert taken == [False] * first + [True] * (len(taken) - first)
    assert first == 5
    assert scales[:6] == [2.0**15, 2.0**14, 2.0**13, 2.0**12, 2.0**11, 2.0**11]
    assert stepper.skipped == 5
    other = Precision("fp16", CPU)
    other.load(precision.state())
    assert other.state() == precision.state()


def test_other_precisions_have_no_factor() -> None:
    assert Precision("bf16", CPU).state() == Precision("fp32", CPU).state() == {}
