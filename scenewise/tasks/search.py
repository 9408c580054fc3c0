"""A question to ranked moments: candidates, exact scores, moments, verdict.

It knows an open index and an encoder; how scores become moments is ``ranking``'s, how they become
``match`` is ``calibration``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

import numpy as np

from scenewise.encoders.spec import Encoder, Query
from scenewise.errors import UsageError
from scenewise.index.reader import IndexReader
from scenewise.media.scale import load_picture
from scenewise.tasks.filters import Filters, allowed_chunks
from scenewise.tasks.hits import FOUND, Group, Scored, draft_match, rank_moments, to_result
from scenewise.tasks.query import When, normalise
from scenewise.types import SearchResult

# With no more windows than this all are scored exactly; above, those of the nearest videos.
ALL_WINDOWS = 20_000
NEAREST_WINDOWS = 300
NEAREST_VIDEOS = 60
FEWEST_VIDEOS = 10
MOST_WINDOWS = 30_000


class SearchOptions(TypedDict, total=False):
    """What can be given to a search beside the question; see ``Library.search``."""

    top_k: int
    min_match: float | None
    video: str | Sequence[str] | None
    path: str | None
    after: When | None
    before: When | None
    min_duration: float | None
    max_duration: float | None
    group: Group
    include_missing: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """Which hits are wanted, and how many."""

    top_k: int = 10
    min_match: float | None = None
    group: Group = "moment"
    filters: Filters = field(default_factory=Filters)

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise UsageError(f"top_k = {self.top_k} is not allowed; give 1 or more.")
        if self.min_match is not None and not 0 <= self.min_match <= 1:
            raise UsageError(f"min_match = {self.min_match} is not allowed; give 0 to 1.")
        if self.group not in ("moment", "video"):
            raise UsageError(f"group = {self.group!r} is not allowed; give moment or video.")


def search_text(reader: IndexReader, encoder: Encoder, text: str, wish: Wish) -> SearchResult:
    """Moments that words describe. Raises UsageError for a query without words."""
    words = normalise(text)
    return _search(reader, encoder, words, encoder.encode_query(words), wish)


def search_image(
    reader: IndexReader, encoder: Encoder, path: str | Path, wish: Wish
) -> SearchResult:
    """Moments that look like a picture file. Raises UnreadableMediaError."""
    picture = load_picture(Path(path).expanduser(), encoder.spec.target)
    return _search(reader, encoder, str(path), encoder.encode_image(picture), wish)


def _search(
    reader: IndexReader, encoder: Encoder, asked: str, query: Query, wish: Wish
) -> SearchResult:
    scored = score_chunks(
        reader,
        encoder,
        query,
        candidate_chunks(reader, query, allowed_chunks(reader, wish.filters)),
    )
    moments = rank_moments(scored, wish.top_k, wish.group)
    matches = draft_match(scored, moments)
    return to_result(
        moments,
        matches,
        asked,
        reader.generation.spec.name,
        found=bool(matches) and matches[0] >= FOUND,
        min_match=wish.min_match,
        features=reader.features,
        explain=lambda features: encoder.explain(query, features),
        notes=query.notes,
    )


def candidate_chunks(reader: IndexReader, query: Query, allowed: set[int] | None) -> list[int]:
    """Chunks to score exactly, ascending: all of a small library, else those of the nearest
    windows and the nearest videos, until ``MOST_WINDOWS`` are to be scored.
    """
    sizes = dict(zip(reader.rows.ids.tolist(), reader.rows.windows.tolist(), strict=True))
    if allowed is not None:
        sizes = {chunk_id: size for chunk_id, size in sizes.items() if chunk_id in allowed}
    if sum(sizes.values()) <= ALL_WINDOWS:
        return list(sizes)
    chosen: list[int] = []
    total = 0
    for chunk_id in reader.nearest_chunks(query.vector, NEAREST_WINDOWS, NEAREST_VIDEOS, allowed):
        total += sizes.get(chunk_id, 0)
        if len(chosen) >= FEWEST_VIDEOS and total > MOST_WINDOWS:
            break
        chosen.append(chunk_id)
    return sorted(chosen)


def score_chunks(
    reader: IndexReader, encoder: Encoder, query: Query, chunk_ids: Sequence[int]
) -> Scored:
    """All windows of these chunks, scored by the encoder, one chunk after the other."""
    chunks = reader.chunks(chunk_ids)
    scores = {chunk_id: encoder.score(query, reader.features(chunk_id)) for chunk_id in chunks}
    if len(chunk_ids) == len(reader.rows.ids):
        rows = list(scores.values())
        everything = np.concatenate(rows) if rows else np.zeros(0, np.float32)
    else:
        everything = encoder.score(query, reader.sample)
    return Scored(chunks, scores, everything)


def nothing_found(asked: str, encoder: str) -> SearchResult:
    """The answer of a library that nothing was indexed into."""
    return SearchResult(asked, encoder, found=False, hits=(), notes=("the library is empty",))
