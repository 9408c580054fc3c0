"""Which instants of a video make which windows.

It knows durations, sampling and what an encoder takes for one window; it decodes nothing.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import EncoderSpec
from scenewise.errors import UsageError
from scenewise.media.sampling import clip_windows, every, uniform

Times = npt.NDArray[np.float64]
MAX_FRAMES = 4096  # of one video in one vector
DEFAULT_FPS = 2.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How windows are taken; part of an index's identity. At most one of the two is set.

    ``fps``: a frame every 1/fps seconds from 0, one window each; for encoders of clips, clips
    whose frames are 1/fps seconds apart. ``frames``: that many uniform frames of the whole video
    make its only window. Neither: the encoder's own clips.
    """

    fps: float | None = None
    frames: int | None = None

    def __post_init__(self) -> None:
        if self.fps is not None and self.frames is not None:
            raise UsageError(
                f"fps = {self.fps:g} and frames = {self.frames} exclude each other; give one."
            )
        if self.fps is not None and not (math.isfinite(self.fps) and 0 < self.fps <= 120):
            raise UsageError(f"fps = {self.fps:g} is not allowed; give more than 0, at most 120.")
        if self.frames is not None and not 1 <= self.frames <= MAX_FRAMES:
            raise UsageError(f"frames = {self.frames} is not allowed; give 1 to {MAX_FRAMES}.")

    def __str__(self) -> str:
        if self.fps is not None:
            return f"fps={self.fps:.12g}"
        return "clips" if self.frames is None else f"frames={self.frames}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``. Raises ValueError."""
        if text == "clips":
            return cls()
        match = re.fullmatch(r"(fps|frames)=(.+)", text)
        if match is None:
            raise ValueError(f"no sampling: {text!r}")
        if match[1] == "fps":
            return cls(fps=float(match[2]))
        return cls(frames=int(match[2]))


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """N windows of T frames each.

    ``pooled``: the windows' vectors are averaged into the one vector of the video.
    """

    starts: Times  # (N,) seconds
    ends: Times  # (N,)
    frame_times: Times  # (N, T) seconds, rising in each row
    pooled: bool = False


def plan_windows(duration: float, spec: EncoderSpec, sampling: Sampling) -> WindowPlan:
    """At least one window for any duration; no span reaches beyond the video.

    Raises UsageError where the encoder takes clips of another number of frames.
    """
    per_window = spec.frames_per_window
    if sampling.frames is not None:
        return _whole_video(duration, per_window, sampling.frames)
    if per_window == 1 and spec.window_seconds is None:
        fps = sampling.fps if sampling.fps is not None else DEFAULT_FPS
        starts = np.array(every(duration, fps))
        ends = np.append(starts[1:], max(duration, starts[-1]))
        return WindowPlan(starts, ends, starts[:, None].copy())
    length, stride = clip_lengths(spec, sampling)
    clips = clip_windows(duration, per_window, length, stride)
    return WindowPlan(
        np.array([clip.start for clip in clips]),
        np.array([clip.end for clip in clips]),
        np.array([clip.times for clip in clips]),
    )


def clip_lengths(spec: EncoderSpec, sampling: Sampling) -> tuple[float, float]:
    """Length and stride in seconds of an encoder's clips."""
    length = spec.window_seconds or spec.frames_per_window / DEFAULT_FPS
    stride = spec.stride_seconds or length
    if sampling.fps is not None:
        wanted = spec.frames_per_window / sampling.fps
        length, stride = wanted, stride * wanted / length
    return length, stride


def _whole_video(duration: float, per_window: int, frames: int) -> WindowPlan:
    if per_window not in (1, frames):
        raise UsageError(
            f"--frames {frames} is not allowed with this encoder, which looks at clips of "
            f"{per_window} frames; use --frames {per_window}, or --fps."
        )
    times = np.array(uniform(duration, frames)).reshape(-1, per_window)
    count = len(times)
    return WindowPlan(np.zeros(count), np.full(count, duration), times, pooled=count > 1)
