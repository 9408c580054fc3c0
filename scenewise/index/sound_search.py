"""What is heard in a library, by kind: the part of the catalogue that sound evidence asks.

It knows the tables of ``schema``; what a person meant, and how much a sound says about it, is
``tasks.hearing``'s.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from scenewise.index.database import Database
from scenewise.types import Sound, SoundKind

_LIVE = "EXISTS (SELECT 1 FROM location p WHERE p.video = t.video AND p.missing = 0)"
_CHOSEN = "c.id IN (SELECT value FROM json_each(?))"


class SoundSearch:
    """The part of ``Catalog`` that answers about sounds of all videos."""

    _database: Database

    def heard(
        self, generation_id: int, kind: SoundKind, only: Collection[int] | None, limit: int
    ) -> list[tuple[int, Sound]]:
        """The clearest sounds of a kind, with their chunks, best first.

        ``only`` are chunks; None means all that have a file that is there.
        """
        among, chosen = _among(only)
        rows = self._database.rows(
            'SELECT c.id, s.start, s."end", s.strength FROM sound s '
            "JOIN track t ON t.id = s.track "
            "JOIN chunk c ON c.video = t.video AND c.generation = ? "
            f"WHERE s.kind = ? AND {among} ORDER BY s.strength DESC, c.id, s.start LIMIT ?",
            (generation_id, kind, *chosen, limit),
        )
        return [(chunk_id, Sound(kind, *values)) for chunk_id, *values in rows]

    def heard_durations(
        self, generation_id: int, only: Collection[int] | None
    ) -> list[tuple[int, float]]:
        """Chunks of videos in which anything is heard, and their durations in seconds."""
        among, chosen = _among(only)
        rows = self._database.rows(
            "SELECT c.id, v.duration FROM track t JOIN video v ON v.id = t.video "
            "JOIN chunk c ON c.video = t.video AND c.generation = ? WHERE t.kind = 'sound' "
            f"AND EXISTS (SELECT 1 FROM sound s WHERE s.track = t.id) AND {among}",
            (generation_id, *chosen),
        )
        return [(chunk_id, duration) for chunk_id, duration in rows]

    def audio_tracks(
        self, generation_id: int, only: Collection[int] | None
    ) -> list[tuple[int, str]]:
        """Chunks with vectors of sound, ascending, and what made them."""
        among, chosen = _among(only)
        rows = self._database.rows(
            "SELECT c.id, t.spec FROM audio a JOIN track t ON t.id = a.track "
            f"JOIN chunk c ON c.video = t.video AND c.generation = ? WHERE {among} ORDER BY c.id",
            (generation_id, *chosen),
        )
        return [(chunk_id, spec) for chunk_id, spec in rows]


def _among(only: Collection[int] | None) -> tuple[str, list[str]]:
    if only is None:
        return _LIVE, []
    return _CHOSEN, [json.dumps([int(chunk_id) for chunk_id in only])]
