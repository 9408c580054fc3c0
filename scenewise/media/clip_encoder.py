"""Writing parts of videos as one mp4: H.264 pictures and AAC sound, frame by frame.

It knows pictures in YUV, samples and the clock of the clip. Where the parts come from, and where
the file goes, is the business of ``clips``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

from scenewise.errors import UnreadableMediaError
from scenewise.media.audio import Channels, stream_channels
from scenewise.media.decode import VideoReader
from scenewise.media.scale import colours_of

_EPSILON_SECONDS = 1e-6
_VARIABLE_CLOCK = Fraction(1, 90_000)  # of films whose frames come irregularly
_FINEST_CLOCK = 10_000  # ticks a second that a regular clock has at least
_DEFAULT_RATE = Fraction(25)  # of a raw stream that does not say
_ROUNDING_SECONDS = 0.001  # Matroska knows times to the millisecond
_SOUND_BLOCK_SECONDS = 0.5

_BICUBIC = (
    Interpolation.BICUBIC
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
    | Interpolation.ACCURATE_RND
)
# constant quality at which a clip is hard to tell from its source; speed over size
_ENCODER = {"preset": "veryfast", "crf": "18"}
MUXER_OPTIONS = {"movflags": "+faststart"}  # the index first, so that a clip plays while it loads

_Plane = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """How the sound of a clip is stored."""

    sample_rate: int
    layout: Literal["mono", "stereo"]

    @property
    def channels(self) -> int:
        """One or two."""
        return 1 if self.layout == "mono" else 2


@dataclass(frozen=True, slots=True)
class ClipFormat:
    """How a clip is stored: even size in square pixels, clock, sound or none."""

    width: int
    height: int
    frame_rate: Fraction | None  # None: frames come irregularly
    sound: SoundFormat | None

    @property
    def clock(self) -> Fraction:
        """Seconds of one tick, a whole part of the time between two frames."""
        rate = self.frame_rate
        if rate is None or rate.numerator > 1_000_000:
            return _VARIABLE_CLOCK
        return Fraction(1, rate.numerator * math.ceil(_FINEST_CLOCK / rate.numerator))


@dataclass(frozen=True, slots=True)
class Part:
    """What was written of one source, in seconds of that source."""

    start: float  # of the first frame
    end: float
    frames: int
    note: str | None = None  # what the reader should know, such as sound that is broken


class ClipEncoder:
    """An mp4 file to which parts of videos are appended. Use as a context manager."""

    def __init__(self, path: Path, form: ClipFormat) -> None:
        """Create the file; raises what FFmpeg raises."""
        self._form = form
        self._clock = form.clock
        self._container = av.open(
            str(path.absolute()), "w", format="mp4", container_options=MUXER_OPTIONS
        )
        self._video = self._add_video()
        self._sound = None if form.sound is None else self._add_sound(form.sound)
        self._ticks = 0  # where the next part begins
        self._samples = 0  # of sound written so far

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._container.mux(self._video.encode(None))
                if self._sound is not None:
                    self._container.mux(self._sound.encode(None))
        finally:
            self._container.close()

    def append(self, reader: VideoReader, start: float, end: float) -> Part:
        """Add the frames with start <= time < end, and the sound from the first one on.

        A span between two frames gives the one frame that is shown then.
        """
        times = frames_between(reader, start, end)
        first = times[0]
        until = min(end, _shown_until(reader, times[-1]))
        ends = [*times[1:], max(until, times[-1] + 0.5 / float(self._rate))]
        total = self._to_ticks(ends[-1] - first)
        fit = _Fit(self._form, reader)
        sound = _PartSound(reader, first, first + float(total * self._clock), self._form.sound)
        for place, picture in enumerate(reader.yuv_frames(times)):
            begin = self._to_ticks(times[place] - first)
            frame = fit.frame(picture)
            frame.pts, frame.time_base = self._ticks + begin, self._clock
            frame.duration = max(1, self._to_ticks(ends[place] - first) - begin)
            self._container.mux(self._video.encode(frame))
            self._write_sound(sound, self._ticks + begin)
        self._ticks += total
        self._write_sound(sound, self._ticks)
        return Part(first, first + float(total * self._clock), len(times), sound.note)

    @property
    def _rate(self) -> Fraction:
        return self._form.frame_rate or _DEFAULT_RATE

    def _to_ticks(self, seconds: float) -> int:
        """Ticks, on the grid of a regular clip where the time is one that was rounded off it."""
        exact = seconds / float(self._clock)
        if self._form.frame_rate is not None:
            step = round(1 / self._form.frame_rate / self._clock)
            nearest = round(exact / step) * step
            if abs(nearest - exact) * float(self._clock) <= _ROUNDING_SECONDS:
                return nearest
        return round(exact)

    def _add_video(self) -> av.VideoStream:
        stream = self._container.add_stream("libx264", rate=self._rate)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = self._form.width, self._form.height, "yuv420p"
        context = stream.codec_context
        context.time_base = self._clock
        stream.time_base = self._clock
        context.gop_size = max(1, round(2 * self._rate))  # a keyframe every two seconds
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        context.color_range = ColorRange.MPEG
        context.flags |= av.codec.context.Flags.frame_duration
        context.options = dict(_ENCODER)
        return stream

    def _add_sound(self, form: SoundFormat) -> av.AudioStream:
        stream = self._container.add_stream("aac", rate=form.sample_rate)
        assert isinstance(stream, av.AudioStream)
        stream.layout = form.layout
        stream.bit_rate = 96_000 * form.channels
        return stream

    def _write_sound(self, sound: _PartSound, until_ticks: int) -> None:
        """Sound up to a tick of the clip, so that pictures and sound lie side by side."""
        form = self._form.sound
        if self._sound is None or form is None:
            return
        missing = round(until_ticks * self._clock * form.sample_rate) - self._samples
        if missing <= 0:
            return
        samples = np.ascontiguousarray(sound.take(missing))
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=form.layout)
        frame.sample_rate = form.sample_rate
        frame.time_base = Fraction(1, form.sample_rate)
        frame.pts = self._samples
        self._samples += missing
        self._container.mux(self._sound.encode(frame))


def frames_between(reader: VideoReader, start: float, end: float) -> list[float]:
    """Instants of the frames with start <= time < end; the one shown at ``start`` if none is."""
    known = reader.frame_times
    if known is None:  # no clock: frames are counted
        video = reader.info.video
        rate = float((video.frame_rate if video else None) or _DEFAULT_RATE)
        known = np.arange(max(1, round(reader.duration * rate))) / rate
    first = int(np.searchsorted(known, start - _EPSILON_SECONDS))
    last = int(np.searchsorted(known, end - _EPSILON_SECONDS))
    if first >= last:
        first = max(0, last - 1)
        last = first + 1
    return [float(time) for time in known[first:last]]


def _shown_until(reader: VideoReader, time: float) -> float:
    """When the frame after the one at ``time`` comes, or the film ends."""
    known = reader.frame_times
    if known is None:
        return reader.duration
    place = int(np.searchsorted(known, time + _EPSILON_SECONDS))
    return float(known[place]) if place < len(known) else max(reader.duration, time)


class _PartSound:
    """Samples of one part, as many as asked for: silence where there is no sound."""

    def __init__(
        self, reader: VideoReader, start: float, end: float, form: SoundFormat | None
    ) -> None:
        self.note: str | None = None
        self._channels = form.channels if form else 1
        self._held: Channels = np.zeros((self._channels, 0), np.float32)
        self._blocks: Iterator[tuple[Channels, float]] = iter(())
        if form is not None and reader.info.audio:
            self._blocks = stream_channels(
                reader.info.path,
                start=start,
                end=end,
                block_seconds=_SOUND_BLOCK_SECONDS,
                sample_rate=form.sample_rate,
                layout=form.layout,
            )

    def take(self, count: int) -> Channels:
        """The next ``count`` samples, (channels, count)."""
        pieces, length = [self._held], self._held.shape[1]
        while length < count:
            block = self._next()
            if block is None:
                block = np.zeros((self._channels, count - length), np.float32)
            pieces.append(block)
            length += block.shape[1]
        whole = np.concatenate(pieces, axis=1)
        self._held = whole[:, count:]
        return whole[:, :count]

    def _next(self) -> Channels | None:
        try:
            block = next(self._blocks, None)
        except UnreadableMediaError as error:
            self.note = f"without sound: {error}"
            self._blocks = iter(())
            return None
        return None if block is None else block[0]


class _Fit:
    """Makes the frames of one video upright, with square pixels, inside the clip's size."""

    def __init__(self, form: ClipFormat, reader: VideoReader) -> None:
        video = reader.info.video
        assert video is not None  # a VideoReader has pictures
        self._form = form
        self._turns = video.rotation // 90  # quarter turns clockwise
        self._mirrored = video.mirrored  # before they are turned
        wide, high = video.display_size
        share = min(form.width / wide, form.height / high)
        self._width = _even(wide * share, form.width)
        self._height = _even(high * share, form.height)
        self._reformatter = VideoReformatter()

    def frame(self, source: av.VideoFrame) -> av.VideoFrame:
        """A yuv420p frame of the clip's size, BT.709, limited range."""
        matrix, source_range = colours_of(source)
        lying = self._turns % 2 == 1
        frame = self._reformatter.reformat(
            source,
            width=self._height if lying else self._width,
            height=self._width if lying else self._height,
            format="yuv420p",
            interpolation=_BICUBIC,
            src_colorspace=matrix,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=source_range,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        padded = (self._width, self._height) != (self._form.width, self._form.height)
        if not (self._turns or self._mirrored or padded):
            # a frame of its own: the decoder's would carry its picture type and rotation along
            return _from_planes(_planes(frame))
        planes = _planes(frame)
        if self._mirrored:
            planes = [plane[:, ::-1] for plane in planes]
        planes = [np.rot90(plane, -self._turns) for plane in planes]
        return _from_planes([self._pad(plane, place) for place, plane in enumerate(planes)])

    def _pad(self, plane: _Plane, place: int) -> _Plane:
        """Lay a plane in the middle of a black one; 0 is brightness, 1 and 2 are colour."""
        divisor, black = (1, 16) if place == 0 else (2, 128)
        whole = np.full(
            (self._form.height // divisor, self._form.width // divisor), black, np.uint8
        )
        top = (whole.shape[0] - plane.shape[0]) // 2
        left = (whole.shape[1] - plane.shape[1]) // 2
        whole[top : top + plane.shape[0], left : left + plane.shape[1]] = plane
        return whole


def _planes(frame: av.VideoFrame) -> list[_Plane]:
    """Y, U and V of a yuv420p frame of even size, without the padding of its lines."""
    planes = []
    for plane in frame.planes:
        lines = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        planes.append(lines[:, : plane.width])
    return planes


def _from_planes(planes: list[_Plane]) -> av.VideoFrame:
    packed = np.concatenate([plane.reshape(-1) for plane in planes])
    height, width = planes[0].shape
    return av.VideoFrame.from_ndarray(packed.reshape(height * 3 // 2, width), format="yuv420p")


def _even(length: float, limit: int) -> int:
    """The nearest even number from 2 to the limit, which is even."""
    return max(2, min(round(length / 2) * 2, limit))
