"""A span of a video file that is open: its frames at wanted instants, small and whole.

The picture is scaled so that its short edge has the wanted length, and nothing is cut off: what
is cut is the augmentations' business. It knows files and pixels; it knows no row and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, Self

import numpy as np
import numpy.typing as npt

from scenewise.errors import DataError, UnreadableMediaError
from scenewise.media.decode import VideoReader
from scenewise.media.target import Target
from scenewise.types import Segment

Frames = npt.NDArray[np.uint8]  # (T, H, W, 3) RGB
Interpolation = Literal["bicubic", "bilinear", "area"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How large pictures come out: the length of the short edge, in pixels, and the filter."""

    short_side: int
    interpolation: Interpolation = "bilinear"


class Stretch(Protocol):
    """What a clip is made of, wherever it lies: in a file that is decoded, or in a cache."""

    span: Segment  # of the video, in seconds
    step_seconds: float  # from one kept frame to the next; 0 where all frames are there

    def pictures(self, times: Sequence[float]) -> Frames:
        """The frames shown at these instants, in any order, repeated or not: (T, H, W, 3)."""
        ...


class OpenStretch(Protocol):
    """Whoever opens stretches. Raises MediaError or DataError where that is not possible."""

    def __call__(
        self, path: Path, span: Segment | None, scale: Scale
    ) -> AbstractContextManager[Stretch]:
        """``span`` None is the whole video."""
        ...


class FileStretch:
    """Decoded from the file; one decoder, open as long as the stretch."""

    span: Segment
    step_seconds = 0.0

    def __init__(self, path: Path, span: Segment | None, scale: Scale) -> None:
        """Open; raises MediaError, and DataError where the span lies outside of the video."""
        self._path = path
        self._reader = VideoReader(path)
        try:
            self.span = inside(span, self._reader.duration, path)
            assert self._reader.info.video is not None  # a reader has pictures
            width, height = self._reader.info.video.display_size
        except BaseException:
            self._reader.close()
            raise
        short = scale.short_side
        # the long edge as published resizing has it: cut off, not rounded
        if width <= height:
            wide, high = short, max(short, int(short * height / width))
        else:
            wide, high = max(short, int(short * width / height)), short
        self._target = Target(wide, high, "squash", interpolation=scale.interpolation)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._reader.close()

    def pictures(self, times: Sequence[float]) -> Frames:
        """Each different instant is decoded once."""
        wanted, places = np.unique(np.asarray(times, dtype=np.float64), return_inverse=True)
        images = [frame.image for frame in self._reader.read(wanted.tolist(), self._target)]
        if len(images) != len(wanted):
            raise UnreadableMediaError(
                f"{self._path}: {len(images)} of {len(wanted)} wanted frames can be decoded."
            )
        frames: Frames = np.stack([images[place] for place in places])
        return frames


def inside(span: Segment | None, duration: float, path: Path) -> Segment:
    """The span, cut at the end of the video."""
    if span is None:
        return Segment(0.0, max(0.0, duration))
    if span.start >= duration:
        raise DataError(
            f"{path}: the span {span.start:g} to {span.end:g} s begins after the video's end at "
            f"{duration:g} s; mend the annotation, or take the right video."
        )
    return Segment(span.start, min(span.end, duration))
