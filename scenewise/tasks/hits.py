"""Scored windows to hits: moments, their order, their match, and why.

It knows scores and spans; it knows neither words nor networks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypedDict

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray
from scenewise.index.calibration import is_found
from scenewise.index.catalog import Chunk
from scenewise.tasks.ranking import (
    ScoredSpan,
    TimeArray,
    find_moments,
    find_occurrences,
    rank_video,
    rank_windows,
)
from scenewise.types import Moment, SearchResult, Why

Group = Literal["moment", "video"]
MOMENTS_PER_VIDEO = 5
TOUCH_SECONDS = 1e-6

Accept = Callable[[TimeArray], npt.NDArray[np.bool_]]  # of rank scores (N,): good enough?


class _Known(TypedDict):
    background: float | None
    mean_score: float


@dataclass(frozen=True)
class ScoredVideo:
    """Windows of one video with their scores: all of them, or of a long one those that count."""

    chunk: Chunk
    rows: npt.NDArray[np.int64]  # (M,) which windows, rising
    scores: FloatArray  # (M,)
    mean_score: float  # over the whole video, or a fair sample of it

    @cached_property  # asked for the order, and for how all videos stand
    def rank_score(self) -> float:
        """What the video as a whole is worth; no moment of it is worth more."""
        return rank_video(self.scores, self.mean_score)

    @cached_property
    def window_ranks(self) -> TimeArray:
        """(M,) rank scores of moments whose peaks these windows would be."""
        chunk, rows = self.chunk, self.rows
        return rank_windows(self.scores, chunk.starts[rows], chunk.ends[rows], self.mean_score)


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates, and how they stand in their library."""

    videos: dict[int, ScoredVideo]  # by chunk id
    video_scores: FloatArray  # (S,) rank scores of all videos of the library, or of a sample
    window_scores: FloatArray  # (W,) of windows from all over the library
    video_count: int  # of the library


@dataclass(frozen=True, slots=True)
class RankedMoment:
    """A moment of a video, and the windows that it is made of."""

    chunk: Chunk
    span: ScoredSpan
    rows: npt.NDArray[np.int64]
    thumbnail_time: float


@dataclass(frozen=True, slots=True)
class Found:
    """A moment with its match, on its way to be a hit. Reasons cost reading, so only hits ask."""

    chunk: Chunk
    start: float
    end: float
    score: float
    match: float
    thumbnail_time: float
    why: Callable[[], tuple[Why, ...]]
    surety: float | None = None  # what is judged for the verdict; None: match

    @property
    def sure(self) -> float:
        """How sure it has to be that something was found at all."""
        return self.match if self.surety is None else self.surety

    def times(self, probability: float) -> Found:
        """The same moment, if something else holds too: its match is the product."""
        match = self.match * probability
        return replace(self, score=match, match=match, surety=self.sure * probability)

    @property
    def order(self) -> tuple[float, str, float, float]:
        """Best first; ties go to the first path and the earlier start."""
        return (-self.score, self.chunk.path, self.start, self.end)


def rank_moments(
    scored: Scored, count: int | None, group: Group, accept: Accept | None = None
) -> list[RankedMoment]:
    """The best ``count`` moments (None: all), best first; with ``group`` "video", one of each.

    With ``accept``, which says of rank scores whether they suffice, every occurrence of each
    video counts; otherwise up to ``MOMENTS_PER_VIDEO``.
    Ties go to the first path and the earlier start, so that libraries of the same files answer
    equally, in whichever order they were filled.
    """
    ranks = {chunk_id: video.rank_score for chunk_id, video in scored.videos.items()}
    # no moment of a video outranks the video, so the best moments lie in the best videos
    paths = {chunk_id: video.chunk.path for chunk_id, video in scored.videos.items()}
    best = sorted(ranks, key=lambda chunk_id: (-ranks[chunk_id], paths[chunk_id]))[:count]
    # what a window scores where the thing is not shown: most windows do not show it
    usual = float(np.median(scored.window_scores)) if len(scored.window_scores) else None
    limit = 1 if group == "video" else None if accept is not None else MOMENTS_PER_VIDEO
    found = [
        moment
        for chunk_id in best
        for moment in _moments(scored.videos[chunk_id], usual, limit, accept)
    ]
    found.sort(key=lambda moment: (-moment.span.score, moment.chunk.path, moment.span.start))
    return found[:count]


def _moments(
    video: ScoredVideo, usual: float | None, limit: int | None, accept: Accept | None
) -> list[RankedMoment]:
    chunk, rows = video.chunk, video.rows
    starts, ends = chunk.starts[rows], chunk.ends[rows]
    known: _Known = {"background": usual, "mean_score": video.mean_score}
    if accept is not None:
        spans = find_occurrences(
            video.scores, starts, ends, chunk.duration, accept=accept, **known
        )[:limit]
    else:
        most = MOMENTS_PER_VIDEO if limit is None else limit
        spans = find_moments(video.scores, starts, ends, chunk.duration, limit=most, **known)
    return [ranked_moment(chunk, rows, span) for span in spans]


def ranked_moment(chunk: Chunk, rows: npt.NDArray[np.int64], span: ScoredSpan) -> RankedMoment:
    """A span that was found among some windows of a video, and which of them it is made of."""
    starts, ends, peak = chunk.starts[rows], chunk.ends[rows], rows[span.peak_index]
    inside = rows[(starts >= span.start - TOUCH_SECONDS) & (ends <= span.end + TOUCH_SECONDS)]
    return RankedMoment(
        chunk, span, inside if len(inside) else np.array([peak]), float(chunk.times[peak])
    )


def to_result(
    found: Sequence[Found],
    *,
    asked: str,
    encoder: str,
    min_match: float | None = None,
    notes: tuple[str, ...] = (),
) -> SearchResult:
    """Ranked moments as hits. ``min_match`` cuts hits; the verdict ``found`` is over all."""
    hits: list[Moment] = []
    for moment in found:
        if min_match is not None and moment.match < min_match:
            continue
        hits.append(
            Moment(
                rank=len(hits) + 1,
                video_id=moment.chunk.video_id,
                path=moment.chunk.path,
                start=moment.start,
                end=moment.end,
                score=moment.score,
                match=moment.match,
                why=moment.why(),
                thumbnail_time=moment.thumbnail_time,
            )
        )
    verdict = is_found(np.array([moment.sure for moment in found], np.float64))
    return SearchResult(asked, encoder, verdict, tuple(hits), notes)


def best_of(found: list[Found], count: int | None, group: Group) -> list[Found]:
    """The best moments, best first; with ``group`` "video", the best one of each video."""
    found = sorted(found, key=lambda one: one.order)
    if group == "video":
        first: dict[int, Found] = {}
        for one in found:
            first.setdefault(one.chunk.id, one)
        found = list(first.values())
    return found[:count]
