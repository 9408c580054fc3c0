"""What looks like a video of the library, or like one instant of it.

It knows stored vectors; no network runs.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from scenewise.encoders.spec import FloatArray, Query
from scenewise.errors import UsageError
from scenewise.index.calibration import Calibrator
from scenewise.index.catalog import Chunk
from scenewise.index.reader import IndexReader
from scenewise.tasks.filters import Filters, allowed_chunks
from scenewise.tasks.hits import to_result
from scenewise.tasks.sight import Look, Sight
from scenewise.types import SearchResult, Why


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
        vector, asked = reader.video_vector(chunk_id), chunk.path
    else:
        row = np.array([window_at(chunk, time)])
        vector = reader.windows(chunk_id, row).vectors[0]
        asked = f"{chunk.path}@{time:g}"
    look = Look(
        Query("", vector),
        score=lambda features: np.asarray(features.vectors @ vector, np.float32),
        explain=lambda features: (_closeness(features.vectors, vector),),
    )
    # stored vectors are compared; no encoder's background fits them
    sight = Sight(reader, look, Calibrator(None), others)
    nearest = to_result(
        sight.moments(top_k, "video" if time is None else "moment"),
        asked=asked,
        encoder=reader.generation.spec.name,
    )
    # something is always nearest; how near, the hits say, and there is no verdict to give
    return replace(nearest, found=bool(nearest.hits))


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
