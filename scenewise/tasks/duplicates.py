"""Near-duplicates and partial copies among the videos of a library, with their times.

It knows stored vectors, which pairs are worth a closer look and what windows are worth as
evidence; how two videos are aligned, ``alignment`` knows. No video is decoded.

Vectors are centred: what all videos share (and most encoders give every picture much in common)
says nothing of a copy. The similarity from which two windows are alike comes from the library
itself: the median over pairs of videos of what their most similar hundredth of windows reach, and
three times its deviation, between 0.25 and 0.6. A window's weight is ``2 / (1 + videos)`` with the
number of other videos that hold its like, at most 1; blank pictures weigh nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray
from scenewise.errors import UsageError
from scenewise.index.catalog import ORDINAL_BITS, Chunk
from scenewise.index.reader import IndexReader
from scenewise.tasks.alignment import Copied, Timed, align

MIN_SCORE = 0.35
LEAST_SECONDS = 2.0
EXACT_WINDOWS = 20_000  # with no more of them, every window is compared with every other
_SAMPLED_WINDOWS = 64  # of a video of a larger library
_NEAREST = 50  # of each of those
_LEAST_VOTES = 2  # alike windows of a pair that is looked at closely
_BACKGROUND_PAIRS = 200
_PRIOR_VIDEOS = 5  # what the encoder's own background counts for beside the library's videos
_LOWEST, _HIGHEST = 0.25, 0.6  # of the threshold
_BLANK_ALIKE = 0.9  # cosine, as stored
_WHOLE = 0.9  # of both: a duplicate, not a part

FloatMatrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DuplicatePair:
    """Two videos that share footage. ``kind``: the whole of both, or a part."""

    video_id: str
    path: str
    other_id: str
    other_path: str
    kind: str  # "duplicate" or "part"
    score: float  # of the best stretch, 0 to 1
    shared: tuple[Copied, ...]  # stretches of video and other, best first

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "video_id": self.video_id,
            "path": self.path,
            "other_id": self.other_id,
            "other_path": self.other_path,
            "kind": self.kind,
            "score": self.score,
            "shared": [
                {
                    "start": copy.a.start,
                    "end": copy.a.end,
                    "other_start": copy.b.start,
                    "other_end": copy.b.end,
                    "score": copy.score,
                }
                for copy in self.shared
            ],
        }


@dataclass(frozen=True, slots=True)
class DuplicateReport:
    """All pairs, best first."""

    videos: int  # that were compared
    pairs: tuple[DuplicatePair, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {"videos": self.videos, "pairs": [pair.to_dict() for pair in self.pairs]}


def find_duplicates(
    reader: IndexReader,
    video: str | None = None,
    *,
    background: FloatArray | None = None,
    blanks: FloatArray | None = None,
    min_score: float = MIN_SCORE,
    least_seconds: float = LEAST_SECONDS,
) -> DuplicateReport:
    """Pairs of videos that share footage; with ``video``, only pairs of which it is one.

    ``background`` (B, D): vectors of the encoder for all kinds of pictures, which stand in for
    videos where the library has few; ``blanks`` (K, D): those of blank pictures. Raises UsageError
    for a video that is not in the library and values that are not allowed.
    """
    if not 0 <= min_score <= 1:
        raise UsageError(f"min_score = {min_score:g} is not allowed; give 0 to 1.")
    if not 0 < least_seconds < 1e6:
        raise UsageError(f"least_seconds = {least_seconds:g} is not allowed; give more than 0.")
    only = None if video is None else _chunk_of(reader, video)
    chunks = reader.chunks(reader.live.tolist())
    windows = _Windows(reader, chunks, background, blanks)
    if len(chunks) < 2:
        return DuplicateReport(len(chunks), ())
    threshold = _threshold(windows)
    votes, weights = _candidates(windows, threshold, only)
    found = []
    for (one, other), count in sorted(votes.items()):
        if count < _LEAST_VOTES:
            continue
        # the video that was asked about comes first; else the one with the first path
        order = [one, other]
        order.sort(key=lambda chunk_id: (chunk_id != only, chunks[chunk_id].path))
        timed = [windows.timed(chunk_id, weights[chunk_id]) for chunk_id in order]
        copies = align(timed[0], timed[1], threshold, least_seconds=least_seconds)
        copies = [copy for copy in copies if copy.score >= min_score]
        if copies:
            found.append(_pair(chunks[order[0]], chunks[order[1]], copies))
    found.sort(key=lambda pair: (-pair.score, pair.path, pair.other_path))
    return DuplicateReport(len(chunks), tuple(found))


def _chunk_of(reader: IndexReader, video: str) -> int:
    chunk_id = reader.catalog.chunk_of(reader.generation.id, reader.catalog.resolve(video))
    if chunk_id is None:
        raise UsageError(f"{video} has no windows in this library yet; index it again.")
    return chunk_id


def _pair(first: Chunk, second: Chunk, copies: list[Copied]) -> DuplicatePair:
    shares = (
        sum(copy.a.duration for copy in copies) / first.duration,
        sum(copy.b.duration for copy in copies) / second.duration,
    )
    return DuplicatePair(
        video_id=first.video_id,
        path=first.path,
        other_id=second.video_id,
        other_path=second.path,
        kind="duplicate" if min(shares) >= _WHOLE else "part",
        score=copies[0].score,
        shared=tuple(sorted(copies, key=lambda copy: -copy.score)),
    )


class _Windows:
    """Vectors of the library's windows, centred, read one video at a time."""

    def __init__(
        self,
        reader: IndexReader,
        chunks: dict[int, Chunk],
        background: FloatArray | None,
        blanks: FloatArray | None,
    ) -> None:
        self.reader, self.chunks = reader, chunks
        ids, own = reader.catalog.video_vectors(reader.generation.id)
        own = own[np.isin(ids, np.fromiter(chunks, np.int64, len(chunks)))]
        prior = np.zeros(reader.generation.spec.dimension, np.float32)
        if background is not None and len(background):
            prior = background.mean(axis=0)
        total = own.sum(axis=0) + _PRIOR_VIDEOS * prior
        self.centre: FloatArray = np.asarray(total / (len(own) + _PRIOR_VIDEOS), np.float32)
        self.blanks = blanks

    def centred(self, chunk_id: int) -> FloatArray:
        """(N, D) unit length."""
        moved = self.reader.features(chunk_id).vectors - self.centre
        return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True).clip(1e-6))

    def timed(self, chunk_id: int, weights: FloatArray) -> Timed:
        """For ``align``."""
        chunk = self.chunks[chunk_id]
        return Timed(chunk.starts, chunk.ends, self.centred(chunk_id), weights, chunk.duration)

    def is_shown(self, chunk_id: int) -> npt.NDArray[np.bool_]:
        """(N,) False for blank pictures."""
        vectors = self.reader.features(chunk_id).vectors
        if self.blanks is None or len(self.blanks) == 0:
            return np.ones(len(vectors), bool)
        return np.asarray((vectors @ self.blanks.T).max(axis=1) < _BLANK_ALIKE)

    @property
    def count(self) -> int:
        return sum(len(chunk.starts) for chunk in self.chunks.values())


def _threshold(windows: _Windows) -> float:
    """The similarity from which windows of two videos are alike."""
    ids = sorted(windows.chunks)
    pairs = list(combinations(ids, 2)) if len(ids) <= 40 else []
    if not pairs or len(pairs) > _BACKGROUND_PAIRS:
        random = np.random.default_rng(0)
        drawn = random.integers(0, len(ids), (4 * _BACKGROUND_PAIRS, 2))
        pairs = [(ids[a], ids[b]) for a, b in drawn if a != b][:_BACKGROUND_PAIRS]
    tops = []
    for one, other in pairs:
        a, b = (_thinned(windows.centred(chunk_id), 100) for chunk_id in (one, other))
        tops.append(float(np.quantile(a @ b.T, 0.99)))
    usual = float(np.median(tops))
    deviation = 1.4826 * float(np.median(np.abs(np.array(tops) - usual)))
    return float(np.clip(usual + 3 * deviation, _LOWEST, _HIGHEST))


def _thinned(vectors: FloatArray, most: int) -> FloatArray:
    rows = np.unique(np.linspace(0, len(vectors) - 1, min(most, len(vectors))).astype(np.int64))
    return vectors[rows]


Votes = Counter[tuple[int, int]]


def _candidates(
    windows: _Windows, threshold: float, only: int | None
) -> tuple[Votes, dict[int, FloatArray]]:
    """Alike windows of each pair of videos, and the weight of every window."""
    shown = {chunk_id: windows.is_shown(chunk_id) for chunk_id in windows.chunks}
    exact = windows.count <= EXACT_WINDOWS
    votes: Votes = Counter()
    weights: dict[int, FloatArray] = {}
    source = _all_against_all(windows, threshold) if exact else _by_index(windows, threshold)
    for chunk_id, rows, others in source:
        seen = np.zeros(len(shown[chunk_id]))
        for row, alike in zip(rows, others, strict=True):
            seen[row] = len(alike)
            if not shown[chunk_id][row]:
                continue
            for other in alike:
                if only is None or only in (chunk_id, other):
                    votes[min(chunk_id, other), max(chunk_id, other)] += 1
        if not exact:  # between the windows that were looked up
            seen = np.interp(np.arange(len(seen)), rows, seen[rows])
        weights[chunk_id] = np.asarray(
            np.minimum(1.0, 2 / (1 + np.maximum(seen, 1e-9))) * shown[chunk_id], np.float32
        )
    return votes, weights


Alike = tuple[int, npt.NDArray[np.int64], list[list[int]]]  # chunk, its rows, chunks with the like


def _all_against_all(windows: _Windows, threshold: float) -> Iterator[Alike]:
    ids = sorted(windows.chunks)
    matrix = np.concatenate([windows.centred(chunk_id) for chunk_id in ids])
    sizes = [len(windows.chunks[chunk_id].starts) for chunk_id in ids]
    owners = np.repeat(np.array(ids), sizes)
    begin = 0
    for chunk_id, size in zip(ids, sizes, strict=True):
        others: list[list[int]] = []
        for first in range(begin, begin + size, 256):
            block = matrix[first : min(first + 256, begin + size)]
            for row in (block @ matrix.T) >= threshold:
                others.append([int(one) for one in np.unique(owners[row]) if one != chunk_id])
        yield chunk_id, np.arange(size), others
        begin += size


def _by_index(windows: _Windows, threshold: float) -> Iterator[Alike]:
    """The nearest windows by the library's vector index, which knows them as they are stored."""
    for chunk_id in sorted(windows.chunks):
        stored = windows.reader.features(chunk_id).vectors
        most = min(_SAMPLED_WINDOWS, len(stored))
        rows = np.unique(np.linspace(0, len(stored) - 1, most).astype(np.int64))
        own = windows.centred(chunk_id)
        others = []
        for row in rows:
            ids, _ = windows.reader.vectors.search(stored[row], _NEAREST)
            found: dict[int, list[int]] = {}
            for window in ids.tolist():
                found.setdefault(window >> ORDINAL_BITS, []).append(
                    window & ((1 << ORDINAL_BITS) - 1)
                )
            alike = []
            for other, places in found.items():
                if other == chunk_id or other not in windows.chunks:
                    continue
                near = windows.centred(other)[places] @ own[row]
                if float(near.max()) >= threshold:
                    alike.append(other)
            others.append(alike)
        yield chunk_id, rows, others
