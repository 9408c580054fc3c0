"""Decoded frames for wanted instants: the planned way, the careful way, and by decoding it all.

It knows what to do when a frame does not come out of the decoder; it knows nothing of pixels.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.video.frame import PictureType

from scenewise.errors import UnreadableMediaError
from scenewise.media.container import choose_video, foreign_errors, open_container, read_only
from scenewise.media.packets import Damage, PacketTable, Ticks, join
from scenewise.media.plan import (
    Run,
    frames_shown_at,
    group_before,
    keyframe_pts,
    plan_keyframes,
    plan_runs,
)
from scenewise.media.timeline import RESTART_SECONDS, Timeline, read_whole_table
from scenewise.media.walk import Walker

Mode = Literal["exact", "fast"]

_EPSILON_SECONDS = 1e-6
# With fewer wanted frames than one in so many seconds, a long file is read around them only.
_SPARSE_SECONDS = 20.0
# pictures that are made from others
_DEPENDENT = {int(kind) for kind in (PictureType.P, PictureType.B, PictureType.S, PictureType.SP)}


@dataclass(frozen=True, slots=True)
class Decoded:
    """One decoded frame with its instant in seconds from the first shown frame."""

    frame: av.VideoFrame
    time: float
    substitute: bool = False


class _FalseKeyframeError(Exception):
    """The file calls a packet a keyframe whose picture is made from earlier ones."""


def _stands_alone(frame: av.VideoFrame) -> bool:
    return frame.key_frame or int(frame.pict_type) not in _DEPENDENT


class FrameFinder:
    """Finds the frames of one file; remembers what it learns of the file."""

    def __init__(self, path: Path, timeline: Timeline, damage: Damage) -> None:
        self._path = path
        self._timeline = timeline
        self._damage = damage
        self._table: PacketTable | None = timeline.table
        self._keyframes_lie = False

    def find(
        self, walker: Walker, wanted: list[float], mode: Mode
    ) -> Iterator[tuple[Decoded, list[float]]]:
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
        last: Decoded | None = None
        for target, decoded in self._run_all(walker, table, plan(table, list(asked))):
            if decoded is not None:
                last = decoded
            elif last is None:
                last = self._first_good()
            else:
                last = replace(last, substitute=True)
            yield last, asked[target]

    def _run_all(
        self, walker: Walker, table: PacketTable, runs: Sequence[Run]
    ) -> Iterator[tuple[int, Decoded | None]]:
        """All targets in order, by the plan as long as its keyframes are some."""
        for number, run in enumerate(runs):
            if not self._keyframes_lie:
                try:
                    yield from self._deliver(walker, table, run)
                    continue
                except _FalseKeyframeError:
                    self._keyframes_lie = True
            rest = tuple(target for later in runs[number:] for target in later.targets)
            yield from self._deliver(walker, *self._from_start(rest))
            return

    def _from_start(self, targets: tuple[int, ...]) -> tuple[PacketTable, Run]:
        """One run from the first packet, for files whose keyframes cannot be trusted."""
        table = self.whole_table()
        rows = [row for row in map(table.row_of, targets) if row is not None]
        return table, Run(0, max(rows, default=0), targets)

    def _deliver(
        self, walker: Walker, table: PacketTable, run: Run
    ) -> Iterator[tuple[int, Decoded | None]]:
        """The targets of a run in order; None for one before which nothing can be decoded."""
        waiting = deque(run.targets)
        begins = int(table.pts[run.first]) if run.first or not table.whole else None
        for frame in walker.wanted_frames(table, run):
            if begins is not None and frame.pts == begins and not _stands_alone(frame):
                raise _FalseKeyframeError
            if frame.pts is None or frame.pts < waiting[0]:
                continue
            if frame.pts > waiting[0]:
                break  # the wanted one did not come out
            yield waiting.popleft(), Decoded(frame, self._timeline.seconds(frame.pts))
            if not waiting:
                return
        yield from self._deliver_with_care(walker, table, run, waiting)

    def _deliver_with_care(
        self, walker: Walker, table: PacketTable, run: Run, waiting: deque[int]
    ) -> Iterator[tuple[int, Decoded | None]]:
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
    ) -> Decoded | None:
        if previous is None or previous.pts is None:
            return None
        # a single packet without a picture, in an undamaged stretch, is a hidden one
        places = np.searchsorted(table.shown_pts, [previous.pts, target])
        missing = int(places[1] - places[0])
        substitute = missing > 1 or (missing == 1 and damaged)
        return Decoded(previous, self._timeline.seconds(previous.pts), substitute)

    def _first_good(self) -> Decoded:
        """The first picture that can be decoded at all, for times before which none can."""
        walker = Walker(self._path, self._damage)  # the other one is in the middle of a run
        try:
            for frame in walker.frames_from_start():
                pts = self._timeline.origin if frame.pts is None else frame.pts
                return Decoded(frame, max(0.0, self._timeline.seconds(pts)), substitute=True)
        finally:
            walker.close()
        raise UnreadableMediaError(f"{self._path}: no picture of it can be decoded; it is damaged.")

    def _sequential(
        self, walker: Walker, wanted: list[float]
    ) -> Iterator[tuple[Decoded, list[float]]]:
        """Frames of a stream whose packets do not tell their times, by decoding all of it."""
        waiting = deque(wanted)
        previous: Decoded | None = None
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

    def _in_order(self, walker: Walker) -> Iterator[Decoded]:
        """All frames as they come out of the decoder, with the instants that ``Clock`` gives."""
        clock = self._timeline.clock
        table = self.whole_table()
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
            yield Decoded(frame, last)

    def _to_ticks(self, wanted: list[float]) -> Ticks:
        """Seconds from the first shown frame to the container's clock, rounded down."""
        clock = self._timeline
        past = float((clock.end - clock.origin) * clock.time_base) + 1
        seconds = np.minimum(np.array(wanted, dtype=np.float64), past) + _EPSILON_SECONDS
        ticks: Ticks = np.floor(seconds / float(clock.time_base)).astype(np.int64) + clock.origin
        return ticks

    def _table_for(self, walker: Walker, ticks: Ticks) -> PacketTable:
        """The whole table, or for few times in a long file the packets around them."""
        if self._table is None and len(ticks) * _SPARSE_SECONDS < self._timeline.duration:
            around: list[PacketTable] = []
            for pts in dict.fromkeys(ticks.tolist()):
                part = walker.surroundings(pts)
                if part is None:
                    return self.whole_table()
                if around and around[-1].pts[0] == part.pts[0]:
                    around.pop()  # the later one reaches further
                around.append(part)
            return join(around)
        return self.whole_table()

    def whole_table(self) -> PacketTable:
        """All packets; read once, when first needed."""
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
