"""Walking a file's packets and decoding stretches of them.

It knows seeking, reading on and the decoder; which stretches are needed it is told by a plan.
One decoder thread: several videos at once are several processes.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeAlias

import av
import numpy as np
from av.packet import Packet

from scenewise.errors import UnreadableMediaError
from scenewise.media.container import (
    FOREIGN_ERRORS,
    choose_video,
    foreign_errors,
    open_container,
    read_only,
)
from scenewise.media.packets import NO_TIME, Damage, PacketTable, demux, has_clock, tabulate
from scenewise.media.plan import Run, frames_shown_at, start_row
from scenewise.media.timeline import packets_until

VideoPacket: TypeAlias = "Packet[av.VideoStream]"

# Up to so many packets are read and dropped rather than sought over: in transport streams a seek
# costs more, and may land late.
_READ_ON_ROWS = 100
# a file so damaged that packets cannot be found again is not searched through for ever
_FUTILE_REWINDS = 4
_STEP_BACK_SECONDS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)


class Walker:
    """One open file, its picture stream and its decoder."""

    def __init__(self, path: Path, damage: Damage) -> None:
        """Open; raise UnreadableMediaError."""
        self._path = path
        self._damage = damage
        self._patience = _FUTILE_REWINDS
        with foreign_errors(path):
            self._open()

    def _rewind(self) -> None:
        """To the first packet: opening anew is the one way that works for every container."""
        self.close()
        self._open()

    def _open(self) -> None:
        self._container = open_container(self._path)
        stream = choose_video(self._container)
        if stream is None or stream.time_base is None:
            raise UnreadableMediaError(f"{self._path}: its streams change while it is read.")
        self._stream = stream
        self._time_base: Fraction = stream.time_base
        read_only(self._container, stream)
        self._context = stream.codec_context
        self._context.thread_count = 1
        # opened before skip_frame is ever set: some decoders look at it only then
        self._context.open(strict=False)
        self._packets = demux(self._container, stream, self._damage)
        self._next_row: int | None = 0

    def close(self) -> None:
        """Release the file."""
        self._container.close()

    def wanted_frames(self, table: PacketTable, run: Run) -> Iterator[av.VideoFrame]:
        """Decode a run, leaving out what no wanted frame needs; yields frames as they come.

        Frames that nothing refers to (most B-frames) are skipped unless they are wanted; what is
        wanted comes out as in a full decode, to the last bit.
        """
        targets = frozenset(run.targets)
        for packet in self._stretch(table, run.first, run.last):
            self._context.skip_frame = "DEFAULT" if packet.pts in targets else "NONREF"
            yield from self._decode(packet)
        self._context.skip_frame = "DEFAULT"
        yield from self._decode(None)

    def all_frames(self, table: PacketTable, first: int, last: int) -> Iterator[av.VideoFrame]:
        """Decode rows ``first`` to ``last`` leaving out nothing."""
        self._context.skip_frame = "DEFAULT"
        for packet in self._stretch(table, first, last):
            yield from self._decode(packet)
        yield from self._decode(None)

    def frames_from_start(self) -> Iterator[av.VideoFrame]:
        """Decode the whole file in order."""
        self._rewind()
        self._next_row = None
        for packet in self._packets:
            yield from self._decode(packet)
        yield from self._decode(None)

    def surroundings(self, pts: int) -> PacketTable | None:
        """The packets that the frame shown at ``pts`` needs; None where they do not tell."""
        self._next_row = None
        for back in _STEP_BACK_SECONDS:
            if not self._seek(pts - round(back / self._time_base)):
                return None
            packets = packets_until(self._container, self._stream, pts, self._damage)
            table = tabulate(packets, whole=False)
            if not has_clock(table) or not table.shown_pts.size or table.shown_pts[0] > pts:
                continue
            target = int(frames_shown_at(table.shown_pts, np.array([pts]))[0])
            row = table.row_of(target)
            first = start_row(table, row, target) if row is not None else None
            if first is not None:
                return tabulate(packets[first:], whole=False)
        return None

    def _decode(self, packet: VideoPacket | None) -> Iterator[av.VideoFrame]:
        """A bad packet costs its own frames and no more."""
        try:
            yield from self._context.decode(packet)
        except FOREIGN_ERRORS:
            self._damage.undecodable += 1

    def _stretch(self, table: PacketTable, first: int, last: int) -> Iterator[VideoPacket]:
        """The packets of rows ``first`` to ``last``, from wherever the file stands."""
        packet = self._go_to(table, first)
        self._context.flush_buffers()
        if packet is None:
            return
        final = (int(table.pts[last]), int(table.dts[last]))
        self._next_row = first
        # packets may have been lost on the way, never gained
        for _ in range(last - first + 1):
            self._next_row += 1
            yield packet
            if _stamps(packet) == final:
                return
            packet = next(self._packets, None)
            if packet is None or (packet.dts is not None and NO_TIME < final[1] < packet.dts):
                self._next_row = None
                return

    def _go_to(self, table: PacketTable, row: int) -> VideoPacket | None:
        """Stand behind the packet of a row and return it; None where it cannot be found."""
        stamps = (int(table.pts[row]), int(table.dts[row]))
        if table.whole and self._next_row is not None:
            gap = row - self._next_row
            if 0 <= gap <= _READ_ON_ROWS:
                packet = self._read_to(*stamps)
                if packet is not None:
                    return packet
        self._next_row = None
        stamp = stamps[1] if stamps[1] != NO_TIME else stamps[0]
        if stamp != NO_TIME:
            for back in _STEP_BACK_SECONDS:
                if not self._seek(stamp - round(back / self._time_base)):
                    break
                packet = self._read_to(*stamps)
                if packet is not None:
                    return packet
        if self._patience == 0:
            return None
        self._rewind()
        packet = self._read_to(*stamps, to_the_end=True)
        self._patience -= packet is None
        return packet

    def _read_to(self, pts: int, dts: int, *, to_the_end: bool = False) -> VideoPacket | None:
        """Read on to the packet with these stamps; None where it was passed or never comes.

        With ``to_the_end`` a later packet does not count as having passed it: the stamps of a
        damaged file may run backwards.
        """
        if pts == NO_TIME and dts == NO_TIME:  # only a first row may be like that
            return next(self._packets, None)
        for packet in self._packets:
            if _stamps(packet) == (pts, dts):
                return packet
            limit = pts if dts == NO_TIME else dts
            if not to_the_end and packet.dts is not None and packet.dts > limit:
                return None
        return None

    def _seek(self, stamp: int) -> bool:
        try:
            self._container.seek(stamp, stream=self._stream)
        except FOREIGN_ERRORS:
            return False
        self._packets = demux(self._container, self._stream, self._damage)
        return True


def _stamps(packet: VideoPacket) -> tuple[int, int]:
    return (
        NO_TIME if packet.pts is None else packet.pts,
        NO_TIME if packet.dts is None else packet.dts,
    )
