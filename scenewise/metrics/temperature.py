"""One number that makes the probabilities of a network more honest: temperature scaling.

Guo et al., "On Calibration of Modern Neural Networks", 2017: logits are divided by the temperature
under which the right classes of held-out data are likeliest. The best class stays the best.
It knows logits (N, C); to judge with the data that it was fitted to would flatter.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating]

LEAST, GREATEST = 1e-2, 1e2  # what is searched; at an end, there is no minimum within
_STEPS = 100  # of a golden section: the rest is far below what a figure shows
_GOLDEN = (math.sqrt(5) - 1) / 2


def fit_temperature(logits: Floats, truth: npt.NDArray[np.integer]) -> float:
    """The temperature in 0.01 to 100 with the least negative log-likelihood of (N,) right classes.

    In the inverse of the temperature that likelihood has one minimum alone, so a search by golden
    section finds it. Where all logits of a row are alike no temperature says more, and it is 1.
    Raises ValueError without data.
    """
    logits, truth = np.asarray(logits, dtype=np.float64), np.asarray(truth)
    if logits.ndim != 2 or len(logits) != len(truth) or not len(truth):
        raise ValueError(f"{logits.shape} logits for {len(truth)} right classes")
    if not np.isfinite(logits).all():
        raise ValueError("logits hold values that are not finite numbers")
    if np.ptp(logits, axis=1).max() == 0:
        return 1.0
    low, high = math.log(LEAST), math.log(GREATEST)
    for _ in range(_STEPS):
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        if _loss(logits, truth, left) < _loss(logits, truth, right):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)


def scaled_probabilities(logits: Floats, temperature: float = 1.0) -> npt.NDArray[np.float64]:
    """Probabilities (N, C) of logits (N, C) at a temperature above 0."""
    if not temperature > 0:
        raise ValueError(f"a temperature lies above 0, got {temperature}")
    return np.asarray(np.exp(_log_probabilities(np.asarray(logits, np.float64) / temperature)))


def _loss(logits: Floats, truth: npt.NDArray[np.integer], log_temperature: float) -> float:
    scaled = _log_probabilities(logits / math.exp(log_temperature))
    return float(-scaled[np.arange(len(truth)), truth].mean())


def _log_probabilities(logits: Floats) -> Floats:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
