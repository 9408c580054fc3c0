"""Scored windows to hits: moments, their order, their match, and why.

It knows scores and spans; it knows neither words nor networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray, Query, WindowFeatures
from scenewise.index.calibration import Calibrator, is_found
from scenewise.index.catalog import Chunk
from scenewise.tasks.ranking import ScoredSpan, find_moments, rank_video
from scenewise.types import Moment, SearchResult, Why

Group = Literal["moment", "video"]
MOMENTS_PER_VIDEO = 5
TOUCH_SECONDS = 1e-6


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


def rank_moments(scored: Scored, count: int, group: Group) -> list[RankedMoment]:
    """The best ``count`` moments, best first; with ``group`` "video", one of each video.

    Ties go to the first path and the earlier start, so that libraries of the same files answer
    equally, in whichever order they were filled.
    """
    ranks = {chunk_id: video.rank_score for chunk_id, video in scored.videos.items()}
    # no moment of a video outranks the video, so the best moments lie in the best videos
    paths = {chunk_id: video.chunk.path for chunk_id, video in scored.videos.items()}
    best = sorted(ranks, key=lambda chunk_id: (-ranks[chunk_id], paths[chunk_id]))[:count]
    # what a window scores where the thing is not shown: most windows do not show it
    usual = float(np.median(scored.window_scores)) if len(scored.window_scores) else None
    limit = 1 if group == "video" else MOMENTS_PER_VIDEO
    found = [
        moment for chunk_id in best for moment in _moments(scored.videos[chunk_id], usual, limit)
    ]
    found.sort(key=lambda moment: (-moment.span.score, moment.chunk.path, moment.span.start))
    return found[:count]


def _moments(video: ScoredVideo, usual: float | None, limit: int) -> list[RankedMoment]:
    chunk, rows = video.chunk, video.rows
    starts, ends = chunk.starts[rows], chunk.ends[rows]
    spans = find_moments(
        video.scores,
        starts,
        ends,
        chunk.duration,
        limit=limit,
        background=usual,
        mean_score=video.mean_score,
    )
    found = []
    for span in spans:
        peak = rows[span.peak_index]
        inside = rows[(starts >= span.start - TOUCH_SECONDS) & (ends <= span.end + TOUCH_SECONDS)]
        found.append(
            RankedMoment(
                chunk,
                span,
                inside if len(inside) else np.array([peak]),
                float(chunk.times[peak]),
            )
        )
    return found


def to_result(
    scored: Scored,
    moments: list[RankedMoment],
    calibrator: Calibrator,
    query: Query,
    *,
    asked: str,
    encoder: str,
    min_match: float | None = None,
    features: Callable[[int, npt.NDArray[np.int64]], WindowFeatures],
    explain: Callable[[WindowFeatures], tuple[Why, ...]],
) -> SearchResult:
    """Moments as hits with their match. ``min_match`` cuts hits; ``found`` is a verdict over all.

    ``features`` gives windows of a chunk.
    """
    matches = calibrator.match(
        query,
        np.array([moment.span.score for moment in moments], np.float32),
        scored.video_scores,
        window_scores=scored.window_scores,
        videos=scored.video_count,
    )
    hits: list[Moment] = []
    for moment, match in zip(moments, matches.tolist(), strict=True):
        if min_match is not None and match < min_match:
            continue
        hits.append(
            Moment(
                rank=len(hits) + 1,
                video_id=moment.chunk.video_id,
                path=moment.chunk.path,
                start=moment.span.start,
                end=moment.span.end,
                score=float(moment.span.score),
                match=match,
                why=explain(features(moment.chunk.id, moment.rows)),
                thumbnail_time=moment.thumbnail_time,
            )
        )
    return SearchResult(asked, encoder, is_found(matches), tuple(hits), query.notes)
