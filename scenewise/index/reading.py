"""What can be asked of a catalogue. It changes no row.

It knows the tables of ``schema``; how a row becomes a noun is ``rows``'s.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Concepts, EncoderSpec, WindowFeatures
from scenewise.index.database import Database, damaged
from scenewise.index.kept import KeptThings
from scenewise.index.naming import video_named
from scenewise.index.records import FileStamp
from scenewise.index.rows import (
    CatalogStats,
    Chunk,
    ChunkRows,
    Generation,
    Known,
    checksum,
    chunk_from_row,
)
from scenewise.index.sound_search import SoundSearch
from scenewise.index.text_search import TextSearch
from scenewise.index.tracks import TrackReader
from scenewise.types import Video, VideoState

LAST_SEARCH_FILE = "last-search.json"
_IDS_PER_QUERY = 500  # SQLite allows 999 parameters in its older builds
_BYTES_AT_ONCE = 8 << 20


class CatalogReader(TrackReader, TextSearch, SoundSearch, KeptThings):
    """The reading half of ``Catalog``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._active: tuple[tuple[int, int], Generation | None] | None = None

    @property
    def directory(self) -> Path:
        """The library's folder."""
        return self._database.directory

    @property
    def writable(self) -> bool:
        """True where this catalogue holds the writer's lock."""
        return self._database.writable

    def state(self) -> tuple[int, int]:
        """A pair that changes whenever anything was committed, by whichever process."""
        return self._database.state()

    def library_key(self) -> str:
        """16 hex digits that tell this library from all others (a backup shares them)."""
        return self.setting("library") or ""

    def setting(self, key: str) -> str | None:
        """A value that ``set_setting`` stored."""
        row = self._database.row("SELECT value FROM meta WHERE key = ?", (key,))
        return None if row is None else str(row[0])

    # generations
    def active(self) -> Generation | None:
        """The generation that answers; None in a library that nothing was indexed into."""
        state = self.state()
        if self._active is None or self._active[0] != state:
            self._active = (state, self._generation("state = 'active'"))
        return self._active[1]

    def filling(self) -> Generation | None:
        """The generation that a reindex is filling, if one was begun."""
        return self._generation("state = 'filling'")

    def generation(self, generation_id: int) -> Generation | None:
        """A generation in any state."""
        return self._generation("id = ?", generation_id)

    def _generation(self, where: str, *parameters: Any) -> Generation | None:
        row = self._database.row(
            f"SELECT id, spec, sampling, state FROM generation WHERE {where}", parameters
        )
        if row is None:
            return None
        try:
            spec = EncoderSpec.from_dict(json.loads(row[1]))
        except (ValueError, TypeError, KeyError) as error:
            raise damaged(self.directory, f"encoder of generation {row[0]}: {error}") from error
        return Generation(row[0], spec, row[2], row[3])

    # files and videos
    def known(self) -> dict[str, Known]:
        """All paths."""
        rows = self._database.rows(
            "SELECT l.path, l.size, l.modified_ns, v.content_hash, l.reason, l.missing "
            "FROM location l LEFT JOIN video v ON v.id = l.video"
        )
        found = {}
        for key, size, modified_ns, content_hash, reason, missing in rows:
            path = os.fsdecode(key)
            stamp = FileStamp(path, size, modified_ns)
            found[path] = Known(stamp, content_hash, reason, bool(missing))
        return found

    def has_content(self, generation_id: int, content_hash: str) -> bool:
        """True where this content has a chunk in this generation."""
        return (
            self._database.row(
                "SELECT 1 FROM chunk c JOIN video v ON v.id = c.video "
                "WHERE c.generation = ? AND v.content_hash = ?",
                (generation_id, content_hash),
            )
            is not None
        )

    def videos(self) -> list[Video]:
        """One per path, sorted by path.

        A file is failed when the generation that answers has nothing of it and a reason is
        known; a video that has no windows there yet and no reason is ready with 0 windows.
        """
        rows = self._database.rows(
            "SELECT v.video_id, l.path, v.duration, l.missing, l.reason, c.windows, l.size, "
            "l.modified_ns, c.warnings FROM location l LEFT JOIN video v ON v.id = l.video "
            "LEFT JOIN chunk c ON c.video = v.id AND c.generation = "
            "(SELECT id FROM generation WHERE state = 'active') ORDER BY l.path"
        )
        found = []
        for video_id, key, duration, missing, reason, windows, size, modified_ns, said in rows:
            failed = reason is not None and not windows
            state: VideoState = "missing" if missing else "failed" if failed else "ready"
            found.append(
                Video(
                    video_id=video_id,
                    path=os.fsdecode(key),
                    duration=duration,
                    state=state,
                    reason=reason if failed else None,
                    windows=windows or 0,
                    size=size,
                    modified=modified_ns / 1e9,
                    warnings=tuple(json.loads(said)) if said else (),
                )
            )
        return found

    def resolve(self, text: str) -> str:
        """The video_id meant by a path, a video id, the beginning of one, or a file name.

        Raises UsageError where it is none of these, or more than one video's; see ``naming``.
        """
        return str(video_named(self.videos(), text)[0].video_id)

    # chunks
    def chunk_rows(self, generation_id: int) -> ChunkRows:
        """Ids, window counts and checksums of all chunks of a generation, ascending by id."""
        rows = self._database.rows(
            "SELECT id, windows, checksum FROM chunk WHERE generation = ? ORDER BY id",
            (generation_id,),
        )
        table = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return ChunkRows(
            ids=np.ascontiguousarray(table[:, 0]),
            windows=np.ascontiguousarray(table[:, 1]),
            checksums=np.ascontiguousarray(table[:, 2]),
        )

    def chunk_ids(self, generation_id: int) -> npt.NDArray[np.int64]:
        """Ids of all chunks of a generation, ascending."""
        return self.chunk_rows(generation_id).ids

    def live_chunk_ids(self, generation_id: int) -> npt.NDArray[np.int64]:
        """Ids of the chunks that have at least one file that is not missing, ascending."""
        rows = self._database.rows(
            "SELECT id FROM chunk c WHERE generation = ? AND EXISTS (SELECT 1 FROM location l "
            "WHERE l.video = c.video AND l.missing = 0) ORDER BY id",
            (generation_id,),
        )
        return np.array([row[0] for row in rows], dtype=np.int64)

    def chunk_of(self, generation_id: int, video_id: str) -> int | None:
        """The chunk of a video in a generation."""
        row = self._database.row(
            "SELECT c.id FROM chunk c JOIN video v ON v.id = c.video "
            "WHERE c.generation = ? AND v.video_id = ?",
            (generation_id, video_id),
        )
        return None if row is None else int(row[0])

    def chunks(self, chunk_ids: Collection[int]) -> dict[int, Chunk]:
        """Those of the given chunks that are alive (missing ones included, marked)."""
        found: dict[int, Chunk] = {}
        wanted = [int(chunk_id) for chunk_id in chunk_ids]
        for first in range(0, len(wanted), _IDS_PER_QUERY):
            some = wanted[first : first + _IDS_PER_QUERY]
            # ascending by missing and path, so that the first row of a chunk names its best path
            rows = self._database.rows(
                "SELECT c.id, v.video_id, l.path, v.duration, c.starts, c.ends, c.times, c.shots, "
                "l.modified_ns, l.missing, c.warnings FROM chunk c JOIN video v ON v.id = c.video "
                "JOIN location l ON l.video = v.id "
                f"WHERE c.id IN ({','.join('?' * len(some))}) ORDER BY c.id, l.missing, l.path",
                some,
            )
            for row in rows:
                if row[0] not in found:
                    found[row[0]] = chunk_from_row(row)
        return found

    def features(self, chunk_id: int) -> WindowFeatures:
        """Vectors (float32) and concepts of one chunk. Raises KeyError where it is gone."""
        row = self._database.row(
            "SELECT c.windows, c.checksum, f.vectors, f.concept_indices, f.concept_values "
            "FROM chunk c JOIN feature f ON f.chunk = c.id WHERE c.id = ?",
            (int(chunk_id),),
        )
        if row is None:
            raise KeyError(chunk_id)
        windows, check, vectors, indices, values = row
        concepts = None
        if indices is not None:
            concepts = Concepts(
                np.frombuffer(indices, np.uint16).reshape(windows, -1),
                np.frombuffer(values, np.float16).reshape(windows, -1),
            )
        matrix = self._matrix(int(chunk_id), windows, check, vectors)
        return WindowFeatures(matrix.astype(np.float32), concepts)

    def feature_rows(self, chunk_id: int, rows: npt.NDArray[np.int64]) -> WindowFeatures:
        """Some windows of one chunk, in the given order; nothing else of it is read.

        For long videos, whose features fill tens of megabytes. The checksum, which is over all
        rows, is not looked at. Raises KeyError where the chunk is gone, IndexError for a window
        that it does not have.
        """
        with self._database.snapshot() as connection:
            found = connection.execute(
                "SELECT c.windows, f.concept_indices IS NULL FROM chunk c "
                "JOIN feature f ON f.chunk = c.id WHERE c.id = ?",
                (int(chunk_id),),
            ).fetchone()
            if found is None:
                raise KeyError(chunk_id)
            windows, no_concepts = found
            if len(rows) and not 0 <= int(rows.min()) <= int(rows.max()) < windows:
                raise IndexError(f"chunk {chunk_id} has {windows} windows")

            def part(column: str, kind: type[np.generic]) -> npt.NDArray[Any]:
                with connection.blobopen("feature", column, int(chunk_id), readonly=True) as blob:
                    size = len(blob) // windows
                    read = []
                    for row in rows.tolist():
                        blob.seek(row * size)
                        read.append(blob.read(size))
                width = size // np.dtype(kind).itemsize
                return np.frombuffer(b"".join(read), kind).reshape(len(rows), width)

            vectors = part("vectors", np.float16).astype(np.float32)
            if no_concepts:
                return WindowFeatures(vectors)
            return WindowFeatures(
                vectors,
                Concepts(part("concept_indices", np.uint16), part("concept_values", np.float16)),
            )

    def vectors_of(
        self, chunk_ids: npt.NDArray[np.int64]
    ) -> Iterator[tuple[int, npt.NDArray[np.float16]]]:
        """(chunk id, (N, D) fp16) of those of the given chunks that are alive, in their order.

        Reads some megabytes at a time. Raises LibraryDamagedError where a row is not what was
        committed.
        """
        size = 1
        first = 0
        while first < len(chunk_ids):
            some = [int(chunk_id) for chunk_id in chunk_ids[first : first + size]]
            rows = self._database.rows(
                "SELECT c.id, c.windows, c.checksum, f.vectors FROM chunk c "
                f"JOIN feature f ON f.chunk = c.id WHERE c.id IN ({','.join('?' * len(some))})",
                some,
            )
            by_id = {row[0]: row for row in rows}
            for chunk_id in some:
                if chunk_id in by_id:
                    yield chunk_id, self._matrix(*by_id[chunk_id])
            first += len(some)
            taken = sum(len(row[3]) for row in rows)
            if taken < _BYTES_AT_ONCE // 4:
                size = min(4 * size, _IDS_PER_QUERY)
            elif taken > _BYTES_AT_ONCE:
                size = max(1, size // 2)

    def vectors_after(
        self, generation_id: int, chunk_id: int
    ) -> Iterator[tuple[int, npt.NDArray[np.float16]]]:
        """(chunk id, (N, D) fp16) of chunks with a larger id, ascending."""
        ids = self.chunk_ids(generation_id)
        yield from self.vectors_of(ids[ids > chunk_id])

    def video_vectors(
        self, generation_id: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Chunk ids (V,) and one unit vector per video (V, D)."""
        rows = self._database.rows(
            "SELECT id, video_vector FROM chunk WHERE generation = ? ORDER BY id", (generation_id,)
        )
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        joined = np.frombuffer(b"".join(row[1] for row in rows), dtype=np.float32)
        return ids, joined.reshape(len(rows), -1) if rows else joined.reshape(0, 0)

    def _matrix(
        self, chunk_id: int, windows: int, check: int, vectors: bytes
    ) -> npt.NDArray[np.float16]:
        if checksum(vectors) != check or len(vectors) % (2 * windows):
            raise damaged(self.directory, f"the vectors of chunk {chunk_id} are not as stored")
        return np.frombuffer(vectors, np.float16).reshape(windows, -1)

    # the library as a whole
    def stats(self) -> CatalogStats:
        """How much there is, in the generation that answers."""
        files, missing, failed = self._database.row(
            "SELECT count(*), coalesce(sum(l.missing), 0), coalesce(sum(l.missing = 0 AND "
            "l.reason IS NOT NULL AND c.id IS NULL), 0) FROM location l LEFT JOIN chunk c ON "
            "c.video = l.video AND c.generation = "
            "(SELECT id FROM generation WHERE state = 'active')"
        )
        videos, windows, seconds = self._database.row(
            "SELECT count(*), coalesce(sum(c.windows), 0), coalesce(sum(v.duration), 0.0) "
            "FROM chunk c JOIN video v ON v.id = c.video JOIN generation g ON g.id = c.generation "
            "WHERE g.state = 'active' AND EXISTS "
            "(SELECT 1 FROM location l WHERE l.video = v.id AND l.missing = 0)"
        )
        return CatalogStats(videos, windows, seconds, files, missing, failed)

    def problems(self) -> list[str]:
        """All that a full check finds, in sentences; empty where all is well. Reads every row."""
        found = self._database.problems()
        rows = self._database.rows("SELECT id FROM chunk ORDER BY id")
        for (chunk_id,) in rows:
            row = self._database.row(
                "SELECT c.windows, c.checksum, f.vectors, length(c.starts), length(c.ends), "
                "length(c.times) FROM chunk c LEFT JOIN feature f ON f.chunk = c.id "
                "WHERE c.id = ?",
                (chunk_id,),
            )
            if row is None:
                continue  # removed meanwhile
            if row[2] is None or checksum(row[2]) != row[1] or set(row[3:]) != {8 * row[0]}:
                found.append(f"the windows of chunk {chunk_id} are not as stored")
        return found

    # the last search, kept beside the catalogue: who searches needs no writer's lock
    def save_last_search(self, shape: dict[str, Any]) -> bool:
        """Keep the JSON shape of a search; False where the folder cannot be written.

        Not flushed to the disk: nothing is lost when it is.
        """
        path = self.directory / LAST_SEARCH_FILE
        aside = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        try:
            aside.write_text(
                json.dumps(shape, ensure_ascii=False), "utf-8", errors="surrogateescape"
            )
            aside.replace(path)
        except OSError:
            with suppress(OSError):
                aside.unlink(missing_ok=True)
            return False
        return True

    def last_search(self) -> dict[str, Any] | None:
        """What ``save_last_search`` kept last, or None."""
        path = self.directory / LAST_SEARCH_FILE
        try:
            shape = json.loads(path.read_text("utf-8", errors="surrogateescape"))
        except (OSError, ValueError):
            return None
        return shape if isinstance(shape, dict) else None
