"""At which instants of a span a clip looks: for training by chance, for testing evenly.

It knows seconds, settings and draws; it knows no file. ``ClipSettings`` says what each way is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scenewise.data.settings import ClipSettings
from scenewise.media.sampling import every
from scenewise.types import Segment

_EPSILON_SECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class ClipTimes:
    """Seconds of the video at which the clip's real frames stand, in the order of the clip.

    Fewer than ``frames`` where the rest of the clip is padding.
    """

    times: tuple[float, ...]
    frames: int

    @property
    def step_seconds(self) -> float:
        """The smallest distance of two different instants; infinite where all are one."""
        steps = np.diff(np.unique(self.times))
        return float(steps.min()) if steps.size else math.inf


def clip_times(
    span: Segment,
    settings: ClipSettings,
    *,
    window_seconds: float,
    draw: np.random.Generator | None = None,
    view: int = 0,
    tempo: float = 1.0,
    reverse: float = 0.0,
) -> ClipTimes:
    """The instants of one clip, all in [span.start, span.end).

    ``draw`` None is testing, where ``view`` counts the clips of a video. ``window_seconds`` is of
    dense sampling. In training the steps of dense and rate are stretched by a factor from
    1 / ``tempo`` to ``tempo``, its logarithm drawn evenly; with probability ``reverse`` the clip
    plays backwards.
    """
    factor = 1.0
    if draw is not None and tempo > 1:
        factor = math.exp(draw.uniform(-math.log(tempo), math.log(tempo)))
    match settings.sampling:
        case "segments":
            offsets = _in_segments(span.duration, settings, draw, view)
        case "uniform":
            offsets = _in_segments(span.duration, settings, None, view)
        case "dense":
            offsets = _dense(span.duration, settings, window_seconds * factor, draw, view)
        case "rate":
            offsets = _at_rate(span.duration, settings, factor)
    last = math.nextafter(span.end, 0.0) if span.duration > 0 else span.start
    times = [max(span.start, min(span.start + offset, last)) for offset in offsets]
    if settings.short == "loop":
        times = [times[number % len(times)] for number in range(settings.frames)]
    if draw is not None and reverse > 0 and draw.random() < reverse:
        times.reverse()
    return ClipTimes(tuple(times), settings.frames)


def _in_segments(
    duration: float, settings: ClipSettings, draw: np.random.Generator | None, view: int
) -> list[float]:
    """One instant in each of as many equal parts; views lie evenly within the parts."""
    step = duration / settings.frames
    if draw is None:
        within = np.full(settings.frames, (2 * view + 1) / (2 * settings.views))
    else:
        within = draw.random(settings.frames)
    return [float((number + share) * step) for number, share in enumerate(within)]


def _dense(
    duration: float,
    settings: ClipSettings,
    window_seconds: float,
    draw: np.random.Generator | None,
    view: int,
) -> list[float]:
    """The middles of equal parts of a window; those past the end of a short video are left out."""
    room = max(0.0, duration - window_seconds)
    if draw is not None:
        start = float(draw.random()) * room
    elif settings.views == 1:
        start = room / 2
    else:
        start = room * view / (settings.views - 1)
    step = window_seconds / settings.frames
    offsets = [start + (number + 0.5) * step for number in range(settings.frames)]
    if room > 0:
        return offsets
    # a video shorter than half a step still has one frame
    return [offset for offset in offsets if offset < duration - _EPSILON_SECONDS] or [0.0]


def _at_rate(duration: float, settings: ClipSettings, factor: float) -> list[float]:
    assert settings.fps is not None  # checked with the settings
    offsets = every(duration, settings.fps / factor)
    if len(offsets) <= settings.frames:
        return offsets
    chosen = np.linspace(0, len(offsets) - 1, settings.frames).astype(int)
    return [offsets[number] for number in chosen]
