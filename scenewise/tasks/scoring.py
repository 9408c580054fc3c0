"""Which windows of a library are scored exactly: all of a small one, else those that may win.

It knows an open index and a way to score; it knows no words and no ranking of hits.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray, WindowFeatures
from scenewise.index.catalog import ORDINAL_BITS, Chunk
from scenewise.index.reader import IndexReader
from scenewise.tasks.hits import Scored, ScoredVideo

Score = Callable[[WindowFeatures], FloatArray]  # N windows to (N,)
Rows = npt.NDArray[np.int64]

ALL_WINDOWS = 10_000  # with no more of them, all are scored
NEAREST_WINDOWS = 300
NEAREST_VIDEOS = 60
FEWEST_VIDEOS, MOST_WINDOWS = 10, 15_000  # scored of a large library
LONG_WINDOWS = 1_200  # of a video with more, only surroundings and a sample are scored
SURROUNDINGS = 32  # windows on both sides of a near one
SAMPLE = 128  # windows of a long video that stand for the whole
SAMPLE_VIDEOS = 64  # of a large library that stand for all of it

_ORDINALS = (1 << ORDINAL_BITS) - 1


def score_library(
    reader: IndexReader, vector: FloatArray, score: Score, allowed: set[int] | None
) -> Scored:
    """Score the videos that may be the best ones; None allows all.

    ``vector`` (D,) finds candidates by inner product, ``score`` decides.
    """
    sizes = dict(zip(reader.rows.ids.tolist(), reader.rows.windows.tolist(), strict=True))
    if allowed is not None:
        sizes = {chunk_id: size for chunk_id, size in sizes.items() if chunk_id in allowed}
    if sum(sizes.values()) <= ALL_WINDOWS:
        return score_all(reader, score, allowed)
    near = _near_windows(reader, vector, allowed)
    chosen = _choose(reader, vector, near, sizes, allowed)
    videos = {}
    for chunk_id, chunk in reader.chunks(sorted(chosen)).items():
        video = score_video(reader, chunk, score, vector, near.get(chunk_id))
        if video is not None:
            videos[chunk_id] = video
    return Scored(videos, *_standing(_sample(reader, score, sizes)), len(sizes))


def score_all(reader: IndexReader, score: Score, allowed: set[int] | None) -> Scored:
    """Score every window of the library, however large it is: as long as reading it takes."""
    ids = [i for i in reader.rows.ids.tolist() if allowed is None or i in allowed]
    videos = {}
    for chunk_id, chunk in reader.chunks(ids).items():
        video = _whole(reader, chunk, score)
        if video is not None:
            videos[chunk_id] = video
    return Scored(videos, *_standing(list(videos.values())), len(videos))


def score_video(
    reader: IndexReader, chunk: Chunk, score: Score, vector: FloatArray, near: Rows | None
) -> ScoredVideo | None:
    """A candidate; of a long video the surroundings of its ``near`` windows and a sample.

    None where it was removed meanwhile.
    """
    count = len(chunk.starts)
    if count <= LONG_WINDOWS:
        return _whole(reader, chunk, score)
    if near is None:
        ids, _ = reader.vectors.search(vector, 8, only_chunks=[chunk.id])
        near = ids & _ORDINALS
    around = (near[:, None] + np.arange(-SURROUNDINGS, SURROUNDINGS + 1)).ravel()
    rows = np.unique(around[(around >= 0) & (around < count)])
    sample = np.linspace(0, count - 1, SAMPLE).astype(np.int64)
    try:
        scores = score(reader.windows(chunk.id, np.concatenate([rows, sample])))
    except KeyError:
        return None
    return ScoredVideo(chunk, rows, scores[: len(rows)], float(scores[len(rows) :].mean()))


def _whole(reader: IndexReader, chunk: Chunk, score: Score) -> ScoredVideo | None:
    try:
        scores = score(reader.features(chunk.id))
    except KeyError:  # removed by another process since the question began
        return None
    return ScoredVideo(chunk, np.arange(len(scores)), scores, float(scores.mean()))


def _near_windows(
    reader: IndexReader, vector: FloatArray, allowed: set[int] | None
) -> dict[int, Rows]:
    """The nearest windows of the library, by chunk; the chunk of the nearest comes first."""
    ids, _ = reader.vectors.search(vector, NEAREST_WINDOWS, only_chunks=allowed)
    found: dict[int, list[int]] = {}
    for window in ids.tolist():
        found.setdefault(window >> ORDINAL_BITS, []).append(window & _ORDINALS)
    return {chunk_id: np.array(rows, np.int64) for chunk_id, rows in found.items()}


def _choose(
    reader: IndexReader,
    vector: FloatArray,
    near: dict[int, Rows],
    sizes: dict[int, int],
    allowed: set[int] | None,
) -> list[int]:
    """Videos of the nearest windows, then the nearest videos, as many as the budget allows."""
    whole, _ = reader.nearest_videos(vector, NEAREST_VIDEOS, allowed)
    chosen: list[int] = []
    total = 0
    for chunk_id in dict.fromkeys([*near, *whole.tolist()]):
        total += min(sizes.get(chunk_id, 0), LONG_WINDOWS)
        if len(chosen) >= FEWEST_VIDEOS and total > MOST_WINDOWS:
            break
        chosen.append(chunk_id)
    return chosen


def _sample(reader: IndexReader, score: Score, sizes: dict[int, int]) -> list[ScoredVideo]:
    """Videos from all over the library, the same for every question; of long ones a sample."""
    ids = np.array(list(sizes))
    picked = ids[np.unique(np.linspace(0, len(ids) - 1, SAMPLE_VIDEOS).astype(int))]
    found = []
    for chunk_id, chunk in reader.chunks(picked.tolist()).items():
        rows = np.unique(
            np.linspace(0, len(chunk.starts) - 1, min(SAMPLE, len(chunk.starts))).astype(np.int64)
        )
        try:
            scores = score(reader.kept_windows(chunk_id, rows))
        except KeyError:
            continue
        found.append(ScoredVideo(chunk, rows, scores, float(scores.mean())))
    return found


def _standing(videos: list[ScoredVideo]) -> tuple[FloatArray, FloatArray]:
    """Rank scores (S,) of the videos, and the scores (W,) of all their windows."""
    if not videos:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    return (
        np.array([video.rank_score for video in videos], np.float32),
        np.concatenate([video.scores for video in videos]),
    )
