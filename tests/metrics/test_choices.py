"""Accuracy of choices, by NExT-QA's kinds."""

from __future__ import annotations

import pytest

from scenewise.metrics.choices import choice_figures

KINDS = ["CW", "CW", "CH", "TN", "TC", "TP", "DC", "DL", "DO"]


def test_kinds_and_their_groups_by_hand() -> None:
    right = [True, False, True, True, False, False, True, True, True]
    shape = choice_figures(right, KINDS).to_dict()
    assert shape["accuracy"] == shape["Acc@All"] == pytest.approx(6 / 9)
    assert shape["Acc@C"] == pytest.approx(2 / 3)
    assert shape["Acc@T"] == pytest.approx(1 / 3)
    assert shape["Acc@D"] == 1
    assert shape["TN+TP"] == pytest.approx(1 / 2)
    assert shape["by_kind"]["CW"] == {"accuracy": 0.5, "total": 2}
    assert "TB" not in shape["by_kind"]


def test_groups_are_weighted_by_their_questions_not_by_their_kinds() -> None:
    figures = choice_figures([True] * 9 + [False], ["TN"] * 9 + ["TC"])
    assert figures.groups["Acc@T"].share == pytest.approx(0.9)
    assert figures.groups["Acc@C"].to_dict() == {"accuracy": None, "total": 0}


def test_other_kinds_have_no_groups_and_without_kinds_there_is_one_figure() -> None:
    assert choice_figures([True, False], ["why", "how"]).groups == {}
    assert choice_figures([True, False]).to_dict() == {"accuracy": 0.5}
