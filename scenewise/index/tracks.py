"""What is read and heard in a video, as the catalogue keeps it: text, sounds, audio vectors.

It knows the tables of ``schema`` and rows; it knows neither how tracks are made nor what is asked.
"""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterable
from typing import cast

import numpy as np

from scenewise.index.database import Database
from scenewise.index.records import AudioWindows, TextKind, TextSegment, Track, TrackKind
from scenewise.index.schema import UNSPACED
from scenewise.types import Modality, Sound, SoundKind

_UNSPACED = re.compile(f"[{UNSPACED}]")


def is_unspaced(text: str) -> bool:
    """Whether a text holds letters of a script in which blanks do not end words."""
    return _UNSPACED.search(text) is not None


class TrackReader:
    """The part of ``Catalog`` that answers about tracks."""

    _database: Database

    def track_specs(self, video_id: str) -> dict[TrackKind, str]:
        """Which tracks a video has, and what made each."""
        rows = self._database.rows(
            "SELECT t.kind, t.spec FROM track t JOIN video v ON v.id = t.video "
            "WHERE v.video_id = ?",
            (video_id,),
        )
        return {cast(TrackKind, kind): spec for kind, spec in rows}

    def senses(self) -> frozenset[Modality]:
        """What there is to ask beside pictures, in any video: text, audio."""
        row = self._database.row(
            "SELECT EXISTS (SELECT 1 FROM text_line), "
            "EXISTS (SELECT 1 FROM sound) OR EXISTS (SELECT 1 FROM audio)"
        )
        assert row is not None  # it has no FROM
        names: tuple[Modality, Modality] = ("text", "audio")
        return frozenset(name for name, there in zip(names, row, strict=True) if there)

    def all_track_specs(self) -> dict[str, tuple[str, dict[TrackKind, tuple[str, bool]]]]:
        """Video id by content hash, and of each track its spec and whether something failed."""
        found: dict[str, tuple[str, dict[TrackKind, tuple[str, bool]]]] = {}
        rows = self._database.rows(
            "SELECT v.content_hash, v.video_id, t.kind, t.spec, t.warnings != '[]' FROM video v "
            "LEFT JOIN track t ON t.video = v.id"
        )
        for content_hash, video_id, kind, spec, warned in rows:
            specs = found.setdefault(content_hash, (video_id, {}))[1]
            if kind is not None:
                specs[cast(TrackKind, kind)] = (spec, bool(warned))
        return found

    def track_counts(self) -> dict[str, int]:
        """How many videos that answer have something in a track of each kind."""
        rows = self._database.rows(
            "SELECT t.kind, count(*) FROM track t JOIN chunk c ON c.video = t.video "
            "JOIN generation g ON g.id = c.generation AND g.state = 'active' WHERE EXISTS "
            "(SELECT 1 FROM location l WHERE l.video = t.video AND l.missing = 0) AND ("
            "EXISTS (SELECT 1 FROM text_line WHERE track = t.id) OR "
            "EXISTS (SELECT 1 FROM sound WHERE track = t.id) OR "
            "EXISTS (SELECT 1 FROM audio WHERE track = t.id)) GROUP BY t.kind ORDER BY t.kind"
        )
        return {str(kind): int(count) for kind, count in rows}

    def texts(self, chunk_id: int) -> tuple[TextSegment, ...]:
        """Words of the video of one chunk, by time."""
        rows = self._database.rows(
            'SELECT t.kind, l.start, l."end", l.text FROM text_line l JOIN track t '
            "ON t.id = l.track JOIN chunk c ON c.video = t.video WHERE c.id = ? "
            "ORDER BY l.start, l.id",
            (int(chunk_id),),
        )
        return tuple(TextSegment(cast(TextKind, row[0]), *row[1:]) for row in rows)

    def sounds(self, chunk_id: int) -> tuple[Sound, ...]:
        """What is heard in the video of one chunk, by time."""
        rows = self._database.rows(
            'SELECT s.kind, s.start, s."end", s.strength FROM sound s JOIN track t '
            "ON t.id = s.track JOIN chunk c ON c.video = t.video WHERE c.id = ? "
            "ORDER BY s.start, s.kind",
            (int(chunk_id),),
        )
        return tuple(Sound(cast(SoundKind, row[0]), *row[1:]) for row in rows)

    def audio_windows(self, chunk_id: int) -> AudioWindows | None:
        """Audio vectors of the video of one chunk, or None where it has none."""
        row = self._database.row(
            "SELECT a.starts, a.ends, a.vectors FROM audio a JOIN track t ON t.id = a.track "
            "JOIN chunk c ON c.video = t.video WHERE c.id = ?",
            (int(chunk_id),),
        )
        if row is None:
            return None
        starts, ends = (np.frombuffer(row[place], np.float64) for place in (0, 1))
        vectors = np.frombuffer(row[2], np.float16).astype(np.float32)
        return AudioWindows(starts, ends, vectors.reshape(len(starts), -1))


def write_tracks(rows: sqlite3.Connection, video: int, tracks: Iterable[Track]) -> None:
    """Put tracks in place of those of the same kinds; ``video`` is a key of the table video."""
    for track in tracks:
        rows.execute("DELETE FROM track WHERE video = ? AND kind = ?", (video, track.kind))
        key = rows.execute(
            "INSERT INTO track (video, kind, spec, warnings) VALUES (?, ?, ?, ?)",
            (video, track.kind, track.spec, json.dumps(track.warnings)),
        ).lastrowid
        rows.executemany(
            'INSERT INTO text_line (track, start, "end", text, unspaced) VALUES (?, ?, ?, ?, ?)',
            [
                # composed letters: a query is looked for as it is typed
                (key, line.start, line.end, text, int(is_unspaced(text)))
                for line in track.texts
                if (text := unicodedata.normalize("NFC", line.text))
            ],
        )
        rows.executemany(
            "INSERT INTO sound VALUES (?, ?, ?, ?, ?)",
            [(key, heard.kind, heard.start, heard.end, heard.strength) for heard in track.sounds],
        )
        if track.audio is not None:
            rows.execute(
                "INSERT INTO audio VALUES (?, ?, ?, ?)",
                (
                    key,
                    np.asarray(track.audio.starts, np.float64).tobytes(),
                    np.asarray(track.audio.ends, np.float64).tobytes(),
                    np.asarray(track.audio.vectors, np.float16).tobytes(),
                ),
            )
