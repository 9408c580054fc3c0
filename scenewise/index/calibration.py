"""From scores to ``match``, the estimated probability that a hit is right.

A score says which hit is better, not whether it is good: a query of plain words scores high
everywhere, a rare one low even where it is right. What tells a hit apart is how far it stands
out from what the same query scores elsewhere. That elsewhere is pooled from two sources:

- the library: the rank scores of its other videos, and
- a background set: frames that are not in the library. The concept encoder brings one imagined
  frame per concept. For an encoder that brings none (CLIP and its like) the library's own windows
  stand in, which is weaker in a library of few videos: there little is *found*.

The background counts as ``BACKGROUND_VIDEOS`` videos, so that in a small library, where three
films are no distribution, it decides, and in a large one it hardly matters. With the pooled mean m
and standard deviation d, a hit of score s in a library of V videos has

    z = (s - m) / d - e(V),        e(V) = the normal quantile at 1 - 1 / (V + 2),

because the best of V videos that do *not* show the thing stands about e(V) deviations out by
chance. Then ``match = 1 / (1 + exp(-(SLOPE z + OFFSET)))`` (Platt, 1999).

The two fitted numbers, SLOPE and OFFSET, come from ``benchmarks/search_quality.py --fit``:
queries on real clips, asked of libraries of various sizes made of the other clips, in which
three of five things asked for are there. What they reach on clips that were left out stands in
docs/benchmarks.md. z has no unit, so they serve other encoders too; for those they are not fitted.
BACKGROUND_VIDEOS and FOUND_FROM were chosen by hand on the same clips.

Mean and deviation must be those of *all* videos. Where only the best candidates of a large
library have scores, give a random sample of its videos instead, and their number.

This module knows numbers; it knows no database, no words and no network.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Encoder, FloatArray, Query, WindowFeatures

SLOPE = 1.06
OFFSET = -2.19
BACKGROUND_VIDEOS = 30  # what the background counts for beside the library's videos
FOUND_FROM = 0.25  # ``match`` of the best hit from which a search has found something

Scores = npt.NDArray[np.floating]


@runtime_checkable
class HasBackground(Protocol):
    """An encoder that brings frames to hold a library's scores against."""

    def background(self) -> WindowFeatures:
        """Windows that show all kinds of things."""
        ...


class Calibrator:
    """Turns the scores of one encoder into ``match``. Made once, used for many queries."""

    def __init__(
        self, encoder: Encoder | None, *, slope: float = SLOPE, offset: float = OFFSET
    ) -> None:
        self._encoder = encoder
        candidate: object = encoder  # any class may bring a background, whatever its declared type
        self._background: WindowFeatures | None = None
        if isinstance(candidate, HasBackground):
            self._background = candidate.background()
        self._slope = slope
        self._offset = offset

    def match(
        self,
        query: Query,
        hit_scores: Scores,
        video_scores: Scores,
        *,
        window_scores: Scores | None = None,
        videos: int | None = None,
    ) -> FloatArray:
        """``match`` (H,) of hits with these rank scores (H,).

        ``video_scores`` (S,): rank scores of all videos of the library, or of a random sample of
        them; ``videos``: how many the library has (None: S); ``window_scores``: scores of windows
        from all over the library, used where the encoder brings no background.
        """
        matcher = self.matcher(query, video_scores, window_scores=window_scores, videos=videos)
        return matcher(hit_scores)

    def matcher(
        self,
        query: Query,
        video_scores: Scores,
        *,
        window_scores: Scores | None = None,
        videos: int | None = None,
    ) -> Callable[[Scores], FloatArray]:
        """``match`` of one query as a function of rank scores, which may be asked many times."""
        background = window_scores if self._background is None else self.background_scores(query)

        def match(scores: Scores) -> FloatArray:
            z = standing(scores, video_scores, background, videos=videos)
            logit = np.clip(self._slope * z.astype(np.float64) + self._offset, -30, 30)
            return np.asarray(1 / (1 + np.exp(-logit)), dtype=np.float32)

        return match

    def background_scores(self, query: Query) -> FloatArray:
        """What the query scores on the encoder's background; empty where it brings none."""
        if self._encoder is None or self._background is None:
            return np.zeros(0, dtype=np.float32)
        return self._encoder.score(query, self._background)


def standing(
    hit_scores: Scores,
    video_scores: Scores,
    background_scores: Scores | None,
    *,
    videos: int | None = None,
) -> FloatArray:
    """How far hits stand out: z (H,) of the module's docstring; arguments as in ``match``."""
    mean, deviation = _pool(video_scores, background_scores)
    chance = NormalDist().inv_cdf(1 - 1 / ((videos or len(video_scores)) + 2))
    return np.asarray((np.asarray(hit_scores) - mean) / deviation - chance, dtype=np.float32)


def is_found(matches: Scores) -> bool:
    """The verdict over the hits of a search: is the best one likely enough?"""
    return len(matches) > 0 and float(np.max(matches)) >= FOUND_FROM


def _pool(video_scores: Scores, background: Scores | None) -> tuple[float, float]:
    """Mean and standard deviation of the library's and the background's scores together."""
    groups: list[tuple[float, Scores]] = [(float(len(video_scores)), video_scores)]
    if background is not None and len(background):
        groups.append((float(BACKGROUND_VIDEOS), background))
    groups = [
        (weight, np.asarray(scores, dtype=np.float64)) for weight, scores in groups if len(scores)
    ]
    if not groups:
        return 0.0, 1.0
    total = sum(weight for weight, _ in groups)
    mean = sum(weight * float(scores.mean()) for weight, scores in groups) / total
    variance = (
        sum(weight * float(((scores - mean) ** 2).mean()) for weight, scores in groups) / total
    )
    # equal scores everywhere: nothing stands out
    return mean, max(variance**0.5, 1e-6 * max(1.0, abs(mean)))
