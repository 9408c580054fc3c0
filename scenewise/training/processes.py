"""What the processes of one run of the loop must agree on.

Alone, every question is answered by oneself. It knows numbers and objects; how processes are
started and how a network is spread over them is ``distributed``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist

Any_ = TypeVar("Any_")


class Processes:
    """The group that was there when this was made, and this process's place in it."""

    def __init__(self) -> None:
        joined = dist.is_available() and dist.is_initialized()
        self.world = dist.get_world_size() if joined else 1
        self.rank = dist.get_rank() if joined else 0
        # NCCL sends what lies on a GPU alone
        self._device = "cuda" if joined and dist.get_backend() == "nccl" else "cpu"

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def total(self, numbers: Sequence[float]) -> list[float]:
        """The sum of each number over all processes."""
        if self.world == 1:
            return list(numbers)
        sent = torch.tensor(numbers, dtype=torch.float64, device=self._device)
        dist.all_reduce(sent)
        return [float(number) for number in sent.tolist()]

    def least(self, number: int | None) -> int | None:
        """The smallest of all; None where one does not know."""
        numbers = self.gathered(number)
        known = [one for one in numbers if one is not None]
        return min(known) if len(known) == len(numbers) else None

    def gathered(self, value: Any_) -> list[Any_]:
        """What each process has, by rank; all get it."""
        if self.world == 1:
            return [value]
        found: list[Any] = [None] * self.world
        dist.all_gather_object(found, value)
        return found

    def told(self, value: Any_) -> Any_:
        """What the first process has."""
        if self.world == 1:
            return value
        box: list[Any] = [value]
        dist.broadcast_object_list(box, src=0)
        told: Any_ = box[0]
        return told

    def wait(self) -> None:
        """Until all are here."""
        if self.world > 1:
            dist.barrier()
