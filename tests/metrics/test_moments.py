"""Recall and average precision of ranked windows: by hand, by a slow second way, by properties."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenewise.metrics.evaluation.moments import evaluate_highlights, evaluate_moments
from scenewise.metrics.localization import Span, temporal_iou
from scenewise.metrics.moments import (
    AP_IOUS,
    MomentQuery,
    average_precisions,
    moment_figures,
)


def random_queries(count: int, seed: int, *, scored: bool = True) -> list[MomentQuery]:
    """Windows on a coarse grid, so that overlaps and scores are often equal."""
    draw = np.random.default_rng(seed)

    def spans(number: int) -> tuple[Span, ...]:
        starts = draw.integers(0, 30, number) * 2
        return tuple((float(s), float(s + 2 * draw.integers(1, 25))) for s in starts)

    queries = []
    for _ in range(count):
        found = spans(int(draw.integers(0, 13)))
        scores = tuple(float(x) / 5 for x in draw.integers(0, 5, len(found)))
        queries.append(
            MomentQuery(spans(int(draw.integers(1, 5))), found, scores if scored else None)
        )
    return queries


def slow_average_precision(query: MomentQuery, iou: float) -> float:
    """One query at one IoU, by the words of the definition."""
    found = list(query.predicted[:10])
    if query.scores is not None:
        order = sorted(range(len(found)), key=lambda n: -(query.scores or ())[n])
        found = [found[n] for n in order]
    free = set(range(len(query.true)))
    right = []
    for window in found:
        near = sorted(
            ((temporal_iou(window, true), number) for number, true in enumerate(query.true)),
            reverse=True,
        )
        taken = next((number for value, number in near if value >= iou and number in free), None)
        right.append(taken is not None)
        free.discard(-1 if taken is None else taken)
    total, precision = 0.0, [sum(right[: n + 1]) / (n + 1) for n in range(len(right))]
    for place, is_right in enumerate(right):
        if is_right:
            total += max(precision[place:]) / len(query.true)
    return total


def test_one_window_by_hand() -> None:
    """IoU of (0, 10) with (2, 10) is 0.8: right up to there."""
    (row,) = average_precisions([MomentQuery(((2.0, 10.0),), ((0.0, 10.0),))])
    assert row.tolist() == [1, 1, 1, 1, 1, 1, 1, 0, 0, 0]


def test_a_true_window_is_found_once_only() -> None:
    """The second hit of the same window is wrong: precision 1, 1/2, 2/3, at recall 1/2, 1."""
    truth = ((0.0, 10.0), (20.0, 30.0))
    query = MomentQuery(truth, ((0.0, 10.0), (0.0, 10.0), (20.0, 30.0)))
    assert average_precisions([query], [0.5])[0, 0] == pytest.approx((1 + 2 / 3) / 2)


def test_scores_order_what_the_file_does_not() -> None:
    truth = ((0.0, 10.0),)
    query = MomentQuery(truth, ((50.0, 60.0), (0.0, 10.0)), (0.1, 0.9))
    assert average_precisions([query], [0.5])[0, 0] == 1
    assert average_precisions([replace(query, scores=None)], [0.5])[0, 0] == 0.5
    assert moment_figures([query]).recall[1][0.5] == 0  # the first one given, whatever its score


def test_the_eleventh_window_does_not_count() -> None:
    wrong = tuple((50.0 + n, 51.0 + n) for n in range(10))
    query = MomentQuery(((0.0, 10.0),), (*wrong, (0.0, 10.0)))
    assert average_precisions([query]).max() == 0
    assert average_precisions([replace(query, predicted=(*wrong[:9], (0.0, 10.0)))]).min() == 0.1


@pytest.mark.parametrize("scored", [True, False])
def test_average_precision_agrees_with_the_slow_way(scored: bool) -> None:
    queries = random_queries(150, seed=1, scored=scored)
    slow = [[slow_average_precision(query, iou) for iou in AP_IOUS] for query in queries]
    np.testing.assert_allclose(average_precisions(queries), slow)


def test_lengths_take_their_own_windows_and_all_predictions() -> None:
    short, long = (0.0, 10.0), (20.0, 80.0)
    figures = moment_figures(
        [MomentQuery((short, long), (long, short)), MomentQuery((short,), (short,))]
    )
    parts = figures.by_length
    assert {name: part.queries for name, part in parts.items()} == {
        "short": 2,
        "middle": 0,
        "long": 1,
    }
    assert parts["long"].mean_average_precision == 1
    assert parts["short"].mean_average_precision == pytest.approx((0.5 + 1) / 2)
    assert math.isnan(parts["middle"].mean_iou)
    assert parts["middle"].to_dict()["mAP"] is None


def test_a_window_of_ten_seconds_is_short_and_of_thirty_middle() -> None:
    queries = [MomentQuery(((0.0, end),), ()) for end in (10.0, 10.5, 30.0, 31.0)]
    lengths = {name: part.queries for name, part in moment_figures(queries).by_length.items()}
    assert lengths == {"short": 1, "middle": 2, "long": 1}


def test_perfect_windows_have_all_figures_at_one() -> None:
    queries = [
        MomentQuery(query.true, query.true)
        for query in random_queries(30, seed=2)
        if len(set(query.true)) == len(query.true)
    ]
    figures = moment_figures(queries)
    assert figures.mean_iou == figures.mean_average_precision == 1
    assert {share for shares in figures.recall.values() for share in shares.values()} == {1.0}


def test_nothing_found_is_zero_and_no_query_is_not_a_number() -> None:
    figures = moment_figures([MomentQuery(((0.0, 5.0),), ())])
    assert figures.mean_iou == figures.mean_average_precision == 0
    assert math.isnan(moment_figures([]).mean_average_precision)


def test_figures_fall_with_the_threshold_rise_with_n_and_know_no_order_of_queries() -> None:
    queries = random_queries(80, seed=3)
    figures = moment_figures(queries)
    for values in (figures.recall[1], figures.recall[5], figures.precision):
        falling = list(values.values())
        assert falling == sorted(falling, reverse=True)
    assert all(figures.recall[5][iou] >= figures.recall[1][iou] for iou in figures.recall[5])
    turned = moment_figures(queries[::-1])
    assert turned.mean_average_precision == pytest.approx(figures.mean_average_precision)
    assert turned.recall == figures.recall


@pytest.mark.shared
def test_moment_detrs_predictions_have_every_published_figure(shared_dir: Path) -> None:
    """All numbers that QVHighlights' evaluator wrote, whole arrays included."""
    from scenewise.metrics.qvhighlights import qvhighlights_report

    folder = shared_dir / "metrics" / "moment_detr"
    truth = _lines(shared_dir / "annotations" / "qvhighlights" / "highlight_val_release.jsonl")
    found = {row["qid"]: row for row in _lines(folder / "sample_val_preds.jsonl")}
    queries = []
    for row in truth:
        windows = found[row["qid"]]["pred_relevant_windows"]
        queries.append(
            MomentQuery(
                tuple((start, end) for start, end in row["relevant_windows"]),
                tuple((start, end) for start, end, _ in windows),
                tuple(score for _, _, score in windows),
            )
        )
    expected = json.loads((folder / "sample_val_preds_metrics_raw.json").read_text("utf-8"))
    report = qvhighlights_report(moment_figures(queries))
    lengths = ("full", "long", "middle", "short")
    assert {name: report[name] for name in lengths} == {name: expected[name] for name in lengths}
    assert report["brief"] == {k: v for k, v in expected["brief"].items() if k.startswith("MR")}


@pytest.mark.shared
def test_the_evaluation_of_the_files_gives_the_published_brief(shared_dir: Path) -> None:
    folder = shared_dir / "metrics" / "moment_detr"
    truth = shared_dir / "annotations" / "qvhighlights" / "highlight_val_release.jsonl"
    predictions = folder / "sample_val_preds.jsonl"
    expected = json.loads((folder / "sample_val_preds_metrics_raw.json").read_text("utf-8"))
    moments = evaluate_moments(predictions, truth, allow_missing=False)
    highlights = evaluate_highlights(predictions, truth, allow_missing=False)
    brief = {**moments.figures["official percent"], **highlights.figures["official percent"]}
    assert brief == expected["brief"]
    assert moments.count == highlights.count == 1550


def _lines(path: Path) -> list[dict[str, list[list[float]]]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]
