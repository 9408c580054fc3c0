"""The truth about a library: one SQLite file. One transaction per video.

It knows rows and transactions; it knows no decoder, no network and no FAISS.

Tables (``schema``; see docs/architecture.md): ``generation`` (an encoder's filling of the
library: spec, state filling | active | retired), ``video`` (content hash, duration),
``location`` (a path with size, date, and whether it is missing or failed), ``chunk`` (one video
in one generation: spans, shots, checksum; its id is never used twice) with ``feature`` (fp16
vectors, sparse concepts), ``track`` (what is read and heard in a video, whatever the encoder) with
``text_line`` + FTS5, ``sound`` and ``audio``; ``kept`` (what people named); ``meta``.
A window's id is ``chunk id << 20 | ordinal``; a hit lives exactly as long as its chunk row does.

A content without any path is no part of the library: the transaction that takes its last path
away takes its rows too. A path that is missing while its content lies elsewhere was moved, and
is forgotten.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from scenewise.encoders.spec import EncoderSpec
from scenewise.errors import EncoderError, UsageError
from scenewise.index.database import DATABASE_FILE, Database, library_errors
from scenewise.index.reading import CatalogReader
from scenewise.index.records import EncodedVideo, FileStamp, Track
from scenewise.index.rows import (
    ORDINAL_BITS,
    CatalogStats,
    Chunk,
    ChunkRows,
    Generation,
    Known,
    checksum,
    path_key,
)
from scenewise.index.tracks import write_tracks
from scenewise.media.whole_file import flush

__all__ = [
    "ORDINAL_BITS",
    "Catalog",
    "CatalogStats",
    "Chunk",
    "ChunkRows",
    "Generation",
    "Known",
]

_ID_DIGITS = 16  # 64 bits of the content hash: a million videos meet with probability 3e-8


class Catalog(CatalogReader):
    """An open library database; a reader by default, a writer by ``write=True``.

    It may be shared by threads; it must not be carried over a fork.
    """

    @classmethod
    def open(cls, directory: Path, *, write: bool = False, create: bool = False) -> Self:
        """Open. Readers never block; a second writer gets LibraryLockedError at once.

        ``create`` makes a library where there is none, for a writer. A folder that cannot be
        written can still be read.
        Raises LibraryNotFoundError, LibraryLockedError, LibraryDamagedError, StorageError, and
        LibraryError for a library that a newer scenewise wrote.
        """
        return cls(Database.open(directory, write=write, create=create))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Release the database and the writer's lock."""
        self._database.close()

    def set_setting(self, key: str, value: str) -> None:
        """Keep a setting of this library, such as its kind of vector index."""
        with self._database.transaction() as rows:
            rows.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))

    # generations
    def begin(self, spec: EncoderSpec, sampling: str) -> Generation:
        """Start a generation: active where there is none yet, filling otherwise.

        A filling generation of the same encoder and sampling goes on; one of another is dropped.
        """
        shape = json.dumps(spec.to_dict(), sort_keys=True)
        current = self.filling()
        if current is not None and (current.spec, current.sampling) == (spec, sampling):
            return current
        with self._database.transaction() as rows:
            if current is not None:
                _drop_generation(rows, current.id)
            has_active = rows.execute("SELECT 1 FROM generation WHERE state = 'active'").fetchone()
            state = "filling" if has_active else "active"
            generation_id = rows.execute(
                "INSERT INTO generation (spec, sampling, state) VALUES (?, ?, ?)",
                (shape, sampling, state),
            ).lastrowid
        assert generation_id is not None
        return Generation(generation_id, spec, sampling, "filling" if has_active else "active")

    def switch(self, generation_id: int) -> None:
        """Make a filling generation the active one and drop the old one's chunks.

        Raises ValueError where this generation is not being filled.
        """
        with self._database.transaction() as rows:
            row = rows.execute(
                "SELECT state FROM generation WHERE id = ?", (generation_id,)
            ).fetchone()
            if row is None or row[0] != "filling":
                raise ValueError(f"generation {generation_id} is not being filled")
            for (old,) in rows.execute(
                "SELECT id FROM generation WHERE state = 'active'"
            ).fetchall():
                _drop_generation(rows, old)
            rows.execute("UPDATE generation SET state = 'active' WHERE id = ?", (generation_id,))
        self._database.give_back_space()

    # writing, each one transaction
    def commit_video(self, generation_id: int, video: EncodedVideo) -> int:
        """Store everything of one video and return its chunk id.

        Replaces what the generation had of the same content, and whatever lay at the path.
        Raises UsageError for more windows than an id can number, EncoderError for vectors that
        are no finite numbers, ValueError for another dimension than the generation's, StorageError.
        """
        self._check(generation_id, video)
        vectors = np.ascontiguousarray(video.features.vectors, dtype=np.float16).tobytes()
        concepts = video.features.concepts
        spans = [[shot.start, shot.end] for shot in video.shots]
        with self._database.transaction() as rows:
            key = _add_content(rows, video.content_hash, video.duration)
            _place(rows, video.stamp, key, None)
            rows.execute(
                "DELETE FROM chunk WHERE generation = ? AND video = ?", (generation_id, key)
            )
            chunk_id = rows.execute(
                "INSERT INTO chunk (generation, video, windows, checksum, starts, ends, times, "
                "shots, video_vector, warnings) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    generation_id,
                    key,
                    len(video.features),
                    checksum(vectors),
                    np.asarray(video.starts, np.float64).tobytes(),
                    np.asarray(video.ends, np.float64).tobytes(),
                    np.asarray(video.times, np.float64).tobytes(),
                    np.array(spans, np.float64).tobytes(),
                    np.asarray(video.video_vector, np.float32).tobytes(),
                    json.dumps(video.warnings),
                ),
            ).lastrowid
            assert chunk_id is not None
            rows.execute(
                "INSERT INTO feature VALUES (?, ?, ?, ?)",
                (
                    chunk_id,
                    vectors,
                    None if concepts is None else np.asarray(concepts.indices, np.uint16).tobytes(),
                    None if concepts is None else np.asarray(concepts.values, np.float16).tobytes(),
                ),
            )
            write_tracks(rows, key, video.tracks)
        return chunk_id

    def _check(self, generation_id: int, video: EncodedVideo) -> None:
        count, dimension = video.features.vectors.shape
        if count >> ORDINAL_BITS:
            raise UsageError(
                f"{video.stamp.path} has {count} windows, and a library keeps up to "
                f"{(1 << ORDINAL_BITS) - 1} of one video; index it with a lower --fps."
            )
        if not np.isfinite(video.features.vectors).all():
            raise EncoderError(
                f"The encoder gave numbers that are not finite for {video.stamp.path}; "
                "run scenewise models prepare, or index with --device cpu."
            )
        generation = self.generation(generation_id)
        if generation is not None and generation.spec.dimension != dimension:
            raise ValueError(
                f"vectors of {dimension} numbers for an encoder of {generation.spec.dimension}"
            )

    def commit_tracks(self, video_id: str, tracks: Sequence[Track]) -> bool:
        """Store tracks of a video in place of those of the same kinds; False where it is gone."""
        with self._database.transaction() as rows:
            row = rows.execute("SELECT id FROM video WHERE video_id = ?", (video_id,)).fetchone()
            if row is None:
                return False
            write_tracks(rows, row[0], tracks)
        return True

    def commit_failure(self, stamp: FileStamp, reason: str) -> None:
        """Record that a file could not be indexed.

        Where the very same file was indexed before (a reindex that fails on it), what is stored
        goes on answering until the new generation is switched to.
        """
        with self._database.transaction() as rows:
            old = rows.execute(
                "SELECT video, size, modified_ns FROM location WHERE path = ?",
                (path_key(stamp.path),),
            ).fetchone()
            same = old is not None and old[1:] == (stamp.size, stamp.modified_ns)
            _place(rows, stamp, old[0] if same else None, reason)

    def add_location(self, content_hash: str, stamp: FileStamp) -> None:
        """The content is known and lies (also) at this path; clears missing and failed.

        Raises ValueError where the content is not known.
        """
        with self._database.transaction() as rows:
            row = rows.execute(
                "SELECT id FROM video WHERE content_hash = ?", (content_hash,)
            ).fetchone()
            if row is None:
                raise ValueError(f"no video has the content {content_hash}")
            _place(rows, stamp, row[0], None)

    def mark_missing(self, paths: Collection[str]) -> None:
        """These files are gone; their videos answer no more unless another path is live.

        A path that failed, or whose content lies at another live path, is forgotten.
        """
        with self._database.transaction() as rows:
            keys = [(path_key(path),) for path in paths]
            rows.executemany("DELETE FROM location WHERE path = ? AND video IS NULL", keys)
            rows.executemany("UPDATE location SET missing = 1 WHERE path = ?", keys)
            rows.execute(
                "DELETE FROM location WHERE missing = 1 AND EXISTS (SELECT 1 FROM location other "
                "WHERE other.video = location.video AND other.missing = 0)"
            )

    def remove(self, video_ids: Collection[str]) -> int:
        """Forget videos with all their rows; return how many there were."""
        with self._database.transaction() as rows:
            count = sum(
                rows.execute("DELETE FROM video WHERE video_id = ?", (video_id,)).rowcount
                for video_id in set(video_ids)
            )
        self._database.give_back_space()
        return count

    def forget(self, paths: Collection[str]) -> int:
        """Forget paths, failed ones too, and contents that lie nowhere else; return how many."""
        with self._database.transaction() as rows:
            count = 0
            for key in {path_key(path) for path in paths}:
                found = rows.execute("SELECT video FROM location WHERE path = ?", (key,)).fetchone()
                if found is not None:
                    rows.execute("DELETE FROM location WHERE path = ?", (key,))
                    _drop_placeless(rows, found[0])
                    count += 1
        self._database.give_back_space()
        return count

    def backup(self, target: Path) -> None:
        """A consistent copy of the database, also while another process writes.

        ``target`` is a folder, made where it is not there: it becomes a library of its own,
        whose vector index is made when it is next written to.
        Raises UsageError where it holds a library already, StorageError.
        """
        with library_errors(target):
            target.mkdir(parents=True, exist_ok=True)
            path = target / DATABASE_FILE
            if path.exists():
                raise UsageError(f"{target} holds a library already; name another folder.")
            aside = path.with_name(f".{path.name}-backup")
            try:
                aside.unlink(missing_ok=True)
                self._database.copy_to(aside)
                flush(aside)
                aside.replace(path)
                flush(target)
            finally:
                aside.unlink(missing_ok=True)


def _add_content(rows: sqlite3.Connection, content_hash: str, duration: float) -> int:
    """The row of a content, new or known."""
    row = rows.execute("SELECT id FROM video WHERE content_hash = ?", (content_hash,)).fetchone()
    if row is not None:
        rows.execute("UPDATE video SET duration = ? WHERE id = ?", (duration, row[0]))
        return int(row[0])
    digits = _ID_DIGITS
    while rows.execute(
        "SELECT 1 FROM video WHERE video_id = ?", (content_hash[:digits],)
    ).fetchone():
        digits += 1
    key = rows.execute(
        "INSERT INTO video (content_hash, video_id, duration) VALUES (?, ?, ?)",
        (content_hash, content_hash[:digits], duration),
    ).lastrowid
    assert key is not None
    return key


def _place(
    rows: sqlite3.Connection, stamp: FileStamp, video: int | None, reason: str | None
) -> None:
    """Put a path in place of whatever was known of it; drop a content that it was the last of."""
    old = rows.execute(
        "SELECT video FROM location WHERE path = ?", (path_key(stamp.path),)
    ).fetchone()
    rows.execute(
        "INSERT INTO location (path, video, size, modified_ns, missing, reason) "
        "VALUES (?, ?, ?, ?, 0, ?) ON CONFLICT (path) DO UPDATE SET video = excluded.video, "
        "size = excluded.size, modified_ns = excluded.modified_ns, missing = 0, "
        "reason = excluded.reason",
        (path_key(stamp.path), video, stamp.size, stamp.modified_ns, reason),
    )
    rows.execute(
        "DELETE FROM location WHERE video = ? AND missing = 1 AND path != ?",
        (video, path_key(stamp.path)),
    )
    if old is not None:
        _drop_placeless(rows, old[0])


def _drop_placeless(rows: sqlite3.Connection, video: int | None) -> None:
    rows.execute(
        "DELETE FROM video WHERE id = ? AND NOT EXISTS "
        "(SELECT 1 FROM location l WHERE l.video = video.id)",
        (video,),
    )


def _drop_generation(rows: sqlite3.Connection, generation_id: int) -> None:
    rows.execute("DELETE FROM chunk WHERE generation = ?", (generation_id,))
    rows.execute("UPDATE generation SET state = 'retired' WHERE id = ?", (generation_id,))
