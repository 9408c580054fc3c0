"""Training on vectors whose truth is known: what is learnt, how it is judged, what is refused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from colour_encoder import ColourEncoder

from scenewise.encoders.spec import WindowFeatures
from scenewise.errors import UnreadableMediaError, UsageError
from scenewise.index.window_files import Windows
from scenewise.metrics.reliability import expected_calibration_error
from scenewise.tasks.classifiers import Classifier, Head
from scenewise.tasks.examples import Example
from scenewise.tasks.train_classifier import (
    Gathered,
    TrainingOptions,
    _split,
    gather,
    train,
)
from scenewise.tasks.training_report import TrainingReport

SPEC = ColourEncoder("colours").spec
HEADS: tuple[Head, ...] = ("logistic", "svm", "knn")


def windows(video: str, direction: int, *, noise: float = 0.2, seed: int = 0) -> Windows:
    """Eight windows near one axis of eight, other ones for each video."""
    random = np.random.default_rng([seed, *video.encode()])
    rows = np.eye(8)[direction] + noise * random.normal(size=(8, 8))
    times = np.arange(8, dtype=np.float64) * np.float64(0.5)
    unit = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return Windows(video.partition("=")[2] or video, 4.0, times, times + 0.5, times, unit)


def seeing(noise: float = 0.2) -> Callable[[str], Windows]:
    """A video's first letter says which axis it is near; what follows = is its content."""

    def see(video: str) -> Windows:
        if video.startswith("x"):
            raise UnreadableMediaError(f"{video}: no frame of it can be decoded.")
        return windows(video, "abcd".index(video[0]), noise=noise)

    return see


def examples(labels: str, each: int) -> list[Example]:
    return [Example(f"{label}{number}", label) for label in labels for number in range(each)]


def run(
    gathered: Gathered, head: Head = "logistic", folds: int = 5
) -> tuple[Classifier, TrainingReport]:
    return train("x", gathered, SPEC, TrainingOptions(head, folds), {"verb": "train-classifier"})


@pytest.mark.parametrize("head", HEADS)
def test_what_can_be_told_apart_is_learnt(head: Head) -> None:
    classifier, report = run(gather(examples("abc", 8), seeing()), head)
    assert report.figures["accuracy"] == 1
    assert report.figures["chance"] == pytest.approx(1 / 3)
    assert np.array_equal(report.confusion, 8 * np.eye(3, dtype=int))
    assert [one.support for one in report.classes] == [8, 8, 8]
    assert report.mistakes == ()
    new = np.stack([windows("new", axis).vectors.mean(axis=0) for axis in range(3)])
    rows = classifier.probabilities(WindowFeatures(new.astype(np.float32)))
    assert rows.argmax(axis=1).tolist() == [0, 1, 2]
    assert rows.max(axis=1).min() > 0.6


@pytest.mark.parametrize("head", HEADS)
def test_what_has_nothing_to_do_with_the_pictures_is_judged_so(head: Head) -> None:
    """Labels dealt out by chance: a report that were not cross-validated would praise itself."""
    random = np.random.default_rng(0)
    dealt = [
        Example(f"a{number}", label)
        for number, label in enumerate(random.permutation(["p"] * 40 + ["q"] * 40))
    ]
    _, report = run(gather(dealt, seeing()), head)
    assert abs(report.figures["accuracy"] - 0.5) < 0.2
    assert len(report.mistakes) == 80 - int(np.trace(report.confusion))
    assert report.figures["calibration_error"] < 0.25 if head != "knn" else True


def test_probabilities_are_about_as_often_right_as_they_say() -> None:
    gathered = gather(examples("abcd", 40), seeing(noise=1.6))
    for head in ("logistic", "svm"):
        _, report = run(gathered, head)
        assert 0.5 < report.figures["accuracy"] < 0.98
        classifier, _ = run(gathered, head)
        fresh = [
            windows(f"{letter}{number}", axis, noise=1.6, seed=9)
            for axis, letter in enumerate("abcd")
            for number in range(100)
        ]
        means = np.stack([one.vectors.mean(axis=0) for one in fresh])
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        rows = classifier.probabilities(WindowFeatures(means))
        right = rows.argmax(axis=1) == np.repeat(np.arange(4), 100)
        assert expected_calibration_error(rows.max(axis=1).clip(0, 1), right) < 0.12


def test_no_content_is_in_both_halves() -> None:
    """Twelve videos of one label, in fact three, each under four names."""
    several = [Example(f"{label}{n}={label}{n % 3}", label) for label in "ab" for n in range(12)]
    gathered = gather(
        [Example(e.video, e.label, start=0.1 * i) for i, e in enumerate(several)], seeing()
    )
    assert len(set(gathered.groups.tolist())) == 6
    classes = np.array([one.label == "b" for one in gathered.examples]).astype(np.int64)
    for train_rows, test_rows in _split(classes, gathered.groups, 3, seed=0):
        assert not set(gathered.groups[train_rows]) & set(gathered.groups[test_rows])
        assert set(classes[test_rows].tolist()) == {0, 1}
    _, report = run(gathered)
    assert (report.videos, report.folds) == (6, 3)
    assert any("3 folds in place of 5" in note for note in report.notes)


def test_the_same_seed_gives_the_same_classifier() -> None:
    gathered = gather(examples("abc", 6), seeing(noise=1.0))
    for head in HEADS:
        first, second = run(gathered, head), run(gathered, head)
        assert first[1].to_dict() == second[1].to_dict()
        assert first[0].to_kept().data == second[0].to_kept().data


def test_what_cannot_be_read_is_left_out_and_named() -> None:
    gathered = gather([*examples("ab", 3), Example("x1", "a")], seeing())
    assert [failure.path for failure in gathered.failed] == ["x1"]
    assert "no frame" in gathered.failed[0].reason
    assert run(gathered)[1].failed == gathered.failed
    with pytest.raises(UsageError, match="none of the 2 examples could be read, such as x1"):
        gather([Example("x1", "a"), Example("x2", "b")], seeing())


def test_an_example_counts_once_and_has_one_label() -> None:
    gathered = gather(
        [Example("a1=same", "a"), Example("a2=same", "a"), Example("b1", "b")], seeing()
    )
    assert len(gathered.examples) == 2
    assert "twice" in gathered.notes[0]
    with pytest.raises(UsageError, match="same content"):
        gather([Example("a1=same", "a"), Example("a2=same", "b")], seeing())


@pytest.mark.parametrize(
    ("labels", "each", "words"),
    [("a", 5, "at least two labels"), ("ab", 1, "'a' has 1 video")],
)
def test_too_few_examples_are_refused(labels: str, each: int, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        run(gather(examples(labels, each), seeing()))


def test_a_span_is_its_own_windows() -> None:
    def see(video: str) -> Windows:
        times = np.arange(4, dtype=np.float64) * np.float64(0.5)
        return Windows(video, 2.0, times, times + 0.5, times, np.eye(4, dtype=np.float32))

    spans = [(0.0, 0.5), (0.5, 1.5), (1.6, 1.7), (None, None)]
    rows = gather([Example(f"v{n}", "x", *span) for n, span in enumerate(spans)], see).vectors
    assert np.allclose(rows[0], [1, 0, 0, 0])
    assert np.allclose(rows[1], np.array([0, 1, 1, 0]) / 2**0.5)
    assert np.allclose(rows[2], [0, 0, 0, 1])  # between two windows: the nearest
    assert np.allclose(rows[3], 0.5)
    late = gather([Example("v", "x", 9.0), Example("w", "y")], see)
    assert "behind the end" in late.failed[0].reason


def test_numbers_are_learnt_and_held_against_the_mean() -> None:
    several = [
        Example(f"{letter}{n}", str(10 * axis))
        for axis, letter in enumerate("abc")
        for n in range(5)
    ]
    classifier, report = run(gather(several, seeing()), "ridge")
    assert report.figures["mae"] < 1 < report.figures["mae_of_mean"]
    assert report.figures["r2"] > 0.95
    value = classifier.values(WindowFeatures(windows("new", 2).vectors.mean(axis=0)[None]))
    assert value[0] == pytest.approx(20, abs=4)
    assert report.to_dict()["labels"] == ["label"]


def test_odd_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="is no number"):
        run(gather(examples("ab", 4), seeing()), "ridge")
    few = [Example(f"a{number}", str(number)) for number in range(4)]
    with pytest.raises(UsageError, match="too few"):
        run(gather(few, seeing()), "ridge")


@pytest.mark.parametrize(
    "odd", [{"head": "forest"}, {"folds": 1}, {"neighbours": 0}], ids=lambda odd: next(iter(odd))
)
def test_odd_options_are_refused(odd: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="is not allowed"):
        TrainingOptions(**odd)  # type: ignore[arg-type]  # odd on purpose
