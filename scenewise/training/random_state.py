"""All the chance of a process: what python, numpy and torch draw next, as tensors.

It knows generators; it knows nothing of what they are used for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenewise.errors import TrainingError

_WORDS = 624  # of the Mersenne twister, and its place


@dataclass(frozen=True, slots=True)
class RandomState:
    """What the generators of this process would draw next."""

    tensors: dict[str, Tensor]  # python (627,), numpy (627,) float64 or int64, torch, cuda.N bytes

    @classmethod
    def now(cls) -> RandomState:
        """Of this moment."""
        _, words, pending = random.getstate()
        numbers: Any = np.random.get_state(legacy=True)  # noqa: NPY002
        kind, keys, place, has_gauss, gauss = numbers
        if kind != "MT19937":
            raise TrainingError(
                f"numpy draws by {kind}, which is not kept; leave its generator as it is."
            )
        tensors = {
            # float64 holds the 32-bit words and the pending gaussian exactly
            "python": torch.tensor(
                [*words, pending is not None, pending or 0.0], dtype=torch.float64
            ),
            "numpy": torch.tensor([*keys.tolist(), place, has_gauss, gauss], dtype=torch.float64),
            "torch": torch.get_rng_state(),
        }
        for number in range(torch.cuda.device_count()):
            tensors[f"cuda.{number}"] = torch.cuda.get_rng_state(number)
        return cls(tensors)

    @classmethod
    def seeded(cls, seed: int) -> RandomState:
        """Of a fresh start from a seed; nothing global changes."""
        before = cls.now()
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        torch.default_generator.manual_seed(seed)
        made = cls.now()
        before.restore()
        return made

    def restore(self) -> None:
        """From here on, what was drawn after ``now`` is drawn again."""
        *words, has_pending, pending = self.tensors["python"].tolist()
        random.setstate((3, tuple(map(int, words)), pending if has_pending else None))
        numbers = self.tensors["numpy"]
        keys = numbers[:_WORDS].numpy().astype(np.uint32)
        place, has_gauss, gauss = numbers[_WORDS:].tolist()
        np.random.set_state(("MT19937", keys, int(place), int(has_gauss), gauss))  # noqa: NPY002
        torch.set_rng_state(self.tensors["torch"])
        for number in range(torch.cuda.device_count()):
            # a checkpoint of a machine without this GPU says nothing of its generator
            if (state := self.tensors.get(f"cuda.{number}")) is not None:
                torch.cuda.set_rng_state(state, number)

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor], prefix: str) -> RandomState:
        """From the tensors of a file whose names begin with ``prefix``."""
        return cls(
            {
                key.removeprefix(prefix): value
                for key, value in tensors.items()
                if key.startswith(prefix)
            }
        )

    def named(self, prefix: str) -> dict[str, Tensor]:
        """The tensors under names that begin with ``prefix``."""
        return {prefix + key: value for key, value in self.tensors.items()}


@contextmanager
def unchanged_chance() -> Iterator[None]:
    """What happens in here draws nothing from those outside."""
    before = RandomState.now()
    try:
        yield
    finally:
        before.restore()


class OwnChance:
    """A stream of chance beside the process's own, for those who use the global generators.

    The data has one, so that passing over batches changes nothing for dropout.
    """

    def __init__(self, state: RandomState) -> None:
        self.state = state

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """What happens in here draws from this stream."""
        before = RandomState.now()
        self.state.restore()
        try:
            yield
        finally:
            self.state = RandomState.now()
            before.restore()
