"""The layouts in which a network's weights are published, and how each becomes our own.

It knows names and shapes of tensors; it knows no files. A family keeps its layouts in a tuple
``LAYOUTS``, named by its cards. Our networks keep the names of the official code wherever that
can be, so that the first layout of most families renames nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from scenewise.models.weights.checkpoint import State

Config = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Identified:
    """Which network of the registry a checkpoint belongs to, with the options that fit."""

    name: str
    options: Mapping[str, Any]
    # weights of pictures, from which this network and others begin: taken where it is named
    begins: bool = False


@runtime_checkable
class AdaptsState(Protocol):
    """A network that takes weights of another size, or of pictures, as was published for it."""

    def adapt_state(self, state: State) -> State:
        """Tensors by our own names, in the shapes that this network has; others as they are."""
        ...


def _keep(state: State) -> State:
    return state


@dataclass(frozen=True, slots=True)
class Layout:
    """One way in which checkpoints of a family name and shape their tensors.

    ``signature`` are regular expressions; a checkpoint has this layout when each of them fits at
    least one whole key, and no expression of ``absent`` fits any. ``ignore`` fits keys that carry
    nothing (position ids, heads of other tasks). ``renames`` are (expression, replacement),
    applied in their order to every key. ``before`` and ``after`` change tensors (split, join,
    transpose) ahead of the renaming and behind it. ``identify`` says from the tensors as they are
    in the file, and from config.json where there is one, which network they belong to; None where
    that cannot be told.
    """

    name: str  # "official", "mmaction2", "huggingface"
    signature: tuple[str, ...]
    identify: Callable[[State, Config], Identified | None]
    absent: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    renames: tuple[tuple[str, str], ...] = ()
    before: Callable[[State], State] = _keep
    after: Callable[[State], State] = _keep

    def fits(self, state: Mapping[str, Any]) -> bool:
        """Whether these keys are of this layout."""
        return all(_any(pattern, state) for pattern in self.signature) and not any(
            _any(pattern, state) for pattern in self.absent
        )

    def convert(self, state: State) -> State:
        """Tensors of this layout by our own names."""
        ignored = [re.compile(pattern) for pattern in self.ignore]
        kept = {
            key: value
            for key, value in state.items()
            if not any(pattern.fullmatch(key) for pattern in ignored)
        }
        return self.after({self.rename(key): value for key, value in self.before(kept).items()})

    def rename(self, key: str) -> str:
        """Our name for one key."""
        for pattern, replacement in self.renames:
            key = re.sub(pattern, replacement, key)
        return key


def _any(pattern: str, state: Mapping[str, Any]) -> bool:
    compiled = re.compile(pattern)
    return any(compiled.fullmatch(key) for key in state)
