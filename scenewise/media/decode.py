"""Exact frames at wanted times, with the least decoding.

It knows packets, keyframes and pts; it knows nothing of what frames are for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from scenewise.media.probe import MediaInfo
from scenewise.media.scale import Target


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture: ``image`` is uint8 RGB of shape (H, W, 3)."""

    image: npt.NDArray[np.uint8]
    time: float  # exact instant of this frame, seconds from the first shown frame
    requested: float  # the time that was asked for
    substitute: bool = False  # the wanted frame was broken; this is the last good one before it


class VideoReader:
    """An open video. Use as a context manager.

    ``info`` is the probe's answer; ``duration`` in seconds from the packets;
    ``frame_times`` the sorted instants of all shown frames in seconds (None where the stream has
    no pts); ``keyframe_times`` likewise for keyframes.
    """

    info: MediaInfo
    duration: float

    def __init__(self, path: str | Path) -> None:
        """Open; raise UnreadableMediaError or MissingStreamError."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the file."""
        raise NotImplementedError

    def read(
        self,
        times: Sequence[float],
        target: Target,
        mode: Literal["exact", "fast"] = "exact",
    ) -> Iterator[Frame]:
        """Yield one Frame per wanted time, in the order of ``times`` sorted ascending.

        The frame for time t is the one shown at t (largest frame time <= t). Memory is bounded
        whatever the length. ``fast`` takes keyframes and returns their true times.
        """
        raise NotImplementedError
