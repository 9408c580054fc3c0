"""Sound of any rate and layout as 16 kHz mono float32, on the clock of the pictures.

It knows audio packets, their times, and what to do where they are broken or absent. It knows
nothing of what the sound means: spectra are in ``spectral``, features for networks in ``mel``.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
import numpy as np
import numpy.typing as npt
from av.container import InputContainer
from av.packet import Packet

from scenewise.errors import MissingStreamError, UnreadableMediaError, UsageError
from scenewise.media.container import FOREIGN_ERRORS, foreign_errors, open_container, read_only
from scenewise.media.probe import probe

Samples = npt.NDArray[np.float32]  # (n,), mono, in [-1, 1]
Channels = npt.NDArray[np.float32]  # (channels, n)

SAMPLE_RATE = 16_000  # Hz

# Timestamps of some containers are rounded to a millisecond or to a whole packet of the
# container: only a larger step away from the running count of samples is a gap or an overlap.
_RESYNC_SECONDS = 0.05
# Sound decoded before the wanted start: codecs need a few packets until their output is right.
_PREROLL_SECONDS = 0.5
# Sound that claims to begin this long after the last picture has a broken time.
_MAX_TAIL_SECONDS = 600.0
_MAX_DEMUX_ERRORS = 16  # in a row

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SoundBlock:
    """A run of samples. The next block starts where this one ends."""

    samples: Samples  # (n,) float32 at SAMPLE_RATE
    start: float  # seconds from the first shown frame

    @property
    def end(self) -> float:
        """Seconds from the first shown frame."""
        return self.start + len(self.samples) / SAMPLE_RATE


def stream(
    path: str | Path,
    *,
    start: float = 0.0,
    end: float | None = None,
    track: int | None = None,
    block_seconds: float = 30.0,
) -> Iterator[SoundBlock]:
    """Yield the sound of ``[start, end)`` in blocks of ``block_seconds``; the last is shorter.

    The first sample stands at ``start``, whatever the container's clock says: sound that begins
    late, and gaps, are filled with silence; sound before the first shown frame is left out.
    Packets that cannot be decoded become silence. Where the sound ends before ``end``, so do the
    blocks. ``end`` None: to the end of the sound. ``track`` counts audio streams from 0; None
    takes the one FFmpeg thinks best. A file without pictures starts with its sound.

    Raises UsageError, UnreadableMediaError and MissingStreamError at the first step.
    """
    blocks = stream_channels(path, start=start, end=end, track=track, block_seconds=block_seconds)
    for samples, begin in blocks:
        yield SoundBlock(samples[0], begin)


def stream_channels(
    path: str | Path,
    *,
    start: float = 0.0,
    end: float | None = None,
    track: int | None = None,
    block_seconds: float = 30.0,
    sample_rate: int = SAMPLE_RATE,
    layout: Literal["mono", "stereo"] = "mono",
) -> Iterator[tuple[Channels, float]]:
    """As ``stream``, at any rate, mono or stereo: (channels, n) float32 and its start."""
    if not (math.isfinite(start) and start >= 0 and (end is None or end > start)):
        raise UsageError(f"A span of sound needs 0 <= start < end, got {start} to {end}.")
    if block_seconds <= 0:
        raise UsageError(f"Blocks of sound need a length above 0 seconds, got {block_seconds}.")
    source = _Source(Path(path), track)
    timeline = _Timeline(
        source.path,
        _Wanted(start, end, max(1, round(block_seconds * sample_rate)), sample_rate, layout),
        source.limit_seconds,
    )
    try:
        yield from source.play(timeline)
    finally:
        source.close()


def read(
    path: str | Path,
    start: float = 0.0,
    end: float | None = None,
    *,
    track: int | None = None,
) -> Samples:
    """The sound of ``[start, end)`` as one array (n,) at 16 kHz; see ``stream``."""
    blocks = [block.samples for block in stream(path, start=start, end=end, track=track)]
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


class _Source:
    """One audio stream of an open file: packets in, decoded frames with times out."""

    def __init__(self, path: Path, track: int | None) -> None:
        self.path = path
        self.origin, self.limit_seconds = _clock(path)
        self.container = open_container(path)
        try:
            self.stream = _choose(self.container, path, track)
        except BaseException:
            self.container.close()
            raise

    def close(self) -> None:
        self.container.close()

    def play(self, timeline: _Timeline) -> Iterator[tuple[Channels, float]]:
        """Decode from before the wanted start to its end."""
        decoded = 0
        for frame, time in self._from(timeline.start):
            decoded += 1
            yield from timeline.add(frame, time)
            if timeline.is_full:
                break
        if decoded == 0 and timeline.start == 0:
            raise UnreadableMediaError(
                f"{self.path}: has a sound track ({self.stream.codec_context.name}), "
                "but nothing in it can be decoded; use the file without its sound."
            )
        yield from timeline.finish()

    def _from(self, start: float) -> Iterator[tuple[av.AudioFrame, float | None]]:
        """Frames from at or before ``start``; a seek that lands late is repeated further back."""
        if self.origin is None and start > 0:
            next(self._decode(), None)  # the first frame tells the origin
        for back in (_PREROLL_SECONDS, 2.0, 8.0, 32.0):
            if start - back <= 0:
                break
            frames = self._seek(start - back)
            first = next(frames, None)
            if first is not None and first[1] is not None and first[1] <= start:
                yield first
                yield from frames
                return
        # from the beginning; sound before the first picture is cut by the timeline
        self._reopen()
        yield from self._decode()

    def _seek(self, time: float) -> Iterator[tuple[av.AudioFrame, float | None]]:
        base = self.stream.time_base
        try:
            if base is not None:
                offset = round((time + (self.origin or 0.0)) / base)
                self.container.seek(offset, stream=self.stream)
        except FOREIGN_ERRORS:
            return iter(())
        return self._decode()

    def _reopen(self) -> None:
        index = self.stream.index
        self.container.close()
        self.container = open_container(self.path)
        stream = self.container.streams[index]
        assert isinstance(stream, av.AudioStream)
        read_only(self.container, stream)
        self.stream = stream

    def _decode(self) -> Iterator[tuple[av.AudioFrame, float | None]]:
        """Every frame that can be decoded, with its time; None where it has none."""
        broken = 0
        for packet in self._packets():
            try:
                frames = packet.decode()
            except FOREIGN_ERRORS:
                broken += 1
                continue
            for frame in frames:
                if frame.samples <= 0:
                    continue
                at = _frame_time(frame, self.stream)
                if at is not None and self.origin is None:
                    self.origin = at
                yield frame, None if at is None else at - (self.origin or 0.0)
        if broken:
            _log.warning("%s: %d broken sound packets became silence", self.path, broken)

    def _packets(self) -> Iterator[Packet[av.AudioStream]]:
        errors = 0
        while True:
            try:
                for packet in self.container.demux(self.stream):
                    errors = 0
                    yield packet  # the last one is empty and drains the decoder
                return
            except FOREIGN_ERRORS as error:
                # a damaged stretch of the container: reading on finds the next good packet
                errors += 1
                if errors > _MAX_DEMUX_ERRORS or isinstance(error, EOFError):
                    return


@dataclass(frozen=True, slots=True)
class _Wanted:
    start: float
    end: float | None
    block: int  # samples
    sample_rate: int
    layout: Literal["mono", "stereo"]


class _Timeline:
    """Turns frames with times into blocks without gaps, of shape (channels, n).

    Positions are counted in samples from ``start``, at the wanted rate.
    """

    def __init__(self, path: Path, wanted: _Wanted, limit_seconds: float) -> None:
        self._path = path  # for messages alone
        self._rate, self._layout = wanted.sample_rate, wanted.layout
        self._channels = 1 if wanted.layout == "mono" else 2
        self.start = wanted.start
        self._first = round(wanted.start * self._rate)  # absolute position of the first sample
        self._wanted: int | None = None
        if wanted.end is not None:
            self._wanted = max(0, round(wanted.end * self._rate) - self._first)
        self._block = wanted.block
        self._limit = limit_seconds
        self._resampler: av.AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None
        self._run_start = wanted.start  # time of the first input sample since the resampler began
        self._run_samples = 0  # input samples since then
        self._position = 0  # absolute position of the next resampled sample
        self._pieces: list[Channels] = []
        self._held = 0  # samples in pieces
        self._given = 0  # samples in blocks that were yielded

    @property
    def is_full(self) -> bool:
        """All samples up to ``end`` are there."""
        return self._wanted is not None and self._given + self._held >= self._wanted

    def add(self, frame: av.AudioFrame, time: float | None) -> Iterator[tuple[Channels, float]]:
        """Take one frame at ``time``; None: right after the one before."""
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        expected = self._expected()
        if time is not None and time > self._limit and time - expected > _RESYNC_SECONDS:
            time = None  # a broken time: silence without end would follow
        if self._format is None or (time is not None and abs(time - expected) > _RESYNC_SECONDS):
            yield from self._begin(form, expected if time is None else time)
        elif form != self._format:
            yield from self._begin(form, expected)
        self._run_samples += frame.samples
        yield from self._put(self._resample(frame))

    def finish(self) -> Iterator[tuple[Channels, float]]:
        """What is left."""
        yield from self._put(self._resample(None))
        yield from self._blocks(least=1)

    def _expected(self) -> float:
        rate = self._format[2] if self._format else self._rate
        return self._run_start + self._run_samples / rate

    def _begin(self, form: tuple[str, str, int], time: float) -> Iterator[tuple[Channels, float]]:
        """Finish the run of samples so far and start another at ``time``."""
        yield from self._put(self._resample(None))
        # 32-bit integers on the way: FFmpeg then divides a mix of channels by their weight,
        # which it does not do for floats (two equal channels would be louder than one)
        self._resampler = av.AudioResampler(format="s32p", layout=self._layout, rate=self._rate)
        self._format = form
        self._run_start, self._run_samples = time, 0
        self._position = round(time * self._rate)

    def _resample(self, frame: av.AudioFrame | None) -> Channels:
        if self._resampler is None:
            return self._silence(0)
        if frame is not None:
            frame.pts = None  # positions are counted here; FFmpeg shall not fill or cut
        with foreign_errors(self._path):
            frames = self._resampler.resample(frame)
        if not frames:
            return self._silence(0)
        whole = np.concatenate([f.to_ndarray() for f in frames], axis=1)
        scaled: Channels = (whole * np.float64(2.0**-31)).astype(np.float32)
        return scaled

    def _silence(self, length: int) -> Channels:
        return np.zeros((self._channels, length), np.float32)

    def _put(self, samples: Channels) -> Iterator[tuple[Channels, float]]:
        """Place samples at their position: silence before them, overlap cut away."""
        if samples.shape[1] == 0:
            return
        at = self._position - self._first
        self._position += samples.shape[1]
        filled = self._given + self._held
        while filled < at and not self.is_full:
            missing = min(at - filled, self._block)
            yield from self._append(self._silence(missing))
            filled = self._given + self._held
        yield from self._append(samples[:, max(0, filled - at) :])

    def _append(self, samples: Channels) -> Iterator[tuple[Channels, float]]:
        if self._wanted is not None:
            samples = samples[:, : max(0, self._wanted - self._given - self._held)]
        if samples.shape[1]:
            self._pieces.append(samples)
            self._held += samples.shape[1]
        yield from self._blocks(least=self._block)

    def _blocks(self, least: int) -> Iterator[tuple[Channels, float]]:
        """Yield blocks of the wanted size while at least ``least`` samples are held."""
        while self._held >= max(1, least):
            whole = np.concatenate(self._pieces, axis=1)
            block, rest = whole[:, : self._block], whole[:, self._block :]
            self._pieces, self._held = [rest], rest.shape[1]
            start = (self._first + self._given) / self._rate
            self._given += block.shape[1]
            yield block, start


def _clock(path: Path) -> tuple[float | None, float]:
    """Where the first shown frame stands, and after which time no sound is believed."""
    info = probe(path)
    limit = info.duration + _MAX_TAIL_SECONDS
    if info.video is None:
        return None, limit  # None: the sound's own start is the origin
    return info.first_pts, limit


def _choose(container: InputContainer, path: Path, track: int | None) -> av.AudioStream:
    streams = container.streams.audio
    if not streams:
        raise MissingStreamError(f"{path}: has no sound; choose a file with a sound track.")
    if track is None:
        best = container.streams.best("audio")
        chosen = best if isinstance(best, av.AudioStream) else streams[0]
    elif 0 <= track < len(streams):
        chosen = streams[track]
    else:
        raise MissingStreamError(
            f"{path}: has no sound track {track}; allowed: 0 to {len(streams) - 1}."
        )
    if chosen.codec_context is None:
        raise UnreadableMediaError(f"{path}: no decoder knows the codec of its sound.")
    read_only(container, chosen)
    return chosen


def _frame_time(frame: av.AudioFrame, stream: av.AudioStream) -> float | None:
    base = frame.time_base or stream.time_base
    return None if frame.pts is None or base is None else float(frame.pts * base)
