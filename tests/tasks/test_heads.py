"""Heads: what is stored as arrays says what scikit-learn's own estimators say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import LinearSVC

from scenewise.encoders.spec import WindowFeatures
from scenewise.tasks.classifiers import Classifier, Head
from scenewise.tasks.heads import ITERATIONS, STRENGTH, fit_linear, fit_ridge, sharpness


def clouds(classes: int, seed: int = 0, each: int = 12) -> tuple[Any, Any]:
    """Unit vectors (N, 16) around one direction for each class, and their classes (N,)."""
    random = np.random.default_rng(seed)
    middles = random.normal(size=(classes, 16))
    labels = np.repeat(np.arange(classes), each)
    rows = middles[labels] + 0.7 * random.normal(size=(len(labels), 16))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def scaled(rows: Any) -> Any:
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    return centred / np.sqrt((centred**2).sum(axis=1).mean())


def classifier(head: Head, arrays: Any, classes: int, neighbours: int = 1) -> Classifier:
    names = tuple(f"label {number}" for number in range(classes))
    return Classifier("x", head, names, arrays, "", "", neighbours=neighbours)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_softmax_regression_gives_the_probabilities_of_scikit_learn(classes: int) -> None:
    rows, labels = clouds(classes)
    expected = LogisticRegression(C=STRENGTH, max_iter=ITERATIONS, tol=1e-6).fit(
        scaled(rows), labels
    )
    head = fit_linear("logistic", rows, labels, classes)
    found = classifier("logistic", head.arrays(), classes).probabilities(WindowFeatures(rows))
    assert np.allclose(found, expected.predict_proba(scaled(rows)), atol=1e-4)


@pytest.mark.parametrize("classes", [2, 4])
def test_the_machine_decides_as_that_of_scikit_learn(classes: int) -> None:
    rows, labels = clouds(classes)
    expected = LinearSVC(C=STRENGTH, max_iter=50 * ITERATIONS, random_state=0, dual="auto")
    expected.fit(scaled(rows), labels)
    values = expected.decision_function(scaled(rows))
    logits = fit_linear("svm", rows, labels, classes)(rows)
    if classes == 2:
        assert np.allclose(logits, np.stack([-values, values], axis=1), atol=1e-5)
    else:
        assert np.allclose(logits, values, atol=1e-5)


@pytest.mark.parametrize("neighbours", [1, 3, 7])
def test_the_nearest_vote_as_in_scikit_learn(neighbours: int) -> None:
    rows, labels = clouds(3)
    others, _ = clouds(3, seed=1)
    expected = KNeighborsClassifier(neighbours, metric="cosine").fit(rows, labels)
    kept = classifier("knn", {"examples": rows, "members": labels}, 3, neighbours)
    found = kept.probabilities(WindowFeatures(others))
    assert np.allclose(found, expected.predict_proba(others), atol=1e-6)


def test_ridge_gives_the_numbers_of_scikit_learn() -> None:
    rows, _ = clouds(4)
    targets = rows @ np.arange(16) + 0.1 * np.random.default_rng(0).normal(size=len(rows))
    expected = RidgeCV(alphas=np.logspace(-4, 2, 13)).fit(scaled(rows), targets)
    kept = classifier("ridge", fit_ridge(rows, targets).arrays(), 1)
    assert np.allclose(kept.values(WindowFeatures(rows)), expected.predict(scaled(rows)), atol=1e-3)


def test_labels_weigh_alike_however_many_examples_they_have() -> None:
    rows, labels = clouds(2, each=20)
    few = np.concatenate([np.arange(20), np.arange(20, 24)])
    head = fit_linear("logistic", rows[few], labels[few], 2)
    middle = rows[few][labels[few] == 0].mean(axis=0) + rows[few][labels[few] == 1].mean(axis=0)
    low, high = head((middle / 2)[None])[0]
    assert abs(high - low) < 1.5  # half way between the two, neither has won


@pytest.mark.parametrize("head", ["logistic", "svm"])
def test_a_class_without_examples_never_wins(head: Head) -> None:
    rows, labels = clouds(2)
    logits = fit_linear(head, rows, labels * 2, 3)(rows)
    assert not (logits.argmax(axis=1) == 1).any()
    alone = fit_linear(head, rows, np.ones(len(rows), np.int64), 3)(rows)
    assert (alone.argmax(axis=1) == 1).all()


def test_sharpness_finds_the_factor_that_made_the_logits_dishonest() -> None:
    random = np.random.default_rng(0)
    honest = 2 * random.normal(size=(4000, 3))
    shares = np.exp(honest) / np.exp(honest).sum(axis=1, keepdims=True)
    classes = (shares.cumsum(axis=1) < random.random((4000, 1))).sum(axis=1)
    for factor in (0.2, 1.0, 5.0):
        assert sharpness(honest * factor, classes) == pytest.approx(1 / factor, rel=0.1)


def test_few_examples_that_are_all_right_do_not_make_certainty() -> None:
    logits = np.array([[1.0, 0.0], [0.0, 1.0]])
    factor = sharpness(logits, np.array([0, 1]))
    assert 1 / (1 + np.exp(-factor)) == pytest.approx(0.75, abs=0.01)  # (N + 1) / (N + 2), N = 2


def test_weights_are_trials() -> None:
    random = np.random.default_rng(1)
    logits, classes = random.normal(size=(50, 2)), random.integers(0, 2, 50)
    logits[np.arange(50), classes] += 1
    twice = sharpness(np.vstack([logits, logits]), np.concatenate([classes, classes]))
    assert sharpness(logits, classes, np.full(50, 2.0)) == pytest.approx(twice, rel=1e-3)


def test_a_few_trials_do_not_decide_alone() -> None:
    wrong = np.array([[1.0, 0.0], [0.0, 1.0]])
    classes = np.array([1, 0])
    assert sharpness(wrong, classes) < 0.01
    held = [
        sharpness(np.tile(wrong, (n, 1)), np.tile(classes, n), prior_spread=0.7)
        for n in (1, 10, 100)
    ]
    assert 1 > held[0] > 0.3 > held[1] > held[2]
