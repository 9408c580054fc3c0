"""A question to ranked moments: candidates, exact scores, moments, verdict.

It knows an open index and an encoder; which videos are scored is ``scoring``'s, how scores become
moments ``ranking``'s, how they become ``match`` ``calibration``'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from scenewise.config import expand_user
from scenewise.encoders.spec import Encoder, Query
from scenewise.errors import UsageError
from scenewise.index.calibration import Calibrator
from scenewise.index.reader import IndexReader
from scenewise.tasks.filters import Filters, allowed_chunks
from scenewise.tasks.hits import Group, rank_moments, to_result
from scenewise.tasks.query import When, normalise
from scenewise.tasks.scoring import score_library
from scenewise.types import SearchResult


class SearchOptions(TypedDict, total=False):
    """What can be given to a search beside the question; see ``Library.search``."""

    top_k: int
    min_match: float | None
    video: str | Path | Sequence[str | Path] | None
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


def search_text(
    reader: IndexReader, encoder: Encoder, calibrator: Calibrator, text: str, wish: Wish
) -> SearchResult:
    """Moments that words describe. Raises UsageError for a query without words."""
    words = normalise(text)
    return _search(reader, encoder, calibrator, words, encoder.encode_query(words), wish)


def search_image(
    reader: IndexReader, encoder: Encoder, calibrator: Calibrator, path: str | Path, wish: Wish
) -> SearchResult:
    """Moments that look like a picture file. Raises UnreadableMediaError."""
    from scenewise.media.scale import load_picture  # words need no decoder

    picture = load_picture(expand_user(path), encoder.spec.target)
    return _search(reader, encoder, calibrator, str(path), encoder.encode_image(picture), wish)


def _search(
    reader: IndexReader,
    encoder: Encoder,
    calibrator: Calibrator,
    asked: str,
    query: Query,
    wish: Wish,
) -> SearchResult:
    allowed = allowed_chunks(reader, wish.filters)
    if allowed is not None and not allowed:
        why = "no video passes the filters" if wish.filters.any else "all its videos are missing"
        return nothing_found(asked, reader.generation.spec.name, f"{why}: nothing was searched")
    if not len(reader.rows.ids):
        return nothing_found(asked, reader.generation.spec.name)
    scored = score_library(
        reader, query.vector, lambda features: encoder.score(query, features), allowed
    )
    return to_result(
        scored,
        rank_moments(scored, wish.top_k, wish.group),
        calibrator,
        query,
        asked=asked,
        encoder=reader.generation.spec.name,
        min_match=wish.min_match,
        features=reader.windows,
        explain=lambda features: encoder.explain(query, features),
    )


def nothing_found(
    asked: str,
    encoder: str,
    why: str = "the library is empty; fill it with scenewise index FOLDER",
) -> SearchResult:
    """The answer where there is no video to search, and why."""
    return SearchResult(asked, encoder, found=False, hits=(), notes=(why,))
