"""The nouns that every floor shares: frozen, validated at birth, with ``to_dict()``.

Times are float seconds from the first shown frame; a span is half-open, ``[start, end)``.
This module knows no file, no network and no database.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Modality = Literal["visual", "text", "audio"]
WhyKind = Literal[
    "concept",  # what the encoder sees
    "similarity",
    "image",
    "video",
    "classifier",  # a trained one
    "motion",
    "subtitle",  # words, by where they stand
    "ocr",
    "speech",
    "sound",  # heard without words: silence, speech, music, a bang
    "audio",  # sound in words, by an audio encoder
    "model",  # a plugged-in network said so
]
SoundKind = Literal["silence", "speech", "music", "onset"]
_MODALITY: dict[str, Modality] = {
    "subtitle": "text",
    "ocr": "text",
    "speech": "text",
    "sound": "audio",
    "audio": "audio",
}
VideoState = Literal["ready", "failed", "missing"]


def clock(seconds: float) -> str:
    """A time as people read it, to a tenth: ``mm:ss.f``, from one hour on ``hh:mm:ss.f``."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    text = f"{minutes:02d}:{rest // 10:02d}.{rest % 10}"
    return f"{hours:02d}:{text}" if hours else text


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of time in one video: ``[start, end)`` in seconds, ``0 <= start <= end``."""

    start: float
    end: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.start) and math.isfinite(self.end)):
            raise ValueError(f"a span needs finite times, got {self.start} to {self.end}")
        if self.start < 0 or self.end < self.start:
            raise ValueError(f"a span needs 0 <= start <= end, got {self.start} to {self.end}")

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Why:
    """One reason for a hit: what kind of evidence, what it was, and where it is known, when."""

    kind: WhyKind
    detail: str
    start: float | None = None  # seconds; None where it holds for the whole hit
    end: float | None = None

    @property
    def modality(self) -> Modality:
        """Whether this was seen, read or heard."""
        return _MODALITY.get(self.kind, "visual")

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; times only where there are any."""
        shape: dict[str, Any] = {
            "kind": self.kind,
            "modality": self.modality,
            "detail": self.detail,
        }
        if self.start is not None:
            shape |= {"start": self.start, "end": self.end}
        return shape

    @classmethod
    def from_dict(cls, shape: dict[str, Any]) -> Why:
        """The inverse of ``to_dict``."""
        return cls(**{name: value for name, value in shape.items() if name != "modality"})


@dataclass(frozen=True, slots=True)
class Moment:
    """A ranked hit: a run of neighbouring windows that match.

    ``score`` is the encoder's own and comparable only inside one search; ``match`` is the
    estimated probability that the hit is right; ``thumbnail_time`` is the best instant.
    """

    rank: int  # 1 is best
    video_id: str
    path: str
    start: float
    end: float
    score: float
    match: float
    why: tuple[Why, ...]
    thumbnail_time: float

    def __post_init__(self) -> None:
        Segment(self.start, self.end)
        if not 0.0 <= self.match <= 1.0:
            raise ValueError(f"match is a probability, got {self.match}")

    @property
    def segment(self) -> Segment:
        """The span alone."""
        return Segment(self.start, self.end)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self) | {"why": [why.to_dict() for why in self.why]}

    @classmethod
    def from_dict(cls, shape: dict[str, Any]) -> Moment:
        """The inverse of ``to_dict``."""
        return cls(**{**shape, "why": tuple(Why.from_dict(why) for why in shape["why"])})


@dataclass(frozen=True, slots=True)
class VideoCount:
    """How many moments of one video answer a query."""

    video_id: str
    path: str
    count: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class SearchResult:
    """The answer to one query. ``found`` is a verdict; hits are returned either way.

    ``count`` and ``videos`` are there where every occurrence was asked for: how many there are,
    also where fewer are returned, and in which videos.
    """

    query: str
    encoder: str
    found: bool
    hits: tuple[Moment, ...]
    notes: tuple[str, ...] = ()  # what the reader should know, such as a query that was cut
    count: int | None = None
    videos: tuple[VideoCount, ...] = ()  # most first

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; ``notes``, ``count`` and ``videos`` only where there are any."""
        shape: dict[str, Any] = {
            "query": self.query,
            "encoder": self.encoder,
            "found": self.found,
            "hits": [hit.to_dict() for hit in self.hits],
        }
        if self.notes:
            shape["notes"] = list(self.notes)
        if self.count is not None:
            shape["count"] = self.count
            shape["videos"] = [video.to_dict() for video in self.videos]
        return shape


@dataclass(frozen=True, slots=True)
class Label:
    """A class of a video or a moment, with its estimated probability."""

    name: str
    probability: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Sound:
    """Something heard in [start, end) seconds, and how clearly: ``strength`` in 0 to 1."""

    kind: SoundKind
    start: float
    end: float
    strength: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Caption:
    """A sentence about [start, end) seconds of a video; ``source`` says what wrote it."""

    start: float
    end: float
    text: str
    source: str  # "concepts", or the name of a language model

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Captioned:
    """The captions of one video, in order of time."""

    video_id: str
    path: str
    duration: float  # seconds
    captions: tuple[Caption, ...]
    notes: tuple[str, ...] = ()  # what the reader should know, such as a damaged file

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; ``notes`` only where there are any."""
        shape: dict[str, Any] = {
            "video_id": self.video_id,
            "path": self.path,
            "duration": self.duration,
            "captions": [caption.to_dict() for caption in self.captions],
        }
        if self.notes:
            shape["notes"] = list(self.notes)
        return shape


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a question about videos, and the moments that support it.

    ``text`` is None where the evidence does not suffice: "cannot tell" is an answer. Evidence and
    its times come from the library, whoever wrote the text.
    """

    question: str
    text: str | None
    confidence: float  # 0 to 1
    evidence: tuple[Moment, ...]
    choices: tuple[Label, ...] = ()  # with their probabilities, best first
    source: str = "evidence"  # or the name of a language model
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self) | {"evidence": [moment.to_dict() for moment in self.evidence]}


@dataclass(frozen=True, slots=True)
class EventBox:
    """Where a thing of an event is. Lengths are fractions of the picture's width or height."""

    label: str
    probability: float
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Event:
    """A rule that came true on a stream. ``time`` is the stream's, ``wall`` ISO 8601 in UTC."""

    id: str  # unique: a receiver that sees it twice keeps one
    rule: str
    source: str
    time: float  # seconds from the stream's first frame
    wall: str  # when that frame was taken
    match: float
    why: tuple[Why, ...] = ()
    clip: str | None = None  # path, once written
    snapshot: str | None = None
    boxes: tuple[EventBox, ...] = ()  # of what was detected, best first
    delay_seconds: float | None = None  # from the frame to the outputs; None where nothing is live

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; ``boxes`` and ``delay_seconds`` only where there are any."""
        shape = asdict(self) | {"why": [why.to_dict() for why in self.why]}
        if not self.boxes:
            del shape["boxes"]
        if self.delay_seconds is None:
            del shape["delay_seconds"]
        return shape

    @classmethod
    def from_dict(cls, shape: dict[str, Any]) -> Event:
        """The inverse of ``to_dict``."""
        why = tuple(Why.from_dict(reason) for reason in shape["why"])
        boxes = tuple(EventBox(**box) for box in shape.get("boxes", ()))
        return cls(**{**shape, "why": why, "boxes": boxes})


@dataclass(frozen=True, slots=True)
class Video:
    """One file of a library. A file that could not be read has a reason and no video_id."""

    video_id: str | None
    path: str
    duration: float | None  # seconds, from the packets
    state: VideoState
    reason: str | None = None  # why it failed
    windows: int = 0
    size: int = 0  # bytes
    modified: float = 0.0  # file date, seconds since 1970
    warnings: tuple[str, ...] = ()  # what of a ready file could not be read

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be indexed, and the reason in one sentence."""

    path: str
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class IndexReport:
    """What one run of indexing did, in files."""

    indexed: int  # decoded and committed
    recognised: int  # content that the library already had, under another path
    unchanged: int
    missing: int  # files of the library that are gone from the given folders
    failed: tuple[Failure, ...]
    skipped_failed: int  # failed before, unchanged, not retried
    video_seconds: float  # seconds of video that were decoded
    wall_seconds: float
    interrupted: bool = False
    damaged: tuple[Failure, ...] = ()  # files that could be read only in part
    tracked: int = 0  # of the unchanged: videos that got tracks of text or sound now
    tracks: dict[str, int] = field(default_factory=dict)  # by kind: tracks that were made

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LibraryStats:
    """How much a library holds. Encoder and sampling are None where nothing was indexed yet."""

    library: str  # the folder
    encoder: str | None
    encoder_digest: str | None
    sampling: str | None  # how windows were taken, such as "fps=2"
    videos: int  # contents that answer
    windows: int
    video_seconds: float
    files: int  # paths, whatever their state
    missing: int  # paths
    failed: int  # paths
    size_bytes: int  # of the whole folder
    search_index: str | None = None  # exact, ivfpq or rabitq; None: no files, all is scanned
    # by kind (subtitle, ocr, speech, sound, audio): videos in which something was read or heard
    tracks: dict[str, int] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run of indexing is."""

    files_done: int
    files_total: int
    video_seconds: float  # seconds of video worked through so far
    elapsed_seconds: float
    path: str = ""  # the file that was finished last
    failed: int = 0
    current: str = ""  # the file that is worked on, where that is told
    part_done: float = 0.0  # of that file, 0 to 1
