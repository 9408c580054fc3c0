"""Exact frames at wanted times, with the least decoding.

It knows packets, keyframes and pts; it knows nothing of what frames are for. ``plan`` says which
packets are needed, this module walks them: it seeks or reads on, skips frames that no other frame
refers to, matches what comes out by pts, and where a wanted frame does not come out decodes that
stretch again with care.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av
import numpy as np
import numpy.typing as npt

from scenewise.errors import MissingStreamError, UnreadableMediaError, UsageError
from scenewise.media.container import (
    choose_video,
    foreign_errors,
    open_container,
    read_only,
)
from scenewise.media.packets import Damage, PacketTable, Ticks, join
from scenewise.media.plan import (
    Run,
    frames_shown_at,
    group_before,
    keyframe_pts,
    plan_keyframes,
    plan_runs,
)
from scenewise.media.probe import MediaInfo, examine
from scenewise.media.scale import Scaler, Target
from scenewise.media.timeline import RESTART_SECONDS, Timeline, read_whole_table
from scenewise.media.walk import Walker

Mode = Literal["exact", "fast"]

_EPSILON_SECONDS = 1e-6
# With fewer wanted frames than one in so many seconds, a long file is read around them only.
_SPARSE_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: ``image`` is uint8 RGB of shape (H, W, 3)."""

    image: npt.NDArray[np.uint8]
    time: float  # exact instant of this frame, seconds from the first shown frame
    requested: float  # the time that was asked for
    substitute: bool = False  # the wanted frame was broken; this is the last good one before it


@dataclass(frozen=True, slots=True)
class _Decoded:
    """One decoded frame with its instant in seconds from the first shown frame."""

    frame: av.VideoFrame
    time: float
    substitute: bool = False


class VideoReader:
    """An open video. Use as a context manager.

    ``info`` is the probe's answer; ``duration`` in seconds from the packets;
    ``frame_times`` the sorted instants of all shown frames in seconds (None where packets do not
    tell them); ``keyframe_times`` likewise for keyframes. ``warnings`` says, once frames were read,
    what was damaged.
    """

    info: MediaInfo
    duration: float

    def __init__(self, path: str | Path) -> None:
        """Open; raise UnreadableMediaError or MissingStreamError."""
        self._path = Path(path)
        container = open_container(self._path)
        try:
            self.info, timeline = examine(container, self._path)
        finally:
            container.close()
        if timeline is None or self.info.video is None:
            kind = "sound" if self.info.audio else "text"
            raise MissingStreamError(f"{self._path}: holds {kind} but no picture to look at.")
        self._timeline: Timeline = timeline
        self.duration = self.info.duration
        self._table: PacketTable | None = timeline.table
        self._damage = Damage()
        self._substitutes = 0
        self._walker: Walker | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        if self._walker is not None:
            self._walker.close()
            self._walker = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was damaged, one sentence each; grows while frames are read."""
        said = list(self._timeline.notes)
        if self._damage.unreadable:
            said.append(f"{self._damage.unreadable} stretches of the file could not be read")
        if self._damage.undecodable:
            said.append(f"{self._damage.undecodable} packets could not be decoded")
        if self._substitutes:
            said.append(f"{self._substitutes} wanted frames were replaced by the last good one")
        return tuple(said)

    @property
    def frame_times(self) -> npt.NDArray[np.float64] | None:
        """Seconds of all shown frames, rising, shape (n,); reads all packets of a long file."""
        if self._timeline.clock in ("count", "chain"):
            return None
        return self._to_seconds(self._whole_table().shown_pts)

    @property
    def keyframe_times(self) -> npt.NDArray[np.float64] | None:
        """Seconds of all shown keyframes, rising, shape (n,)."""
        if self._timeline.clock in ("count", "chain"):
            return None
        return self._to_seconds(keyframe_pts(self._whole_table()))

    def read(
        self,
        times: Sequence[float],
        target: Target,
        mode: Mode = "exact",
    ) -> Iterator[Frame]:
        """Yield one Frame per wanted time, in the order of ``times`` sorted ascending.

        The frame for time t is the one shown at t (largest frame time <= t); after the end it is
        the last one. Memory is bounded whatever the length. ``fast`` takes the last keyframe at
        or before t and returns its true time. One reading at a time: a new one ends the old one.

        Raises UsageError for a time that is negative or no number, UnreadableMediaError where
        nothing at all can be decoded.
        """
        wanted = sorted(float(time) for time in times)
        for time in wanted:
            if not (math.isfinite(time) and time >= 0):
                raise UsageError(f"a time is at least 0 seconds and finite, got {time}.")
        if mode not in ("exact", "fast"):
            raise UsageError(f"a reading mode is 'exact' or 'fast', got {mode!r}.")
        return self._read(wanted, target, mode)

    def yuv_frames(self, times: Sequence[float]) -> Iterator[av.VideoFrame]:
        """As ``read``, but the decoder's own frames: in YUV, neither scaled nor turned.

        The same frame comes again where several times want it: do not change it.
        """
        self.close()
        with foreign_errors(self._path):
            walker = self._walker = Walker(self._path, self._damage)
        try:
            for found, asked in self._decoded(walker, sorted(times), "exact"):
                self._substitutes += found.substitute * len(asked)
                for _ in asked:
                    yield found.frame
        finally:
            walker.close()

    def _read(self, wanted: list[float], target: Target, mode: Mode) -> Iterator[Frame]:
        if not wanted:
            return
        self.close()
        walker = self._walker = Walker(self._path, self._damage)
        try:
            scaler = self._scaler(target)
            # one entry per distinct frame, with all the times that want it
            for found, asked in self._decoded(walker, wanted, mode):
                with foreign_errors(self._path):
                    image = scaler.picture(found.frame)
                for time in asked:
                    self._substitutes += found.substitute
                    yield Frame(image, found.time, time, found.substitute)
                    # reading on in a closed container would crash
                    if self._walker is not walker:
                        raise UsageError(
                            f"{self._path}: this reading has ended, as the video was closed or "
                            "read anew; there is one reading at a time."
                        )
        finally:
            walker.close()

    def _scaler(self, target: Target) -> Scaler:
        video = self.info.video
        assert video is not None  # checked at birth
        return Scaler(
            target,
            rotation=video.rotation,
            mirrored=video.mirrored,
            pixel_aspect=video.pixel_aspect,
        )

    def _decoded(
        self, walker: Walker, wanted: list[float], mode: Mode
    ) -> Iterator[tuple[_Decoded, list[float]]]:
        """Each distinct frame once, with the wanted times for which it stands."""
        if self._timeline.clock != "pts":
            yield from self._sequential(walker, wanted)
            return
        ticks = self._to_ticks(wanted)
        table = self._table_for(walker, ticks)
        shown = keyframe_pts(table) if mode == "fast" else table.shown_pts
        if not shown.size:
            shown = table.shown_pts
        asked: dict[int, list[float]] = {}
        for pts, time in zip(frames_shown_at(shown, ticks).tolist(), wanted, strict=True):
            asked.setdefault(pts, []).append(time)
        plan = plan_keyframes if mode == "fast" else plan_runs
        last: _Decoded | None = None
        for run in plan(table, list(asked)):
            for target, decoded in self._deliver(walker, table, run):
                if decoded is not None:
                    last = decoded
                elif last is None:
                    last = self._first_good()
                else:
                    last = replace(last, substitute=True)
                yield last, asked[target]

    def _deliver(
        self, walker: Walker, table: PacketTable, run: Run
    ) -> Iterator[tuple[int, _Decoded | None]]:
        """The targets of a run in order; None for one before which nothing can be decoded."""
        waiting = deque(run.targets)
        for frame in walker.wanted_frames(table, run):
            if frame.pts is None or frame.pts < waiting[0]:
                continue
            if frame.pts > waiting[0]:
                break  # the wanted one did not come out
            yield waiting.popleft(), _Decoded(frame, self._timeline.seconds(frame.pts))
            if not waiting:
                return
        yield from self._deliver_with_care(walker, table, run, waiting)

    def _deliver_with_care(
        self, walker: Walker, table: PacketTable, run: Run, waiting: deque[int]
    ) -> Iterator[tuple[int, _Decoded | None]]:
        """Decode all of a run, and the group before it, for targets that did not come out.

        A target may be broken, or its packet may show nothing of its own (hidden reference
        frames of VP8, packed frames of MPEG-4): then the frame shown at that time is the one
        before, and no substitute.
        """
        before = self._damage.total
        previous: av.VideoFrame | None = None
        for frame in walker.all_frames(table, group_before(table, run.first), run.last):
            if frame.pts is None:
                continue
            while waiting and frame.pts > waiting[0]:
                damaged = self._damage.total > before
                yield waiting[0], self._stand_in(table, previous, waiting[0], damaged)
                waiting.popleft()
            previous = frame
            if not waiting:
                return
        while waiting:
            damaged = self._damage.total > before
            yield waiting[0], self._stand_in(table, previous, waiting[0], damaged)
            waiting.popleft()

    def _stand_in(
        self, table: PacketTable, previous: av.VideoFrame | None, target: int, damaged: bool
    ) -> _Decoded | None:
        if previous is None or previous.pts is None:
            return None
        # a single packet without a picture, in an undamaged stretch, is a hidden one
        places = np.searchsorted(table.shown_pts, [previous.pts, target])
        missing = int(places[1] - places[0])
        substitute = missing > 1 or (missing == 1 and damaged)
        return _Decoded(previous, self._timeline.seconds(previous.pts), substitute)

    def _first_good(self) -> _Decoded:
        """The first picture that can be decoded at all, for times before which none can."""
        walker = Walker(self._path, self._damage)  # the other one is in the middle of a run
        try:
            for frame in walker.frames_from_start():
                pts = self._timeline.origin if frame.pts is None else frame.pts
                return _Decoded(frame, max(0.0, self._timeline.seconds(pts)), substitute=True)
        finally:
            walker.close()
        raise UnreadableMediaError(f"{self._path}: no picture of it can be decoded; it is damaged.")

    def _sequential(
        self, walker: Walker, wanted: list[float]
    ) -> Iterator[tuple[_Decoded, list[float]]]:
        """Frames of a stream whose packets do not tell their times, by decoding all of it."""
        waiting = deque(wanted)
        previous: _Decoded | None = None
        for current in self._in_order(walker):
            if previous is not None:
                asked = []
                while waiting and waiting[0] + _EPSILON_SECONDS < current.time:
                    asked.append(waiting.popleft())
                if asked:
                    yield previous, asked
                if not waiting:
                    return
            previous = current
        if previous is None:
            raise UnreadableMediaError(
                f"{self._path}: no picture of it can be decoded; it is damaged."
            )
        yield previous, list(waiting)

    def _in_order(self, walker: Walker) -> Iterator[_Decoded]:
        """All frames as they come out of the decoder, with the instants that ``Clock`` gives."""
        clock = self._timeline.clock
        table = self._whole_table()
        step = float(1 / (self._timeline.frame_rate or 25))
        rank, last, last_pts = -1, -step, 0
        for frame in walker.frames_from_start():
            told: float | None = None
            if clock == "rank":
                rank += 1
                # nothing is reordered across a keyframe: lost frames before it show here
                row = table.row_of(frame.pts) if frame.key_frame and frame.pts else None
                rank = min(max(rank, row or 0), len(table.shown_pts) - 1)
                told = self._timeline.seconds(int(table.shown_pts[rank]))
            elif frame.pts is not None and last >= 0:
                told = self._timeline.seconds(frame.pts)
                if clock == "chain":
                    since = float((frame.pts - last_pts) * self._timeline.time_base)
                    told = None if since < -RESTART_SECONDS else last + since
            last = told if told is not None and told > last else last + step
            last_pts = last_pts if frame.pts is None else frame.pts
            yield _Decoded(frame, last)

    def _to_ticks(self, wanted: list[float]) -> Ticks:
        """Seconds from the first shown frame to the container's clock, rounded down."""
        clock = self._timeline
        past = float((clock.end - clock.origin) * clock.time_base) + 1
        seconds = np.minimum(np.array(wanted, dtype=np.float64), past) + _EPSILON_SECONDS
        ticks: Ticks = np.floor(seconds / float(clock.time_base)).astype(np.int64) + clock.origin
        return ticks

    def _to_seconds(self, pts: Ticks) -> npt.NDArray[np.float64]:
        clock = self._timeline.time_base
        seconds: npt.NDArray[np.float64] = (
            (pts - self._timeline.origin) * clock.numerator / clock.denominator
        )
        return seconds

    def _table_for(self, walker: Walker, ticks: Ticks) -> PacketTable:
        """The whole table, or for few times in a long file the packets around them."""
        if self._table is None and len(ticks) * _SPARSE_SECONDS < self.duration:
            around: list[PacketTable] = []
            for pts in dict.fromkeys(ticks.tolist()):
                part = walker.surroundings(pts)
                if part is None:
                    return self._whole_table()
                if around and around[-1].pts[0] == part.pts[0]:
                    around.pop()  # the later one reaches further
                around.append(part)
            return join(around)
        return self._whole_table()

    def _whole_table(self) -> PacketTable:
        if self._table is None:
            container = open_container(self._path)
            try:
                with foreign_errors(self._path):
                    stream = choose_video(container)
                    if stream is None:
                        raise UnreadableMediaError(
                            f"{self._path}: its streams change while it is read."
                        )
                    read_only(container, stream)
                    self._table, _ = read_whole_table(container, stream)
            finally:
                container.close()
        return self._table
