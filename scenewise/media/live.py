"""A live stream as frames and sound on one rising clock, for as long as it lasts.

It decodes what is looked at and little else, keeps up by leaving frames out, and connects again
when a network stream ends, however it ends. It knows no rule and no encoder. The rooms behind it:
``live_sources`` reads addresses, ``live_connection`` opens them, ``live_clock`` places stamps,
``packet_ring`` keeps the last seconds for clips.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
from av.packet import Packet

from scenewise.errors import MediaError
from scenewise.media.container import FOREIGN_ERRORS
from scenewise.media.live_clock import StreamClock, Ticks, pauses
from scenewise.media.live_connection import Arrival, Connection
from scenewise.media.live_sources import LiveOptions, LiveSource
from scenewise.media.packet_ring import PacketRing

logger = logging.getLogger(__name__)

Samples = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000  # Hz, of the sound that is handed on
_BEHIND_SECONDS = 1.0  # from here on packets are left out up to the next keyframe
_KEYFRAME_PATIENCE_SECONDS = 5.0  # that a new connection waits for a keyframe
_LONG_CONNECTION_SECONDS = 10.0  # after which the next failure is a new one
_TELL_AGAIN_SECONDS = 60.0
_SOUND_GAP_SECONDS = 0.1
_SOUND_BLOCK = SAMPLE_RATE // 5  # samples in one block, at least
_WALL_CLOCK = Fraction(1, 90_000)  # of stamps that are arrivals

State = Literal["connecting", "running", "waiting", "ended", "failed"]


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """A decoded frame. ``time`` rises, also across reconnections."""

    time: float  # seconds from the stream's first frame
    wall: float  # when it came, seconds since 1970
    frame: av.VideoFrame  # in YUV, neither scaled nor turned
    analysed: bool  # it is one of the ``fps`` a second
    followed: bool  # it is one of the ``motion_fps`` a second
    pixel_aspect: Fraction = Fraction(1)  # width of a pixel / its height


@dataclass(frozen=True, slots=True, eq=False)
class LiveSound:
    """Samples that follow each other: (n,) float32, mono, 16 kHz, in [-1, 1]."""

    start: float  # seconds on the stream's clock
    samples: Samples


@dataclass(slots=True)
class LiveCounts:
    """What became of one stream so far; read by others while it runs."""

    frames_in: int = 0  # pictures that arrived
    left_out: int = 0  # instants to analyse that were not decoded, to keep up
    broken: int = 0  # packets that no decoder took
    connections: int = 0
    state: State = "connecting"
    failure: str | None = None  # why it is not running
    time: float = 0.0  # seconds on the stream's clock


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is wanted of a stream. 0 frames a second: none."""

    fps: float = 2.0
    motion_fps: float = 0.0
    sound: bool = False


class LiveStream:
    """One source, read by one thread. ``frames`` may be called once."""

    def __init__(
        self,
        source: LiveSource,
        wanted: Wanted | None = None,
        options: LiveOptions | None = None,
        *,
        stop: threading.Event | None = None,
        ring: PacketRing | None = None,
    ) -> None:
        """``ring`` takes every packet, for clips; ``stop`` ends the stream from another thread."""
        self.source = source
        self.wanted = wanted or Wanted()
        self.options = options or LiveOptions()
        self.stop = stop or threading.Event()
        self.ring = ring
        self.counts = LiveCounts()
        self.on_connect: Callable[[], None] = lambda: None  # whenever the stream is there
        self.on_disconnect: Callable[[], None] = lambda: None  # before the ring begins anew
        self._fast = self.options.fast and not source.reconnects
        self._paced = source.kind in ("file", "generated", "playlist", "hls") and not self._fast
        self._clock = StreamClock(
            live=source.reconnects or source.kind == "playlist", paced=self._paced
        )
        self._analysis = Ticks(self.wanted.fps)
        self._motion = Ticks(self.wanted.motion_fps) if self.wanted.motion_fps else None
        self._growing_at_end = False
        self._resume_stamp: float | None = None  # of a list, part of which was read before
        self._behind = False
        self._told_at = float("-inf")  # when somebody was told that the stream is away
        self._waits_for_key: float | None = None  # the time from which on

    @property
    def is_lossless(self) -> bool:
        """Nothing is to be dropped: a recording read fast, or a growing file's older part."""
        return self._fast or (self.source.kind == "growing" and not self._growing_at_end)

    def frames(self) -> Iterator[LiveFrame | LiveSound]:
        """Frames and sound in order of time, until the end or until ``stop`` is set.

        Raises MediaError where the first connection cannot be made (unless it is waited for), or
        where none could be made for ``give_up_after_seconds``.
        """
        waits = pauses(self.options.first_pause_seconds, self.options.longest_pause_seconds)
        last_good = time.monotonic()
        while not self.stop.is_set():
            begin = time.monotonic()
            try:
                connection = Connection(self.source, self.options, self.stop)
            except MediaError as error:
                self._give_up(error, last_good)
                reason = str(error)
            else:
                finite_again = connection.finite and self.counts.connections > 0
                if finite_again and self.source.kind == "hls":
                    connection.close()  # the broadcast is over: its list now has an end
                    break
                yield from self._read(connection)
                last_good = time.monotonic()
                if not self.source.reconnects or connection.finite or self.stop.is_set():
                    break
                reason = connection.failure or "the stream ended"
                if last_good - begin > _LONG_CONNECTION_SECONDS:
                    waits = pauses(
                        self.options.first_pause_seconds, self.options.longest_pause_seconds
                    )
            pause = next(waits)
            self.counts.state = "waiting"
            self._tell(reason, pause)
            self.stop.wait(pause)
        self.counts.state = "ended"

    def _tell(self, reason: str, pause: float) -> None:
        """Say that the stream is away: when that is new, and again once in a while."""
        now = time.monotonic()
        news = reason != self.counts.failure
        if news or now - self._told_at >= _TELL_AGAIN_SECONDS:
            self._told_at = now
            logger.warning(
                "%s: %s; connecting again in %.1f s",
                self.source.name,
                reason.removeprefix(f"{self.source.shown}: ").rstrip("."),
                pause,
            )
        self.counts.failure = reason

    def _give_up(self, error: MediaError, last_good: float) -> None:
        """Raise where trying again is of no use, or was for long enough."""
        patience = self.options.give_up_after_seconds
        first = self.counts.connections == 0 and not self.options.wait_for_start
        tired = patience is not None and time.monotonic() - last_good >= patience
        if not self.source.reconnects or tired or first:
            self.counts.state, self.counts.failure = "failed", str(error)
            raise error

    def _read(self, connection: Connection) -> Iterator[LiveFrame | LiveSound]:
        """All of one connection."""
        self._connected(connection)
        hearing = _Hearing() if self.wanted.sound and connection.audio is not None else None
        try:
            for arrival in connection.packets():
                self._growing_at_end = connection.growing is not None and connection.growing.at_end
                packet = arrival.packet
                if isinstance(packet.stream, av.AudioStream):
                    if not self._clock.counts:
                        continue  # sound before the first picture has no time yet
                    if self.ring is not None and packet.pts is not None and packet.time_base:
                        self.ring.add(
                            packet, self._clock.time_of(float(packet.pts * packet.time_base))
                        )
                    if hearing is not None:
                        yield from self._hear(hearing, packet)
                    continue
                yield from self._look(connection, packet, arrival)
            if not self.stop.is_set():
                yield from self._drain(connection)
        finally:
            self._clock.disconnect()
            connection.close()
            self.on_disconnect()

    def _connected(self, connection: Connection) -> None:
        counts = self.counts
        if counts.connections:
            logger.warning("%s: connected again", self.source.name)
        counts.connections += 1
        counts.state, counts.failure = "running", None
        self._behind = False
        self._waits_for_key = self.counts.time if self.source.is_network else None
        if self.ring is not None:
            self.ring.connect(connection.video, connection.audio)
        self.on_connect()

    def _look(
        self, connection: Connection, packet: Packet[av.VideoStream], arrival: Arrival
    ) -> Iterator[LiveFrame | LiveSound]:
        """Place a packet of the picture, wait for its time, and decode it if that is needed."""
        self.counts.frames_in += 1
        stamps = self._stamps(connection, packet, arrival)
        if stamps is None:
            if self._waits_for_key is None or packet.is_keyframe:
                self._waits_for_key = None
                yield from self._decode(connection, packet, due=False)  # it feeds the decoder only
            return
        shown, order = stamps
        if self._seen_before(order):
            return
        self._clock.arrive(order, arrival.now, arrival.waited_seconds, shown=shown)
        time_shown = self._clock.time_of(shown)
        self.counts.time = max(self.counts.time, time_shown)
        if self.ring is not None:
            self.ring.add(packet, time_shown)
        if self._paced:
            ahead = self._clock.wall_of(order) - arrival.now
            if ahead > 0 and self.stop.wait(ahead):
                return
        if self._waits_for_key is not None:
            # what comes before the first keyframe of a connection is a torn picture
            patient = time_shown - self._waits_for_key < _KEYFRAME_PATIENCE_SECONDS
            if patient and not packet.is_keyframe:
                return
            self._waits_for_key = None
        was_behind = self._behind
        if self._is_behind(packet.is_keyframe, time_shown):
            return
        if was_behind:
            connection.video.codec_context.flush_buffers()
        due = self._analysis.wants(time_shown)
        due = due or (self._motion is not None and self._motion.wants(time_shown))
        due = due or (self.ring is not None and self.ring.wants_frames)
        if due or not connection.intra_only:
            yield from self._decode(connection, packet, due=due)

    def _stamps(
        self, connection: Connection, packet: Packet[av.VideoStream], arrival: Arrival
    ) -> tuple[float, float] | None:
        """When a packet is shown and its place in the order of decoding, in stamps (seconds)."""
        base = packet.time_base
        if connection.stampless and self.source.is_network:
            # written into the packet: decoder and ring take it from there
            packet.time_base = base = _WALL_CLOCK
            packet.pts = packet.dts = round(arrival.now / base)
        if base is None or packet.pts is None:
            if connection.stampless and base is not None:
                rate = connection.video.average_rate or 25
                packet.pts = packet.dts = round(self.counts.frames_in / rate / base)
            else:
                return None
        dts = packet.pts if packet.dts is None else packet.dts
        return float(packet.pts * base), float(dts * base)

    def _seen_before(self, stamp: float) -> bool:
        """A list that is opened again begins with parts that were read before."""
        if self.source.kind != "hls":
            return False
        last = self._resume_stamp
        if last is not None and self.counts.connections > 1 and last - 120 < stamp <= last:
            return True
        self._resume_stamp = stamp
        return False

    def _is_behind(self, key: bool, time_shown: float) -> bool:
        """Whether to leave a packet out; once behind, up to the next keyframe."""
        if self.is_lossless or self.source.kind == "growing":
            return False
        lag = self._clock.lag(time.time())
        if self._behind and key and lag < _BEHIND_SECONDS / 2:
            self._behind = False
            self.counts.left_out += self._analysis.passed(time_shown)
        elif not self._behind and lag > _BEHIND_SECONDS:
            self._behind = True
        return self._behind

    def _decode(
        self, connection: Connection, packet: Packet[av.VideoStream], *, due: bool
    ) -> Iterator[LiveFrame | LiveSound]:
        context = connection.video.codec_context
        # a frame that nobody looks at is decoded only where later ones build on it
        context.skip_frame = "DEFAULT" if due else "NONREF"
        try:
            frames = context.decode(packet)
        except FOREIGN_ERRORS:
            self.counts.broken += 1
            return
        for frame in frames:
            yield from self._hand_on(frame, connection)

    def _drain(self, connection: Connection) -> Iterator[LiveFrame | LiveSound]:
        """The frames that the decoder still holds at the end."""
        try:
            frames = connection.video.codec_context.decode(None)
        except FOREIGN_ERRORS:
            return
        for frame in frames:
            yield from self._hand_on(frame, connection)

    def _hand_on(self, frame: av.VideoFrame, connection: Connection) -> Iterator[LiveFrame]:
        base = frame.time_base or connection.video.time_base
        if frame.pts is None or base is None or not self._clock.counts:
            return
        stamp = float(frame.pts * base)
        at = self._clock.time_of(stamp)
        if self.ring is not None and self.ring.wants_frames:
            self.ring.add_frame(frame, at)
        analysed = self._analysis.wants(at)
        followed = self._motion is not None and self._motion.wants(at)
        if not (analysed or followed) or not self._clock.hand_on(at):
            return
        if analysed:
            self._analysis.take(at)
        if followed and self._motion is not None:
            self._motion.take(at)
        aspect = connection.video.sample_aspect_ratio or Fraction(1)
        yield LiveFrame(at, self._clock.wall_of(stamp), frame, analysed, followed, aspect)

    def _hear(self, hearing: _Hearing, packet: Packet[av.AudioStream]) -> Iterator[LiveSound]:
        try:
            frames = packet.decode()
        except FOREIGN_ERRORS:
            self.counts.broken += 1
            return
        for frame in frames:
            if frame.pts is None or frame.time_base is None or not frame.samples:
                continue
            at = self._clock.time_of(float(frame.pts * frame.time_base))
            sound = hearing.add(frame, at)
            if sound is not None:
                yield sound


class _Hearing:
    """Decoded sound as 16 kHz mono, its samples counted so that blocks join without a seam."""

    def __init__(self) -> None:
        self._resampler = av.AudioResampler(format="s32p", layout="mono", rate=SAMPLE_RATE)
        self._start: float | None = None  # of the samples that are held
        self._held: list[npt.NDArray[np.int32]] = []
        self._count = 0  # samples held

    def add(self, frame: av.AudioFrame, at: float) -> LiveSound | None:
        """A block, once enough is there, or where a frame does not follow the one before."""
        block = None
        if self._start is None:
            self._start = at
        elif abs(at - self._start - self._count / SAMPLE_RATE) > _SOUND_GAP_SECONDS:
            block = self._block()
            self._start = at
        frame.pts = None  # times are counted here
        for piece in self._resampler.resample(frame):
            samples = piece.to_ndarray()[0]
            self._held.append(samples)
            self._count += len(samples)
        if block is None and self._count >= _SOUND_BLOCK:
            block = self._block()
        return block

    def _block(self) -> LiveSound | None:
        if self._start is None or not self._held:
            return None
        samples = (np.concatenate(self._held) * np.float64(2.0**-31)).astype(np.float32)
        block = LiveSound(self._start, samples)
        self._start += len(samples) / SAMPLE_RATE
        self._held, self._count = [], 0
        return block
