"""Cutting spans out of videos, exactly or fast, and joining several into one reel.

It knows names, places and which packets or frames a span needs. It knows nothing of why a span
is wanted. How frames and sound are encoded is in ``clip_encoder``.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import av
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from scenewise.errors import MediaError, StorageError, UsageError
from scenewise.media.clip_encoder import MUXER_OPTIONS, ClipEncoder, ClipFormat, SoundFormat
from scenewise.media.container import FOREIGN_ERRORS, choose_video, open_container
from scenewise.media.decode import VideoReader
from scenewise.media.probe import AudioStream
from scenewise.media.whole_file import written_aside

CutMode = Literal["exact", "copy"]

_MAX_NAME_BYTES = 200  # of the source's name inside a clip's: file systems allow 255 in all
_AAC_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_REEL_RATE = 48_000


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of one video file that is wanted: ``[start, end)`` in seconds."""

    source: Path
    start: float
    end: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise UsageError(f"A clip needs finite times, got {self.start} to {self.end}.")
        if not 0 <= self.start < self.end:
            raise UsageError(
                f"A clip needs 0 <= start < end in seconds, got {self.start} to {self.end}."
            )


@dataclass(frozen=True, slots=True)
class Clip:
    """A file that was written, and what of each source it really holds."""

    path: Path
    parts: tuple[Span, ...]  # true times: a copied clip starts at a keyframe
    notes: tuple[str, ...] = ()  # what the reader should know, such as sound that is broken

    @property
    def start(self) -> float:
        """True start in the (first) source, seconds."""
        return self.parts[0].start

    @property
    def end(self) -> float:
        """True end in the (last) source, seconds."""
        return self.parts[-1].end


def name_clips(spans: Sequence[Span]) -> list[str]:
    """File names such as ``match_holiday_02m15s-02m18.5s.mp4``, no two alike.

    Times are in tenths, as hits are printed: clips of neighbouring hits do not replace each other.
    """
    names: list[str] = []
    taken: set[str] = set()
    for span in spans:
        stem = span.source.stem.encode("utf-8", "replace")[:_MAX_NAME_BYTES]
        begin, end = (
            _minutes(math.floor(round(span.start * 10, 3))),
            _minutes(math.ceil(round(span.end * 10, 3))),
        )
        name, number = f"match_{stem.decode('utf-8', 'ignore')}_{begin}-{end}", 1
        while (name if number == 1 else f"{name}_{number}").casefold() in taken:
            number += 1
        name = name if number == 1 else f"{name}_{number}"
        taken.add(name.casefold())
        names.append(f"{name}.mp4")
    return names


def _minutes(tenths: int) -> str:
    hours, rest = divmod(tenths, 36_000)
    minutes, rest = divmod(rest, 600)
    seconds = f"{rest // 10:02d}.{rest % 10}".removesuffix(".0")
    return f"{hours}h{minutes:02d}m{seconds}s" if hours else f"{minutes:02d}m{seconds}s"


def cut(span: Span, target: str | Path, *, mode: CutMode = "exact") -> Clip:
    """Write one span as mp4 to ``target``, replacing it whole; folders are made.

    exact: re-encoded (H.264, AAC), holding exactly the frames with start <= time < end, upright
    and with square pixels. copy: packets as they are, from the keyframe at or before the start;
    the clip's ``start`` says where that was, and its end may lie a few frames late.

    Raises UsageError, UnreadableMediaError, MissingStreamError, MediaError, StorageError.
    """
    if mode not in ("exact", "copy"):
        raise UsageError(f"a clip is cut 'exact' or 'copy', got {mode!r}.")
    if mode == "exact":
        return join([span], target)
    target = _check_target(Path(target), [span])
    with VideoReader(span.source) as reader:
        _check_start(span, reader)
        keys = reader.keyframe_times
        origin = reader.info.first_pts
    if keys is None:
        raise MediaError(
            f"{span.source}: cannot be copied, because its packets carry no times; cut it exactly."
        )
    begin = max((float(key) for key in keys if key <= span.start + 1e-6), default=0.0)
    with _written_aside(target) as aside:
        end = _copy_packets(span, aside, begin, origin)
    return Clip(target, (Span(span.source, begin, end),))


def join(spans: Sequence[Span], target: str | Path) -> Clip:
    """Write several spans, one after another, as one mp4; each is cut exactly.

    The picture is as large as the largest part; smaller ones stand in the middle on black. Parts
    of different frame rates keep their own frames. Parts without sound are silent where any part
    has sound. Raises as ``cut``.
    """
    if not spans:
        raise UsageError("A reel needs at least one span.")
    target = _check_target(Path(target), spans)
    form = _common_format(spans)
    with _written_aside(target) as aside:
        parts, notes = [], []
        with ClipEncoder(aside, form) as encoder:
            for span in spans:
                with VideoReader(span.source) as reader:
                    part = encoder.append(reader, span.start, span.end)
                    notes += [*reader.warnings, *([part.note] if part.note else [])]
                parts.append(Span(span.source, part.start, part.end))
    return Clip(target, tuple(parts), tuple(notes))


def _common_format(spans: Sequence[Span]) -> ClipFormat:
    """Size, clock and sound that hold all parts; also checks that each span lies in its video."""
    sizes: list[tuple[int, int]] = []
    rates: set[Fraction | None] = set()
    sounds: list[AudioStream] = []
    for span in spans:
        with VideoReader(span.source) as reader:
            _check_start(span, reader)
            video = reader.info.video
            assert video is not None  # a VideoReader has pictures
            sizes.append(video.display_size)
            rates.add(None if video.variable_frame_rate else video.frame_rate)
            sounds += reader.info.audio[:1]
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    sound: SoundFormat | None = None
    if len(spans) == 1 and sounds:
        rate = sounds[0].sample_rate if sounds[0].sample_rate in _AAC_RATES else _REEL_RATE
        sound = SoundFormat(rate, "mono" if sounds[0].channels == 1 else "stereo")
    elif sounds:
        sound = SoundFormat(_REEL_RATE, "stereo")
    return ClipFormat(
        width=max(2, width // 2 * 2),
        height=max(2, height // 2 * 2),
        frame_rate=rates.pop() if len(rates) == 1 else None,
        sound=sound,
    )


def _check_start(span: Span, reader: VideoReader) -> None:
    if span.start >= reader.duration:
        raise UsageError(
            f"{span.source}: lasts {reader.duration:.2f} s, so no clip can start at "
            f"{span.start:.2f} s."
        )


def _check_target(target: Path, spans: Sequence[Span]) -> Path:
    """The target, if it may be written: an mp4 that is none of the sources."""
    if target.suffix.lower() != ".mp4":
        raise UsageError(f"{target}: clips are written as .mp4, not {target.suffix!r}.")
    if target.exists():
        for span in spans:
            if span.source.exists() and span.source.samefile(target):
                raise UsageError(
                    f"{target}: is a source of this clip, and sources are never overwritten; "
                    "choose another name."
                )
    return target


@contextmanager
def _written_aside(target: Path) -> Iterator[Path]:
    """A path beside the target that takes its name once all went well."""
    try:
        with written_aside(target) as aside:
            yield aside
    except FOREIGN_ERRORS as error:
        raise _write_error(target, error) from error


def _write_error(target: Path, error: BaseException) -> MediaError | StorageError:
    reasons = {
        errno.ENOSPC: "the disk is full; free some space",
        errno.EDQUOT: "the disk quota is used up; free some space",
        errno.EACCES: "no permission to write there; choose another folder",
        errno.EPERM: "no permission to write there; choose another folder",
        errno.EROFS: "the disk is read-only; choose another folder",
        errno.ENOENT: "there is no such folder",
        errno.ENOTDIR: "a part of that path is a file, not a folder",
        errno.EEXIST: "a part of that path is a file, not a folder",
        errno.ENAMETOOLONG: "the name is too long",
    }
    number = getattr(error, "errno", None)
    if number in reasons:
        return StorageError(f"{target}: cannot be written: {reasons[number]}.")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return MediaError(f"{target}: the clip cannot be made ({reason}).")


# ---- copying packets

_STEPS_BACK_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
# sound may lie this far behind the pictures inside a file
_MAX_LAG_SECONDS = 10.0


def _copy_packets(span: Span, aside: Path, begin: float, origin: float) -> float:
    """Copy pictures and sound from the keyframe at ``begin``; returns the true end."""
    source = open_container(span.source)
    try:
        video = choose_video(source)
        if video is None:
            raise MediaError(f"{span.source}: its streams change while it is read.")
        sound = source.streams.best("audio")
        chosen = [video, *([sound] if isinstance(sound, av.AudioStream) else [])]
        with av.open(
            str(aside.absolute()), "w", format="mp4", container_options=MUXER_OPTIONS
        ) as output:
            copies = {stream.index: _add_copy(output, stream, span) for stream in chosen}
            end = begin
            for packet in _wanted_packets(
                source, chosen, Span(span.source, begin, span.end), origin
            ):
                base, pts = packet.time_base, packet.pts
                assert pts is not None  # those without are left out
                if packet.stream_index == video.index:
                    shown = pts + (packet.duration or 0)
                    end = max(end, float(shown * base) - origin)
                shift = round((begin + origin) / base)
                packet.pts = pts - shift
                packet.dts = None if packet.dts is None else packet.dts - shift
                packet.stream = copies[packet.stream_index]
                output.mux(packet)
            if end == begin:
                raise MediaError(f"{span.source}: its keyframe at {begin:.2f} s cannot be found.")
            return end
    finally:
        source.close()


def _add_copy(output: OutputContainer, stream: Any, span: Span) -> Any:
    try:
        return output.add_stream_from_template(stream)
    except FOREIGN_ERRORS as error:
        raise MediaError(
            f"{span.source}: {stream.codec_context.name} cannot be copied into an mp4; "
            "cut it exactly instead."
        ) from error


def _wanted_packets(
    source: InputContainer, streams: Sequence[Any], span: Span, origin: float
) -> Iterator[Packet[Any]]:
    """Packets of ``span``, which begins at a keyframe; a seek that lands late is repeated."""
    video = streams[0]
    for back in _STEPS_BACK_SECONDS:
        try:
            source.seek(round((span.start + origin - back) / video.time_base), stream=video)
        except FOREIGN_ERRORS:
            continue
        packets = (packet for packet in source.demux(*streams) if packet.size)
        sound: list[Packet[Any]] = []  # that lies in the file before the keyframe it belongs to
        for packet in packets:
            time = _time(packet, origin)
            if packet.stream_index != video.index:
                sound.append(packet)
            elif packet.is_keyframe and time is not None and abs(time - span.start) < 1e-6:
                yield from _until_end(chain(sound, [packet], packets), streams, span, origin)
                return
            elif (
                packet.dts is not None
                and float(packet.dts * packet.time_base) - origin > span.start
            ):
                break
        if span.start + origin - back < 0:
            return


def _until_end(
    packets: Iterator[Packet[Any]], streams: Sequence[Any], span: Span, origin: float
) -> Iterator[Packet[Any]]:
    """Sound that begins inside; pictures shown inside, and those that these refer to.

    Pictures decoded after the keyframe and shown before it refer to what is not copied.
    """
    video = streams[0]
    late: list[Packet[Any]] = []  # shown after the end, but a later packet may refer to them
    open_streams = {stream.index for stream in streams}
    for packet in packets:
        time = _time(packet, origin)
        if time is None:
            continue
        if packet.stream_index != video.index:
            if span.start <= time < span.end:
                yield packet
            elif time >= span.end:
                open_streams.discard(packet.stream_index)
        elif span.start - 1e-6 <= time < span.end - 1e-6:
            yield from late
            late = []
            yield packet
        elif time >= span.end - 1e-6:
            late.append(packet)
            decoded = time if packet.dts is None else float(packet.dts * packet.time_base) - origin
            if decoded >= span.end:
                open_streams.discard(video.index)
            if decoded >= span.end + _MAX_LAG_SECONDS:
                return
        if not open_streams:
            return


def _time(packet: Packet[Any], origin: float) -> float | None:
    return None if packet.pts is None else float(packet.pts * packet.time_base) - origin
