"""What a person may like next, from vectors alone: relevance to a history, and diversity.

It knows numbers; it knows no videos, no files and no encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray
from scenewise.encoders.vectors import unit

DIVERSITY = 0.3
_SHARPNESS = 3.0  # 1: the mean over a history; larger: the nearest of it counts more
_POOL = 10  # candidates that are weighed against each other, for each that is wanted
_PRIOR = 5  # vectors at the prior's place that a mean begins with


@dataclass(frozen=True, slots=True)
class Pick:
    """One candidate that was chosen."""

    place: int  # among the candidates
    relevance: float  # -1 to 1
    like: int | None  # the liked thing of the history that it is most like
    score: float  # what it was chosen by: relevance less likeness to what was chosen before


def centred(vectors: FloatArray, prior: FloatArray | None = None) -> FloatArray:
    """Unit vectors (N, D) without what all of them share; rows of zeros stay so.

    Pictures and words of most encoders lie in a narrow cone each (Liang et al. 2022, "Mind the
    Gap"): their mean is taken away. ``prior`` (D,) is where the mean begins, for few vectors.
    """
    is_there = np.abs(vectors).max(axis=1, initial=0.0) > 0
    total = vectors[is_there].sum(axis=0)
    if prior is not None:
        total = total + _PRIOR * prior
    moved = (vectors - total / (int(is_there.sum()) + _PRIOR)) * is_there[:, None]
    return unit(moved)


def joined(*sides: FloatArray) -> FloatArray:
    """Several views (N, D) of the same N things as one unit vector each."""
    return unit(np.sum(sides, axis=0))


def choose(
    candidates: FloatArray,
    history: FloatArray,
    weights: npt.NDArray[np.float64],
    *,
    count: int,
    diversity: float = DIVERSITY,
    allowed: npt.NDArray[np.bool_] | None = None,
) -> list[Pick]:
    """At most ``count`` of the candidates (N, D), best first, for a history (H, D), (H,).

    With cosines s, cut at 0, and weights w, the relevance of a candidate is a power mean, so that
    a person of two tastes is not offered what lies between them:

        (sum of w s**3 over the liked / sum of all |w|) ** (1/3)   less the same of the disliked

    Then by maximal marginal relevance (Carbonell & Goldstein 1998, "The Use of MMR,
    Diversity-Based Reranking"): the next is the one with the largest
    ``(1 - diversity) * relevance / best - diversity * (cosine to the nearest that was chosen)``.
    """
    alike = np.clip(candidates @ history.T, 0, 1).astype(np.float64)
    liked, disliked = np.maximum(weights, 0), np.maximum(-weights, 0)
    total = max(float(np.abs(weights).sum()), 1e-9)
    sharp = alike**_SHARPNESS
    relevance = ((sharp @ liked) / total) ** (1 / _SHARPNESS)
    relevance -= ((sharp @ disliked) / total) ** (1 / _SHARPNESS)
    free = np.ones(len(candidates), bool) if allowed is None else allowed.copy()
    pool = np.flatnonzero(free)
    pool = pool[np.argsort(-relevance[pool], kind="stable")][: max(_POOL * count, 100)]
    nearest = np.argmax(alike * liked, axis=1)
    # the best is 1, so that relevance and likeness are weighed on one scale
    best_relevance = float(relevance[pool].max(initial=0.0))
    standing = relevance[pool] / best_relevance if best_relevance > 0 else relevance[pool]
    repeats = np.zeros(len(pool))
    picks: list[Pick] = []
    left = np.ones(len(pool), bool)
    while len(picks) < count and left.any():
        scores = (1 - diversity) * standing - diversity * repeats
        best = int(np.argmax(np.where(left, scores, -np.inf)))
        left[best] = False
        place = int(pool[best])
        is_like = liked.max(initial=0.0) > 0 and alike[place, nearest[place]] > 0
        picks.append(
            Pick(
                place,
                float(relevance[place]),
                int(nearest[place]) if is_like else None,
                float(scores[best]),
            )
        )
        repeats = np.maximum(repeats, candidates[pool] @ candidates[place])
    return picks
