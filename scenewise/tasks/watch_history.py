"""What a person watched, when, and how they liked it: read from a file, turned to weights.

It knows files of rows and arithmetic; it knows no library and no vectors.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.errors import UsageError
from scenewise.tasks.query import instant

HALF_LIFE_DAYS = 30.0
RATING_SCALE = (1.0, 5.0)  # worst and best
UNRATED = 0.5  # weight of something watched to which no rating was given
_DAY_SECONDS = 86_400.0
_FORMS = "a .csv with the columns video, time, rating, or a .jsonl with such objects"


@dataclass(frozen=True, slots=True)
class Watched:
    """One thing that was watched."""

    video: str  # as the person names it
    time: float | None = None  # seconds since 1970
    rating: float | None = None


def read_history(
    path: Path, rating_scale: tuple[float, float] = RATING_SCALE
) -> tuple[Watched, ...]:
    """The rows of a .csv (with a header) or a .jsonl file; only ``video`` is needed.

    ``time`` is a date in ISO form or seconds since 1970. Raises UsageError, which names the row,
    for a file that cannot be read, holds nothing, or holds values that are not allowed.
    """
    rows = tuple(
        _watched(f"{path}, row {number}", row, rating_scale) for number, row in _rows(path)
    )
    if not rows:
        raise UsageError(f"the history {path} is empty; give {_FORMS}.")
    return rows


def as_history(
    rows: Iterable[Watched | Mapping[str, Any] | str],
    rating_scale: tuple[float, float] = RATING_SCALE,
) -> tuple[Watched, ...]:
    """The same from Python: objects, mappings or names. Raises UsageError as ``read_history``."""
    found = []
    for number, row in enumerate(rows, 1):
        where = f"the history, row {number}"
        if isinstance(row, str):
            row = Watched(row)
        if not isinstance(row, Watched):
            row = _watched(where, row, rating_scale)
        _check_rating(where, row.rating, rating_scale)
        found.append(row)
    if not found:
        raise UsageError("the history is empty; give at least one video that was watched.")
    return tuple(found)


def weights(
    history: Sequence[Watched],
    *,
    half_life_days: float = HALF_LIFE_DAYS,
    rating_scale: tuple[float, float] = RATING_SCALE,
) -> npt.NDArray[np.float64]:
    """How much each row speaks for what is like it, (N,) in -1 to 1; below 0: against it.

    A rating counts from -1 (the worst of the scale) over 0 (its middle) to 1 (the best); none
    counts 0.5. A row that is ``half_life_days`` older than the latest counts half. Rows without a
    time are as old as the latest one.
    """
    if not 0 < half_life_days < 1e6:
        raise UsageError(
            f"a half-life of {half_life_days:g} days is not allowed; give more than 0."
        )
    low, high = rating_scale
    if not -1e9 < low < high < 1e9:
        raise UsageError(f"a scale of ratings from {low:g} to {high:g} is none; give worst:best.")
    latest = max((row.time for row in history if row.time is not None), default=0.0)
    liking = [
        UNRATED if row.rating is None else 2 * (row.rating - low) / (high - low) - 1
        for row in history
    ]
    age = [0.0 if row.time is None else (latest - row.time) / _DAY_SECONDS for row in history]
    return np.array(liking) * 0.5 ** (np.array(age) / half_life_days)


def _watched(where: str, row: Mapping[str, Any], scale: tuple[float, float]) -> Watched:
    video = row.get("video")
    if not isinstance(video, str) or not video.strip():
        raise UsageError(f"{where}: names no video; the column or key is called video.")
    time, rating = _given(row.get("time")), _given(row.get("rating"))
    if isinstance(time, str):
        time = _number(time) if _number(time) is not None else instant(f"{where}: time", time)
    elif time is not None and (isinstance(time, bool) or not isinstance(time, int | float)):
        raise UsageError(f"{where}: time = {time!r} is no date; write 2026-03-31 or seconds.")
    value = _number(rating)
    if rating is not None and value is None:
        raise UsageError(f"{where}: rating = {rating!r} is no number; leave it out or give one.")
    _check_rating(where, value, scale)
    return Watched(video.strip(), None if time is None else float(time), value)


def _check_rating(where: str, rating: float | None, scale: tuple[float, float]) -> None:
    if rating is not None and not scale[0] <= rating <= scale[1]:
        raise UsageError(
            f"{where}: rating = {rating:g} is not from {scale[0]:g} to {scale[1]:g}; "
            "say what the worst and the best is with --rating-scale WORST:BEST."
        )


def _given(value: Any) -> Any:
    """None for an empty cell."""
    return None if isinstance(value, str) and not value.strip() else value


def _number(value: Any) -> float | None:
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(f"the history {path} cannot be read ({reason}); give {_FORMS}.") from error
    if path.suffix.lower() == ".csv":
        table = csv.DictReader(text.splitlines())
        if table.fieldnames is not None and "video" not in table.fieldnames:
            raise UsageError(
                f"the history {path} has no column video; it has {', '.join(table.fieldnames)}."
            )
        yield from enumerate(table, 2)  # the header is row 1
        return
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise UsageError(f"{path}, row {number}: is no JSON object; give {_FORMS}.")
        yield number, row
