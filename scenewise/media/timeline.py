"""When a film begins and ends, and at which rate its frames come: from packets, not headers.

It knows packet tables and how to read no more of a long file than its head and tail; it decodes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet

from scenewise.media.container import (
    FOREIGN_ERRORS,
    choose_video,
    foreign_errors,
    open_container,
    read_only,
)
from scenewise.media.packets import (
    NO_TIME,
    Damage,
    PacketTable,
    Ticks,
    demux,
    has_clock,
    tabulate,
    without_stray_times,
)

# up to this size all packets are read at once: a tenth of a second from a warm disk
SMALL_FILE_BYTES = 64 << 20
_HEAD_PACKETS = 256
_TAIL_STEPS_SECONDS = (2, 8, 32, 128)
# a decoding clock that falls back by more than this starts again
RESTART_SECONDS = 1.0
_LONGEST_SECONDS = 7 * 86400  # damaged stamps that rise evenly show only in their sum
_DEFAULT_RATE = Fraction(25)  # what FFmpeg too assumes of a raw stream that does not say


# How the instant of a frame is known.
# pts: packets tell it. rank: packets carry rising stamps in decode order, as in AVI, so the n-th
# frame to come out of the decoder has the n-th stamp. chain: the stamps start again somewhere, as
# in joined transport streams, so their distances count. count: stamps are missing, each frame
# lasts 1 / frame_rate. With all but pts only decoding from the start tells which frame is where.
Clock = Literal["pts", "rank", "chain", "count"]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The clock of one picture stream. Ticks are of ``time_base``."""

    time_base: Fraction
    origin: int  # pts of the first shown frame
    end: int  # pts at which the last shown frame ends
    frame_rate: Fraction | None  # average; None where a single frame tells none
    variable: bool
    frame_count: int | None  # None where only a full read would tell
    table: PacketTable | None  # None where only head and tail were read
    clock: Clock
    notes: tuple[str, ...] = ()

    @property
    def duration(self) -> float:
        """Seconds from the first shown frame to the end of the last."""
        return float((self.end - self.origin) * self.time_base)

    def seconds(self, pts: int) -> float:
        """Ticks on the container's clock to seconds from the first shown frame."""
        return (pts - self.origin) * self.time_base.numerator / self.time_base.denominator


def survey(container: InputContainer, stream: av.VideoStream, path: Path) -> Timeline:
    """Read as many packets as the truth needs. Raises UnreadableMediaError."""
    with foreign_errors(path):
        size = path.stat().st_size
        if size > SMALL_FILE_BYTES:
            timeline = _survey_ends(container, stream, size)
            if timeline is not None:
                return _plausible(timeline)
            return _plausible(_survey_anew(path))
        return _plausible(_survey_all(container, stream))


def _survey_anew(path: Path) -> Timeline:
    """The whole file from its start, which the search for its end has left."""
    container = open_container(path)
    try:
        stream = choose_video(container)
        if stream is None:
            raise ValueError("its streams change while it is read")
        read_only(container, stream)
        return _survey_all(container, stream)
    finally:
        container.close()


def _plausible(timeline: Timeline) -> Timeline:
    if timeline.duration > _LONGEST_SECONDS:
        raise ValueError(f"its time stamps span {timeline.duration / 86400:.0f} days")
    return timeline


def read_whole_table(container: InputContainer, stream: av.VideoStream) -> tuple[PacketTable, int]:
    """All packets from where the container stands (its start), and how many stamps were stray."""
    table = tabulate(demux(container, stream, Damage()), whole=True)
    return without_stray_times(table, _time_base(stream))


def _survey_all(container: InputContainer, stream: av.VideoStream) -> Timeline:
    time_base = _time_base(stream)
    table, stray = read_whole_table(container, stream)
    if not len(table):
        raise ValueError("its picture stream holds no packet")
    notes = [f"{stray} frames with damaged time stamps are left out"] if stray else []
    if not has_clock(table) or not table.shown_pts.size:
        return _counted(table, stream, time_base)
    parts = _stretches(table, time_base)
    if len(parts) > 1:
        return _chained(parts, table, stream, time_base)
    times = table.shown_pts
    rate, variable = _rate_of(times, stream, time_base)
    end = int(times[-1]) + _last_duration(table, rate, time_base)
    notes += _shorter_than_told(container, stream, (end - int(times[0])) * time_base)
    return Timeline(
        time_base=time_base,
        origin=int(times[0]),
        end=end,
        frame_rate=rate,
        variable=variable,
        frame_count=int(times.size),
        table=table,
        clock="rank" if _in_decode_order(container, stream) else "pts",
        notes=tuple(notes),
    )


def _counted(table: PacketTable, stream: av.VideoStream, time_base: Fraction) -> Timeline:
    """A stream whose packets do not tell their time: each is one frame of equal length."""
    rate = stream.average_rate or stream.guessed_rate or _DEFAULT_RATE
    timed = table.pts[table.pts != NO_TIME]
    origin = int(timed.min()) if timed.size else 0
    return Timeline(
        time_base=time_base,
        origin=origin,
        end=origin + round(len(table) / rate / time_base),
        frame_rate=rate,
        variable=False,
        frame_count=len(table),
        table=table,
        clock="count",
    )


def _stretches(table: PacketTable, time_base: Fraction) -> list[Ticks]:
    """The shown pts between places where the decoding clock starts again."""
    dts = table.dts[table.dts != NO_TIME]
    if dts.size != len(table):
        return [table.shown_pts]
    falls = np.flatnonzero(np.diff(dts.astype(np.float64)) * float(time_base) < -RESTART_SECONDS)
    edges = [0, *(falls + 1).tolist(), len(table)]
    parts = [
        np.unique(table.pts[first:last][table.shown[first:last]]) for first, last in pairwise(edges)
    ]
    return [part for part in parts if part.size]


def _chained(
    parts: list[Ticks], table: PacketTable, stream: av.VideoStream, time_base: Fraction
) -> Timeline:
    """A stream whose clock starts again: its stretches one after another."""
    rate, variable = _rate_of(max(parts, key=len), stream, time_base)
    step = round(1 / ((rate or _DEFAULT_RATE) * time_base))
    origin = int(parts[0][0])
    return Timeline(
        time_base=time_base,
        origin=origin,
        end=origin + sum(int(part[-1] - part[0]) + step for part in parts),
        frame_rate=rate,
        variable=variable,
        frame_count=sum(part.size for part in parts),
        table=table,
        clock="chain",
        notes=(f"the clock of the file starts again {len(parts) - 1} times",),
    )


def _survey_ends(container: InputContainer, stream: av.VideoStream, size: int) -> Timeline | None:
    """Head and tail of a long file; None where they leave any doubt."""
    time_base = _time_base(stream)
    # the clock of a broadcast may start again anywhere
    if _in_decode_order(container, stream) or container.format.name in ("mpegts", "mpeg"):
        return None
    try:
        head = tabulate(islice(demux(container, stream, Damage()), _HEAD_PACKETS), whole=False)
        if not has_clock(head) or not head.shown_pts.size or int(head.dts[-1]) == NO_TIME:
            return None
        origin = int(head.shown_pts[0])
        if int(head.dts[-1]) < origin:
            return None
        index = _index_of(container, stream, size)
        tail = _tail(container, stream, index, _claimed_seconds(container, stream), origin)
        if tail is None:
            return None
        last = int(tail.shown_pts[-1])
        # frames shown later than the last dts may have others, not yet read, between them
        complete = head.shown_pts[head.shown_pts <= head.dts[-1]]
        rate, variable = _rate_of(complete, stream, time_base)
        count = None
        if index is not None:
            count = index.frames
            _, variable = _rate_of(np.unique(index.dts), stream, time_base)
            if variable and last > origin:
                rate = Fraction(count - 1) / ((last - origin) * time_base)
                rate = rate.limit_denominator(1001)
        end = last + _last_duration(tail, rate, time_base)
    except FOREIGN_ERRORS:
        return None
    return Timeline(
        time_base=time_base,
        origin=origin,
        end=end,
        frame_rate=rate,
        variable=variable,
        frame_count=count,
        table=None,
        clock="pts",
        notes=tuple(_shorter_than_told(container, stream, (end - origin) * time_base)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Index:
    """What an mp4 header tells about every frame; its times are dts, not pts."""

    dts: Ticks  # of shown frames
    frames: int
    last_key: int  # dts


def _index_of(container: InputContainer, stream: av.VideoStream, size: int) -> _Index | None:
    """The index of an mp4 whose samples all lie inside the file; other indexes are partial."""
    if "mp4" not in container.format.name.split(","):
        return None
    entries = [
        (entry.timestamp, entry.is_keyframe)
        for entry in stream.index_entries
        if not entry.is_discard and entry.pos + entry.size <= size
    ]
    keys = [stamp for stamp, key in entries if key]
    if not keys:
        return None
    return _Index(
        dts=np.array([stamp for stamp, _ in entries], dtype=np.int64),
        frames=len(entries),
        last_key=max(keys),
    )


def _tail(
    container: InputContainer,
    stream: av.VideoStream,
    index: _Index | None,
    claimed: float | None,
    origin: int,
) -> PacketTable | None:
    """The packets from shortly before the end to the end."""
    time_base = _time_base(stream)
    if index is not None:
        tail = _read_from(container, stream, index.last_key)
        return tail if tail.shown_pts.size and has_clock(tail) else None
    if claimed is None:
        return None
    end = origin + round(claimed / time_base)
    for step in _TAIL_STEPS_SECONDS:
        tail = _read_from(container, stream, max(origin, end - round(step / time_base)))
        if tail.shown_pts.size and has_clock(tail):
            # a header that is far from the truth means a cut or damaged file
            off = abs(int(tail.shown_pts[-1]) - end) * float(time_base)
            return tail if off <= max(2.0, 0.02 * claimed) else None
    return None


def _read_from(container: InputContainer, stream: av.VideoStream, stamp: int) -> PacketTable:
    container.seek(stamp, stream=stream)
    return tabulate(demux(container, stream, Damage()), whole=False)


def packets_until(
    container: InputContainer, stream: av.VideoStream, pts: int, damage: Damage
) -> list[Packet[av.VideoStream]]:
    """Packets from where the container stands to the first that is decoded after ``pts``.

    As no packet is decoded after it is shown, no later one can be shown at or before ``pts``.
    """
    taken = []
    for packet in demux(container, stream, damage):
        taken.append(packet)
        if packet.dts is not None and packet.dts > pts:
            break
    return taken


def _rate_of(
    times: Ticks, stream: av.VideoStream, time_base: Fraction
) -> tuple[Fraction | None, bool]:
    """Average frame rate, and whether the distance from frame to frame varies."""
    header = stream.average_rate or stream.guessed_rate
    if times.size < 2:
        return header, False
    gaps = np.diff(times)
    usual = float(np.median(gaps))
    # coarse clocks (1 ms in Matroska) round every other frame
    tolerance = max(0.1 * usual, 1.01 if usual >= 4 else 0.0)
    variable = bool(np.abs(gaps - usual).max() > tolerance)
    measured = Fraction(int(times.size) - 1) / (int(times[-1] - times[0]) * time_base)
    # the header may name the exact ratio (30000/1001) of which rounded times are a sample
    if header and abs(header / measured - 1) < Fraction(1, 200) and not variable:
        return header, False
    return measured.limit_denominator(1001), variable


def _last_duration(table: PacketTable, rate: Fraction | None, time_base: Fraction) -> int:
    """Ticks for which the last shown frame stands."""
    row = table.row_of(int(table.shown_pts[-1]))
    told = int(table.duration[row]) if row is not None else 0
    usual = round(1 / ((rate or _DEFAULT_RATE) * time_base)) if rate != 0 else 0
    # a duration of an hour is a damaged one
    return told if 0 < told * time_base < 3600 else max(1, usual)


def _in_decode_order(container: InputContainer, stream: av.VideoStream) -> bool:
    """Whether the stamps say when a packet is decoded, not when its frame is shown.

    AVI numbers its packets as they are stored; FFmpeg guesses pts from that, wrongly where
    frames are reordered.
    """
    return container.format.name == "avi" and bool(stream.codec_context.has_b_frames)


def _claimed_seconds(container: InputContainer, stream: av.VideoStream) -> float | None:
    if stream.duration is not None and stream.duration > 0:
        return float(stream.duration * _time_base(stream))
    if container.duration is not None and container.duration > 0:
        return container.duration / av.time_base
    return None


def _shorter_than_told(
    container: InputContainer, stream: av.VideoStream, real: Fraction
) -> list[str]:
    """A sentence where the header tells of much more than there is: the file was cut."""
    claimed = _claimed_seconds(container, stream)
    if claimed is None or claimed <= float(real) * 1.05 + 1:
        return []
    return [f"the header tells of {claimed:.1f} s, the file holds {float(real):.1f} s"]


def _time_base(stream: av.VideoStream) -> Fraction:
    if not stream.time_base:
        raise ValueError("its picture stream has no time base")
    return stream.time_base
