"""Learning rates at known steps, against the published formulas written out."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from scenewise.errors import TrainingError
from scenewise.training.schedules import Schedule
from scenewise.training.settings import ScheduleSettings


def factors(steps: list[int], *, of: int | None = 100, each: int | None = 10, **how: Any) -> Any:
    schedule = Schedule(ScheduleSettings(**how), of, each)
    return pytest.approx([schedule.factor(step) for step in steps])


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"name": "constant"}, {0: 1, 99: 1}),
        ({"name": "constant", "warmup_steps": 4}, {0: 0, 1: 0.25, 3: 0.75, 4: 1, 99: 1}),
        ({"name": "linear"}, {0: 1, 50: 0.5, 100: 0}),
        ({"name": "linear", "end": 0.2}, {0: 1, 50: 0.6, 100: 0.2}),
        ({"name": "linear", "warmup_share": 0.2}, {0: 0, 10: 0.5, 20: 1, 60: 0.5, 100: 0}),
        ({"name": "cosine"}, {0: 1, 25: (1 + math.sqrt(0.5)) / 2, 50: 0.5, 100: 0}),
        ({"name": "cosine", "warmup_epochs": 2.0}, {10: 0.5, 20: 1, 60: 0.5, 100: 0}),
        ({"name": "cosine", "end": 0.1}, {50: 0.55, 100: 0.1, 120: 0.1}),
        ({"name": "polynomial", "power": 2.0}, {0: 1, 50: 0.25, 90: 0.01, 100: 0}),
        # TSM: a tenth after epochs 20 and 40; here 2 and 4 of ten steps each
        (
            {"name": "multi_step", "milestones": (2.0, 4.0)},
            {0: 1, 19: 1, 20: 0.1, 39: 0.1, 40: 0.01, 99: 0.01},
        ),
        # C3D: divided by 2 in equal distances
        (
            {"name": "step", "every_epochs": 3.0, "gamma": 0.5},
            {0: 1, 29: 1, 30: 0.5, 59: 0.5, 60: 0.25},
        ),
        # CLIP4Clip: the cosine is one of the whole run, and does not begin anew after the warm-up
        (
            {"name": "bert_cosine", "warmup_share": 0.1},
            {0: 0, 5: 0.5, 10: (1 + math.cos(0.1 * math.pi)) / 2, 50: 0.5, 100: 0},
        ),
        # BERT: a triangle
        (
            {"name": "bert_linear", "warmup_share": 0.1},
            {0: 0, 5: 0.5, 10: 1, 55: 0.5, 100: 0, 110: 0},
        ),
        ({"name": "constant", "warmup_steps": 10, "warmup_start": 0.1}, {0: 0.1, 5: 0.55, 10: 1}),
    ],
    ids=lambda value: value.get("name") if isinstance(value, dict) and "name" in value else "",
)
def test_factors_at_known_steps(how: dict[str, Any], expected: dict[int, float]) -> None:
    assert list(expected.values()) == factors(list(expected), **how)


def test_rates_of_all_groups_follow_from_what_they_began_with() -> None:
    first, second = torch.nn.Parameter(torch.ones(1)), torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD(
        [{"params": [first], "lr": 0.4}, {"params": [second], "lr": 0.004}], lr=1
    )
    schedule = Schedule(ScheduleSettings(name="linear"), 100)
    for step in (75, 50, 50):  # in any order, and as often as one likes
        schedule.apply(optimizer, step)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.2, 0.002])


@pytest.mark.parametrize("name", ["linear", "cosine", "multi_step"])
def test_torch_s_own_schedules_agree(name: str) -> None:
    parameter = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    schedules: Any = torch.optim.lr_scheduler
    theirs: Any = {
        "linear": lambda: schedules.LinearLR(optimizer, 1.0, 0.1, 30),
        "cosine": lambda: schedules.CosineAnnealingLR(optimizer, T_max=30, eta_min=0.1),
        "multi_step": lambda: schedules.MultiStepLR(optimizer, [10, 20], 0.1),
    }[name]()
    milestones = (1.0, 2.0) if name == "multi_step" else ()
    how = {"name": name, "end": 0.1, "milestones": milestones}
    ours = Schedule(ScheduleSettings.model_validate(how), 30, 10)
    for step in range(30):
        assert ours.factor(step) == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-5)
        optimizer.step()
        theirs.step()


@pytest.mark.parametrize(
    ("how", "of", "each", "words"),
    [
        ({"name": "cosine"}, None, 10, "cosine must know how many steps"),
        ({"name": "multi_step", "milestones": (1.0,)}, 100, None, "counts epochs"),
        ({"name": "cosine", "warmup_steps": 100}, 100, 10, "100 steps and the whole run 100"),
    ],
)
def test_what_is_not_known_is_said(
    how: dict[str, Any], of: int | None, each: int | None, words: str
) -> None:
    with pytest.raises(TrainingError, match=words):
        Schedule(ScheduleSettings(**how), of, each)


@pytest.mark.parametrize(
    "how",
    [
        {"warmup_steps": 3, "warmup_share": 0.1},
        {"name": "multi_step"},
        {"name": "cosine", "milestones": (1.0,)},
        {"name": "multi_step", "milestones": (4.0, 2.0)},
        {"name": "sine"},
    ],
)
def test_settings_that_contradict_themselves_are_mistakes(how: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        ScheduleSettings(**how)
