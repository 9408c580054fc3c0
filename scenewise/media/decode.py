"""Exact frames at wanted times, with the least decoding.

The face of the decoding rooms: ``timeline`` knows when frames are shown, ``plan`` which packets
they need, ``walk`` how to get these, ``frames`` what to do when a frame does not come out,
``scale`` how a frame becomes a picture. This module opens, asks and counts; it knows nothing of
what frames are for.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
import numpy.typing as npt

from scenewise.errors import MissingStreamError, UsageError
from scenewise.media.container import foreign_errors, open_container
from scenewise.media.frames import Decoded, FrameFinder, Mode
from scenewise.media.packets import Damage, Ticks
from scenewise.media.plan import keyframe_pts
from scenewise.media.probe import MediaInfo, examine
from scenewise.media.scale import Scaler
from scenewise.media.target import Target
from scenewise.media.timeline import Timeline
from scenewise.media.walk import Walker


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: ``image`` is uint8 RGB of shape (H, W, 3)."""

    image: npt.NDArray[np.uint8]
    time: float  # exact instant of this frame, seconds from the first shown frame
    requested: float  # the time that was asked for
    substitute: bool = False  # the wanted frame was broken; this is the last good one before it


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
        self._damage = Damage()
        self._finder = FrameFinder(self._path, timeline, self._damage)
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
            said.append(f"{self._damage.unreadable} stretch(es) of the file could not be read")
        if self._damage.undecodable:
            said.append(f"{self._damage.undecodable} packet(s) could not be decoded")
        if self._substitutes:
            said.append(f"{self._substitutes} wanted frame(s) replaced by the last good one")
        return tuple(said)

    @property
    def frame_times(self) -> npt.NDArray[np.float64] | None:
        """Seconds of all shown frames, rising, shape (n,); reads all packets of a long file."""
        if self._timeline.clock in ("count", "chain"):
            return None
        return self._to_seconds(self._finder.whole_table().shown_pts)

    @property
    def keyframe_times(self) -> npt.NDArray[np.float64] | None:
        """Seconds of all shown keyframes, rising, shape (n,)."""
        if self._timeline.clock in ("count", "chain"):
            return None
        return self._to_seconds(keyframe_pts(self._finder.whole_table()))

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
        if mode not in ("exact", "fast"):
            raise UsageError(f"a reading mode is 'exact' or 'fast', got {mode!r}.")
        return self._read(_checked(times), target, mode)

    def yuv_frames(self, times: Sequence[float]) -> Iterator[av.VideoFrame]:
        """As ``read``, but the decoder's own frames: in YUV, neither scaled nor turned.

        The same frame comes again where several times want it: do not change it.
        """
        for found, asked in self._found(_checked(times), "exact"):
            for _ in asked:
                yield found.frame

    def _read(self, wanted: list[float], target: Target, mode: Mode) -> Iterator[Frame]:
        scaler = self._scaler(target)
        for found, asked in self._found(wanted, mode):
            with foreign_errors(self._path):
                image = scaler.picture(found.frame)
            for time in asked:
                yield Frame(image, found.time, time, found.substitute)

    def _found(self, wanted: list[float], mode: Mode) -> Iterator[tuple[Decoded, list[float]]]:
        """Each distinct frame with all the times that want it, from a walk of its own."""
        if not wanted:
            return
        self.close()
        walker = self._walker = Walker(self._path, self._damage)
        try:
            for found, asked in self._finder.find(walker, wanted, mode):
                self._substitutes += found.substitute * len(asked)
                yield found, asked
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

    def _to_seconds(self, pts: Ticks) -> npt.NDArray[np.float64]:
        clock = self._timeline.time_base
        seconds: npt.NDArray[np.float64] = (
            (pts - self._timeline.origin) * clock.numerator / clock.denominator
        )
        return seconds


def _checked(times: Sequence[float]) -> list[float]:
    wanted = sorted(float(time) for time in times)
    for time in wanted:
        if not (math.isfinite(time) and time >= 0):
            raise UsageError(f"a time is at least 0 seconds and finite, got {time}.")
    return wanted
