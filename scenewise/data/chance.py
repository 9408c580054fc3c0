"""Chance that can be repeated: what a row looks like depends on seed, epoch and row alone.

Each purpose draws from a stream of its own, so that one more augmentation changes nothing of the
frames that are chosen. It knows numbers, nothing of what is drawn.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

Purpose = Literal["order", "frames", "pixels", "text", "sound", "replacement", "mixing"]
_PURPOSES: tuple[str, ...] = get_args(Purpose)


def stream_of(seed: int, epoch: int, number: int, purpose: Purpose) -> np.random.Generator:
    """The draws of one purpose for one row (or batch) in one epoch; all at least 0."""
    return np.random.default_rng([seed, epoch, number, _PURPOSES.index(purpose)])
