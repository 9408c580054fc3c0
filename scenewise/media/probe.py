"""What a media file holds. Headers are hints; the packets decide.

It knows containers and streams; it decodes no frame beyond what a header lacks.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

Rotation = Literal[0, 90, 180, 270]


@dataclass(frozen=True, slots=True)
class VideoStream:
    """One picture stream, as stored (before rotation and pixel aspect are applied)."""

    index: int
    codec: str
    width: int  # stored pixels
    height: int
    frame_rate: Fraction | None  # average, from the packets; None where no pts exist
    variable_frame_rate: bool
    rotation: Rotation  # degrees clockwise by which the picture must be turned to be upright
    pixel_aspect: Fraction  # width of a pixel / its height
    pixel_format: str
    color_space: str  # bt709, bt601, bt2020, unspecified
    color_range: str  # tv, pc, unspecified
    frame_count: int | None  # shown frames, from the packets

    @property
    def display_size(self) -> tuple[int, int]:
        """Width and height as shown, in square pixels."""
        width = max(1, round(self.width * self.pixel_aspect))
        return (self.height, width) if self.rotation in (90, 270) else (width, self.height)


@dataclass(frozen=True, slots=True)
class AudioStream:
    """One sound stream."""

    index: int
    codec: str
    sample_rate: int  # Hz
    channels: int
    language: str | None


@dataclass(frozen=True, slots=True)
class SubtitleStream:
    """One text stream."""

    index: int
    codec: str
    language: str | None


@dataclass(frozen=True, slots=True)
class MediaInfo:
    """Everything that ``probe`` found."""

    path: str
    container: str
    duration: float  # seconds from the first shown frame to the end of the last one
    first_pts: float  # seconds on the container's own clock of the first shown frame
    video: VideoStream | None
    audio: tuple[AudioStream, ...]
    subtitles: tuple[SubtitleStream, ...]
    attachments: tuple[str, ...]  # names or codecs: cover pictures, fonts

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; fractions as strings."""
        return asdict(self)


def probe(path: str | Path) -> MediaInfo:
    """Read the headers and as many packets as the truth needs.

    Raises UnreadableMediaError.
    """
    raise NotImplementedError
