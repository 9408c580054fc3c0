"""From a live stream to instants that can be encoded: one thread a stream.

It decodes, scales, follows what moves and listens; it knows no network and no rule.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from scenewise.encoders.spec import EncoderSpec
from scenewise.media.live import LiveFrame, LiveSound, LiveStream, Samples, Wanted
from scenewise.media.live_clock import Ticks
from scenewise.media.motion import MovingBox
from scenewise.media.scale import Rotation, Scaler, orientation_of
from scenewise.media.target import Target
from scenewise.tasks.watch.mailbox import Instant, Mailbox, Picture
from scenewise.types import Sound

logger = logging.getLogger(__name__)

MOTION_FPS = 6.0  # pictures a second in which movement is followed
SNAPSHOT = Target(640, 640, "fit", interpolation="area")
MOTION = Target(320, 320, "fit", interpolation="area")
_CARRIED = 512


class Follower(Protocol):
    """What follows moving things: ``media.motion.MotionTracker``."""

    def add(self, image: Picture, time: float) -> tuple[MovingBox, ...]:
        """What moves in this picture."""
        ...


class Listener(Protocol):
    """What hears sounds: ``media.sounds.SoundDetector``."""

    def add(self, samples: Samples, start_time: float) -> tuple[Sound, ...]:
        """What was heard and is over."""
        ...

    @property
    def ongoing(self) -> tuple[Sound, ...]:
        """What is heard and goes on."""
        ...


@dataclass(frozen=True, slots=True)
class Senses:
    """What the rules need beside single pictures; None: nothing of it."""

    follower: Callable[[], Follower] | None = None
    listener: Callable[[], Listener] | None = None


def wanted_of(spec: EncoderSpec, fps: float, senses: Senses) -> Wanted:
    """At which rates a stream is to be decoded for an encoder of frames or of clips."""
    rate = fps
    if spec.frames_per_window > 1 and spec.window_seconds:
        rate = max(fps, spec.frames_per_window / spec.window_seconds)
    return Wanted(
        fps=rate,
        motion_fps=MOTION_FPS if senses.follower is not None else 0.0,
        sound=senses.listener is not None,
    )


class Intake:
    """Reads one stream into the mailbox, until it ends."""

    def __init__(
        self,
        number: int,
        stream: LiveStream,
        spec: EncoderSpec,
        fps: float,
        senses: Senses,
        mailbox: Mailbox,
    ) -> None:
        self.stream = stream
        self.replaced = 0  # instants that newer ones took the place of
        self._number = number
        self._mailbox = mailbox
        self._windows = _Windows(spec, fps, stream.wanted.fps)
        self._scalers = _Scalers(spec.target)
        self._senses = senses
        self._follower: Follower | None = None
        self._listener = senses.listener() if senses.listener is not None else None
        self._moving: deque[MovingBox] = deque(maxlen=_CARRIED)
        self._sounds: deque[Sound] = deque(maxlen=_CARRIED)
        self._connections = 0

    def run(self, after: Callable[[float], None]) -> None:
        """Read to the end; ``after`` is told each time that was reached. Raises MediaError."""
        for item in self.stream.frames():
            if isinstance(item, LiveSound):
                if self._listener is not None:
                    self._sounds.extend(self._listener.add(item.samples, item.start))
                continue
            self._see(item)
            after(item.time)

    def _see(self, item: LiveFrame) -> None:
        if self._connections != self.stream.counts.connections:
            # another connection: its background is not that of the one before
            self._connections = self.stream.counts.connections
            self._windows.clear()
            self._scalers.clear()
            if self._senses.follower is not None:
                self._follower = self._senses.follower()
        if item.followed and self._follower is not None:
            small = self._scalers.motion(item)
            self._moving.extend(self._follower.add(small, item.time))
        if not item.analysed:
            return
        window = self._windows.add(self._scalers.window(item), item.time)
        if window is None:
            return
        sounds = tuple(self._sounds)
        if self._listener is not None:
            sounds += self._listener.ongoing
        instant = Instant(
            self._number,
            item.time,
            item.wall,
            window,
            self._scalers.snapshot(item),
            tuple(self._moving),
            sounds,
        )
        self._moving.clear()
        self._sounds.clear()
        self.replaced += self._mailbox.put(instant, lossless=self.stream.is_lossless)


class _Windows:
    """Frames to windows of T frames: the last T, a new window at the rate of analysis."""

    def __init__(self, spec: EncoderSpec, fps: float, frame_rate: float) -> None:
        self._frames: deque[Picture] = deque(maxlen=spec.frames_per_window)
        self._ticks = Ticks(fps)
        self._longest_step = 2.5 / frame_rate
        self._last = 0.0

    def add(self, picture: Picture, time: float) -> Picture | None:
        """The window (T, H, W, 3) that ends with this frame, where one is due and complete."""
        single = self._frames.maxlen == 1
        if not single and time - self._last > self._longest_step:
            self._frames.clear()  # a clip has no hole in it
        self._last = time
        self._frames.append(picture)
        if len(self._frames) < (self._frames.maxlen or 1):
            return None
        if not single:
            if not self._ticks.wants(time):
                return None
            self._ticks.take(time)
        return np.stack(list(self._frames))

    def clear(self) -> None:
        self._frames.clear()


class _Scalers:
    """A scaler for each purpose, made anew when the stream changes its format."""

    def __init__(self, target: Target) -> None:
        self._window = target
        self._form: tuple[object, ...] = ()
        self._orientation: tuple[Rotation, bool] = (0, False)
        self._made: dict[Target, Scaler] = {}

    def clear(self) -> None:
        self._form = ()

    def window(self, item: LiveFrame) -> Picture:
        return self._picture(self._window, item)

    def snapshot(self, item: LiveFrame) -> Picture:
        return self._picture(SNAPSHOT, item)

    def motion(self, item: LiveFrame) -> Picture:
        return self._picture(MOTION, item)

    def _picture(self, target: Target, item: LiveFrame) -> Picture:
        frame = item.frame
        form = (frame.width, frame.height, frame.format.name, item.pixel_aspect)
        if form != self._form:
            # not asked of each frame: one that was asked lives until the garbage is collected
            self._orientation = orientation_of(frame)
            self._form = form
            self._made.clear()
        rotation, mirrored = self._orientation
        scaler = self._made.get(target)
        if scaler is None:
            scaler = self._made[target] = Scaler(
                target, rotation=rotation, mirrored=mirrored, pixel_aspect=item.pixel_aspect
            )
        return scaler.picture(frame)
