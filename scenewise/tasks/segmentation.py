"""Where the content of a video changes: kernel temporal segmentation.

Potapov et al., "Category-Specific Video Summarization", 2014: of all ways to cut a sequence into
m + 1 parts, dynamic programming finds the one with the least scatter inside the parts, and m is
chosen by a penalty that grows with m (log(n / m) + 1). The kernel is the inner product of unit
vectors. Here the sequence consists of atoms, pieces of shots with the mean of their windows, so
that a part begins where a shot begins, or inside a long shot, and hours of video stay quick.

This module knows vectors and lengths; it knows no video.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray

V_MAX = 0.5  # the paper's: how much scatter of unit vectors one more change must take away
MOST_PARTS = 60

Rows = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def change_points(
    vectors: FloatArray,
    seconds: Rows,
    *,
    least_seconds: float = 0.0,
    parts: int | None = None,
    v_max: float = V_MAX,
) -> Ints:
    """The numbers of the atoms with which new parts begin, rising; empty for one part.

    ``vectors`` (N, D) of unit length and ``seconds`` (N,) of N atoms in order of time. No part is
    shorter than ``least_seconds``, as far as that can be. ``parts``: so many, or as near as can be;
    None: as many as the penalty allows.
    """
    count = len(vectors)
    if count < 2 or parts == 1:
        return np.zeros(0, np.int64)
    most = min(count, MOST_PARTS if parts is None else parts)
    if least_seconds > 0:
        most = max(1, min(most, int(seconds.sum() / least_seconds + 1e-9)))
    weights = seconds / seconds.mean()
    scatter = _scatter(np.asarray(vectors, np.float64), weights)
    length = np.concatenate([[0.0], np.cumsum(seconds)])
    too_short = length[None, :] - length[:, None] < least_seconds - 1e-6
    scatter = np.where(too_short, np.inf, scatter)
    costs, origins = _best_costs(scatter, most)
    possible = np.flatnonzero(np.isfinite(costs[:, count]))
    if not len(possible):
        return np.zeros(0, np.int64)
    if parts is not None:
        chosen = int(possible[-1])
    else:
        numbers = np.arange(len(costs))
        changes = np.maximum(numbers, 1)
        penalty = v_max / 2 * changes * (np.log(count / changes) + 1)
        total = costs[:, count] + np.where(numbers > 0, penalty, 0.0)
        chosen = int(np.argmin(np.where(np.isfinite(total), total, np.inf)))
    points, end = [], count
    for number in range(chosen, 0, -1):
        end = int(origins[number, end])
        points.append(end)
    return np.array(points[::-1], dtype=np.int64)


def _scatter(vectors: Rows, weights: Rows) -> Rows:
    """(N + 1, N + 1): the weighted squared distances to their mean of the atoms i to j - 1."""
    sums = np.vstack([np.zeros(vectors.shape[1]), np.cumsum(vectors * weights[:, None], axis=0)])
    squares = np.concatenate([[0.0], np.cumsum(weights * (vectors**2).sum(axis=1))])
    weight = np.concatenate([[0.0], np.cumsum(weights)])
    gram = sums @ sums.T
    norms = np.diag(gram)
    between = norms[:, None] + norms[None, :] - 2 * gram
    span = np.maximum(weight[None, :] - weight[:, None], 1e-12)
    found = squares[None, :] - squares[:, None] - between / span
    rows, columns = np.indices(found.shape)
    return np.where(columns > rows, np.maximum(found, 0.0), np.inf)


def _best_costs(scatter: Rows, most: int) -> tuple[Rows, Ints]:
    """Least cost (M, N + 1) of the first j atoms in m + 1 parts, and where the last one begins."""
    size = len(scatter)
    costs = np.full((most, size), np.inf)
    origins = np.zeros((most, size), dtype=np.int64)
    costs[0] = scatter[0]
    for number in range(1, most):
        options = costs[number - 1][:, None] + scatter
        origins[number] = options.argmin(axis=0)
        costs[number] = options[origins[number], np.arange(size)]
    return costs, origins
