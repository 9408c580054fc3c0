"""Whatever JSON stands in the two files: figures that JSON can hold, or one sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scenewise.errors import ScenewiseError
from scenewise.metrics.evaluation.tasks import TASKS, Options, evaluate

FIELDS = """
id qid answer answers text labels label scores windows times start end video video_id
relevant_windows pred_relevant_windows pred_saliency_scores saliency_scores duration
relevant_clip_ids choices type question text_to_video video_to_text a0 1 2
"""
NAMES = st.sampled_from(FIELDS.split())
PLAIN = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 5),
    st.floats(),
    st.sampled_from(["", "x", "1", "0.5"]),
)
VALUES = st.recursive(
    PLAIN,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
ENTRIES = st.one_of(
    st.dictionaries(st.sampled_from("123"), VALUES, max_size=3),
    st.lists(
        st.tuples(st.integers(1, 3), st.dictionaries(NAMES, VALUES, max_size=5)).map(
            lambda pair: {**pair[1], "id": pair[0]}
        ),
        max_size=3,
    ),
    VALUES,
)


@pytest.mark.parametrize("task", [task for task in TASKS if task != "captions"])
@given(found=ENTRIES, truth=ENTRIES, allow_missing=st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_odd_files_end_in_figures_or_in_one_sentence(
    tmp_path: Path, task: str, found: Any, truth: Any, allow_missing: bool
) -> None:
    predictions, references = tmp_path / "p.json", tmp_path / "r.json"
    predictions.write_text(json.dumps(found), "utf-8")
    references.write_text(json.dumps(truth), "utf-8")
    try:
        evaluation = evaluate(task, predictions, [references], Options(allow_missing))
    except ScenewiseError:
        return
    json.dumps(evaluation.to_dict(), allow_nan=False)
    assert evaluation.rows()
