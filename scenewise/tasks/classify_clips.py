"""Which classes of a network fit a video: clips all over it, and the mean of their probabilities.

Averaging over several clips of a video is how classifiers of clips are measured since I3D
(Carreira and Zisserman 2017, "Quo Vadis, Action Recognition?") and the non-local networks (Wang et
al. 2018), there over crops as well; here each clip is its centre.

It knows a file, clips and a classifier; it knows no library, and nothing of how a network runs.
"""

from __future__ import annotations

import math
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import WindowFeatures
from scenewise.encoders.video_classifier import VideoClassifier
from scenewise.errors import UsageError
from scenewise.index.embed import BATCH_WINDOWS, WindowBuilder
from scenewise.index.footage import Footage
from scenewise.index.windows import WindowPlan
from scenewise.media.decode import VideoReader
from scenewise.media.sampling import uniform_clips
from scenewise.media.shots import ShotDetector
from scenewise.tasks.classify import Classification, best_labels, segments

CLIPS = 5  # of a video, where nobody says another number
MOST_CLIPS = 4096


def check_clips(clips: int | None) -> None:
    """Raise UsageError for a number of clips that is not allowed."""
    if clips is not None and not 1 <= clips <= MOST_CLIPS:
        raise UsageError(f"clips = {clips} is not allowed; give 1 to {MOST_CLIPS}.")


def classify_clips(
    path: Path,
    video_id: str,
    classifier: VideoClassifier,
    *,
    clips: int | None = None,
    top_k: int = 5,
    over_time: bool = False,
) -> Classification:
    """The labels of one video file.

    ``clips`` lie evenly over the video; None is 5, and with ``over_time`` as many as cover it.
    Raises MediaError, EncoderError, UsageError.
    """
    check_clips(clips)
    described = classifier.described
    with VideoReader(path) as reader:
        count = clips or _default_count(reader.duration, described.seconds, over_time)
        windows = uniform_clips(reader.duration, count, described.frames, described.seconds)
        plan = WindowPlan(
            np.array([clip.start for clip in windows]),
            np.array([clip.end for clip in windows]),
            np.array([clip.times for clip in windows]),
        )
        builder = WindowBuilder(_AsWindows(classifier), plan)
        detector = ShotDetector() if over_time else None
        frames = reader.read(builder.wanted_times.tolist(), described.target)
        while some := list(islice(frames, BATCH_WINDOWS)):
            for frame in some:
                if detector is not None and not frame.substitute:
                    detector.add(frame.time, frame.image)
                builder.add(frame)
        seen = builder.finish()
        shots = () if detector is None else detector.finish(reader.duration)
        duration, warnings = reader.duration, reader.warnings
    footage = Footage(
        path=str(path),
        video_id=video_id,
        duration=duration,
        starts=seen.starts,
        ends=seen.ends,
        times=seen.times,
        features=seen.features,
        shots=shots,
    )
    rows = seen.features.vectors
    return Classification(
        video_id=video_id,
        path=str(path),
        source=f"network {described.network}",
        encoder=classifier.name,
        labels=best_labels(described.labels, rows.mean(axis=0), top_k),
        segments=segments(footage, rows, described.labels) if over_time else (),
        notes=(*warnings, *described.notes, _said(seen.starts, seen.ends, described.frames)),
    )


class _AsWindows:
    """A classifier where windows are made: a window's numbers are its probabilities (N, K)."""

    def __init__(self, classifier: VideoClassifier) -> None:
        self._classifier = classifier

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        return WindowFeatures(self._classifier.probabilities(frames))


def _default_count(duration: float, seconds: float, over_time: bool) -> int:
    covering = max(1, math.ceil(duration / seconds - 1e-6))
    return min(covering, MOST_CLIPS) if over_time else CLIPS


def _said(starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64], frames: int) -> str:
    """How much of the video the answer stands on."""
    seconds = float((ends - starts).max())
    pictures = "1 frame" if frames == 1 else f"{frames} frames"
    if len(starts) == 1:
        return f"judged by one clip of {seconds:.3g} s, {pictures}"
    return f"the mean over {len(starts)} clips of {seconds:.3g} s, {pictures} each"
