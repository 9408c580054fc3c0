"""Where a loop gets its batches, and how it comes back to the middle of an epoch.

A source that can pass over batches without making them says so by ``set_epoch(epoch, start)``;
any other iterable is read and what was seen already is dropped. It knows an order; it knows no
row and no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Protocol, runtime_checkable

from scenewise.data.batch import Batch


@runtime_checkable
class Batches(Protocol):
    """The batches of one epoch after another.

    A source whose batches may turn out empty, and are then not given out, also has
    ``state() -> {"epoch": …, "position": …}``: how many batches of the epoch are behind it.
    """

    def set_epoch(self, epoch: int, start: int = 0, /) -> None:
        """Which epoch comes next; its first ``start`` batches are passed over."""
        ...

    def __iter__(self) -> Iterator[Batch]:
        """The batches that are left of the epoch."""
        ...

    def __len__(self) -> int:
        """How many batches are left of the epoch."""
        ...


class Dropping:
    """Any iterable of batches: the first ``start`` of an epoch are made, and dropped.

    A sampler of torch that wants to know its epoch is told.
    """

    def __init__(self, source: Iterable[Batch]) -> None:
        self._source = source
        self._start = 0

    def set_epoch(self, epoch: int, start: int = 0, /) -> None:
        """As ``Batches`` says."""
        self._start = start
        for place in ("sampler", "batch_sampler"):
            tell = getattr(getattr(self._source, place, None), "set_epoch", None)
            if tell is not None:
                tell(epoch)

    def __iter__(self) -> Iterator[Batch]:
        return islice(iter(self._source), self._start, None)

    def __len__(self) -> int:
        """Raises TypeError where the source has no length."""
        source: Any = self._source
        return max(0, len(source) - self._start)


def as_batches(source: Iterable[Batch]) -> Batches:
    """The source itself where it can pass over batches; else one that drops them."""
    return source if isinstance(source, Batches) else Dropping(source)


def length(batches: Batches) -> int | None:
    """How many batches are left of the epoch; None where the source does not know."""
    try:
        return len(batches)
    except TypeError:
        return None


def position(batches: Batches, counted: int) -> int:
    """Batches of the epoch that are behind: the source's own count, or else what was counted."""
    state = getattr(batches, "state", None)
    return counted if state is None else int(state()["position"])
