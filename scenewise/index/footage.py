"""One video as the verbs see it: windows, shots, words and sounds, from a library or a file.

It knows arrays and times; it knows no network, no question, and where the video came from only as
a path and an id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import WindowFeatures
from scenewise.index.catalog import Chunk
from scenewise.index.reader import IndexReader
from scenewise.index.records import AudioWindows, EncodedVideo, TextSegment
from scenewise.types import Segment, Sound

ID_DIGITS = 16  # of a content hash, as the catalogue numbers its videos


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """N windows of one video in order of time, and what else is known of it.

    Window i covers ``[starts[i], ends[i])`` seconds and shows the frame at ``times[i]``.
    """

    path: str
    video_id: str
    duration: float  # seconds
    starts: npt.NDArray[np.float64]  # (N,)
    ends: npt.NDArray[np.float64]  # (N,)
    times: npt.NDArray[np.float64]  # (N,)
    features: WindowFeatures  # N windows
    shots: tuple[Segment, ...] = ()
    texts: tuple[TextSegment, ...] = ()
    sounds: tuple[Sound, ...] = ()
    audio: AudioWindows | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of_chunk(cls, reader: IndexReader, chunk: Chunk) -> Self:
        """A video of a library. Raises KeyError where it was removed meanwhile."""
        return cls(
            path=chunk.path,
            video_id=chunk.video_id,
            duration=chunk.duration,
            starts=chunk.starts,
            ends=chunk.ends,
            times=chunk.times,
            features=reader.features(chunk.id),
            shots=chunk.shots,
            texts=reader.catalog.texts(chunk.id),
            sounds=reader.catalog.sounds(chunk.id),
            audio=reader.catalog.audio_windows(chunk.id),
            warnings=chunk.warnings,
        )

    @classmethod
    def of_encoded(cls, video: EncodedVideo) -> Self:
        """A file that was looked at just now."""
        sounds = (heard for track in video.tracks for heard in track.sounds)
        return cls(
            path=video.stamp.path,
            video_id=video.content_hash[:ID_DIGITS],
            duration=video.duration,
            starts=video.starts,
            ends=video.ends,
            times=video.times,
            features=video.features,
            shots=video.shots,
            texts=video.texts,
            sounds=tuple(sorted(sounds, key=lambda heard: heard.start)),
            audio=next((track.audio for track in video.tracks if track.audio is not None), None),
            warnings=video.warnings,
        )
