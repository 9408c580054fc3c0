"""One step: small batches add up to a large one, gradients are cut, numbers are checked."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_training import SquaredError, batch_of, learner, network
from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.training.learner import LOSS, Figures, Learner, Objective
from scenewise.training.precision import Precision
from scenewise.training.processes import Processes
from scenewise.training.settings import TrainSettings
from scenewise.training.step import Step, Stepper

CPU = torch.device("cpu")


def stepper(module: nn.Module, *, lr: float = 0.0, **settings: Any) -> Stepper:
    """With lr 0 a step leaves its gradients to be looked at, and nothing moves."""
    chosen = TrainSettings(**settings)
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=lr)
    return Stepper(module, optimizer, chosen, Precision(chosen.precision, CPU), Processes())


def gradients(module: nn.Module, parts: list[list[int]], **settings: Any) -> tuple[Step, Tensor]:
    """Of one step of these batches: what became of it, and all gradients in a row."""
    taken = stepper(module, **settings).step(iter([batch_of(p) for p in parts]), len(parts), 1)
    assert taken is not None
    return taken, torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])


@pytest.mark.parametrize(
    "parts",
    [[[0, 1, 2], [3, 4, 5]], [[0], [1], [2], [3], [4], [5]], [[0, 1, 2, 3], [4, 5]]],
    ids=["halves", "singles", "unequal"],
)
def test_small_batches_add_up_to_a_large_one(parts: list[list[int]]) -> None:
    whole, expected = gradients(learner(), [[0, 1, 2, 3, 4, 5]])
    taken, found = gradients(learner(), parts)
    torch.testing.assert_close(found, expected)
    assert taken.figures == pytest.approx(whole.figures, rel=1e-5)
    assert (taken.rows, taken.batches) == (6, len(parts))


def test_a_step_takes_what_is_left_of_an_epoch() -> None:
    """Planned are three batches and two come: still their mean."""
    module = learner()
    optimizer_step = stepper(module)
    taken = optimizer_step.step(iter([batch_of([0, 1]), batch_of([2, 3])]), 3, 1)
    assert taken is not None
    found = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
    torch.testing.assert_close(found, gradients(learner(), [[0, 1, 2, 3]])[1])
    assert optimizer_step.step(iter([]), 3, 2) is None


def test_one_batch_has_exactly_its_own_gradients() -> None:
    module = learner()
    torch.autograd.backward(module(batch_of([3, 1, 2]))[LOSS])
    expected = torch.cat([p.grad.flatten() for p in module.parameters() if p.grad is not None])
    assert torch.equal(gradients(learner(), [[3, 1, 2]])[1], expected)


def test_gradients_are_cut_to_a_norm_all_together() -> None:
    free, before = gradients(learner(), [[0, 1, 2]])
    cut, after = gradients(learner(), [[0, 1, 2]], clip_norm=0.01)
    assert cut.gradient_norm == pytest.approx(free.gradient_norm) == float(before.norm())
    assert float(after.norm()) == pytest.approx(0.01, rel=1e-4)
    torch.testing.assert_close(after / after.norm(), before / before.norm())


def test_small_gradients_are_not_cut() -> None:
    assert torch.equal(
        gradients(learner(), [[0, 1]], clip_norm=1e6)[1], gradients(learner(), [[0, 1]])[1]
    )


def test_gradients_are_cut_each_by_itself() -> None:
    before, after = (gradients(learner(), [[0, 1]], clip_value=v)[1] for v in (None, 0.05))
    assert float(before.abs().max()) > 0.05
    assert torch.equal(after, before.clamp(-0.05, 0.05))


class Sometimes(Objective):
    """Squared error, but nan with row 13, and infinite gradients with row 14."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = nn.Parameter(torch.ones(2))  # never gets a gradient

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        figures: Figures = SquaredError()(model, batch)
        if 13 in batch.rows:
            figures[LOSS] = figures[LOSS] * float("nan")
        if 14 in batch.rows:
            last = next(model.parameters())
            figures[LOSS] = figures[LOSS] + (last * 0).abs().sqrt().sum()  # slope at 0
        return figures


def test_a_loss_that_is_no_number_ends_the_run_in_one_sentence() -> None:
    module = Learner(network(), Sometimes())
    with pytest.raises(TrainingError, match="loss of step 7 is no number, with rows 12, 13; look"):
        stepper(module).step(iter([batch_of([1, 2]), batch_of([13, 12])]), 2, 7)


@pytest.mark.parametrize("row", [13, 14])
def test_or_the_step_is_left_out_and_counted(row: int) -> None:
    module = Learner(network(), Sometimes())
    taking = stepper(module, lr=0.1, not_finite="skip")
    before = [parameter.clone() for parameter in module.parameters()]
    left_out = taking.step(iter([batch_of([row, 2])]), 1, 1)
    assert left_out is not None
    assert (left_out.taken, taking.skipped) == (False, 1)
    assert all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))
    good = taking.step(iter([batch_of([1, 2])]), 1, 2)
    assert good is not None
    assert (good.taken, taking.skipped, taking.in_a_row) == (True, 1, 0)


def test_gradients_that_are_no_numbers_are_said_too_even_where_they_would_be_cut() -> None:
    module = Learner(network(), Sometimes())
    with pytest.raises(TrainingError, match="gradients of step 1 are no numbers"):
        stepper(module, clip_value=1.0).step(iter([batch_of([14])]), 1, 1)


def test_what_is_broken_for_good_is_not_left_out_for_ever() -> None:
    taking = stepper(Learner(network(), Sometimes()), not_finite="skip")
    for number in range(1, 20):
        taking.step(iter([batch_of([13])]), 1, number)
    with pytest.raises(TrainingError, match=r"step 20 is no number, with rows 13 \(20 steps"):
        taking.step(iter([batch_of([13])]), 1, 20)


def test_a_parameter_without_a_gradient_stays_and_one_of_zeros_is_no_trouble() -> None:
    module = Learner(nn.Sequential(nn.Linear(4, 1)), Sometimes())
    nn.init.zeros_(module.model.get_submodule("0").weight)  # type: ignore[arg-type]
    taken = stepper(module, lr=0.1, clip_norm=1.0).step(iter([batch_of([1])]), 1, 1)
    assert taken is not None
    assert taken.taken
    assert torch.equal(module.objective.unused, torch.ones(2))  # type: ignore[arg-type]


def test_a_loss_that_depends_on_nothing_is_an_error() -> None:
    class Constant(Objective):
        def forward(self, model: nn.Module, batch: Batch) -> Figures:
            return {LOSS: torch.zeros(())}

    with pytest.raises(TrainingError, match="does not depend on any parameter"):
        stepper(Learner(network(), Constant())).step(iter([batch_of([1])]), 1, 1)


def test_a_learned_scale_is_brought_back_after_a_step() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(5.0))
            self.inside = network()

        def forward(self, features: Tensor) -> Tensor:
            return self.scale * self.inside(features)  # type: ignore[no-any-return]

        def clamp_scale(self) -> None:
            with torch.no_grad():
                self.scale.clamp_(max=2.0)

    model = Scaled()
    stepper(learner(model), lr=1e-6).step(iter([batch_of([1, 2])]), 1, 1)
    assert float(model.scale.detach()) == 2.0
