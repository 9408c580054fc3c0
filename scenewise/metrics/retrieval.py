"""How well a ranking puts the right item first: recall at k, median rank, and their uncertainty.

Ranks are 1-based; lower is better. Pure functions on arrays, without random state of their own.

Two things of published tables hide in the words "both directions" where a video has several
captions, and both are given here by name: see ``caption_ranks`` and ``grouped_ranks``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.floating]
Ranks = npt.NDArray[np.float64]
KS = (1, 5, 10, 50)  # that tables of video retrieval have


@dataclass(frozen=True, slots=True)
class RankFigures:
    """What the ranks of all queries of one direction come to; nan without queries."""

    queries: int
    recall: dict[int, float]  # by k, as shares
    median_rank: float
    mean_rank: float
    mean_reciprocal_rank: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape: ``R@1`` and so on, ``None`` for what cannot be told."""
        shape: dict[str, Any] = {"queries": self.queries}
        shape |= {f"R@{k}": _told(share) for k, share in self.recall.items()}
        shape["median_rank"] = _told(self.median_rank)
        shape["mean_rank"] = _told(self.mean_rank)
        shape["mean_reciprocal_rank"] = _told(self.mean_reciprocal_rank)
        return shape


@dataclass(frozen=True, slots=True)
class RetrievalFigures:
    """Both directions of retrieval between texts and videos."""

    text_to_video: RankFigures  # each text is a query
    video_to_text: RankFigures  # each video that has a text is one; its best caption's rank counts
    # the same against groups of captions; None where no video has several
    video_to_text_grouped: RankFigures | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        shape = {
            "text_to_video": self.text_to_video.to_dict(),
            "video_to_text": self.video_to_text.to_dict(),
        }
        if self.video_to_text_grouped is not None:
            shape["video_to_text_grouped"] = self.video_to_text_grouped.to_dict()
        return shape


def ranks_of(scores: Array, correct: npt.NDArray[np.integer]) -> npt.NDArray[np.float64]:
    """The rank of item ``correct[q]`` among the scores (Q, N) of query q, higher scores first.

    Ties take the mean of the ranks that they share, so that equal scores earn nothing.
    """
    scores = np.asarray(scores)
    own = scores[np.arange(len(scores)), correct][:, None]
    above = (scores > own).sum(axis=1)
    equal = (scores == own).sum(axis=1) - 1
    return np.asarray(1 + above + equal / 2, dtype=np.float64)


def recall_at(ranks: Array, k: int) -> float:
    """The share of queries whose right item is among the first k; nan without queries."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    return float(np.mean(np.asarray(ranks) <= k)) if len(ranks) else float("nan")


def median_rank(ranks: Array) -> float:
    """The middle rank; nan without queries."""
    return float(np.median(ranks)) if len(ranks) else float("nan")


def mean_reciprocal_rank(ranks: Array) -> float:
    """The mean of 1 / rank; nan without queries."""
    return float(np.mean(1 / np.asarray(ranks, dtype=np.float64))) if len(ranks) else float("nan")


def caption_ranks(scores: Array, groups: npt.NDArray[np.integer]) -> Ranks:
    """The rank (V',) of each video's best caption among all captions, for videos that have one.

    ``scores`` (V, T) are those of each video against every text, ``groups`` (T,) the number of the
    video of each text. That is the usual convention where a video has several captions (Liu et
    al., "Use What You Have", 2019): one right caption far up is enough. The captions of other
    videos that tie with the best share ranks with it: it takes the mean over all orders.
    """
    scores, groups = np.asarray(scores), np.asarray(groups)
    ranks = []
    for video in np.unique(groups):
        row, own = scores[video], groups == video
        best = row[own].max()
        above = int((row > best).sum())
        tied, tied_own = int((row == best).sum()), int((row[own] == best).sum())
        ranks.append(above + (tied + 1) / (tied_own + 1))  # mean place of the first of tied_own
    return np.array(ranks, dtype=np.float64)


def grouped_ranks(scores: Array, groups: npt.NDArray[np.integer]) -> Ranks:
    """The rank (V',) of each video's captions as a whole among those of all other videos.

    Arguments are those of ``caption_ranks``. A group's score is that of its best caption, so there
    are as many candidates as videos with captions: the evaluation of several sentences a video in
    CLIP4Clip (Luo et al., 2021) for MSVD. Its ranks are never worse than those of
    ``caption_ranks``; the two are not to be compared.
    """
    scores, groups = np.asarray(scores), np.asarray(groups)
    order = np.argsort(groups, kind="stable")
    videos, starts = np.unique(groups[order], return_index=True)
    best = np.maximum.reduceat(scores[videos][:, order], starts, axis=1)  # (V', V')
    return ranks_of(best, np.arange(len(videos)))


def rank_figures(ranks: Array, ks: Sequence[int] = KS) -> RankFigures:
    """What ranks (Q,) come to. A rank may be infinite: the right item was not found at all."""
    ranks = np.asarray(ranks, dtype=np.float64)
    return RankFigures(
        len(ranks),
        {k: recall_at(ranks, k) for k in ks},
        median_rank(ranks),
        float(np.mean(ranks)) if len(ranks) else float("nan"),
        mean_reciprocal_rank(ranks),
    )


def retrieval_figures(
    similarity: Array,
    groups: npt.NDArray[np.integer] | None = None,
    *,
    ks: Sequence[int] = KS,
    dual: tuple[Array, Array] | None = None,
) -> RetrievalFigures:
    """Recall, median and mean rank and mean reciprocal rank in both directions.

    ``similarity`` (T, V) scores each text against each video, higher is better; ``groups`` (T,)
    says to which video a text belongs, None that text i belongs to video i. A video without text
    is a candidate and no query. ``dual`` are scores of ``dual_softmax`` to rank by instead of the
    similarity. Raises ValueError for shapes that do not go together and for what is not a number.
    """
    similarity = np.asarray(similarity)
    if similarity.ndim != 2 or not similarity.size:
        raise ValueError(f"a similarity is (texts, videos), got the shape {similarity.shape}")
    texts, videos = similarity.shape
    if groups is None:
        if texts != videos:
            raise ValueError(f"{texts} texts and {videos} videos: say which text belongs to which")
        groups = np.arange(texts)
    groups = np.asarray(groups)
    if groups.shape != (texts,) or groups.min() < 0 or groups.max() >= videos:
        raise ValueError(f"each of {texts} texts needs the number of one of {videos} videos")
    for_texts, for_videos = dual or (similarity, similarity)
    if np.isnan(for_texts).any() or np.isnan(for_videos).any():
        raise ValueError("a similarity holds values that are not numbers")
    by_video = np.asarray(for_videos).T
    several = len(np.unique(groups)) < texts
    return RetrievalFigures(
        rank_figures(ranks_of(for_texts, groups), ks),
        rank_figures(caption_ranks(by_video, groups), ks),
        rank_figures(grouped_ranks(by_video, groups), ks) if several else None,
    )


def dual_softmax(similarity: Array, scale: float = 100.0) -> tuple[Array, Array]:
    """Scores (T, V) to rank videos by for a text, and texts by for a video, with a prior.

    A similarity (T, V) is multiplied by its softmax over the other queries of the set: what is
    near to every query loses (Cheng et al., "Improving Video-Text Retrieval by Multi-Stream Corpus
    Alignment and Dual Softmax Loss", 2021; the inverted softmax of Smith et al., 2017). That looks
    at all queries of the test set at once, which a search never can: such figures are another
    setting, and stand apart from plain ones. ``scale`` is the inverse temperature, for cosines
    that of CLIP. As published the product is for similarities above 0: below, the prior turns
    round.
    """
    similarity = np.asarray(similarity, dtype=np.float64)
    over_texts, over_videos = _softmax(scale * similarity, 0), _softmax(scale * similarity, 1)
    return similarity * over_texts, similarity * over_videos


def _softmax(values: Array, axis: int) -> Array:
    powers = np.exp(values - values.max(axis=axis, keepdims=True))
    return np.asarray(powers / powers.sum(axis=axis, keepdims=True))


def _told(value: float) -> float | None:
    return value if math.isfinite(value) else None


def bootstrap_interval(
    statistic: Callable[[Array], float],
    values: Array,
    groups: npt.NDArray[np.integer],
    *,
    seed: int = 0,
    samples: int = 1000,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of ``statistic(values)`` when whole groups are drawn anew.

    ``groups`` (N,) says which values belong together, such as the queries of one clip: they are
    no independent trials, and an interval that draws single values would be too narrow.
    """
    values, groups = np.asarray(values), np.asarray(groups)
    members = [values[groups == name] for name in np.unique(groups)]
    if not members:
        return float("nan"), float("nan")
    generator = np.random.default_rng(seed)
    drawn = [
        statistic(np.concatenate([members[number] for number in pick]))
        for pick in generator.integers(0, len(members), (samples, len(members)))
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return float(low), float(high)
