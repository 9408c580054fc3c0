"""What an evaluation comes to, and which ids of the two files did not meet.

It knows ids and figures; it knows no task.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scenewise.errors import DataError

_NAMED = 5  # ids in a message
# what only JSON has: a line for each would bury the figures
_DETAILS = frozenset({"by_class", "confusion", "curve", "scores", "failures", "prompt"})


@dataclass(frozen=True, slots=True)
class Met:
    """How the ids of predictions and references met."""

    missing: tuple[str, ...]  # references without a prediction
    superfluous: tuple[str, ...]  # predictions that no reference asks for


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one task; shares from 0 to 1 unless a name says percent."""

    task: str
    count: int  # references that were judged
    figures: Mapping[str, Any]  # nested, as JSON has it
    met: Met
    notes: tuple[str, ...] = field(default=())  # what a reader of the figures should know

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "task": self.task,
            "count": self.count,
            "figures": dict(self.figures),
            "missing": list(self.met.missing),
            "superfluous": list(self.met.superfluous),
            "notes": list(self.notes),
        }

    def rows(self) -> list[tuple[str, str]]:
        """Name and value of each figure that is a number, nested names joined by a space.

        What there is for each class or each answer is left to JSON.
        """
        return list(_rows(self.figures, ""))


def meet(wanted: Collection[str], given: Collection[str], *, allow_missing: bool) -> Met:
    """Compare the ids of references and predictions.

    Raises DataError where predictions are missing and that is not allowed, and where no id is in
    both files: figures of it would say something about names only.
    """
    missing = tuple(name for name in wanted if name not in given)
    superfluous = tuple(name for name in given if name not in wanted)
    if len(missing) == len(wanted):
        raise DataError(
            f"no id is in both files: the predictions have {named(given)}, the references "
            f"{named(wanted)}; name both alike."
        )
    if missing and not allow_missing:
        raise DataError(
            f"{len(missing)} of {len(wanted)} references have no prediction: {named(missing)}; "
            "predict them, or count them as wrong with --allow-missing."
        )
    return Met(missing, superfluous)


def named(names: Iterable[str]) -> str:
    """Some ids for a message, and how many more there are."""
    those = list(names)
    shown = ", ".join(repr(name) for name in those[:_NAMED])
    more = len(those) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown or "none"


def _rows(figures: Mapping[str, Any], before: str) -> Iterable[tuple[str, str]]:
    for name, value in figures.items():
        whole = f"{before} {name}".strip()
        if name in _DETAILS:
            continue
        if isinstance(value, Mapping):
            yield from _rows(value, whole)
        elif value is None:
            yield whole, "-"
        elif isinstance(value, int):
            yield whole, str(value)
        elif isinstance(value, float):
            yield whole, f"{value:.4f}"
