"""Nearest windows: an exact scan or a FAISS index, both derived from the catalogue.

It knows vectors and window ids. Its files can be deleted at any time: they are checksummed,
written aside, renamed, and made again when missing or damaged. Until a writer does so, a reader
scans the catalogue's own rows, and ``VectorIndex.status`` says so.

How the files are made is ``vector_files``'. A chunk of theirs counts only while the catalogue
has a chunk of the same id and checksum; chunks that the catalogue has beyond those are the tail,
which is scanned too. So a build of any age, or of a catalogue that was since restored from a
backup, never answers with what is not there.
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray
from scenewise.index import derived_files
from scenewise.index.ann import Tuning
from scenewise.index.catalog import ORDINAL_BITS
from scenewise.index.derived_files import DamagedBuildError
from scenewise.index.reading import CatalogReader
from scenewise.index.rows import ChunkRows
from scenewise.index.scan import HalfMatrix, Scanner, ranges_of
from scenewise.index.vector_files import (
    AnnKind,
    BuildKind,
    VectorFiles,
    built_kind,
    compare,
    open_files,
    problems,
    refresh,
)

__all__ = [
    "AnnKind",
    "BuildKind",
    "IndexStatus",
    "VectorIndex",
    "built_kind",
    "problems",
    "refresh",
]

_EXACT_SUBSET_ROWS = 100_000  # a filter that leaves fewer is answered exactly
_PROPOSALS_PER_HIT = 4


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What answers at the moment."""

    kind: BuildKind | None  # of the files; None: there are none, all rows are in the tail
    rows: int  # in the files, dead ones included
    dead: int  # rows of the files that the catalogue has no more
    tail: int  # rows that only the catalogue has
    problem: str | None  # why the files are not used
    tuning: Tuning | None


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows of some chunks, one after another, and which of the chunks are alive."""

    ids: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]
    rows: HalfMatrix
    alive: npt.NDArray[np.bool_]

    def chosen(self, only: npt.NDArray[np.int64] | None) -> npt.NDArray[np.bool_]:
        return self.alive if only is None else self.alive & np.isin(self.ids, only)

    def window_ids(self, numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        stops = np.cumsum(self.windows)
        places = np.searchsorted(stops, numbers, side="right")
        ordinals = numbers - (stops - self.windows)[places]
        return (self.ids[places] << ORDINAL_BITS) | ordinals


@dataclass(frozen=True, slots=True)
class _View:
    """Everything as of one state of the catalogue; never changed, only replaced."""

    state: tuple[int, int]
    files: VectorFiles | None
    problem: str | None
    stored: _Part  # of the files
    tail: _Part


class VectorIndex:
    """The windows of one generation, searchable. Rows newer than the files are scanned too.

    It follows the catalogue: what was committed or removed, here or by another process, counts
    from the next search on. May be shared by threads.
    """

    def __init__(self, directory: Path, catalog: CatalogReader, generation_id: int) -> None:
        generation = catalog.generation(generation_id)
        if generation is None:
            raise ValueError(f"the library has no generation {generation_id}")
        self.generation_id = generation_id
        self._directory = directory
        self._catalog = catalog
        self._dimension = generation.spec.dimension
        self._scanner = Scanner(self._dimension)
        self._guard = threading.Lock()
        self._current: _View | None = None

    @classmethod
    def open(cls, directory: Path, catalog: CatalogReader, generation_id: int) -> VectorIndex:
        """Map the derived files, or scan the catalogue where they are missing or damaged.

        Raises LibraryDamagedError where the catalogue itself is damaged.
        """
        index = cls(directory, catalog, generation_id)
        index._view()
        return index

    def status(self) -> IndexStatus:
        """What answers at the moment, and why not the files where they do not."""
        view = self._view()
        files = view.files
        return IndexStatus(
            kind=None if files is None else files.kind,
            rows=len(view.stored.rows),
            dead=int(view.stored.windows[~view.stored.alive].sum()),
            tail=len(view.tail.rows),
            problem=view.problem,
            tuning=None if files is None or files.ann is None else files.ann.tuning,
        )

    def search(
        self, vector: FloatArray, k: int, *, only_chunks: Collection[int] | None = None
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """The k best window ids with their exact inner products, best first; live ones only.

        Live is what the catalogue has; chunks whose files are all missing are among them.
        Fewer than k where there are fewer. ``vector`` has shape (D,).
        """
        if vector.shape != (self._dimension,):
            raise ValueError(f"a query has shape ({self._dimension},), got {vector.shape}")
        view = self._view()
        only = None
        if only_chunks is not None:
            only = np.fromiter(only_chunks, np.int64, len(only_chunks))
        numbers, scores = self._search_files(view, vector, k, only)
        ids = view.stored.window_ids(numbers)
        if len(view.tail.rows):
            ranges = ranges_of(view.tail.windows, view.tail.chosen(only))
            numbers, newer = self._scanner.top(view.tail.rows, ranges, vector, k)
            ids = np.concatenate([ids, view.tail.window_ids(numbers)])
            scores = np.concatenate([scores, newer])
            order = np.lexsort((ids, -scores))[:k]
            ids, scores = ids[order], scores[order]
        return ids, scores.astype(np.float32)

    def _search_files(
        self, view: _View, vector: FloatArray, k: int, only: npt.NDArray[np.int64] | None
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        part = view.stored
        chosen = part.chosen(only)
        count = int(part.windows[chosen].sum())
        ann = None if view.files is None else view.files.ann
        if ann is not None and (only is None or count > _EXACT_SUBSET_ROWS):
            allowed = None
            if count < len(part.rows):
                mask = np.repeat(chosen, part.windows)
                allowed = np.packbits(mask, bitorder="little")
            depth = max(ann.tuning.depth, _PROPOSALS_PER_HIT * k)
            numbers = ann.propose(vector, depth, allowed=allowed)
            if len(numbers) >= min(k, count):
                return self._scanner.shortlist(part.rows, numbers, vector, k)
        return self._scanner.top(part.rows, ranges_of(part.windows, chosen), vector, k)

    def _view(self) -> _View:
        """The view of now, made again where the catalogue or the builds changed."""
        with self._guard:
            state = self._catalog.state()
            if self._current is None or self._current.state != state:
                self._current = self._look(state)
            return self._current

    def _look(self, state: tuple[int, int]) -> _View:
        old = self._current
        files, problem = None, None
        if (
            old is not None
            and old.files is not None
            and old.files.build.name
            == (derived_files.newest_name(self._directory, self.generation_id))
        ):
            files = old.files
        else:
            try:
                files = open_files(self._directory, self.generation_id, self._dimension)
            except DamagedBuildError as error:
                problem = str(error)
        known = self._catalog.chunk_rows(self.generation_id)
        if files is None:
            stored = _Part(*_no_chunks(), _no_rows(self._dimension), np.empty(0, np.bool_))
            fresh = np.ones(len(known.ids), np.bool_)
        else:
            alive, fresh = compare(files.chunks, known)
            stored = _Part(files.chunks.ids, files.chunks.windows, files.rows, alive)
        return _View(state, files, problem, stored, self._load_tail(known, fresh, old))

    def _load_tail(
        self, known: ChunkRows, fresh: npt.NDArray[np.bool_], old: _View | None
    ) -> _Part:
        """The rows that only the catalogue has; those of the last view are not read again."""
        have: dict[int, HalfMatrix] = {}
        if old is not None:
            stops = np.cumsum(old.tail.windows)
            for chunk, stop, count in zip(old.tail.ids, stops, old.tail.windows, strict=True):
                have[int(chunk)] = old.tail.rows[stop - count : stop]
        wanted = known.ids[fresh]
        new = np.array([chunk for chunk in wanted if int(chunk) not in have], np.int64)
        have.update(self._catalog.vectors_of(new))
        # a chunk may have gone between the two questions
        ids = np.array([chunk for chunk in wanted if int(chunk) in have], np.int64)
        parts = [have[int(chunk)] for chunk in ids]
        rows = np.concatenate([*parts, _no_rows(self._dimension)])
        windows = np.array([len(part) for part in parts], np.int64)
        return _Part(ids, windows, rows, np.ones(len(ids), np.bool_))


def _no_rows(dimension: int) -> HalfMatrix:
    return np.empty((0, dimension), np.float16)


def _no_chunks() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    return np.empty(0, np.int64), np.empty(0, np.int64)
