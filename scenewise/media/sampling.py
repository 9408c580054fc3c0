"""At which instants to look: pure functions on a duration or a list of times.

They know seconds and seeds, no file. Every answer is a rising list of seconds from the first
shown frame, inside [0, duration). Where there is chance, equal seeds give equal answers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from scenewise.errors import UsageError
from scenewise.types import Segment

# two instants closer than this are one: no film has a million frames per second
_EPSILON_SECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class ClipWindow:
    """A stretch of video, [start, end), and the instants at which an encoder looks at it."""

    start: float
    end: float
    times: tuple[float, ...]


def uniform(duration: float, count: int) -> list[float]:
    """The centres of ``count`` equal segments: (i + 1/2) * duration / count.

    Centres, so that neither the black of a first frame nor the last frame is favoured.
    """
    _check(duration, count)
    return _centres(0.0, duration, count)


def every(duration: float, fps: float | Fraction) -> list[float]:
    """0, 1/fps, 2/fps, ... below the duration; at least 0 itself."""
    _check(duration, 1)
    if not (math.isfinite(fps) and fps > 0):
        raise UsageError(f"frames per second are above 0, got {fps}.")
    rate = Fraction(fps)
    # ceil(duration * fps), where a duration that is a rounded multiple of 1 / fps counts as one
    count = max(1, math.ceil(max(0.0, duration - _EPSILON_SECONDS) * float(rate)))
    return [number * rate.denominator / rate.numerator for number in range(count)]


def at_random(duration: float, count: int, seed: int) -> list[float]:
    """``count`` instants drawn independently and evenly from [0, duration)."""
    _check(duration, count)
    drawn = np.random.default_rng(seed).random(count) * duration
    return sorted(_below(float(time), duration) for time in drawn)


def stratified(duration: float, count: int, seed: int) -> list[float]:
    """One random instant in each of ``count`` equal segments.

    The sampling of temporal segment networks (Wang et al. 2016, arXiv:1608.00859).
    """
    _check(duration, count)
    offsets = np.random.default_rng(seed).random(count)
    step = duration / count
    return [
        min(
            _below((number + float(offset)) * step, (number + 1) * step), _below(duration, duration)
        )
        for number, offset in enumerate(offsets)
    ]


def uniform_of(times: Sequence[float], count: int) -> list[float]:
    """Of given instants (frame times, rising) the middle one of each of ``count`` equal parts.

    Index (2i + 1) * n // (2 * count); with fewer instants than ``count`` some repeat.
    """
    _check(0.0, count)
    _check_rising(times)
    return [times[(2 * number + 1) * len(times) // (2 * count)] for number in range(count)]


def keyframes(
    keyframe_times: Sequence[float], *, min_gap_seconds: float = 0.0, max_count: int | None = None
) -> list[float]:
    """Keyframe instants, each at least ``min_gap_seconds`` after the one before.

    With more than ``max_count`` of them, the middle ones of that many equal parts.
    """
    _check_rising(keyframe_times)
    if not min_gap_seconds >= 0:
        raise UsageError(f"a gap is at least 0 seconds, got {min_gap_seconds}.")
    taken: list[float] = []
    for time in keyframe_times:
        if not taken or time - taken[-1] >= min_gap_seconds - _EPSILON_SECONDS:
            taken.append(float(time))
    if max_count is not None and len(taken) > max_count:
        return uniform_of(taken, max_count)
    return taken


def per_shot(shots: Sequence[Segment], count: int = 1) -> list[float]:
    """The centres of ``count`` equal segments of each shot; an empty shot gives its start."""
    _check(0.0, count)
    times: list[float] = []
    for shot in shots:
        if shot.duration <= 0:
            times.append(shot.start)
        else:
            times.extend(_centres(shot.start, shot.end, count))
    return sorted(times)


def clip_windows(
    duration: float, frames: int, window_seconds: float, stride_seconds: float
) -> list[ClipWindow]:
    """Windows for encoders of clips: ``frames`` instants over each, a new one each stride.

    Windows begin at 0, stride, 2 * stride, ... and the first that reaches the end is the last.
    It is cut at the end, so its instants lie closer. Instants are the centres of ``frames``
    equal segments of the window.
    """
    _check(duration, frames)
    for name, value in (("window_seconds", window_seconds), ("stride_seconds", stride_seconds)):
        if not (math.isfinite(value) and value > 0):
            raise UsageError(f"{name} is above 0, got {value}.")
    windows: list[ClipWindow] = []
    while True:
        start = len(windows) * stride_seconds
        if windows and start >= duration - _EPSILON_SECONDS:
            return windows
        end = min(start + window_seconds, max(duration, start))
        windows.append(ClipWindow(start, end, tuple(_centres(start, end, frames))))
        if end >= duration - _EPSILON_SECONDS:
            return windows


def uniform_clips(
    duration: float, count: int, frames: int, window_seconds: float
) -> list[ClipWindow]:
    """``count`` windows of ``window_seconds`` evenly from the first moment to the last.

    A single one lies in the middle. A video no longer than a window is one window, cut at its
    end. Instants are the centres of ``frames`` equal segments of a window.
    """
    _check(duration, count)
    _check(duration, frames)
    if not (math.isfinite(window_seconds) and window_seconds > 0):
        raise UsageError(f"window_seconds is above 0, got {window_seconds}.")
    room = duration - window_seconds
    if room <= _EPSILON_SECONDS:
        return [ClipWindow(0.0, duration, tuple(_centres(0.0, duration, frames)))]
    starts = [room / 2] if count == 1 else [room * n / (count - 1) for n in range(count)]
    return [
        ClipWindow(
            start, start + window_seconds, tuple(_centres(start, start + window_seconds, frames))
        )
        for start in starts
    ]


def _centres(start: float, end: float, count: int) -> list[float]:
    step = (end - start) / count
    return [start + (number + 0.5) * step for number in range(count)]


def _below(time: float, limit: float) -> float:
    """Keep rounding from reaching the open end of a span."""
    return time if time < limit else max(0.0, math.nextafter(limit, 0.0))


def _check(duration: float, count: int) -> None:
    if not (math.isfinite(duration) and duration >= 0):
        raise UsageError(f"a duration is at least 0 seconds and finite, got {duration}.")
    if count < 1:
        raise UsageError(f"at least one instant is needed, got {count}.")


def _check_rising(times: Sequence[float]) -> None:
    if not len(times):
        raise UsageError("no instants are given.")
    if any(later < earlier for earlier, later in pairwise(times)):
        raise UsageError("instants must be rising.")
