"""Fits the heads of classifiers on vectors, by scikit-learn, and hands them out as plain arrays.

Vectors are centred and brought to unit variance in total before a head is fitted, and classes
weigh alike however many examples they have; both are multiplied into the stored arrays, so that a
head reads vectors as they are. This module loads scikit-learn inside its functions: what only
evaluates a classifier does without it.

It knows vectors, classes and weights; it knows no video, no label's name and no library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray
from scenewise.tasks.classifiers import Head

STRENGTH = 10.0  # C of scikit-learn: how much the examples count against small weights
ITERATIONS = 2_000
_SHARPEST, _FLATTEST = 1e3, 1e-3  # factors that calibration may give
_UNSEEN = -30.0  # the logit of a class that no example of a fold has

Rows = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Linear:
    """Logits (N, C) are ``vectors @ weight.T + bias``."""

    weight: Rows  # (C, D)
    bias: Rows  # (C,)

    def __call__(self, vectors: FloatArray | Rows) -> Rows:
        """Logits of N vectors."""
        return np.asarray(vectors, dtype=np.float64) @ self.weight.T + self.bias

    def sharpened(self, factor: float) -> Linear:
        """All logits times a factor."""
        return Linear(self.weight * factor, self.bias * factor)

    def arrays(self) -> Arrays:
        """As a classifier keeps them."""
        return {"weight": self.weight.astype(np.float32), "bias": self.bias.astype(np.float32)}


def fit_linear(
    head: Head,
    vectors: FloatArray,
    classes: Ints,
    count: int,
    *,
    seed: int = 0,
    weights: Rows | None = None,
) -> Linear:
    """Softmax regression ("logistic") or a linear support vector machine ("svm").

    ``vectors`` (N, D), ``classes`` (N,) in 0 to ``count`` - 1; ``weights`` (N,) of the examples,
    None: so that the classes weigh alike. A class without examples gets a logit that never wins.
    The logits of the machine are its decision values, one class against the rest: ``sharpness``
    makes probabilities of them.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.svm import LinearSVC

    scaled, mean, factor = _scale(vectors)
    present = np.unique(classes)
    whole = np.zeros((count, vectors.shape[1])), np.full(count, _UNSEEN)
    if len(present) == 1:
        whole[1][present] = 0.0
        return Linear(*whole)
    if weights is None:
        sizes = np.bincount(classes, minlength=count)
        weights = len(classes) / (len(present) * np.maximum(sizes, 1)[classes])
    if head == "svm":
        fitted = LinearSVC(C=STRENGTH, max_iter=50 * ITERATIONS, random_state=seed, dual="auto")
    else:
        fitted = LogisticRegression(C=STRENGTH, max_iter=ITERATIONS, tol=1e-6)
    fitted.fit(scaled, classes, sample_weight=weights)
    weight, bias = np.asarray(fitted.coef_, np.float64), np.asarray(fitted.intercept_, np.float64)
    if len(present) == 2:  # scikit-learn has one row for two classes: that of the second
        low = 0.0 if head == "logistic" else -1.0
        weight, bias = np.vstack([low * weight, weight]), np.concatenate([low * bias, bias])
    whole[0][present] = weight * factor
    whole[1][present] = bias - weight @ mean * factor
    return Linear(*whole)


def fit_ridge(vectors: FloatArray, targets: Rows) -> Linear:
    """Ridge regression, whose strength is the best of some by leave-one-out (Hoerl, 1970)."""
    from sklearn.linear_model import RidgeCV

    scaled, mean, factor = _scale(vectors)
    fitted = RidgeCV(alphas=np.logspace(-4, 2, 13)).fit(scaled, targets)
    weight = np.asarray(fitted.coef_, np.float64).reshape(1, -1)
    bias = np.asarray([fitted.intercept_], np.float64).reshape(1)
    return Linear(weight * factor, bias - weight @ mean * factor)


def sharpness(
    logits: Rows,
    classes: Ints,
    weights: Rows | None = None,
    *,
    prior_spread: float | None = None,
) -> float:
    """The factor that makes logits (N, C) of examples left out honest as softmax.

    The inverse of the temperature of Guo et al., "On Calibration of Modern Neural Networks",
    2017: the likelihood is convex in it. The truth is smoothed by 1 / (N + 2), as Platt (1999)
    does, so that few examples, all of them right, do not make it boundless. ``weights`` (N,), as
    many trials as their sum; None: 1 each. ``prior_spread``: how far the logarithm of the factor
    lies from 0 beforehand (a standard deviation), for a few trials that must not decide alone.
    """
    count = logits.shape[1]
    weights = np.ones(len(logits)) if weights is None else weights
    rest = 1 / (float(weights.sum()) + 2)
    truth = np.full(logits.shape, rest / max(1, count - 1))
    truth[np.arange(len(logits)), classes] = 1 - rest

    def loss(log_factor: float) -> float:
        scaled = logits * np.exp(log_factor)
        top = scaled.max(axis=1, keepdims=True)
        normal = top + np.log(np.exp(scaled - top).sum(axis=1, keepdims=True))
        held = 0.0 if prior_spread is None else (log_factor / prior_spread) ** 2 / 2
        return float(held - (weights @ (truth * (scaled - normal))).sum())

    return float(np.exp(_lowest(loss, np.log(_FLATTEST), np.log(_SHARPEST))))


def _lowest(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function with one valley is lowest, by golden section."""
    ratio = (5**0.5 - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > 1e-4:
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2


def _scale(vectors: FloatArray) -> tuple[Rows, Rows, float]:
    """Vectors (N, D) centred and scaled, the mean (D,) and the factor."""
    rows = np.asarray(vectors, dtype=np.float64)
    mean = rows.mean(axis=0)
    centred = rows - mean
    spread = float((centred**2).sum(axis=1).mean()) ** 0.5
    factor = 1 / spread if spread > 1e-9 else 1.0
    return centred * factor, mean, factor
