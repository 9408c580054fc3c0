"""What is known of things by their track numbers, for as long as they are seen now and then.

It knows numbers and times; what is kept of a thing, its user says. What is kept is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

FORGET_SECONDS = 5.0  # a track that is not seen for so long is gone
MOST_TRACKS = 512

T = TypeVar("T")


class Recent(Generic[T]):
    """The one not seen for longest goes first."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._known: dict[int, tuple[float, T]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def of(self, number: int, time: float) -> T:
        """What is known of a track that is seen now, in seconds; at first what ``make`` gives."""
        before = self._known.pop(number, None)
        known = self._make() if before is None else before[1]
        self._known[number] = (time, known)  # now the last of the dictionary
        return known

    def forget(self, time: float) -> None:
        """Drop those that are gone; to be called with every instant."""
        for number, (seen, _) in list(self._known.items()):
            if time - seen <= FORGET_SECONDS and len(self._known) <= MOST_TRACKS:
                break
            del self._known[number]
