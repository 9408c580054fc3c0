"""Which seconds of one video are which seconds of another: windows aligned along diagonals.

It knows vectors and times of two videos; it knows no library, no encoder and no file.

A copy keeps its pace, so its windows lie on one diagonal: time in B is time in A plus an offset.
Windows that are each other's nearest neighbour vote for their offset (a Hough transform in time,
as Douze, Jégou, Schmid & Pérez 2010, "Compact video description for copy detection with precise
temporal alignment"). Along each offset that wins, runs of alike windows are cut; and each is
weighed by how much of it is *distinctive*:

    E = sum over windows that show something new in their run of
        weight * (similarity - threshold) / (1 - threshold)
    score = alike share * (1 - exp(-E / 0.8))

A window that shows what the run has shown before adds nothing: ten seconds of one still picture
prove no more than one. ``weight`` is low for what many videos share (a station's logo) and 0 for
blank pictures. The score behaves like a probability, but was not fitted to be one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray
from scenewise.types import Segment

TimeArray = npt.NDArray[np.float64]

_BLOCK = 1024  # rows of similarities at a time
_OFFSETS = 6  # that are looked at, of one pair
_GAP_SECONDS = 3.0  # of unlike windows inside a run: an inserted picture, a damaged stretch
_NEW_BELOW = 0.85  # a window that is less similar to all before it in its run shows something new
_SCALE = 0.8
_WHOLE = 0.95  # of both videos: then their equal lengths are evidence, too
_WHOLE_BONUS = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Timed:
    """The windows of one video in order of time, made comparable."""

    starts: TimeArray  # (N,) seconds
    ends: TimeArray  # (N,)
    vectors: FloatArray  # (N, D) unit length, centred
    weights: FloatArray  # (N,) distinctiveness, 0 to 1
    duration: float  # seconds


@dataclass(frozen=True, slots=True)
class Copied:
    """Seconds ``[a.start, a.end)`` of A are seconds ``[b.start, b.end)`` of B."""

    a: Segment
    b: Segment
    score: float  # 0 to 1


def align(
    first: Timed, second: Timed, threshold: float, *, least_seconds: float = 2.0
) -> list[Copied]:
    """The stretches that two videos share, best first; they do not overlap in A.

    ``threshold`` is the similarity from which two windows are alike. A copy that runs faster or
    slower is found only in pieces.
    """
    rows, columns = _mutual(first.vectors, second.vectors, threshold)
    if len(rows) == 0:
        return []
    period = _period(first, second)
    found: list[Copied] = []
    for offset in _offsets(first, second, rows, columns, period):
        found += _runs(first, second, offset, period, threshold, least_seconds)
    kept: list[Copied] = []
    for copy in sorted(found, key=lambda copy: (-copy.score, copy.a.start)):
        if all(_apart(copy.a, other.a) for other in kept):
            kept.append(copy)
    return kept


def _apart(one: Segment, other: Segment) -> bool:
    """Whether they share less than a fifth of the shorter one."""
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared < 0.2 * min(one.duration, other.duration)


def _mutual(
    a: FloatArray, b: FloatArray, threshold: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Windows i of A and j of B that are each other's nearest, and alike."""
    best_of_row = np.zeros(len(a), np.int64)
    row_score = np.zeros(len(a), np.float32)
    best_of_column = np.zeros(len(b), np.int64)
    column_score = np.full(len(b), -np.inf, np.float32)
    for begin in range(0, len(a), _BLOCK):
        scores = a[begin : begin + _BLOCK] @ b.T
        best_of_row[begin : begin + len(scores)] = scores.argmax(axis=1)
        row_score[begin : begin + len(scores)] = scores.max(axis=1)
        top = scores.max(axis=0)
        better = top > column_score
        best_of_column[better] = scores.argmax(axis=0)[better] + begin
        column_score[better] = top[better]
    rows = np.arange(len(a))
    is_mutual = (best_of_column[best_of_row] == rows) & (row_score >= threshold)
    return rows[is_mutual], best_of_row[is_mutual]


def _period(first: Timed, second: Timed) -> float:
    """Seconds from window to window, of the coarser one."""
    steps = [
        float(np.median(np.diff(one.starts))) for one in (first, second) if len(one.starts) > 1
    ]
    return max([*steps, 1e-3])


def _offsets(
    first: Timed,
    second: Timed,
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    period: float,
) -> list[float]:
    """The offsets with most votes, in seconds; neighbouring bins vote together."""
    shifts = second.starts[columns] - first.starts[rows]
    bins = np.round(shifts / period).astype(np.int64)
    low = int(bins.min()) - 1
    votes = np.zeros(int(bins.max()) - low + 2)
    # the least weight keeps what is in many videos from being left without an offset
    np.add.at(votes, bins - low, np.maximum(first.weights[rows] * second.weights[columns], 0.05))
    joint = votes + 0.5 * np.roll(votes, 1) + 0.5 * np.roll(votes, -1)
    chosen: list[float] = []
    for _ in range(_OFFSETS):
        best = int(joint.argmax())
        if joint[best] <= 0:
            break
        near = np.abs(bins - low - best) <= 1
        if near.any():
            chosen.append(float(np.median(shifts[near])))
        joint[max(0, best - 1) : best + 2] = 0
    return chosen


def _runs(
    first: Timed,
    second: Timed,
    offset: float,
    period: float,
    threshold: float,
    least_seconds: float,
) -> list[Copied]:
    """The runs of alike windows along one diagonal."""
    partner = np.searchsorted(second.starts, first.starts + offset + period / 2, "right") - 1
    partner = np.clip(partner, 0, len(second.starts) - 1)
    off = np.abs(second.starts[partner] - first.starts - offset)
    rows = np.flatnonzero(off <= 0.75 * period)
    if len(rows) == 0:
        return []
    columns = partner[rows]
    alike = np.einsum("nd,nd->n", first.vectors[rows], second.vectors[columns])
    good = np.flatnonzero(alike >= threshold)
    if len(good) == 0:
        return []
    breaks = np.flatnonzero(np.diff(first.starts[rows[good]]) > _GAP_SECONDS + period) + 1
    copies = []
    for part in np.split(good, breaks):
        run = slice(int(part[0]), int(part[-1]) + 1)
        copy = _copy(first, second, rows[run], columns[run], alike[run], threshold, offset)
        if copy.a.duration >= least_seconds and copy.b.duration >= least_seconds:
            copies.append(copy)
    return copies


def _copy(
    first: Timed,
    second: Timed,
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    alike: FloatArray,
    threshold: float,
    offset: float,
) -> Copied:
    # from window to window in A, as far as B is there
    start = max(float(first.starts[rows[0]]), -offset)
    end = max(start, min(float(first.ends[rows[-1]]), first.duration, second.duration - offset))
    a, b = Segment(start, end), Segment(max(0.0, start + offset), end + offset)
    is_alike = alike >= threshold
    weights = np.minimum(first.weights[rows], second.weights[columns])
    margin = np.clip((alike - threshold) / max(1e-6, 1 - threshold), 0, 1)
    evidence = float((weights * margin)[_new(first.vectors[rows], is_alike)].sum())
    if min(a.duration / first.duration, b.duration / second.duration) >= _WHOLE:
        evidence += _WHOLE_BONUS * float((weights * margin).mean())
    share = float(is_alike.mean())
    return Copied(a, b, share * (1 - float(np.exp(-evidence / _SCALE))))


def _new(vectors: FloatArray, allowed: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Rows that are unlike all rows chosen before them, in order of time."""
    chosen: list[int] = []
    for row in np.flatnonzero(allowed):
        if not chosen or float((vectors[chosen] @ vectors[row]).max()) < _NEW_BELOW:
            chosen.append(int(row))
    return np.array(chosen, np.int64)
