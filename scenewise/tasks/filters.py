"""Which videos a question is about.

It knows the catalogue's list of videos; it knows no vectors.
"""

from __future__ import annotations

import fnmatch
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from scenewise.errors import UsageError
from scenewise.index.reader import IndexReader
from scenewise.tasks.query import When, instant
from scenewise.types import Video


@dataclass(frozen=True, slots=True)
class Filters:
    """All of them have to hold; None holds always."""

    video: str | Path | Sequence[str | Path] | None = (
        None  # paths, ids, beginnings of ids, file names
    )
    path: str | None = None  # a pattern for whole paths or file names: *, ?, [abc]
    after: When | None = None  # the file's date is this or later
    before: When | None = None  # the file's date is earlier than this
    min_duration: float | None = None  # seconds
    max_duration: float | None = None
    include_missing: bool = False

    def __post_init__(self) -> None:
        for name in ("min_duration", "max_duration"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value >= 0):
                raise UsageError(f"{name} = {value} is not allowed; give seconds, 0 or more.")
        for name in ("after", "before"):
            value = getattr(self, name)
            if value is not None:
                instant(name, value)

    @property
    def any(self) -> bool:
        """True where there is something to check beside missing files."""
        return any(
            getattr(self, field.name) is not None
            for field in fields(self)
            if field.name != "include_missing"
        )


def allowed_chunks(reader: IndexReader, filters: Filters) -> set[int] | None:
    """Chunks whose video passes; None where all chunks of the generation do.

    Raises UsageError where a named video is not in the library.
    """
    if not filters.any:
        if filters.include_missing or len(reader.live) == len(reader.rows.ids):
            return None
        return set(reader.live.tolist())
    wanted = _wanted_ids(reader, filters)
    passed = {
        video.video_id
        for video in reader.catalog.videos()
        if video.video_id is not None
        and (wanted is None or video.video_id in wanted)
        and (filters.include_missing or video.state != "missing")
        and _passes(video, filters)
    }
    found = (reader.catalog.chunk_of(reader.generation.id, video_id) for video_id in passed)
    return {chunk_id for chunk_id in found if chunk_id is not None}


def _wanted_ids(reader: IndexReader, filters: Filters) -> set[str] | None:
    if filters.video is None:
        return None
    names = [filters.video] if isinstance(filters.video, str | Path) else filters.video
    return {reader.catalog.resolve(str(name)) for name in names}


def _passes(video: Video, filters: Filters) -> bool:
    if filters.path is not None:
        name = os.path.basename(video.path)  # noqa: PTH119 - called for every file of a library
        if not any(fnmatch.fnmatchcase(text, filters.path) for text in (video.path, name)):
            return False
    if filters.after is not None and video.modified < instant("after", filters.after):
        return False
    if filters.before is not None and video.modified >= instant("before", filters.before):
        return False
    duration = video.duration or 0.0
    if filters.min_duration is not None and duration < filters.min_duration:
        return False
    return filters.max_duration is None or duration <= filters.max_duration
