"""Arithmetic that every encoder and every head shares: length one, and shares that sum to one.

It knows arrays; it knows nothing of what they stand for.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

_Float = TypeVar("_Float", bound=np.floating[Any])
_WEIGHTLESS = 1e-12  # a vector shorter than this has no direction


def unit(vectors: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """Vectors (..., D) scaled to length 1; one of zeros stays what it is."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, _WEIGHTLESS), dtype=np.float32)


def softmax(logits: npt.NDArray[_Float]) -> npt.NDArray[_Float]:
    """Logits (..., C) as shares that sum to 1 over the last axis, in the same precision."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), dtype=logits.dtype)
