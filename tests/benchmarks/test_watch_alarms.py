"""The parts of the alarm measurement that could be wrong without a sign."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.watch_alarms import figures_of
from benchmarks.watch_world import CLEAR, PHOTOGRAPHS, SENTENCES
from scenewise.metrics.counts import poisson_interval


def test_alarms_are_counted_on_other_clips_and_recall_on_the_own_one() -> None:
    """Three rules on three clips of 36, 36 and 72 s; the first two clips show the same."""
    raised = np.array([[1, 5, 0], [0, 0, 2], [1, 0, 1]])
    own = np.array([0, 1, 2])
    other = np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]], np.bool_)
    found = figures_of(raised, other, np.array([36.0, 36.0, 72.0]), own)
    assert found["alarms"] == 3  # the five are on a clip that shows the same
    assert found["rule_hours"] == pytest.approx((36 + 36 + 2 * 72) / 3600)
    assert found["alarms_per_rule_hour"] == pytest.approx(3 / 0.06)
    low, high = poisson_interval(3)
    assert found["alarms_interval_poisson"] == pytest.approx([low / 0.06, high / 0.06])
    assert found["recall"] == pytest.approx(2 / 3)
    assert found["rule_clips_with_alarm"] == pytest.approx(2 / 4)
    assert found["alarms_interval"][0] <= 3 / 0.06 <= found["alarms_interval"][1]


def test_the_world_names_photographs_that_are_there() -> None:
    names = {name.partition(".")[0] for name in PHOTOGRAPHS}
    assert {name for shown in SENTENCES.values() for name in shown} <= names
    assert {name for _, name in CLEAR} <= names
    assert all(name in SENTENCES[text] for text, name in CLEAR if text in SENTENCES)
