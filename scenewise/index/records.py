"""What passes between the workers that encode videos and the catalogue that keeps them.

It knows shapes; it knows no database, no decoder and no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray, WindowFeatures
from scenewise.types import Segment, Sound

TextKind = Literal["subtitle", "ocr", "speech"]
TrackKind = Literal["subtitle", "ocr", "speech", "sound", "audio"]


@dataclass(frozen=True, slots=True)
class TextSegment:
    """Words that are shown or spoken in [start, end) seconds of a video."""

    kind: TextKind
    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class AudioWindows:
    """Stretches of sound as vectors of an audio encoder."""

    starts: npt.NDArray[np.float64]  # (N,) seconds
    ends: npt.NDArray[np.float64]  # (N,)
    vectors: FloatArray  # (N, D) unit length


@dataclass(frozen=True, slots=True)
class Track:
    """What was taken from a video beside its pictures, and by what.

    A track belongs to the content: it outlives a change of encoder. ``spec`` names what made it
    (a program and its version, a model, the files that were read): a track with another spec than
    the wanted one is made again. An empty track says that there was nothing to be had.
    """

    kind: TrackKind
    spec: str
    texts: tuple[TextSegment, ...] = ()  # of the kinds subtitle, ocr, speech
    sounds: tuple[Sound, ...] = ()  # of the kind sound
    audio: AudioWindows | None = None  # of the kind audio
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FileStamp:
    """A file as it was seen: enough to notice that it changed without reading it."""

    path: str  # absolute, symbolic links resolved
    size: int  # bytes
    modified_ns: int


@dataclass(frozen=True, slots=True)
class EncodedVideo:
    """All that one video adds to a library; committed in one transaction, or not at all."""

    stamp: FileStamp
    content_hash: str  # 32 hex digits of the file's bytes: the identity of a video
    duration: float  # seconds
    starts: npt.NDArray[np.float64]  # (N,) seconds: window i covers [starts[i], ends[i])
    ends: npt.NDArray[np.float64]  # (N,)
    times: npt.NDArray[np.float64]  # (N,) the exact instant of the frame shown for window i
    features: WindowFeatures  # N windows
    video_vector: FloatArray  # (D,) unit length: mean over the windows
    shots: tuple[Segment, ...] = ()
    tracks: tuple[Track, ...] = ()
    warnings: tuple[str, ...] = ()  # such as "the file breaks after 3.1 s"

    def __post_init__(self) -> None:
        n = len(self.features)
        shapes = {len(self.starts), len(self.ends), len(self.times), n}
        if len(shapes) != 1 or n == 0:
            raise ValueError(
                f"windows disagree: {len(self.starts)} starts, {len(self.ends)} ends, "
                f"{len(self.times)} times, {n} vectors; at least one is needed"
            )

    @property
    def texts(self) -> tuple[TextSegment, ...]:
        """The words of all tracks, by time."""
        lines = (line for track in self.tracks for line in track.texts)
        return tuple(sorted(lines, key=lambda line: line.start))
