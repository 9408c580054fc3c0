"""The last seconds of a stream as it came, compressed, so that a clip costs no second decoding.

It knows packets, their times and bytes, and how to write some of them to a file; it knows no
event and no network. It holds copies: a connection may end while its packets stay.
"""

from __future__ import annotations

import io
import threading
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.reformatter import VideoReformatter

from scenewise.media.container import FOREIGN_ERRORS, foreign_errors
from scenewise.media.whole_file import written_aside

# kinds of picture that are no compressed stream: their packets cannot be written down
_UNCOMPRESSED = {"rawvideo", "wrapped_avframe"}
_MP4_CODECS = {"h264", "hevc", "av1", "mpeg4", "vp9", "aac", "mp3", "opus", "ac3"}
_REENCODED_WIDTH = 640
_FASTEST = {"preset": "ultrafast", "crf": "26", "tune": "zerolatency"}
_KEYFRAME_SECONDS = 1.0
_EPSILON_SECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class KeptPacket:
    """One packet, copied. ``time`` is the stream's, of its presentation."""

    time: float
    picture: bool
    key: bool
    data: bytes
    pts: int
    dts: int
    duration: int
    time_base: Fraction


class Template:
    """What a muxer must know of the streams of one connection, after that is closed, too."""

    def __init__(self, video: av.VideoStream, audio: av.AudioStream | None) -> None:
        """Copy the parameters; raises what FFmpeg raises for codecs without a container."""
        self._holder: OutputContainer = av.open(io.BytesIO(), "w", format="matroska")
        self.video = self._holder.add_stream_from_template(video, opaque=True)
        self.audio = None
        names = {video.codec_context.codec.canonical_name}
        if audio is not None and audio.codec_context is not None:
            self.audio = self._holder.add_stream_from_template(audio, opaque=True)
            names.add(audio.codec_context.codec.canonical_name)
        self.suffix = ".mp4" if names <= _MP4_CODECS else ".mkv"


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Packets from a keyframe on, ready to be written."""

    template: Template
    packets: tuple[KeptPacket, ...]

    @property
    def start(self) -> float:
        """Time of its first picture, in seconds of the stream."""
        return self.packets[0].time

    def write(self, path: Path) -> None:
        """Write an mp4 or mkv, by the path's suffix: whole, or not at all.

        Raises UnreadableMediaError, which quotes FFmpeg, and OSError.
        """
        kind = "mp4" if path.suffix == ".mp4" else "matroska"
        options = {"movflags": "+faststart"} if kind == "mp4" else {}
        with (
            written_aside(path) as aside,
            foreign_errors(path),
            av.open(str(aside), "w", format=kind, container_options=options) as container,
        ):
            self._mux(container)

    def _mux(self, container: OutputContainer) -> None:
        video = container.add_stream_from_template(self.template.video, opaque=True)
        audio = None
        if self.template.audio is not None:
            audio = container.add_stream_from_template(self.template.audio, opaque=True)
        origin = min(packet.dts * packet.time_base for packet in self.packets)
        for kept in self.packets:
            stream = video if kept.picture else audio
            if stream is None:
                continue
            packet = Packet(kept.data)
            shift = round(origin / kept.time_base)
            packet.time_base = kept.time_base
            packet.pts, packet.dts = kept.pts - shift, kept.dts - shift
            packet.duration, packet.is_keyframe = kept.duration, kept.key
            packet.stream = stream
            container.mux(packet)


class PacketRing:
    """Takes the packets of one stream after the other; bounded in seconds and in bytes."""

    def __init__(self, seconds: float, max_bytes: int = 64 << 20) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._packets: deque[KeptPacket] = deque()
        self._template: Template | None = None
        self._last_dts: dict[bool, int] = {}
        self._reencoder: _SmallEncoder | None = None
        self._guard = threading.Lock()
        self.bytes = 0

    def connect(self, video: av.VideoStream, audio: av.AudioStream | None) -> None:
        """Another connection begins; what was kept of the one before cannot be joined to it."""
        self.clear()
        codec = video.codec_context.codec.canonical_name
        if codec in _UNCOMPRESSED:
            self._reencoder = _SmallEncoder(video.average_rate or Fraction(25))
            return
        try:
            self._template = Template(video, audio)
        except FOREIGN_ERRORS:
            try:
                self._template = Template(video, None)  # a sound that no container takes
            except FOREIGN_ERRORS:
                self._template = None

    def clear(self) -> None:
        """Forget all."""
        with self._guard:
            self._packets.clear()
            self._last_dts.clear()
            self._template = self._reencoder = None
            self.bytes = 0

    @property
    def wants_frames(self) -> bool:
        """A source that is not compressed: give it decoded frames by ``add_frame``."""
        return self._reencoder is not None

    @property
    def suffix(self) -> str | None:
        """Of the file that an excerpt goes into; None while there is nothing to write."""
        return None if self._template is None else self._template.suffix

    def add(self, packet: Packet[av.VideoStream] | Packet[av.AudioStream], time: float) -> None:
        """Keep a packet of the picture or the sound, at its time on the stream's clock."""
        if self._template is None or packet.pts is None or packet.time_base is None:
            return
        picture = isinstance(packet.stream, av.VideoStream)
        if not picture and self._template.audio is None:
            return
        self._keep(packet, time, picture)

    def add_frame(self, frame: av.VideoFrame, time: float) -> None:
        """Encode a small copy of a frame that came uncompressed, and keep that."""
        encoder = self._reencoder
        if encoder is None:
            return
        packets = encoder.encode(frame, time)
        if self._template is None and encoder.stream is not None:
            self._template = Template(encoder.stream, None)
        for packet in packets:
            if packet.pts is not None and packet.time_base is not None:
                self._keep(packet, float(packet.pts * packet.time_base), True)

    def _keep(
        self, packet: Packet[av.VideoStream] | Packet[av.AudioStream], time: float, picture: bool
    ) -> None:
        assert packet.pts is not None
        dts = packet.dts if packet.dts is not None else packet.pts
        last = self._last_dts.get(picture)
        if last is not None and dts <= last:
            return  # a muxer takes rising stamps only
        self._last_dts[picture] = dts
        kept = KeptPacket(
            time,
            picture,
            packet.is_keyframe,
            bytes(packet),
            packet.pts,
            dts,
            packet.duration or 0,
            packet.time_base,
        )
        with self._guard:
            self._packets.append(kept)
            self.bytes += len(kept.data)
            # by whole groups of pictures would be finer; a clip begins at a keyframe anyway
            while self._packets and (
                self.bytes > self._max_bytes or self._packets[0].time < time - self._seconds
            ):
                self.bytes -= len(self._packets.popleft().data)

    def excerpt(self, start: float, end: float) -> Excerpt | None:
        """What covers [start, end), from the last keyframe at or before ``start``, if anything."""
        with self._guard:
            packets, template = tuple(self._packets), self._template
        if template is None:
            return None
        keys = [place for place, kept in enumerate(packets) if kept.picture and kept.key]
        before = [place for place in keys if packets[place].time <= start]
        if not keys:
            return None
        chosen = packets[before[-1] if before else keys[0] :]
        first = chosen[0].time
        wanted = tuple(kept for kept in chosen if first <= kept.time < end - _EPSILON_SECONDS)
        return Excerpt(template, wanted) if wanted else None


class _SmallEncoder:
    """H.264 of a small copy, for sources whose packets are bare pictures."""

    def __init__(self, rate: Fraction) -> None:
        self._rate = rate
        # of a container whose packets say everything themselves: nothing is ever written to it
        self._container = av.open(io.BytesIO(), "w", format="mpegts")
        self.stream: av.VideoStream | None = None
        self._reformatter = VideoReformatter()
        self._last_pts = -1

    def encode(self, frame: av.VideoFrame, time: float) -> list[Packet[av.VideoStream]]:
        if self.stream is None:
            self.stream = self._open(frame)
        small = self._reformatter.reformat(
            frame, self.stream.width, self.stream.height, "yuv420p", threads=1
        )
        pts = max(round(time * 1000), self._last_pts + 1)
        self._last_pts = small.pts = pts
        small.time_base = Fraction(1, 1000)
        return list(self.stream.encode(small))

    def _open(self, frame: av.VideoFrame) -> av.VideoStream:
        stream = self._container.add_stream("libx264", rate=self._rate)
        assert isinstance(stream, av.VideoStream)
        share = min(1.0, _REENCODED_WIDTH / frame.width)
        stream.width = max(2, round(frame.width * share / 2) * 2)
        stream.height = max(2, round(frame.height * share / 2) * 2)
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        context.time_base = Fraction(1, 1000)
        context.gop_size = max(1, round(float(self._rate) * _KEYFRAME_SECONDS))
        context.max_b_frames = 0
        context.thread_count = 1
        context.options = dict(_FASTEST)
        context.open()
        return stream
