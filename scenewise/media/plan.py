"""Which packets to decode for which frames: a pure function of packet table and wanted times.

It knows no file: it turns times into targets and targets into runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenewise.media.packets import PacketTable, Ticks


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of packets to decode in one go: rows ``first`` to ``last``, both included."""

    first: int  # a keyframe (or the first row there is)
    last: int  # the last packet that a target needs
    targets: tuple[int, ...]  # wanted pts, rising


def frames_shown_at(shown: Ticks, wanted: Ticks) -> Ticks:
    """For each wanted pts the largest shown one at or before it; the first for earlier ones."""
    places = np.searchsorted(shown, wanted, side="right") - 1
    found: Ticks = shown[np.clip(places, 0, None)]
    return found


def keyframe_pts(table: PacketTable) -> Ticks:
    """The rising pts of shown keyframes."""
    return np.unique(table.pts[table.key & table.shown])


def plan_runs(table: PacketTable, targets: Sequence[int]) -> tuple[Run, ...]:
    """Group targets (rising pts of shown frames) by the keyframe from which they are decoded.

    That is the last keyframe which is decoded at or before the target and not shown after it:
    the frames that lead an open group of pictures need the keyframe before.
    """
    keys = np.flatnonzero(table.key)
    runs: list[Run] = []
    for target in targets:
        row = table.row_of(target)
        if row is None:
            raise ValueError(f"no packet is shown at {target}")
        first = _last_start(table, keys, row, target)
        first = 0 if first is None else first
        if runs and runs[-1].first == first:
            before = runs[-1]
            runs[-1] = Run(first, max(before.last, row), (*before.targets, target))
        else:
            runs.append(Run(first, row, (target,)))
    return tuple(runs)


def plan_keyframes(table: PacketTable, targets: Sequence[int]) -> tuple[Run, ...]:
    """One run of one packet for each keyframe."""
    runs = []
    for target in targets:
        row = table.row_of(target)
        if row is None:
            raise ValueError(f"no packet is shown at {target}")
        runs.append(Run(row, row, (target,)))
    return tuple(runs)


def start_row(table: PacketTable, row: int, target: int) -> int | None:
    """The keyframe from which the packet of a row, shown at ``target``, is decoded."""
    return _last_start(table, np.flatnonzero(table.key), row, target)


def _last_start(
    table: PacketTable, keys: npt.NDArray[np.intp], row: int, target: int
) -> int | None:
    place = int(np.searchsorted(keys, row, side="right")) - 1
    while place >= 0 and table.pts[keys[place]] > target:
        place -= 1
    return int(keys[place]) if place >= 0 else None


def group_before(table: PacketTable, row: int) -> int:
    """The keyframe row before this one; of a table with gaps, or at the start, the same row."""
    if not table.whole:
        return row
    earlier = np.flatnonzero(table.key[:row])
    return int(earlier[-1]) if earlier.size else 0
