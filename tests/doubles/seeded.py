"""Weights and inputs that follow from a seed and a name alone, on both sides of a comparison.

The official code's network and ours are filled by the official names, in any order, so that
numbers which came out of one can be compared with the other later. numpy's ``RandomState`` is
frozen: it gives the same numbers in every version, which newer generators do not promise.

Weights are scaled so that every term counts: norms are not 1, biases not 0, and a filter keeps
the size of what passes through it.
"""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]
# a fixed seed may be had by NumPy's newer generators too, but not for every version
_Random = np.random.RandomState


def uniform(name: str, shape: tuple[int, ...], seed: int = 0) -> npt.NDArray[np.float32]:
    """Numbers in [-1, 1) that follow from name, shape and seed."""
    random = _Random(zlib.crc32(f"{seed} {name}".encode()))
    return (random.random_sample(shape) * 2.0 - 1.0).astype(np.float32)


def seeded_input(name: str, shape: tuple[int, ...], seed: int = 0) -> Tensor:
    """A float input of deviation 1."""
    return torch.from_numpy(uniform(name, shape, seed) * math.sqrt(3.0))


def seeded_ids(name: str, shape: tuple[int, ...], below: int, seed: int = 0) -> Tensor:
    """Whole numbers in [1, below)."""
    values = (uniform(name, shape, seed) + 1.0) / 2.0
    return torch.from_numpy(1 + (values * (below - 1)).astype(np.int64)).clamp(max=below - 1)


def seeded_state(
    shapes: Shapes, *, seed: int = 0, scales: Mapping[str, float] | None = None
) -> dict[str, Tensor]:
    """A tensor for each name. ``scales`` are (regular expression, deviation) that overrule.

    Else: ``running_var`` in [0.5, 1.5); ``running_mean`` and biases within 0.2; vectors named
    weight (norms) in [0.8, 1.2); everything else has the deviation 1 / sqrt(inputs).
    """
    return {
        # asarray: arithmetic turns an array without axes, such as CLIP's scale, into a number
        name: torch.from_numpy(np.asarray(_values(name, tuple(shape), seed, scales or {})))
        for name, shape in shapes.items()
    }


def _values(
    name: str, shape: tuple[int, ...], seed: int, scales: Mapping[str, float]
) -> npt.NDArray[np.float32]:
    noise = uniform(name, shape, seed)
    for pattern, deviation in scales.items():
        if re.search(pattern, name):
            return (noise * math.sqrt(3.0) * deviation).astype(np.float32)
    if name.endswith("running_var"):
        return (1.0 + 0.5 * noise).astype(np.float32)
    if len(shape) <= 1:
        centre = 1.0 if name.endswith(("weight", "gamma")) and len(shape) == 1 else 0.0
        return (centre + 0.2 * noise).astype(np.float32)
    inputs = math.prod(shape[1:])
    return (noise * math.sqrt(3.0 / inputs)).astype(np.float32)
