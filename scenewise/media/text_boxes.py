"""Boxes of text in one picture: where they are, and which of two looks at it to believe.

It knows geometry and how sure a reading was; it knows no detector, no recogniser and no times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Corners = npt.NDArray[np.float32]  # (4, 2) x, y, clockwise from the upper left
Bounds = tuple[int, int, int, int]  # left, upper, right, lower

FIRST_CHARACTER = "\u2e80"  # where Unicode's Chinese and Japanese begin
_ALIKE = 0.7  # intersection over union: two looks saw the same line
_SHARED = 0.3  # of the smaller box: two looks cut the same text in different ways


@dataclass(frozen=True, slots=True, eq=False)
class TextBox:
    """One line of text in one picture: four corners in pixels, clockwise from the upper left."""

    corners: Corners
    text: str
    score: float  # of the recogniser, 0 to 1

    @property
    def bounds(self) -> Bounds:
        """Left, upper, right, lower of the upright rectangle around it."""
        return bounds(self.corners)

    @property
    def worth(self) -> float:
        """How many letters are likely right."""
        return letters(self.text) * self.score


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Where a detector saw text, and how sure it was, 0 to 1."""

    corners: Corners
    certainty: float


@dataclass(frozen=True, slots=True)
class Pairing:
    """The boxes of a fine and a coarse look that show the same piece of the picture."""

    fine: tuple[Found, ...]
    coarse: tuple[Found, ...]
    agree: bool = False  # one box each, at the same place


def pair(fine: Sequence[Found], coarse: Sequence[Found]) -> list[Pairing]:
    """Both looks side by side; every box is in one pairing. Boxes of one look do not overlap."""
    pairings: list[Pairing] = []
    left = list(coarse)
    alone: list[Found] = []
    for one in fine:
        nearest = max(left, key=lambda other: _iou(one, other), default=None)
        if nearest is None or _iou(one, nearest) < _ALIKE:
            alone.append(one)
            continue
        left.remove(nearest)
        pairings.append(Pairing((one,), (nearest,), agree=True))
    while alone or left:
        pairings.append(_connected(alone, left))
    return pairings


def _connected(fine: list[Found], coarse: list[Found]) -> Pairing:
    """Takes one box out of the lists, with all that it shares ground with over any steps."""
    sides = (fine, coarse)
    start = 0 if fine else 1
    taken: tuple[list[Found], list[Found]] = ([], [])
    open_ends = [(start, sides[start].pop())]
    while open_ends:
        side, box = open_ends.pop()
        taken[side].append(box)
        others = sides[1 - side]
        for other in [other for other in others if _shared(box, other) > _SHARED]:
            others.remove(other)
            open_ends.append((1 - side, other))
    return Pairing(tuple(taken[0]), tuple(taken[1]))


def better(fine: list[TextBox], coarse: list[TextBox]) -> list[TextBox]:
    """The readings of a pairing by which more letters are likely right.

    A line that one look cut to pieces or lost the end of has fewer of them, and so have two lines
    that the other took for one.
    """
    worth = [sum(box.worth for box in boxes) for boxes in (fine, coarse)]
    return fine if worth[0] >= worth[1] else coarse


def letters(text: str) -> int:
    """Letters and figures; a Chinese character says as much as some letters."""
    return sum(1 + (letter >= FIRST_CHARACTER) for letter in text if letter.isalnum())


def bounds(corners: Corners) -> Bounds:
    """Left, upper, right, lower of the upright rectangle around some corners."""
    left, upper = np.floor(corners.min(axis=0)).astype(int).tolist()
    right, lower = np.ceil(corners.max(axis=0)).astype(int).tolist()
    return max(0, left), max(0, upper), right, lower


def overlap(a: Bounds, b: Bounds) -> float:
    """Intersection over union."""
    both = _common(a, b)
    return both / (_area(a) + _area(b) - both) if both else 0.0


def union(a: Bounds, b: Bounds) -> Bounds:
    """The upright rectangle around two."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _iou(a: Found, b: Found) -> float:
    return overlap(bounds(a.corners), bounds(b.corners))


def _shared(a: Found, b: Found) -> float:
    """The common ground as a share of the smaller box."""
    ours, theirs = bounds(a.corners), bounds(b.corners)
    return _common(ours, theirs) / max(1, min(_area(ours), _area(theirs)))


def _common(a: Bounds, b: Bounds) -> int:
    return max(0, min(a[2], b[2]) - max(a[0], b[0])) * max(0, min(a[3], b[3]) - max(a[1], b[1]))


def _area(bounds: Bounds) -> int:
    return (bounds[2] - bounds[0]) * (bounds[3] - bounds[1])
