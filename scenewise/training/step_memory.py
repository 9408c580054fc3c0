"""What one step of training takes in memory, counted without taking it.

Forward pass, backward pass and the optimizer's step run on torch's device "meta", where tensors
have shapes and no content; every tensor that lives is counted, by its storage, until it is freed.
The count is exact for what torch allocates as tensors. The workspaces of kernels, the context of
a GPU, and what an allocator keeps for itself come on top: docs/train.md has a bound. It knows a
learner, an optimizer and a batch.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError, first_line
from scenewise.training.learner import LOSS, Learner


@dataclass(frozen=True, slots=True)
class StepMemory:
    """Bytes. The parts are not all there at once, so that they may add up to more than ``peak``."""

    weights: int  # parameters and buffers
    gradients: int
    optimizer: int  # what it keeps from step to step
    batch: int
    activations: int  # what the forward pass leaves for the backward pass
    peak: int  # the most that lives at once, in the second step and all after it

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def step_memory(
    learner: Learner, make_optimizer: Callable[[Learner], torch.optim.Optimizer], batch: Batch
) -> StepMemory:
    """Of steps with batches like this one. The learner is moved to "meta", and is of no use after.

    Raises TrainingError where a step needs the content of tensors, which "meta" has not.
    """
    learner.to("meta").train()
    try:
        return _counted(learner, make_optimizer(learner), batch.to("meta"))
    except (RuntimeError, NotImplementedError) as error:
        raise TrainingError(
            f"The memory of a step cannot be counted ahead: {first_line(error)}."
        ) from error


def tensors_of(batch: Batch) -> dict[str, Tensor]:
    """The parts of a batch that are there, by name."""
    named = {part.name: getattr(batch, part.name) for part in fields(batch)}
    return {name: value for name, value in named.items() if isinstance(value, Tensor)}


def held(tensors: Iterable[Tensor]) -> int:
    """Bytes of these tensors' storages, each once."""
    storages = {_key(tensor): tensor.untyped_storage().nbytes() for tensor in tensors}
    return sum(storages.values())


def _counted(learner: Learner, optimizer: torch.optim.Optimizer, batch: Batch) -> StepMemory:
    own = [*learner.parameters(), *learner.buffers()]
    given = list(tensors_of(batch).values())
    with _Living() as living:
        for tensor in (*own, *given):
            living.count(tensor)
        steady = living.now
        left = 0
        for _ in range(2):  # the optimizer's own tensors are there from the second step on
            optimizer.zero_grad(set_to_none=True)
            living.peak = living.now
            before = living.now
            loss = learner(batch)[LOSS]
            left = living.now - before
            torch.autograd.backward(loss)
            del loss
            optimizer.step()
    gradients = held(one.grad for one in learner.parameters() if one.grad is not None)
    kept = held(leaf for leaf in tree_leaves(_states(optimizer)) if isinstance(leaf, Tensor))
    weights = held(own)
    return StepMemory(weights, gradients, kept, steady - weights, left, living.peak)


def _states(optimizer: torch.optim.Optimizer) -> list[Mapping[str, Any]]:
    return [dict(state) for state in optimizer.state.values()]


def _key(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)


class _Living(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own lacks types
    """Counts the bytes of all storages that operations make, until each is freed."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor):
                self.count(leaf)
        return result

    def count(self, tensor: Tensor) -> None:
        """Add a tensor's storage, where it is not known yet."""
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in self._known:
            return
        self._known[key] = storage.nbytes()
        self.now += self._known[key]
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._free, key).atexit = False

    def _free(self, key: int) -> None:
        self.now -= self._known.pop(key)
