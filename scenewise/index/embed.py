"""Frames in, windows out: batches for the encoder, and one row per window that was recovered.

It knows a plan of windows and an encoder; it knows no file and no decoder. It holds the frames
of one batch and of the clips that are not complete yet, and nothing else of the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Concepts, WindowFeatures
from scenewise.encoders.vectors import unit
from scenewise.errors import UnreadableMediaError
from scenewise.index.arrays import join
from scenewise.index.windows import Times, WindowPlan

if TYPE_CHECKING:
    from scenewise.media.decode import Frame

BATCH_BYTES = 16 << 20  # of pixels in one call of the encoder
BATCH_WINDOWS = 32

Picture = npt.NDArray[np.uint8]


class EncodesWindows(Protocol):
    """The part of an encoder that is needed here."""

    def encode_windows(self, frames: Picture) -> WindowFeatures:
        """Frames (B, T, H, W, 3) uint8 RGB to B windows."""
        ...


@dataclass(frozen=True, slots=True)
class EncodedWindows:
    """The windows of one video, as ``EncodedVideo`` takes them."""

    starts: Times
    ends: Times
    times: Times
    features: WindowFeatures


class WindowBuilder:
    """Takes the frames of a plan in the order of their wanted times.

    A frame that is shown again (a slide show sampled faster than its slides change) makes its
    window longer instead of a second one. A frame that could not be decoded makes no window.
    """

    def __init__(self, encoder: EncodesWindows, plan: WindowPlan) -> None:
        self._encoder = encoder
        self._plan = plan
        # where the n-th frame goes: its place in the flattened (N, T) plan
        self._order = np.argsort(plan.frame_times, axis=None, kind="stable")
        self._seen = 0
        self._open: dict[int, list[Frame]] = {}  # clips that wait for their last frames
        self._batch: list[list[Picture]] = []
        self._encoded: list[WindowFeatures] = []
        self._starts: list[float] = []
        self._ends: list[float] = []
        self._times: list[float] = []

    @property
    def wanted_times(self) -> Times:
        """All instants to read, rising; one frame is to be added for each."""
        return np.asarray(self._plan.frame_times.reshape(-1)[self._order])

    def add(self, frame: Frame) -> None:
        """The next frame."""
        per_window = self._plan.frame_times.shape[1]
        window = int(self._order[self._seen]) // per_window
        self._seen += 1
        clip = self._open.setdefault(window, [])
        clip.append(frame)
        if len(clip) == per_window:
            self._close_window(window, self._open.pop(window))

    def _close_window(self, window: int, clip: list[Frame]) -> None:
        if all(frame.substitute for frame in clip):
            return
        middle = clip[len(clip) // 2]
        single = len(clip) == 1
        if single and self._times and middle.time == self._times[-1]:
            self._ends[-1] = float(self._plan.ends[window])
            return
        self._starts.append(float(self._plan.starts[window]))
        self._ends.append(float(self._plan.ends[window]))
        self._times.append(middle.time)
        self._batch.append([frame.image for frame in clip])
        limit = BATCH_BYTES // max(1, sum(frame.image.nbytes for frame in clip))
        if len(self._batch) >= min(BATCH_WINDOWS, max(1, limit)):
            self._flush()

    def _flush(self) -> None:
        if self._batch:
            self._encoded.append(self._encoder.encode_windows(np.asarray(self._batch)))
            self._batch = []

    def finish(self) -> EncodedWindows:
        """All rows; UnreadableMediaError where no frame at all was recovered."""
        self._flush()
        if not self._encoded:
            raise UnreadableMediaError("no frame of it can be decoded.")
        features = join(self._encoded)
        self._encoded = []
        starts, ends, times = (np.array(row) for row in (self._starts, self._ends, self._times))
        if self._plan.pooled:
            pooled = pool(features)
            # the frame that shows the whole best: the one nearest to the mean
            nearest = int(np.argmax(features.vectors @ pooled.vectors[0]))
            starts, ends, times = starts[:1], ends[:1], times[nearest : nearest + 1]
            features = pooled
        return EncodedWindows(starts, ends, times, features)


def pool(features: WindowFeatures) -> WindowFeatures:
    """N windows to one: the mean direction, and the mean of the concept probabilities.

    Of the mean concepts the K largest are kept, K being what each window had.
    """
    vectors = unit(features.vectors.mean(axis=0))[None]
    if features.concepts is None:
        return WindowFeatures(vectors)
    indices, values = features.concepts.indices, features.concepts.values
    total = np.bincount(indices.ravel(), weights=values.ravel().astype(np.float64))
    kept = np.argsort(-total, kind="stable")[: indices.shape[1]]
    row = np.zeros((1, indices.shape[1]), np.uint16)
    probability = np.zeros((1, indices.shape[1]), np.float16)
    row[0, : len(kept)] = kept
    probability[0, : len(kept)] = total[kept] / len(features)
    return WindowFeatures(vectors, Concepts(row, probability))
