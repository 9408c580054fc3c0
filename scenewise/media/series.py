"""Numbers over time beside a video: a sensor's CSV, and the same on the video's clock.

A file has a header, a column of times in seconds that rise, and columns of numbers; a unit may
stand behind a name, ``speed [km/h]`` or ``speed (km/h)``. An empty cell, ``nan`` or ``na`` is a
gap. It knows files and arrays; it knows no video and no network.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scenewise.errors import UsageError

Floats = npt.NDArray[np.float64]
TIME_NAMES = ("time", "t", "timestamp", "seconds", "sec")
_TIME_UNITS = {"": 1.0, "s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3, "milliseconds": 1e-3}
_MISSING = ("", "nan", "na", "n/a", "null", "none", "-")
_HEADING = re.compile(r"(?P<name>.*?)\s*(?:\[(?P<square>[^\]]*)\]|\((?P<round>[^)]*)\))?\s*")
_DELIMITERS = (",", ";", "\t")
_LONGEST_GAP = 3.0  # usual spacings, beyond which nothing is put between two samples


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """N samples of C channels, at the instants of the recorder's own clock."""

    times: Floats  # (N,) seconds, rising
    values: Floats  # (N, C); nan where there is no number
    names: tuple[str, ...]
    units: tuple[str, ...]  # "" where the file says none

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.times), len(self.names)):
            raise ValueError(
                f"values of {len(self.times)} instants and {len(self.names)} channels have "
                f"another shape: {self.values.shape}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class AlignedSeries:
    """C channels at T instants of a video; 0 where the mask says that there is no number."""

    values: npt.NDArray[np.float32]  # (T, C)
    mask: npt.NDArray[np.bool_]  # (T, C), True: measured


def read_series(
    path: str | Path, *, time: str | None = None, columns: Sequence[str] | None = None
) -> Series:
    """The series of a CSV (comma, semicolon or tab between the cells).

    ``time`` names the column of times; None takes the first that is called time, t, timestamp,
    seconds or sec. Times are seconds unless the heading says ``[ms]``. ``columns`` picks channels
    in this order; None takes all.

    Raises UsageError, which names the line and the column, for a file that cannot be read, a
    column that is not there, a cell that is no number, a row that is too short or too long, and
    times that do not rise.
    """
    path = Path(path)
    rows = _rows(path)
    headings = [_heading(cell) for cell in rows[0][1]]
    names = [name for name, _ in headings]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"{path} has two columns {twice[0]!r}; rename one.")
    clock = _time_column(path, names, time)
    unit = headings[clock][1].lower()
    if unit not in _TIME_UNITS:
        raise UsageError(
            f"{path}: times are in {headings[clock][1]!r}; allowed are s and ms, so convert them."
        )
    chosen = [_column(path, names, name) for name in columns or _others(names, clock)]
    if not chosen:
        raise UsageError(f"{path} has no column beside {names[clock]!r}; add one of numbers.")
    body = rows[1:]
    if not body:
        raise UsageError(f"{path} has a header and no rows.")
    for line, cells in body:
        if len(cells) != len(names):
            raise UsageError(
                f"{path}, line {line}: {len(cells)} cells where the header has {len(names)}; "
                "mend or remove the line."
            )
    times = (
        np.array([_instant(path, line, names[clock], cells[clock]) for line, cells in body])
        * _TIME_UNITS[unit]
    )
    for number in np.flatnonzero(np.diff(times) <= 0)[:1]:
        raise UsageError(
            f"{path}, line {body[number + 1][0]}: the time {times[number + 1]:g} s is not after "
            f"{times[number]:g} s, that of the line before; sort the rows by time."
        )
    values = [
        [_number(path, line, names[column], cells[column]) for column in chosen]
        for line, cells in body
    ]
    return Series(
        times,
        np.array(values, dtype=np.float64),
        tuple(names[column] for column in chosen),
        tuple(headings[column][1] for column in chosen),
    )


def align_series(
    series: Series,
    instants: Sequence[float] | Floats,
    *,
    window: float | None = None,
    offset: float = 0.0,
    longest_gap: float | None = None,
) -> AlignedSeries:
    """The series at ``instants`` (T,) of a video, in seconds of the video's clock.

    ``offset`` is added to the series' times: the second of the video at which its clock says 0.
    With a ``window`` in seconds, each instant has the mean of the samples in
    ``[instant - window / 2, instant + window / 2)``, which suits a sensor that is faster than the
    frames. Without one, numbers are interpolated linearly between the two samples around, never
    beyond the ends, and not across more than ``longest_gap`` seconds (None: three times the
    channel's median spacing). Gaps are masked.
    """
    wanted = np.asarray(instants, dtype=np.float64)
    if wanted.ndim != 1 or not np.isfinite(wanted).all():
        raise UsageError("instants are a list of finite seconds.")
    for name, value in (("window", window), ("longest_gap", longest_gap)):
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} is {value:g}; give seconds above 0.")
    if not math.isfinite(offset):
        raise UsageError(f"offset is {offset:g}; give finite seconds.")
    values = np.zeros((len(wanted), len(series.names)), dtype=np.float32)
    mask = np.zeros(values.shape, dtype=np.bool_)
    for channel in range(len(series.names)):
        real = np.isfinite(series.values[:, channel])
        times, numbers = series.times[real] + offset, series.values[real, channel]
        if not len(times):
            continue
        found, there = (
            _interpolated(times, numbers, wanted, longest_gap)
            if window is None
            else _means(times, numbers, wanted, window)
        )
        values[:, channel] = np.where(there, found, 0.0)
        mask[:, channel] = there
    return AlignedSeries(values, mask)


def _interpolated(
    times: Floats, numbers: Floats, wanted: Floats, longest_gap: float | None
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    right = np.searchsorted(times, wanted, side="left").clip(0, len(times) - 1)
    left = np.maximum(right - 1, 0)
    exact = times[right] == wanted
    if longest_gap is None:
        longest_gap = _LONGEST_GAP * float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    inside = (wanted >= times[0]) & (wanted <= times[-1])
    near = times[right] - times[left] <= longest_gap
    return np.interp(wanted, times, numbers), exact | (inside & near)


def _means(
    times: Floats, numbers: Floats, wanted: Floats, window: float
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    first = np.searchsorted(times, wanted - window / 2, side="left")
    last = np.searchsorted(times, wanted + window / 2, side="left")
    counts = last - first
    # sums of the part, not differences of running sums: those lose digits
    sums = np.array([numbers[a:b].sum() for a, b in zip(first, last, strict=True)])
    return sums / np.maximum(counts, 1), counts > 0


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """Line numbers and cells, the header first; empty lines are left out."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(
            f"the series {path} cannot be read ({reason}); give a CSV with a column time."
        ) from error
    lines = text.splitlines()
    head = next((line for line in lines if line.strip()), "")
    if not head:
        raise UsageError(f"{path} is empty; give a CSV with a header and a column time.")
    delimiter = max(_DELIMITERS, key=head.count)
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        return [
            (reader.line_num, [cell.strip() for cell in cells])
            for cells in reader
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: {error}; mend the line.") from error


def _heading(cell: str) -> tuple[str, str]:
    found = _HEADING.fullmatch(cell)
    assert found is not None  # every text fits
    unit = found["square"] or found["round"] or ""
    return (found["name"], unit.strip()) if found["name"] else (cell, "")


def _time_column(path: Path, names: Sequence[str], time: str | None) -> int:
    if time is not None:
        return _column(path, names, time)
    for number, name in enumerate(names):
        if name.lower() in TIME_NAMES:
            return number
    raise UsageError(
        f"{path} has no column of times among {', '.join(names)}; name one of them time, in "
        "seconds."
    )


def _column(path: Path, names: Sequence[str], name: str) -> int:
    if name not in names:
        raise UsageError(f"{path} has no column {name!r}; there are {', '.join(names)}.")
    return names.index(name)


def _others(names: Sequence[str], clock: int) -> list[str]:
    return [name for number, name in enumerate(names) if number != clock]


def _instant(path: Path, line: int, name: str, cell: str) -> float:
    value = _number(path, line, name, cell)
    if math.isnan(value):
        raise UsageError(f"{path}, line {line}: {name} is empty; every row needs its time.")
    return value


def _number(path: Path, line: int, name: str, cell: str) -> float:
    if cell.lower() in _MISSING:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise UsageError(
            f"{path}, line {line}: {name} is {cell!r}, which is no number; leave the cell empty "
            "where there is none, and write decimals with a point."
        )
    return value
