"""What a media file holds. Headers are hints; the packets decide.

It knows containers and streams; it decodes no frame beyond what a header lacks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.video.reformatter import ColorRange

from scenewise.errors import UnreadableMediaError
from scenewise.media.container import (
    FOREIGN_ERRORS,
    choose_video,
    foreign_errors,
    open_container,
    read_only,
)
from scenewise.media.packets import Damage, demux
from scenewise.media.scale import Rotation, orientation_of
from scenewise.media.timeline import SMALL_FILE_BYTES, Timeline, survey

_SPACES = {0: "rgb", 1: "bt709", 5: "bt601", 6: "bt601", 9: "bt2020", 10: "bt2020"}
_RANGES = {int(ColorRange.MPEG): "tv", int(ColorRange.JPEG): "pc"}


@dataclass(frozen=True, slots=True)
class VideoStream:
    """One picture stream, as stored (before rotation and pixel aspect are applied)."""

    index: int
    codec: str
    width: int  # stored pixels
    height: int
    frame_rate: Fraction | None  # average, from the packets; None where no pts exist
    variable_frame_rate: bool
    rotation: Rotation  # degrees clockwise by which the picture must be turned to be upright
    pixel_aspect: Fraction  # width of a pixel / its height
    pixel_format: str
    color_space: str  # bt709, bt601, bt2020, rgb, unspecified
    color_range: str  # tv, pc, unspecified
    frame_count: int | None  # shown frames, from the packets
    mirrored: bool = False  # left and right are to be exchanged, before the rotation

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height as shown, in square pixels."""
        width = max(1, round(self.width * self.pixel_aspect))
        return (self.height, width) if self.rotation in (90, 270) else (width, self.height)


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One sound stream."""

    index: int
    codec: str
    sample_rate: int  # Hz
    channels: int
    language: str | None


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """One text stream."""

    index: int
    codec: str
    language: str | None


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Everything that ``probe`` found."""

    path: str
    container: str
    duration: float  # seconds from the first shown frame to the end of the last one
    first_pts: float  # seconds on the container's own clock of the first shown frame
    video: VideoStream | None
    audio: tuple[AudioStream, ...]
    subtitles: tuple[SubtitleStream, ...]
    attachments: tuple[str, ...]  # names or codecs: cover pictures, fonts
    title: str | None = None  # as its maker wrote it into the container

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; fractions as strings."""
        shape = asdict(self)
        if shape["video"] is not None:
            for name in ("frame_rate", "pixel_aspect"):
                value = shape["video"][name]
                shape["video"][name] = None if value is None else str(value)
        return shape


def probe(path: str | Path) -> MediaInfo:
    """Read the headers and as many packets as the truth needs.

    Files up to 64 MB are read whole (not decoded); of longer ones the head, the tail and the
    index of an mp4 are enough where they agree, and ``frame_count`` is None where they do not
    tell it. Raises UnreadableMediaError.
    """
    path = Path(path)
    container = open_container(path)
    try:
        return examine(container, path)[0]
    finally:
        container.close()


def examine(container: InputContainer, path: Path) -> tuple[MediaInfo, Timeline | None]:
    """What an open file holds, and the clock of its picture stream (None: it has none).

    Moves the container: go back to its start before reading on. Raises UnreadableMediaError.
    """
    with foreign_errors(path):
        stream = choose_video(container)
        if stream is None:
            return _describe_sound(container, path), None
        read_only(container, stream)
    timeline = survey(container, stream, path)
    with foreign_errors(path):
        video = _describe_video(stream, timeline, path)
        info = MediaInfo(
            path=str(path),
            container=container.format.name,
            duration=timeline.duration,
            first_pts=float(timeline.origin * timeline.time_base),
            video=video,
            audio=_audio(container),
            subtitles=_subtitles(container),
            attachments=tuple(_attachments(container, stream)),
            title=_title(container),
        )
    return info, timeline


def _describe_video(stream: av.VideoStream, timeline: Timeline, path: Path) -> VideoStream:
    frame = _first_frame(path)
    rotation, mirrored = orientation_of(frame)
    return VideoStream(
        index=stream.index,
        codec=_codec_name(stream),
        width=frame.width,
        height=frame.height,
        frame_rate=timeline.frame_rate if timeline.clock != "count" else None,
        variable_frame_rate=timeline.variable,
        rotation=rotation,
        pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
        pixel_format=frame.format.name,
        color_space=_SPACES.get(int(frame.colorspace), "unspecified"),
        color_range=_RANGES.get(int(frame.color_range), "unspecified"),
        frame_count=timeline.frame_count,
        mirrored=mirrored,
    )


def _first_frame(path: Path) -> av.VideoFrame:
    """The first picture that can be decoded: it knows its rotation, which no header shows."""
    container = open_container(path)
    try:
        stream = choose_video(container)
        if stream is None:  # the caller has just found one: the file is changing
            raise UnreadableMediaError(f"{path}: its streams change while it is read.")
        read_only(container, stream)
        return next(_frames_quickly(container, stream))
    except StopIteration:
        raise UnreadableMediaError(
            f"{path}: no picture of it can be decoded; the file is damaged or cut off."
        ) from None
    finally:
        container.close()


def _frames_quickly(container: InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """Keyframes, each drained at once, so that one is there after one packet; then the rest."""
    context = stream.codec_context
    context.thread_count = 1
    first = True
    for packet in demux(container, stream, Damage()):
        try:
            yield from context.decode(packet)
            if first and packet.is_keyframe:
                yield from context.decode(None)
                context.flush_buffers()
        except FOREIGN_ERRORS:
            continue
        finally:
            first = first and not packet.is_keyframe
    try:
        yield from context.decode(None)
    except FOREIGN_ERRORS:
        return


def _describe_sound(container: InputContainer, path: Path) -> MediaInfo:
    """A file without moving pictures: sound, or nothing at all."""
    audio = _audio(container)
    if not audio and not container.streams.subtitles:
        raise UnreadableMediaError(f"{path}: holds no picture, sound or text that can be decoded.")
    begin, end = _extent(container, path)
    return MediaInfo(
        path=str(path),
        container=container.format.name,
        duration=end - begin,
        first_pts=begin,
        video=None,
        audio=audio,
        subtitles=_subtitles(container),
        attachments=tuple(_attachments(container, None)),
        title=_title(container),
    )


def _extent(container: InputContainer, path: Path) -> tuple[float, float]:
    """First and last instant of all packets, in seconds; of long files what the header tells."""
    if path.stat().st_size > SMALL_FILE_BYTES and container.duration:
        begin = (container.start_time or 0) / av.time_base
        return begin, begin + container.duration / av.time_base
    begin, end = float("inf"), float("-inf")
    try:
        for packet in container.demux():
            if packet.size and packet.pts is not None:
                start = float(packet.pts * packet.time_base)
                begin = min(begin, start)
                end = max(end, start + float((packet.duration or 0) * packet.time_base))
    except FOREIGN_ERRORS:
        pass  # the file is cut: what was read so far counts
    return (begin, end) if end >= begin else (0.0, 0.0)


def _audio(container: InputContainer) -> tuple[AudioStream, ...]:
    return tuple(
        AudioStream(
            index=stream.index,
            codec=_codec_name(stream),
            sample_rate=stream.codec_context.sample_rate or 0,
            channels=stream.codec_context.layout.nb_channels,
            language=stream.language,
        )
        for stream in container.streams.audio
        if stream.codec_context is not None
    )


def _subtitles(container: InputContainer) -> tuple[SubtitleStream, ...]:
    return tuple(
        SubtitleStream(
            index=stream.index,
            codec=_codec_name(stream),
            language=stream.language,
        )
        for stream in container.streams.subtitles
        if stream.codec_context is not None
    )


def _attachments(container: InputContainer, film: av.VideoStream | None) -> Iterator[str]:
    """Names where there are any, otherwise codecs: cover pictures, fonts."""
    for stream in container.streams:
        cover = stream.type == "video" and stream is not film and _is_still(stream)
        if cover or stream.type == "attachment":
            name = stream.metadata.get("filename") or stream.name
            if name is None and stream.codec_context is not None:
                name = stream.codec_context.name
            yield name or "unknown"


def _title(container: InputContainer) -> str | None:
    """By whatever case the container writes its keys in."""
    tags = {name.lower(): value for name, value in container.metadata.items()}
    return tags.get("title", "").strip() or None


def _is_still(stream: av.stream.Stream) -> bool:
    flags = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return bool(stream.disposition & flags)


def _codec_name(stream: av.stream.Stream) -> str:
    """The name of the format (av1), not of the decoder (libdav1d)."""
    return stream.codec_context.codec.canonical_name
