"""What a camera and things before it do over a span of time, as numbers and in plain words.

It knows pictures with their times, and files as far as ``describe_motion`` reads a few pictures of
them. It knows no names of things. Speeds are picture widths per second: a speed of 0.5 crosses the
picture in two seconds, whatever its size and frame rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from scenewise.errors import UsageError
from scenewise.media.flow import (
    DIRECTIONS,
    Picture,
    camera_motion,
    direction_histogram,
    grey,
    magnitude,
    residual_flow,
    sparse_flow,
    widths_per_second,
)

Pace = Literal["still", "slow", "moderate", "fast"]

WIDTH = 320  # pixels to which pictures are reduced
_LONGEST_GAP_SECONDS = 0.6  # pictures farther apart are not compared
_SHORTEST_GAP_SECONDS = 0.06  # nor nearer ones: what is slow would be lost in rounding
# widths per second: a camera that takes longer than 40 s across the picture is not panning
_LEAST_PAN = 0.025
_SLOW, _FAST = 0.12, 0.5
_LEAST_ZOOM = 0.02  # change of scale, as its logarithm, per second
_LEAST_ROLL = 3.0  # degrees per second
_CONSISTENT = 0.6  # net way / whole way: less is a shaking hand
_LEAST_FLOW_PIXELS = 0.5  # under this, dense flow is noise
_QUICK = 0.8  # of what moves: flow fades out around a thing, so its speed is that of the quicker
_HALO = 0.4  # of that speed; what is slower is the fading edge
_LEAST_SHARE = 0.002  # of the picture that must move to be a thing
_HEADING = 0.7  # how much of the movement goes one way (length of the mean direction)
_CUT_FOUND = 0.2  # of the corners found again; fewer, in a picture that changed, is a cut
_CUT_CHANGE = 12.0  # mean change of brightness, of 255
_SAME_TIME_SECONDS = 1e-6
_BURSTS, _BURST_FRAMES, _BURST_STEP_SECONDS = 8, 3, 0.08
_HEADINGS = {0: "left to right", 2: "upwards", 4: "right to left", 6: "downwards"}


@dataclass(frozen=True, slots=True)
class MotionSummary:
    """What moved in [start, end) seconds. Speeds are picture widths per second.

    Camera figures are None where the pictures do not tell what the camera did. ``directions`` are
    shares of what moved by itself: right, up-right, up, and on counterclockwise; zeros where
    nothing did.
    """

    start: float
    end: float
    pairs: int  # pairs of pictures that were compared; 0: nothing can be told
    pan: float | None = None  # of the camera, positive to the right
    tilt: float | None = None  # of the camera, positive upwards
    zoom: float | None = None  # logarithm of the scale per second, positive in
    roll: float | None = None  # degrees per second, positive where the picture turns clockwise
    camera_speed: float = 0.0  # of the camera's way, whatever its direction
    object_speed: float = 0.0  # of what moves by itself
    moving_share: float = 0.0  # of the picture that moves by itself, mean over the pairs
    directions: tuple[float, ...] = field(default=(0.0,) * DIRECTIONS)

    @property
    def camera(self) -> tuple[str, ...]:
        """What the camera does: pans left or right, tilts, zooms, rolls, shakes; () if still."""
        if self.pan is None or self.tilt is None or self.zoom is None or self.roll is None:
            return ()
        found = []
        straight = math.hypot(self.pan, self.tilt) >= _CONSISTENT * self.camera_speed
        if straight and abs(self.pan) >= max(_LEAST_PAN, 0.4 * abs(self.tilt)):
            found.append("pans right" if self.pan > 0 else "pans left")
        if straight and abs(self.tilt) >= max(_LEAST_PAN, 0.4 * abs(self.pan)):
            found.append("tilts up" if self.tilt > 0 else "tilts down")
        if abs(self.zoom) >= _LEAST_ZOOM:
            found.append("zooms in" if self.zoom > 0 else "zooms out")
        if abs(self.roll) >= _LEAST_ROLL:
            found.append("rolls")
        if not found and self.camera_speed >= 2 * _LEAST_PAN:
            found.append("shakes")
        return tuple(found)

    @property
    def pace(self) -> Pace:
        """How quick the quicker of camera and things is."""
        zoomed = 0.0 if self.zoom is None else 0.25 * abs(self.zoom)  # at half way to the edge
        rolled = 0.0 if self.roll is None else 0.25 * math.radians(abs(self.roll))
        speed = self.camera_speed + zoomed + rolled if self.camera else 0.0
        speed = max(speed, self.object_speed if self._things_move else 0.0)
        if not self.camera and not self._things_move:
            return "still"
        return "slow" if speed < _SLOW else "fast" if speed >= _FAST else "moderate"

    @property
    def heading(self) -> str | None:
        """``left to right`` and so on, where what moves by itself mostly goes that way."""
        if not self._things_move:
            return None
        angles = np.arange(DIRECTIONS) * 2 * np.pi / DIRECTIONS
        mean = np.sum(np.array(self.directions) * np.exp(1j * angles))
        if abs(mean) < _HEADING:
            return None
        return _HEADINGS[round(float(np.angle(mean)) / (np.pi / 2)) % 4 * 2]

    @property
    def _things_move(self) -> bool:
        return self.moving_share >= _LEAST_SHARE

    def words(self) -> tuple[str, ...]:
        """Pace, camera and heading, such as ("slow", "pans right", "moves left to right")."""
        if self.pairs == 0:
            return ()
        pace = () if self.pace == "moderate" else (self.pace,)
        heading = () if self.heading is None else (f"moves {self.heading}",)
        return (*pace, *self.camera, *heading)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self) | {"words": list(self.words())}


@dataclass(frozen=True, slots=True, eq=False)
class _Pair:
    """What one pair of pictures says; lengths in widths."""

    seconds: float
    camera: tuple[float, float, float, float] | None  # shift x, y, log scale, degrees
    share: float
    speed: float
    directions: npt.NDArray[np.float64]  # (8,), weighted by length


def summarize_motion(frames: Iterable[tuple[float, Picture]]) -> MotionSummary:
    """What moves in pictures (H, W, 3) uint8, given with their times in seconds, rising.

    Pictures less than 0.06 s or more than 0.6 s apart and pairs across a cut are not compared.
    Memory: two pictures.
    Raises ValueError where times do not rise.
    """
    pairs: list[_Pair] = []
    first = last = None
    before: tuple[float, Picture] | None = None
    for time, image in frames:
        if last is not None and time <= last:
            raise ValueError(f"pictures come by rising time, got {time} after {last}")
        first = time if first is None else first
        last = time
        small = grey(image, WIDTH)
        if before is not None and before[1].shape == small.shape:
            seconds = time - before[0]
            if seconds < _SHORTEST_GAP_SECONDS:
                continue
            if seconds <= _LONGEST_GAP_SECONDS:
                pair = _compare(before[1], small, seconds)
                if pair is not None:
                    pairs.append(pair)
        before = time, small
    return _summary(pairs, first or 0.0, last or 0.0)


def describe_motion(path: str | Path, start: float, end: float) -> MotionSummary:
    """What moves in [start, end) seconds of a video, from at most 24 pictures of it.

    Raises UsageError for a span that is none, MediaError as ``VideoReader`` does.
    """
    _check_span(start, end)
    from scenewise.media.decode import VideoReader

    with VideoReader(path) as reader:
        if start >= reader.duration:
            raise UsageError(
                f"{path} is {reader.duration:.2f} s long; a span from {start} s on is not in it."
            )
    (summary,) = describe_motions(path, [(start, end)])
    return summary


def describe_motions(
    path: str | Path, spans: Sequence[tuple[float, float]]
) -> Iterator[MotionSummary]:
    """As ``describe_motion`` for spans that follow one another, in one pass over the video.

    The file is opened once and read forward, however many spans there are; a summary comes as
    soon as its span was read, and memory is that of one. A span behind the end has no pairs.
    Raises UsageError for a span that is none or begins before the last one ended, MediaError.
    """
    before = 0.0
    for start, end in spans:
        _check_span(start, end)
        if start < before - _SAME_TIME_SECONDS:
            raise UsageError(f"spans follow one another, got one from {start} s after {before} s.")
        before = end
    return _along(path, spans)


def _along(path: str | Path, spans: Sequence[tuple[float, float]]) -> Iterator[MotionSummary]:
    from scenewise.media.decode import VideoReader
    from scenewise.media.target import Target

    with VideoReader(path) as reader:
        ends = [min(end, reader.duration) for _, end in spans]
        wanted = [
            _burst_times(start, end) if start < end else []
            for (start, _), end in zip(spans, ends, strict=True)
        ]
        target = Target(WIDTH, WIDTH, mode="fit", interpolation="bilinear")
        # spans may overlap by the rounding of their edges: times must rise over all of them
        order = sorted((time, number) for number, times in enumerate(wanted) for time in times)
        frames = zip(reader.read([time for time, _ in order], target), order, strict=True)
        groups = groupby(frames, key=lambda pair: pair[1][1])
        group = next(groups, None)
        for number, (start, _) in enumerate(spans):
            summary = MotionSummary(start, ends[number], 0)
            if group is not None and group[0] == number:
                pictures = ((frame.time, frame.image) for frame, _ in group[1])
                summary = summarize_motion(_distinct(pictures))
                group = next(groups, None)
            yield replace(summary, start=start, end=max(start, ends[number]))


def _check_span(start: float, end: float) -> None:
    if not (math.isfinite(start) and math.isfinite(end) and 0 <= start < end):
        raise UsageError(f"a span needs 0 <= start < end in seconds, got {start} to {end}.")


def _burst_times(start: float, end: float) -> list[float]:
    """Short runs of neighbouring instants, spread over the span; a short span whole."""
    count = _BURSTS * _BURST_FRAMES
    if end - start <= count * _BURST_STEP_SECONDS:
        inside = max(2, math.ceil((end - start) / _BURST_STEP_SECONDS))
        return [start + number * (end - start) / inside for number in range(inside)]
    length = (_BURST_FRAMES - 1) * _BURST_STEP_SECONDS
    step = (end - start) / _BURSTS
    starts = [start + (number + 0.5) * step - length / 2 for number in range(_BURSTS)]
    return [at + number * _BURST_STEP_SECONDS for at in starts for number in range(_BURST_FRAMES)]


def _distinct(frames: Iterable[tuple[float, Picture]]) -> Iterator[tuple[float, Picture]]:
    """Where two instants want the same frame it comes once."""
    last = -math.inf
    for time, image in frames:
        if time > last:
            yield time, image
            last = time


def _compare(before: Picture, after: Picture, seconds: float) -> _Pair | None:
    """None across a cut."""
    height, width = before.shape
    tracks = sparse_flow(before, after)
    change = float(np.abs(after.astype(np.int16) - before).mean())
    if change >= _CUT_CHANGE and len(tracks) < _CUT_FOUND * max(tracks.tried, 1):
        return None
    camera = camera_motion(tracks, width, height)
    flow = residual_flow(before, after, camera)
    length = magnitude(flow)
    moving = length >= _LEAST_FLOW_PIXELS
    quick = float(np.quantile(length[moving], _QUICK)) if moving.any() else 0.0
    moving &= length >= _HALO * quick
    moved = widths_per_second(flow[moving], width, seconds)
    speed = quick / (width * seconds)
    if camera is None:
        told = (
            (0.0, 0.0, 0.0, 0.0) if change < 0.5 else None
        )  # a plain picture that does not change
    else:
        x, y = camera.shift
        told = (x / width, y / width, math.log(camera.scale), camera.turn)
    return _Pair(
        seconds=seconds,
        camera=told,
        share=float(moving.mean()),
        speed=speed,
        directions=direction_histogram(moved) * float(moving.sum()) * speed,
    )


def _summary(pairs: list[_Pair], start: float, end: float) -> MotionSummary:
    if not pairs:
        return MotionSummary(start, end, 0)
    told = [(pair.seconds, pair.camera) for pair in pairs if pair.camera is not None]
    shape: dict[str, Any] = {}
    if 2 * len(told) >= len(pairs):
        seconds = sum(length for length, _ in told)
        moves = np.array([camera for _, camera in told])
        x, y, zoom, roll = moves.sum(axis=0) / seconds
        way = np.hypot(moves[:, 0], moves[:, 1]).sum() / seconds
        # the picture moves against the camera; its y axis points down
        shape = {
            "pan": float(-x),
            "tilt": float(y),
            "zoom": float(zoom),
            "roll": float(roll),
            "camera_speed": float(way),
        }
    shares = np.array([pair.share for pair in pairs])
    speeds = np.array([pair.speed for pair in pairs])
    directions = np.sum([pair.directions for pair in pairs], axis=0)
    total = float(directions.sum())
    weight = float(shares.sum())
    return MotionSummary(
        start,
        end,
        len(pairs),
        object_speed=float((speeds * shares).sum() / weight) if weight > 0 else 0.0,
        moving_share=float(shares.mean()),
        directions=tuple((directions / total if total > 0 else directions).tolist()),
        **shape,
    )
