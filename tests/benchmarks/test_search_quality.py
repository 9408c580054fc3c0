"""The parts of the quality measurement that could be wrong without a sign."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from benchmarks.search_quality import Truth, fit_logistic, within_query_auroc

HEADER = "file,role,queries,moments\n"


def truth_of(tmp_path: Path, rows: str) -> Truth:
    (tmp_path / "videos.csv").write_text(HEADER + rows, encoding="utf-8")
    return Truth.read(tmp_path)


def test_labels_are_read(tmp_path: Path) -> None:
    truth = truth_of(
        tmp_path,
        "eval/a.mp4,eval,a cat | a dog,\n"
        "format/x.mp4,format,,\n"
        '"eval/b.mp4",eval,a bird,"1.5-3: it flies; 4-5.25: it lands"\n',
    )
    assert [path.name for path in truth.files] == ["a.mp4", "b.mp4"]
    assert truth.queries == ["a cat", "a dog", "a bird"]
    assert truth.clips.tolist() == [0, 0, 1]
    assert truth.moments == [(1, 1.5, 3.0, "it flies"), (1, 4.0, 5.25, "it lands")]


def test_logistic_regression_agrees_with_sklearn() -> None:
    generator = np.random.default_rng(0)
    z = generator.normal(size=500)
    right = generator.random(500) < 1 / (1 + np.exp(-(1.3 * z - 0.7)))
    weight = generator.uniform(0.5, 2, 500)
    peer = LogisticRegression(C=1e6).fit(z[:, None], right, sample_weight=weight)
    slope, offset = fit_logistic(z, right, weight)
    assert slope == pytest.approx(peer.coef_[0, 0], abs=1e-3)
    assert offset == pytest.approx(peer.intercept_[0], abs=1e-3)


def test_bound_is_one_where_search_is_perfect_and_a_half_where_it_guesses(tmp_path: Path) -> None:
    rows = "".join(f"eval/{number}.mp4,eval,query {number},\n" for number in range(30))
    truth = truth_of(tmp_path, rows)
    noise = np.random.default_rng(1).random((30, 30))
    assert within_query_auroc(noise + 2 * np.eye(30), truth) == 1.0
    assert within_query_auroc(noise, truth) == pytest.approx(0.5, abs=0.08)
