"""One comparison of a network with its reference. It knows how to build and call both."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

Outputs = dict[str, Tensor]


def only_output(network: nn.Module, inputs: tuple[Tensor, ...]) -> Outputs:
    """What most networks do: tensors in, one tensor out."""
    return {"output": network(*inputs)}


@dataclass(frozen=True, slots=True)
class Case:
    """One network at one size, ours and the reference's."""

    name: str  # of the golden files: letters, digits, underscores
    repository: str  # "owner/name" of the official code, or "pip:transformers"
    reference: Callable[[], nn.Module]  # called with the checkout on sys.path
    ours: Callable[[], nn.Module]
    inputs: Callable[[], tuple[Tensor, ...]]  # as ours takes them
    call_reference: Callable[[nn.Module, tuple[Tensor, ...]], Outputs] = only_output
    call_ours: Callable[[nn.Module, tuple[Tensor, ...]], Outputs] = only_output
    seed: int = 0
    scales: Mapping[str, float] = field(default_factory=dict)  # see tests/doubles/seeded.py
    golden: bool = True  # numbers are kept for the tests; the network is small
    full: bool = False  # names and shapes are kept for the tests; the published size
    timed: bool = False  # the published size, for time and memory
    fused: bool = True  # the reference uses fused attention, or has no attention


@contextmanager
def checkout_on_path(folder: Path) -> Iterator[None]:
    """Imports of official code find it; what it imported is forgotten afterwards."""
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in set(sys.modules) - before:
            place = getattr(sys.modules[name], "__file__", None)
            if place and Path(place).is_relative_to(folder):
                del sys.modules[name]


def module(name: str) -> Any:
    """A module of official code, by its name inside the checkout."""
    found: ModuleType = importlib.import_module(name)
    return found
