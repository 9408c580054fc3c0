"""Scored windows to hits: moments, their order, their match, and why.

It knows scores and spans; it knows neither words nor networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scenewise.encoders.spec import FloatArray, WindowFeatures
from scenewise.index.arrays import select
from scenewise.index.catalog import Chunk
from scenewise.tasks.ranking import ScoredSpan, find_moments, rank_video
from scenewise.types import Moment, SearchResult, Why

Group = Literal["moment", "video"]
MOMENTS_PER_VIDEO = 5
TOUCH_SECONDS = 1e-6


@dataclass(frozen=True, slots=True)
class Scored:
    """Videos with a score for each of their windows, and what windows of the library score."""

    chunks: dict[int, Chunk]
    scores: dict[int, FloatArray]  # chunk id to (N,)
    library_scores: FloatArray  # (S,) of all windows, or of a fair sample

    @property
    def background(self) -> float | None:
        """What a window scores where the thing is not shown: most windows do not show it."""
        return float(np.median(self.library_scores)) if len(self.library_scores) else None


@dataclass(frozen=True, slots=True)
class RankedMoment:
    """A moment of a chunk, and the windows that it is made of."""

    chunk: Chunk
    span: ScoredSpan
    windows: slice


def rank_moments(scored: Scored, count: int, group: Group) -> list[RankedMoment]:
    """The best ``count`` moments, best first; with ``group`` "video", one of each video.

    Ties go to the smaller chunk id and the earlier start, so that equal libraries answer equally.
    """
    ranks = {
        chunk_id: rank_video(row, float(row.mean())) for chunk_id, row in scored.scores.items()
    }
    # no moment of a video outranks the video, so the best moments lie in the best videos
    best = sorted(ranks, key=lambda chunk_id: (-ranks[chunk_id], chunk_id))[:count]
    found: list[RankedMoment] = []
    for chunk_id in best:
        chunk = scored.chunks[chunk_id]
        spans = find_moments(
            scored.scores[chunk_id],
            chunk.starts,
            chunk.ends,
            chunk.duration,
            limit=1 if group == "video" else MOMENTS_PER_VIDEO,
            background=scored.background,
        )
        found += [RankedMoment(chunk, span, _windows(chunk, span)) for span in spans]
    found.sort(key=lambda moment: (-moment.span.score, moment.chunk.id, moment.span.start))
    return found[:count]


def to_result(
    moments: list[RankedMoment],
    matches: list[float],
    asked: str,
    encoder: str,
    *,
    found: bool,
    min_match: float | None = None,
    features: Callable[[int], WindowFeatures],
    explain: Callable[[WindowFeatures], tuple[Why, ...]],
    notes: tuple[str, ...] = (),
) -> SearchResult:
    """Moments with their matches as hits. ``min_match`` cuts hits, ``found`` is a verdict."""
    hits: list[Moment] = []
    for moment, match in zip(moments, matches, strict=True):
        if min_match is not None and match < min_match:
            continue
        chunk, span = moment.chunk, moment.span
        hits.append(
            Moment(
                rank=len(hits) + 1,
                video_id=chunk.video_id,
                path=chunk.path,
                start=span.start,
                end=span.end,
                score=float(span.score),
                match=match,
                why=explain(select(features(chunk.id), moment.windows)),
                thumbnail_time=float(chunk.times[span.peak_index]),
            )
        )
    return SearchResult(asked, encoder, found and bool(hits), tuple(hits), notes)


def _windows(chunk: Chunk, span: ScoredSpan) -> slice:
    """The windows that begin and end inside a span; its peak at least."""
    inside = np.flatnonzero(
        (chunk.starts >= span.start - TOUCH_SECONDS) & (chunk.ends <= span.end + TOUCH_SECONDS)
    )
    if not len(inside):
        return slice(span.peak_index, span.peak_index + 1)
    return slice(int(inside[0]), int(inside[-1]) + 1)


FOUND = 0.5


def draft_match(scored: Scored, moments: list[RankedMoment]) -> list[float]:
    """A rough order of belief, not calibrated yet: a logistic of the distance to the usual."""
    usual = scored.library_scores
    centre, spread = float(usual.mean()), float(usual.std()) or 1.0
    return [1 / (1 + float(np.exp(3 - (m.span.score - centre) / spread))) for m in moments]
