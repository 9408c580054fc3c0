"""Which few seconds of a video stand for all of it: submodular selection.

Facility location: a choice S of pieces covers the video by

    f(S) = sum over windows i of  w_i max over pieces j in S of  likeness(i, j),

which is monotone and submodular: what is like something that was chosen adds little, so that
nothing repeats (Lin and Bilmes, "A Class of Submodular Functions for Document Summarization", 2011;
Gygli et al., "Video Summarization by Learning Submodular Mixtures of Objectives", 2015). Pieces are
added by gain per second while they fit into the wanted length, and the result is held against the
best single piece, which together guarantees a constant share of the best possible choice (Khuller,
Moss and Naor 1999). A question moves the weights w_i to the windows that match it.

It knows vectors and seconds; it knows no file and no words.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray

LEAST_GAIN = 0.002  # share of all that is to be covered; a piece that adds less only repeats
LEAST_VARIETY = 0.02  # distance (1 - cosine) up to which a video's windows are all the same
_NOTHING = 0.1  # of all weights: where no more can be covered, a video shows one thing

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Selection:
    """The chosen pieces by their numbers, rising, and the share of the content they cover."""

    pieces: tuple[int, ...]
    coverage: float  # 0 to 1
    exhausted: bool  # whether more pieces would fit, but only repeat


def likeness(windows: FloatArray, pieces: FloatArray) -> Rows:
    """(N, M) from 0 (no more alike than the video's windows usually are) to 1 (the same).

    ``windows`` (N, D) and ``pieces`` (M, D) of unit length.
    """
    cosines = np.asarray(windows, np.float64) @ np.asarray(pieces, np.float64).T
    usual = float(cosines.mean()) if cosines.size else 0.0
    return np.asarray(np.clip((cosines - usual) / max(1 - usual, LEAST_VARIETY), 0.0, 1.0))


def coverage(like: Rows, weights: Rows, pieces: tuple[int, ...] | list[int]) -> float:
    """f(S) as a share of what is covered by everything: 0 for no piece, 1 for all of them."""
    everything = float(weights @ like.max(axis=1)) if like.size else 0.0
    if not pieces or everything <= 0:
        return 0.0
    return float(weights @ like[:, list(pieces)].max(axis=1)) / everything


def select_pieces(like: Rows, weights: Rows, seconds: Rows, budget_seconds: float) -> Selection:
    """The pieces to show. ``like`` (N, M), ``weights`` (N,), ``seconds`` (M,) of each piece.

    Their lengths together are at most ``budget_seconds``. Ties go to the earlier piece.
    """
    everything = float(weights @ like.max(axis=1)) if like.size else 0.0
    fits = seconds <= budget_seconds + 1e-9
    if everything <= _NOTHING * float(weights.sum()) or not fits.any():
        # nothing is more like the rest than anything else: the first piece is as good as any
        first = np.flatnonzero(fits)[:1]
        return Selection(tuple(first.tolist()), 1.0 if len(first) else 0.0, exhausted=True)
    greedy, exhausted = _greedy(like, weights, seconds, budget_seconds, everything)
    single = np.where(fits, weights @ like, -np.inf)
    best = int(single.argmax())
    if single[best] > coverage(like, weights, greedy) * everything + 1e-9:
        greedy, exhausted = [best], False
    chosen = tuple(sorted(greedy))
    return Selection(chosen, coverage(like, weights, chosen), exhausted)


def _greedy(
    like: Rows, weights: Rows, seconds: Rows, budget_seconds: float, everything: float
) -> tuple[list[int], bool]:
    covered = np.zeros(len(weights))
    chosen: list[int] = []
    left = budget_seconds
    # an upper bound of each gain, from when it was last looked at: gains only shrink (Minoux 1978)
    bounds = weights @ like
    while True:
        open_ = np.flatnonzero((seconds <= left + 1e-9) & (bounds >= LEAST_GAIN * everything))
        open_ = open_[~np.isin(open_, chosen)]
        best, best_rate = -1, 0.0
        for piece in open_[np.argsort(-bounds[open_] / seconds[open_], kind="stable")].tolist():
            if bounds[piece] / seconds[piece] <= best_rate:
                break
            bounds[piece] = float(weights @ np.maximum(like[:, piece] - covered, 0.0))
            rate = bounds[piece] / seconds[piece]
            if rate > best_rate and bounds[piece] >= LEAST_GAIN * everything:
                best, best_rate = piece, rate
        if best < 0:
            others = np.setdiff1d(np.flatnonzero(seconds <= left + 1e-9), chosen)
            return chosen, len(others) > 0
        chosen.append(best)
        covered = np.maximum(covered, like[:, best])
        left -= float(seconds[best])
