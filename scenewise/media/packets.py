"""The packet table of a picture stream: what stands where, before anything is decoded.

It knows packets, their times and flags; it knows nothing of frames and pixels. All times are
ticks of the stream's time base.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet

from scenewise.media.container import FOREIGN_ERRORS

NO_TIME = int(np.iinfo(np.int64).min)
_MAX_ERRORS_IN_A_ROW = 16
# no film shows one picture this long between others: a larger gap is a damaged time stamp
_MAX_GAP_SECONDS = 3600

Ticks = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(slots=True)
class Damage:
    """What could not be read or decoded, counted as it is met."""

    unreadable: int = 0  # errors of the demuxer
    undecodable: int = 0  # packets that the decoder refused

    @property
    def total(self) -> int:
        """All of it."""
        return self.unreadable + self.undecodable


@dataclass(frozen=True, slots=True, eq=False)
class PacketTable:
    """Packets in decode order; all arrays of shape (n,)."""

    pts: Ticks  # NO_TIME where there is none
    dts: Ticks
    duration: Ticks  # 0 where unknown
    key: Flags
    shown: Flags  # False: feeds the decoder only (edit lists, lead-in without a time)
    whole: bool  # all packets of the stream, or only some stretches of it
    # pts of the shown frames, rising; and all rows by rising pts, for look-ups
    shown_pts: Ticks = field(init=False)
    by_pts: npt.NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shown_pts", np.unique(self.pts[self.shown]))
        object.__setattr__(self, "by_pts", np.argsort(self.pts, kind="stable"))

    def __len__(self) -> int:
        return len(self.pts)

    def row_of(self, pts: int) -> int | None:
        """The first row with this pts, or None."""
        place = int(np.searchsorted(self.pts, pts, sorter=self.by_pts))
        if place == len(self) or self.pts[self.by_pts[place]] != pts:
            return None
        return int(self.by_pts[place])


def demux(
    container: InputContainer, stream: av.VideoStream, damage: Damage
) -> Iterator[Packet[av.VideoStream]]:
    """Packets of a stream from where the container stands; unreadable stretches are skipped."""
    failures = 0
    while failures < _MAX_ERRORS_IN_A_ROW:
        try:
            for packet in container.demux(stream):
                if packet.size:  # an empty one is PyAV's signal to drain
                    failures = 0
                    yield packet
            return
        except IndexError:
            # PyAV at the end of a file in which streams came up on the way (damaged broadcasts):
            # it counts those which it has not wrapped
            return
        except FOREIGN_ERRORS:
            failures += 1
            damage.unreadable += 1


def tabulate(packets: Iterable[Packet[av.VideoStream]], *, whole: bool) -> PacketTable:
    """The table of these packets, in the order given."""
    rows: list[tuple[int, int, int, bool, bool]] = []
    for packet in packets:
        pts, dts = packet.pts, packet.dts
        rows.append(
            (
                NO_TIME if pts is None else pts,
                NO_TIME if dts is None else dts,
                packet.duration or 0,
                packet.is_keyframe,
                packet.is_discard,
            )
        )
    numbers = np.array([row[:3] for row in rows], dtype=np.int64).reshape(-1, 3)
    flags = np.array([row[3:] for row in rows], dtype=np.bool_).reshape(-1, 2)
    return PacketTable(
        pts=numbers[:, 0],
        dts=numbers[:, 1],
        duration=numbers[:, 2],
        key=flags[:, 0],
        shown=~flags[:, 1] & (numbers[:, 0] != NO_TIME),
        whole=whole,
    )


def join(tables: Iterable[PacketTable]) -> PacketTable:
    """Stretches of one stream as one table, which is not whole."""
    parts = list(tables)
    return PacketTable(
        pts=np.concatenate([part.pts for part in parts]),
        dts=np.concatenate([part.dts for part in parts]),
        duration=np.concatenate([part.duration for part in parts]),
        key=np.concatenate([part.key for part in parts]),
        shown=np.concatenate([part.shown for part in parts]),
        whole=False,
    )


def has_clock(table: PacketTable) -> bool:
    """Whether the pts alone tell when each frame is shown.

    Packets without pts before the first one that has it are a lead-in that is never shown (a cut
    at a place that is no keyframe); anywhere else they mean that only decoding tells.
    """
    timed = np.flatnonzero(table.pts != NO_TIME)
    return bool(timed.size) and timed.size == len(table) - timed[0]


def without_stray_times(table: PacketTable, time_base: Fraction) -> tuple[PacketTable, int]:
    """Take frames with damaged time stamps, far from all others, out of what is shown.

    Returns the table and how many frames that concerns.
    """
    times = table.shown_pts
    if times.size < 2:
        return table, 0
    # as float: the difference of two damaged stamps may not fit into 64 bits
    gaps = np.diff(times.astype(np.float64)) * float(time_base)
    breaks = np.flatnonzero(gaps > _MAX_GAP_SECONDS)
    if not breaks.size:
        return table, 0
    edges = np.concatenate([[0], breaks + 1, [times.size]])
    largest = int(np.argmax(np.diff(edges)))
    first, last = times[edges[largest]], times[edges[largest + 1] - 1]
    kept = table.shown & (table.pts >= first) & (table.pts <= last)
    cleaned = PacketTable(table.pts, table.dts, table.duration, table.key, kept, table.whole)
    return cleaned, int(table.shown.sum() - kept.sum())
