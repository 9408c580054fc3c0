"""What looks like a video of the library, or like one instant of it.

It knows stored vectors; no network runs.
"""

from __future__ import annotations

import math

import numpy as np

from scenewise.encoders.spec import FloatArray
from scenewise.errors import UsageError
from scenewise.index.catalog import Chunk
from scenewise.index.reader import IndexReader
from scenewise.tasks.filters import Filters, allowed_chunks
from scenewise.tasks.hits import FOUND, Scored, draft_match, rank_moments, to_result
from scenewise.types import SearchResult, Why

NEAREST_WINDOWS = 300
MOST_CANDIDATES = 60  # videos


def similar_to(
    reader: IndexReader, video: str, *, time: float | None = None, top_k: int = 10
) -> SearchResult:
    """Other videos by their own vectors; with ``time``, moments by the window shown then.

    Raises UsageError for a video that is not in the library and a time outside of it.
    """
    if top_k < 1:
        raise UsageError(f"top_k = {top_k} is not allowed; give 1 or more.")
    video_id = reader.catalog.resolve(video)
    chunk_id = reader.catalog.chunk_of(reader.generation.id, video_id)
    found = reader.chunks([chunk_id]) if chunk_id is not None else {}
    if chunk_id is None or chunk_id not in found:
        raise UsageError(f"{video} has no windows in this library yet; index it again.")
    chunk = found[chunk_id]
    allowed = allowed_chunks(reader, Filters())
    others = (set(reader.rows.ids.tolist()) if allowed is None else allowed) - {chunk_id}
    if time is None:
        vector = reader.video_vector(chunk_id)
        nearest, _ = reader.nearest_videos(vector, max(top_k, MOST_CANDIDATES), others)
        ids = nearest.tolist()
        asked = chunk.path
    else:
        vector = reader.features(chunk_id).vectors[window_at(chunk, time)]
        ids = reader.nearest_chunks(vector, NEAREST_WINDOWS, top_k, others)[:MOST_CANDIDATES]
        asked = f"{chunk.path}@{time:g}"
    chunks = reader.chunks(sorted(ids))
    scores = {
        other: np.asarray(reader.features(other).vectors @ vector, np.float32) for other in chunks
    }
    usual = np.asarray(reader.sample.vectors @ vector, np.float32)
    scored = Scored(chunks, scores, usual)
    moments = rank_moments(scored, top_k, "video" if time is None else "moment")
    matches = draft_match(scored, moments)
    return to_result(
        moments,
        matches,
        asked,
        reader.generation.spec.name,
        found=bool(matches) and matches[0] >= FOUND,
        features=reader.features,
        explain=lambda features: (_closeness(features.vectors, vector),),
    )


def window_at(chunk: Chunk, time: float) -> int:
    """The window that covers an instant; between windows, the nearest. Raises UsageError."""
    if not (math.isfinite(time) and 0 <= time <= chunk.duration):
        raise UsageError(
            f"{time:g} s is outside of {chunk.path}, which is {chunk.duration:.1f} s long."
        )
    distance = np.maximum(chunk.starts - time, 0) + np.maximum(time - chunk.ends, 0)
    # of equally near ones the one that began last: spans are open at their end
    nearest = np.flatnonzero(distance == distance.min())
    return int(nearest[-1])


def _closeness(vectors: FloatArray, vector: FloatArray) -> Why:
    return Why("similarity", f"cosine {float((vectors @ vector).max()):.2f}")
