"""Teaching from a few moments, on vectors whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from colour_encoder import ColourEncoder

from scenewise.encoders.spec import FloatArray, WindowFeatures
from scenewise.errors import UsageError
from scenewise.tasks.classifiers import Classifier
from scenewise.tasks.teach import Taught, background_of, revise, taught_moments, teach

SPEC = ColourEncoder("colours").spec


def near(axis: int, count: int, seed: int = 0) -> FloatArray:
    random = np.random.default_rng([seed, axis, count])
    rows = np.eye(8)[axis] + 0.15 * random.normal(size=(count, 8))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def moment(axis: int, start: float, good: bool) -> Taught:
    return Taught(f"{axis:04d}", f"film{axis}.mp4", start, start + 2, good)


def windows_of(one: Taught) -> FloatArray | None:
    axis = int(one.video_id)
    return None if axis == 9 else near(axis, 4, seed=int(one.start))


def library(axes: range, each: int = 30) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """A background: many windows near some axes, each axis a video."""
    return np.concatenate([near(axis, each) for axis in axes]), np.repeat(list(axes), each)


EMPTY = np.zeros((0, 8), np.float32), np.zeros(0, np.int64)


def probability(classifier: Classifier, axis: int) -> float:
    rows = classifier.probabilities(WindowFeatures(near(axis, 50, seed=99)))
    return float(rows[:, classifier.column()].mean())


def test_one_good_moment_is_told_from_the_library() -> None:
    found = teach("red", [moment(0, 0, True)], windows_of, library(range(1, 8)), SPEC)
    assert found.labels == ("not red", "red")
    assert found.positive == 1
    assert probability(found, 0) > 0.6
    assert max(probability(found, axis) for axis in range(1, 8)) < 0.4


def test_a_bad_moment_counts_more_than_the_same_in_the_library() -> None:
    good = [moment(0, 0, True), moment(1, 0, True)]
    before = teach("x", good, windows_of, library(range(1, 8)), SPEC)
    after = teach("x", [good[0], moment(1, 0, False)], windows_of, library(range(1, 8)), SPEC)
    assert probability(before, 1) > 0.5 > probability(after, 1)
    assert probability(before, 5) < 0.4 < 0.6 < probability(before, 0)


def test_more_moments_are_judged_and_sharpened() -> None:
    few = teach("red", [moment(0, 0, True)], windows_of, library(range(1, 8)), SPEC)
    assert few.report is not None
    assert "auroc" not in few.report
    many = [moment(0, start, True) for start in range(0, 60, 10)]
    many += [moment(1, start, False) for start in range(0, 60, 10)]
    found = teach("red", many, windows_of, library(range(2, 8)), SPEC)
    assert found.report is not None
    assert found.report["auroc"] > 0.99
    assert (found.report["good"], found.report["bad"]) == (6, 6)
    assert probability(found, 0) > probability(few, 0)
    assert probability(found, 1) < 0.1


def test_what_cannot_be_told_apart_is_judged_so() -> None:
    same = [moment(0, start, start % 20 == 0) for start in range(0, 200, 10)]
    found = teach("red", same, windows_of, EMPTY, SPEC)
    assert found.report is not None
    assert 0.2 < found.report["auroc"] < 0.8
    assert 0.3 < probability(found, 0) < 0.7


def test_without_a_library_beside_it_a_bad_moment_is_needed() -> None:
    with pytest.raises(UsageError, match="--bad"):
        teach("red", [moment(0, 0, True)], windows_of, EMPTY, SPEC)
    found = teach("red", [moment(0, 0, True), moment(1, 0, False)], windows_of, EMPTY, SPEC)
    assert probability(found, 0) > 0.5 > probability(found, 1)


def test_without_anything_good_there_is_nothing_to_learn() -> None:
    with pytest.raises(UsageError, match="--good"):
        teach("red", [moment(1, 0, False)], windows_of, library(range(1, 8)), SPEC)
    with pytest.raises(UsageError, match="--good"):
        teach("red", [moment(9, 0, True)], windows_of, library(range(1, 8)), SPEC)


def test_a_moment_whose_video_is_gone_is_named_and_kept_for_later() -> None:
    some = [moment(0, 0, True), moment(9, 0, True)]
    found = teach("red", some, windows_of, library(range(1, 8)), SPEC)
    assert found.report is not None
    assert found.report["lost"] == ["film9.mp4@0-2"]
    assert taught_moments(found) == tuple(some)


def test_what_is_known_can_be_added_to_and_corrected() -> None:
    first, second, third = (moment(0, start, True) for start in (0, 10, 20))
    assert revise((), [first, first], []) == (first,)
    assert revise((first,), [second], []) == (first, second)
    corrected = replace(first, good=False)
    assert revise((first, second), [corrected], []) == (second, corrected)
    assert revise((first, second), [third], [replace(first, good=False)]) == (second, third)
    with pytest.raises(UsageError, match="never taught"):
        revise((first,), [], [second])
    with pytest.raises(UsageError, match="good and bad"):
        revise((), [first, corrected], [])


def test_a_trained_classifier_is_not_taught() -> None:
    arrays = {"weight": np.zeros((2, 8)), "bias": np.zeros(2)}
    trained = Classifier("x", "logistic", ("a", "b"), arrays, "colours", "0", recipe={})
    with pytest.raises(UsageError, match="was trained, not taught"):
        taught_moments(trained)


def test_the_background_is_spread_over_all_videos() -> None:
    sizes = {7: 50, 8: 100, 9: 2000}
    found = background_of(sizes, 100)
    assert sum(map(len, found.values())) == 100
    assert set(found) == set(sizes)
    for chunk, rows in found.items():
        assert 0 <= rows.min() <= rows.max() < sizes[chunk]
    everything = background_of({1: 3, 2: 2}, 100)
    assert {chunk: rows.tolist() for chunk, rows in everything.items()} == {1: [0, 1, 2], 2: [0, 1]}
    assert background_of({}, 10) == {}
