"""One connection to a live source: opened, described, and its failures told as sentences.

It knows FFmpeg's demuxers and errors; it knows no clock and no second attempt.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard

from scenewise.errors import MediaError, MissingStreamError, UnreadableMediaError
from scenewise.media.container import FOREIGN_ERRORS, MAX_PIXELS, choose_video
from scenewise.media.growing import GrowingFile, index_comes_last
from scenewise.media.live_sources import LiveOptions, LiveSource

AnyPacket: TypeAlias = "Packet[av.VideoStream] | Packet[av.AudioStream]"

_MAX_ERRORS_IN_A_ROW = 16
# demuxers that make up their stamps: only the arrival tells when a picture was
_STAMPLESS = {"mpjpeg", "h264", "hevc", "mjpeg"}


# packets that lay ready when a connection was made: what was read to learn its headers
_BACKLOG_PACKETS = 2000
_WAITED_SECONDS = 0.02


@dataclass(slots=True)
class Arrival:
    """A packet, when it came, and how long the line let the reader wait for it."""

    packet: AnyPacket
    now: float  # seconds since 1970
    waited_seconds: float


class Connection:
    """An open source. Close it in the thread that reads it."""

    def __init__(self, source: LiveSource, options: LiveOptions, stop: threading.Event) -> None:
        """Open, which takes until the first pictures are known. Raises MediaError."""
        self._source = source
        self._stop = stop
        self.failure: str | None = None  # why it ended, once it has; None: an ordinary end
        self._opened_at = time.monotonic()
        self.growing: GrowingFile | None = self._open_growing(options)
        try:
            self._container = self._open(options)
        except FOREIGN_ERRORS as error:
            if self.growing is not None:
                self.growing.close()
            # FFmpeg has many words for an answer that did not come
            late = time.monotonic() - self._opened_at >= 2 * options.read_timeout_seconds
            silent = late and source.is_network
            told = av.error.ExitError(0, "") if silent else error
            raise _told(source, told, options) from None
        try:
            self.video, self.audio = self._choose()
        except BaseException:
            self.close()
            raise
        self.stampless = self._container.format.name in _STAMPLESS
        self.intra_only = self.video.codec_context.codec.intra_only
        # a list with an end, or a film on a web server: its end is no disconnect
        self.finite = source.kind in ("hls", "http") and self._container.duration is not None

    def close(self) -> None:
        """Hang up."""
        self._container.close()
        if self.growing is not None:
            self.growing.close()

    def _open_growing(self, options: LiveOptions) -> GrowingFile | None:
        source = self._source
        if source.kind != "growing":
            return None
        try:
            if index_comes_last(Path(source.address)):
                raise ValueError("its index comes after its pictures")
            return GrowingFile(Path(source.address), self._stop, options.idle_seconds)
        except (OSError, ValueError) as error:
            raise _told(source, error, options) from None

    def _open(self, options: LiveOptions) -> InputContainer:
        source = self._source
        settings = {"max_pixels": str(MAX_PIXELS), **dict(source.options)}
        if self.growing is not None:
            return av.open(self.growing, "r", metadata_errors="replace", options=settings)
        patience = options.read_timeout_seconds if source.is_network else None
        return av.open(
            source.address,
            "r",
            format=source.format,
            metadata_errors="replace",
            options=settings,
            timeout=None if patience is None else (2 * patience, patience),
        )

    def _choose(self) -> tuple[av.VideoStream, av.AudioStream | None]:
        video = choose_video(self._container)
        if video is None:
            raise MissingStreamError(
                f"{self._source.shown}: has no picture that can be decoded; watching needs one."
            )
        if not video.codec_context.width:
            raise MissingStreamError(f"{self._source.shown}: sends no picture.")
        best = self._container.streams.best("audio")
        audio = best if isinstance(best, av.AudioStream) and best.codec_context else None
        for stream in self._container.streams:
            if stream.index != video.index and (audio is None or stream.index != audio.index):
                stream.discard = Discard.all
        video.codec_context.thread_count = 1  # several streams share the cores
        return video, audio

    def packets(self) -> Iterator[Arrival]:
        """Packets of picture and sound until the end; ``failure`` then says what kind of end.

        Those that lay ready when the connection was made are told to have come one after the
        other, as they did; a first one without a time gets it from those that follow.
        """
        arrivals = self._arrivals()
        if self._source.kind not in ("rtsp", "udp", "http") or self.stampless:
            yield from arrivals
            return
        ready: list[Arrival] = []
        for arrival in arrivals:
            ready.append(arrival)
            if arrival.waited_seconds >= _WAITED_SECONDS and len(ready) > 1:
                break
            if len(ready) >= _BACKLOG_PACKETS:
                break
        _date_back([arrival for arrival in ready if arrival.packet.stream is self.video])
        yield from ready
        yield from arrivals

    def _arrivals(self) -> Iterator[Arrival]:
        failures = 0
        wanted = [self.video] if self.audio is None else [self.video, self.audio]
        asked = time.monotonic()
        while not self._stop.is_set() and failures < _MAX_ERRORS_IN_A_ROW:
            try:
                for packet in self._container.demux(wanted):
                    if not packet.size:
                        continue
                    failures = 0
                    yield Arrival(cast(AnyPacket, packet), time.time(), time.monotonic() - asked)
                    if self._stop.is_set():
                        return
                    asked = time.monotonic()
                return
            except IndexError:
                return  # PyAV's end of a stream in which further ones came up
            except av.InvalidDataError:
                failures += 1  # a damaged stretch: reading on finds the next good packet
            except FOREIGN_ERRORS as error:
                self.failure = _reason(error)
                return


def _date_back(pictures: list[Arrival]) -> None:
    """Give packets that were read at once the times at which they came."""
    timed = [one.packet for one in pictures if one.packet.dts is not None]
    first = pictures[0].packet if pictures else None
    if first is not None and first.dts is None and len(timed) > 1:
        step = (timed[1].dts or 0) - (timed[0].dts or 0)
        first.pts = first.dts = (timed[0].dts or 0) - step
    stamped = [
        (one, float(one.packet.dts * one.packet.time_base))
        for one in pictures
        if one.packet.dts is not None and one.packet.time_base is not None
    ]
    if stamped:
        delay = min(one.now - stamp for one, stamp in stamped)
        for one, stamp in stamped:
            one.now = stamp + delay


def _told(source: LiveSource, error: BaseException, options: LiveOptions) -> MediaError:
    """A sentence without the address as it was typed, which may hold a password."""
    if isinstance(error, av.error.HTTPUnauthorizedError):
        hint = (
            f"give them in the address: {source.address.partition('://')[0]}://USER:PASSWORD@HOST/…"
        )
        return UnreadableMediaError(f"{source.shown}: wants a name and a password (401); {hint}.")
    if isinstance(error, FileNotFoundError) and source.kind == "device":
        return UnreadableMediaError(f"{source.shown}: there is no such device.")
    reason = _reason(error)
    if isinstance(error, av.error.ExitError):
        reason = f"no answer within {2 * options.read_timeout_seconds:g} seconds"
    if source.kind == "growing":
        return UnreadableMediaError(
            f"{source.shown}: cannot be read while it grows ({reason}); MPEG-TS, Matroska and "
            "fragmented mp4 can."
        )
    if source.kind == "generated":
        return UnreadableMediaError(
            f"{source.shown}: FFmpeg does not know this graph ({reason}); write for instance "
            "lavfi:testsrc=size=1280x720:rate=25."
        )
    if source.kind == "file":
        return UnreadableMediaError(
            f"{source.shown}: not readable as a video ({reason}); it is empty, cut off, damaged or "
            "of another kind: play it, or make it anew."
        )
    return UnreadableMediaError(
        f"{source.shown}: cannot be opened ({reason}); check address, network and server."
    )


def _reason(error: BaseException) -> str:
    """What a foreign error says, without the address that it quotes."""
    if isinstance(error, av.error.ExitError):
        return "nothing came any more"
    words = getattr(error, "strerror", None)
    if words is None:
        ours = type(error) is ValueError  # FFmpeg's own quote the address
        words = str(error) if ours else type(error).__name__
    return str(words).strip().rstrip(".")
