"""The measure of training: its lines are whole, and what cannot be measured says why."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks import training_speed
from benchmarks.training_speed import CASES, Case, measure, row, table, take_turns

CPU = torch.device("cpu")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_network_is_measured_beside_the_one_of_pip() -> None:
    lines = list(table("videomae", CPU, 0.0, tiny=True))
    header, _, *rows = [cells(line) for line in lines]
    assert [found[header.index("kind")] for found in rows] == ["fp32", "bf16"]
    for found in rows:
        assert len(found) == len(header)
        assert found[0] == "videomae_tiny"
        ours, its = float(found[4]), float(found[7])
        assert ours > 0
        assert float(found[8]) == pytest.approx(ours / its, abs=0.1)


def test_a_video_text_network_is_measured_by_its_own_objective() -> None:
    case = next(case for case in CASES if case.name.startswith("clip4clip"))
    ours, reference, why = measure(case, "fp32", CPU, 0.0, tiny=True)
    assert ours.rate > 0
    assert (reference, why) == (None, "")


def broken(_tiny: bool) -> nn.Module:
    raise ImportError("no such package")


TINY = Case("c3d", "tsm_tiny", 1, {}, broken, "some package")


def test_a_reference_that_is_not_there_is_named_and_ours_is_measured() -> None:
    found = cells(row(TINY, "fp32", CPU, 0.0, tiny=True))
    assert float(found[4]) > 0
    assert "some package: ImportError: no such package" in found


def test_a_network_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_given: Any, **_named: Any) -> nn.Module:
        raise RuntimeError("out of memory\nand more lines")

    monkeypatch.setattr(training_speed, "create_model", fail)
    line = row(replace(TINY, reference=None), "fp32", CPU, 0.0, tiny=True)
    assert "failed: RuntimeError: out of memory |" in line
    assert "\n" not in line


def test_sides_take_turns_and_who_is_first_changes() -> None:
    order: list[str] = []
    times = take_turns([lambda: order.append("a"), lambda: order.append("b")], CPU, 0.0)
    assert order == list("abbaabba")
    assert [len(taken) for taken in times] == [3, 3]  # the first turn warms up
