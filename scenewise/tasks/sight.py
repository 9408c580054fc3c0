"""What can be seen of one question: its moments, and how probable it is at any instant.

It knows scores of windows and how they become ``match``; it knows no words and no other sense.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Encoder, FloatArray, Query, WindowFeatures
from scenewise.index.calibration import Calibrator
from scenewise.index.reader import IndexReader
from scenewise.tasks.hits import Found, Group, RankedMoment, rank_moments
from scenewise.tasks.scoring import score_all, score_library, score_video
from scenewise.types import Why

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Span:
    """[start, end) seconds of the video of a chunk."""

    chunk_id: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Look:
    """How a question looks at windows."""

    query: Query  # its vector finds candidates
    score: Callable[[WindowFeatures], FloatArray]  # N windows to (N,): decides
    explain: Callable[[WindowFeatures], tuple[Why, ...]]

    @classmethod
    def through(cls, encoder: Encoder, query: Query) -> Look:
        """As an encoder looks."""
        return cls(query, partial(encoder.score, query), partial(encoder.explain, query))


class Seen(Protocol):
    """One question, looked up in the pictures of a library."""

    def moments(self, count: int | None, group: Group, least: float | None = None) -> list[Found]:
        """The best moments; with ``least``, every occurrence with at least this match."""
        ...

    def curve(self, span: Span) -> tuple[Rows, FloatArray]:
        """The windows that overlap a span, and how probable the question is at each."""
        ...

    def widen(self, spans: Iterable[Span]) -> None:
        """Look at these spans too, where they were no candidates."""
        ...

    def explain(self, span: Span) -> tuple[Why, ...]:
        """What is seen of the question in a span."""
        ...


class Sight:
    """A question that an encoder answers."""

    def __init__(
        self,
        reader: IndexReader,
        look: Look,
        calibrator: Calibrator,
        allowed: set[int] | None,
        *,
        everywhere: bool = False,
    ) -> None:
        """``everywhere`` looks at each window of the library, however many there are."""
        self._reader = reader
        self._look = look
        if everywhere:
            self._scored = score_all(reader, look.score, allowed)
        else:
            self._scored = score_library(reader, look.query.vector, look.score, allowed)
        self._match = calibrator.matcher(
            look.query,
            self._scored.video_scores,
            window_scores=self._scored.window_scores,
            videos=self._scored.video_count,
        )

    def moments(self, count: int | None, group: Group, least: float | None = None) -> list[Found]:
        """The best moments; with ``least``, every occurrence with at least this match."""
        accept = None if least is None else lambda ranks: self._match(ranks) >= least
        moments = rank_moments(self._scored, count, group, accept)
        matches = self._match(np.array([moment.span.score for moment in moments], np.float32))
        return [self._found(*pair) for pair in zip(moments, matches.tolist(), strict=True)]

    def curve(self, span: Span) -> tuple[Rows, FloatArray]:
        """The scored windows (K,) that overlap a span, and their match (K,)."""
        video = self._scored.videos.get(span.chunk_id)
        if video is None:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        inside = overlapping(video.chunk.starts[video.rows], video.chunk.ends[video.rows], span)
        return video.rows[inside], self._match(video.window_ranks[inside])

    def widen(self, spans: Iterable[Span]) -> None:
        """Score the windows of these spans, where they have no scores yet."""
        lacking: dict[int, list[Span]] = {}
        for span in spans:
            if not len(self.curve(span)[0]):
                lacking.setdefault(span.chunk_id, []).append(span)
        videos = dict(self._scored.videos)
        for chunk_id, chunk in self._reader.chunks(lacking).items():
            near = [
                np.flatnonzero(overlapping(chunk.starts, chunk.ends, span))
                for span in lacking[chunk_id]
            ]
            if chunk_id in videos:
                near.append(videos[chunk_id].rows)
            video = score_video(
                self._reader,
                chunk,
                self._look.score,
                self._look.query.vector,
                np.unique(np.concatenate(near)),
            )
            if video is not None:
                videos[chunk_id] = video
        self._scored = replace(self._scored, videos=videos)

    def explain(self, span: Span) -> tuple[Why, ...]:
        """What the encoder sees of the question in a span."""
        rows, _ = self.curve(span)
        if not len(rows):
            return ()
        return self._look.explain(self._reader.windows(span.chunk_id, rows))

    def _found(self, moment: RankedMoment, match: float) -> Found:
        chunk, span = moment.chunk, moment.span
        return Found(
            chunk=chunk,
            start=span.start,
            end=span.end,
            score=float(span.score),
            match=match,
            thumbnail_time=moment.thumbnail_time,
            why=lambda: self._look.explain(self._reader.windows(chunk.id, moment.rows)),
        )


def overlapping(
    starts: npt.NDArray[np.float64], ends: npt.NDArray[np.float64], span: Span
) -> npt.NDArray[np.bool_]:
    """(N,) which windows share time with a span."""
    return np.asarray((starts < span.end) & (ends > span.start))


def highest(seen: Seen, span: Span) -> tuple[float, int | None]:
    """The highest match inside a span, and its window; 0 and None where nothing was looked at."""
    rows, matches = seen.curve(span)
    if not len(rows):
        return 0.0, None
    best = int(matches.argmax())
    return float(matches[best]), int(rows[best])
