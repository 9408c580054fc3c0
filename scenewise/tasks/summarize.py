"""A video in short: chapters with titles, and the seconds that stand for all of it.

Chapters are runs of shots (or of pieces of a long shot) with like content, found by kernel temporal
segmentation (``segmentation``). A title names what stands out in a chapter against the rest of the
video. Highlights are chosen by submodular selection (``highlights``), after a question if there is
one.

It knows one video's windows and an encoder; it writes no file and reads no picture.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Encoder, FloatArray
from scenewise.encoders.vectors import unit
from scenewise.errors import UsageError
from scenewise.index.footage import Footage
from scenewise.index.records import TextSegment
from scenewise.tasks.caption import windows_of
from scenewise.tasks.highlights import coverage, likeness, select_pieces
from scenewise.tasks.locate import heat_curve
from scenewise.tasks.query import normalise
from scenewise.tasks.segmentation import change_points
from scenewise.tasks.wording import POSSIBLE, Wording
from scenewise.types import Segment

ATOM_SECONDS = 1.0  # of what chapters are made of; more in a video of hours
MOST_ATOMS = 400
LEAST_CHAPTER_SECONDS, LEAST_CHAPTER_SHARE = 4.0, 0.03
PIECES_OF_REEL = 10  # that a reel has about; it follows how long a piece is
PIECE_SECONDS = (1.5, 4.0)  # least and most of a highlight
MOST_WINDOWS, MOST_PIECES = 2_000, 1_500  # that are compared with each other
FOCUS = 0.8  # how much of the weight goes to what matches, where there is a question
COMMON = 0.5  # of what the whole video shows is taken off before a chapter is named
UNTITLED = "untitled"
_LONGEST_TITLE = 60
_SAME_TIME = 1e-6
# letters that make a word of a title; scripts that write no blanks need fewer for one
_TITLE_WORD = re.compile(r"[^\W\d_]{4}|[\u0e00-\u0eff\u1000-\u109f\u2e80-\u9fff\uac00-\ud7af]{2}")
_READ_AGAIN_SECONDS = 1.0  # within which another reading of a line follows
_ALIKE = 0.5  # ratio of SequenceMatcher, from which two lines may be readings of one

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Chapter:
    """``[start, end)`` seconds of like content."""

    start: float
    end: float
    title: str
    thumbnail_time: float  # the frame that is most like the whole chapter
    shots: int  # that begin in it

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Highlights:
    """What a reel shows, in order of time; spans neither overlap nor touch.

    ``coverage`` is the share of the content that they stand for, 0 to 1; ``exhausted`` says that
    they are shorter than wanted because more would repeat.
    """

    spans: tuple[Segment, ...]
    coverage: float
    exhausted: bool

    @property
    def seconds(self) -> float:
        """All together."""
        return sum(span.duration for span in self.spans)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "seconds": self.seconds,
            "coverage": self.coverage,
            "spans": [span.to_dict() for span in self.spans],
        }


@dataclass(frozen=True, slots=True)
class Summary:
    """A video in short; ``storyboard`` and ``reel`` are the files that were written."""

    video_id: str
    path: str
    duration: float
    encoder: str
    chapters: tuple[Chapter, ...]
    highlights: Highlights | None = None
    query: str | None = None
    storyboard: str | None = None
    reel: str | None = None
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape; what was not asked for is left out."""
        shape: dict[str, Any] = {
            "video_id": self.video_id,
            "path": self.path,
            "duration": self.duration,
            "encoder": self.encoder,
            "chapters": [chapter.to_dict() for chapter in self.chapters],
        }
        if self.highlights is not None:
            shape["highlights"] = self.highlights.to_dict()
        for name in ("query", "storyboard", "reel"):
            if getattr(self, name) is not None:
                shape[name] = getattr(self, name)
        if self.notes:
            shape["notes"] = list(self.notes)
        return shape


def chapters_of(
    footage: Footage, wording: Wording, *, count: int | None = None
) -> tuple[Chapter, ...]:
    """The chapters of a video, which follow one another without a gap.

    ``count``: so many, or as near as can be; None: as many as the content has.
    """
    if count is not None and count < 1:
        raise UsageError(f"chapters = {count} is not allowed; give 1 or more.")
    step = max(ATOM_SECONDS, footage.duration / MOST_ATOMS)
    atoms = _split(footage, step)
    seconds = np.array([atom.duration for atom in atoms])
    least = max(LEAST_CHAPTER_SECONDS, LEAST_CHAPTER_SHARE * footage.duration)
    if count is not None:
        least = min(least, step)
    points = change_points(_means(footage, atoms), seconds, least_seconds=least, parts=count)
    edges = [0.0, *(atoms[point].start for point in points.tolist()), footage.duration]
    spans = [Segment(start, end) for start, end in pairwise(edges)]
    usual = wording.probabilities(footage.features)
    chapters = [_chapter(footage, span, wording, usual, len(spans)) for span in spans]
    return tuple(_told_apart(footage, wording, chapter, chapters) for chapter in chapters)


def _told_apart(
    footage: Footage, wording: Wording, chapter: Chapter, chapters: Sequence[Chapter]
) -> Chapter:
    """Where others have the same title, the likeliest single word comes behind it."""
    if sum(other.title == chapter.title for other in chapters) == 1:
        return chapter
    own = wording.probabilities(windows_of(footage, Segment(chapter.start, chapter.end)))
    best = int(own.argmax())
    name = wording.vocabulary[best].label
    if own[best] < POSSIBLE or chapter.title in (UNTITLED, name):
        return chapter
    return replace(chapter, title=f"{chapter.title} ({name}?)")


def _chapter(footage: Footage, span: Segment, wording: Wording, usual: Rows, count: int) -> Chapter:
    windows = windows_of(footage, span)
    inside = np.flatnonzero((footage.times >= span.start) & (footage.times < span.end))
    time = (span.start + span.end) / 2
    if len(inside):
        nearest = int(np.argmax(windows.vectors @ windows.vectors.mean(axis=0)))
        time = float(footage.times[inside[nearest]])
    shots = sum(span.start - _SAME_TIME <= shot.start < span.end for shot in footage.shots)
    own = wording.probabilities(windows)
    # what all chapters show tells none of them apart
    telling = np.maximum(own - COMMON * usual, 0.0) if count > 1 else own
    named = wording.choose(telling) or wording.choose(own) or wording.circumstances(own)
    names = [label.name for label in named]
    return Chapter(span.start, span.end, _title(footage, span, names), time, shots)


def _title(footage: Footage, span: Segment, names: Sequence[str]) -> str:
    """What is seen, else what is read or said there; it may be that nothing has a name."""
    if names:
        return ", ".join(names)
    lines = [
        line
        for line in footage.texts
        if line.start < span.end and line.end > span.start and _is_sure(line, footage.texts)
    ]
    if not lines:
        return UNTITLED
    text = " ".join(max(lines, key=lambda line: len(line.text)).text.split())
    cut = text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1].rstrip()}…"
    return f"“{cut}”"


def _is_sure(line: TextSegment, lines: Sequence[TextSegment]) -> bool:
    """Whether a line can be a title: words that a picture shows must be plain, and read one way.

    Stylised letters are read as one word now and as another the next moment. How certain a single
    reading was is not kept.
    """
    if line.kind != "ocr":
        return True
    if not _TITLE_WORD.search(line.text):
        return False
    return not any(
        other.kind == "ocr"
        and other.text.casefold() != line.text.casefold()
        and max(other.start, line.start) <= min(other.end, line.end) + _READ_AGAIN_SECONDS
        and SequenceMatcher(None, other.text.casefold(), line.text.casefold()).ratio() >= _ALIKE
        for other in lines
    )


def highlights_of(
    footage: Footage,
    seconds: float,
    *,
    encoder: Encoder | None = None,
    query: str | None = None,
) -> Highlights:
    """At most ``seconds`` of a video that cover its content without repeating.

    With ``query``, what matches it counts most; ``encoder`` is what looked at the video. Raises
    UsageError for a length or words that are not allowed.
    """
    if not (np.isfinite(seconds) and seconds > 0):
        raise UsageError(f"seconds = {seconds:g} is not allowed; give more than 0.")
    # all windows are alike to a video that is no longer than what is wanted
    if footage.duration <= seconds and query is None:
        return Highlights((Segment(0.0, footage.duration),), 1.0, exhausted=False)
    least, most = PIECE_SECONDS
    length = max(min(max(seconds / PIECES_OF_REEL, least), most), footage.duration / MOST_PIECES)
    pieces = [piece for piece in _split(footage, min(length, seconds)) if piece.duration > 0]
    rows = np.unique(
        np.linspace(0, len(footage.times) - 1, min(MOST_WINDOWS, len(footage.times))).astype(int)
    )
    like = likeness(footage.features.vectors[rows], _means(footage, pieces))
    weights = (footage.ends - footage.starts)[rows].clip(min=0.05)
    weights = weights / weights.sum()
    if query is not None and encoder is not None:
        weights = _focused(footage, encoder, query, weights, rows)
    lengths = np.array([piece.duration for piece in pieces])
    chosen = select_pieces(like, weights, lengths, seconds)
    spans = _joined([pieces[number] for number in chosen.pieces])
    return Highlights(spans, coverage(like, weights, chosen.pieces), chosen.exhausted)


def _focused(
    footage: Footage,
    encoder: Encoder,
    query: str,
    weights: Rows,
    rows: npt.NDArray[np.int64],
) -> Rows:
    """Most of the weight by how well each window matches, the rest as it was."""
    raw = encoder.score(encoder.encode_query(normalise(query)), footage.features)
    levels = heat_curve(footage, raw).levels[rows] ** 2  # what matches half counts a quarter
    matched = weights * levels
    if matched.sum() <= 0:
        return weights
    return np.asarray(FOCUS * matched / matched.sum() + (1 - FOCUS) * weights)


def _split(footage: Footage, step: float) -> list[Segment]:
    """Shots in equal pieces of at most about ``step`` seconds, in order of time, without gaps."""
    starts = [0.0, *(shot.start for shot in footage.shots if shot.start > _SAME_TIME)]
    ends = [*starts[1:], footage.duration]
    pieces = []
    for start, end in zip(starts, ends, strict=True):
        count = max(1, int(np.ceil((end - start) / step - 1e-6)))
        edges = np.linspace(start, end, count + 1).tolist()
        pieces += [Segment(a, b) for a, b in pairwise(edges)]
    return pieces


def _means(footage: Footage, spans: Sequence[Segment]) -> FloatArray:
    """(N, D) unit means of the windows of each span; of the nearest window where it has none."""
    rows = np.stack([windows_of(footage, span).vectors.mean(axis=0) for span in spans])
    return unit(rows)


def _joined(pieces: Sequence[Segment]) -> tuple[Segment, ...]:
    """Neighbours that touch become one."""
    found: list[Segment] = []
    for piece in sorted(pieces, key=lambda piece: piece.start):
        if found and piece.start <= found[-1].end + _SAME_TIME:
            found[-1] = Segment(found[-1].start, piece.end)
        else:
            found.append(piece)
    return tuple(found)
