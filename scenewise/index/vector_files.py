"""The files behind ``vectors``: when they are made, how they are opened, what they hold.

It knows the catalogue's chunks and derived files; it answers no question.

A build holds ``rows.f16`` (all vectors of a generation, fp16), ``chunks.i64`` (which chunk each
run of rows is, and the checksum of its vectors) and, for large libraries, ``ann.faiss``.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
import numpy.typing as npt

from scenewise.errors import LibraryDamagedError
from scenewise.index import ann as ann_index
from scenewise.index import derived_files
from scenewise.index.catalog import Catalog
from scenewise.index.derived_files import Build, DamagedBuildError
from scenewise.index.reading import CatalogReader
from scenewise.index.rows import ChunkRows
from scenewise.index.scan import HalfMatrix

AnnKind = Literal["exact", "ivfpq", "rabitq", "auto"]
BuildKind = Literal["exact", "ivfpq", "rabitq"]

EXACT_BELOW_ROWS = 200_000  # "auto": an exact scan of so many takes about 5 ms CPU
TAIL_LIMIT = 0.10  # of the rows of a build; beyond, it is made again
DEAD_LIMIT = 0.20
_ANN_SETTING = "ann"
_BUILD_SETTING = "vector_build"
_ROWS_FILE = "rows.f16"
_CHUNKS_FILE = "chunks.i64"
_ANN_FILE = "ann.faiss"


@dataclass(frozen=True, slots=True)
class VectorFiles:
    """A build, opened."""

    build: Build
    kind: BuildKind
    chunks: ChunkRows
    rows: HalfMatrix
    ann: ann_index.AnnIndex | None


def refresh(
    directory: Path,
    catalog: Catalog,
    generation_id: int,
    ann: AnnKind | None = None,
    *,
    progress: Callable[[str], None] | None = None,
) -> bool:
    """Bring the derived files up to date where the tail or the deletions grew too large.

    ``ann`` is kept as a setting of the library; None means what was kept, at first "auto": exact
    below 200,000 windows, rabitq above. Below 10,000 windows every kind is an exact scan.
    Cheap where nothing is due; returns whether files were made. Needs the writer's catalogue.
    Raises StorageError, and leaves the old files then.
    """
    if not catalog.writable:
        raise ValueError("refresh needs a catalogue opened with write=True")
    if ann is not None and ann != (catalog.setting(_ANN_SETTING) or "auto"):
        catalog.set_setting(_ANN_SETTING, ann)
    generation = catalog.generation(generation_id)
    if generation is None:
        raise ValueError(f"the library has no generation {generation_id}")
    known = catalog.chunk_rows(generation_id)
    kind = _kind_for(cast(AnnKind, catalog.setting(_ANN_SETTING) or "auto"), known)
    due = len(known.ids) > 0 and _is_due(
        directory, generation_id, generation.spec.dimension, kind, known
    )
    if due:
        _build(directory, catalog, generation_id, kind, known, generation.spec.dimension, progress)
    keep = {}
    for lives in (catalog.active(), catalog.filling()):
        name = None if lives is None else derived_files.newest_name(directory, lives.id)
        if lives is not None and name is not None:
            keep[lives.id] = name
    derived_files.remove_old(directory, keep)
    if due:
        catalog.set_setting(_BUILD_SETTING, keep.get(generation_id, ""))  # readers notice
    return due


def problems(directory: Path, catalog: CatalogReader, generation_id: int) -> list[str]:
    """The full check of the files of a generation, in sentences. Reads every byte."""
    generation = catalog.generation(generation_id)
    if generation is None:
        return []
    try:
        files = open_files(directory, generation_id, generation.spec.dimension)
    except DamagedBuildError as error:
        return [f"{error}; the vector index will be made again by the next scenewise index."]
    return [] if files is None else derived_files.problems(files.build)


def built_kind(directory: Path, generation_id: int) -> BuildKind | None:
    """What the newest files of a generation are, told by their manifest; None without any."""
    try:
        build = derived_files.newest_build(directory, generation_id)
    except (DamagedBuildError, OSError):
        return None
    return None if build is None else cast(BuildKind, build.facts.get("kind"))


def _kind_for(ann: AnnKind, known: ChunkRows) -> BuildKind:
    count = int(known.windows.sum())
    if count < ann_index.FEWEST_ROWS:
        return "exact"
    if ann == "auto":
        return "exact" if count < EXACT_BELOW_ROWS else "rabitq"
    return ann


def _is_due(
    directory: Path, generation_id: int, dimension: int, kind: BuildKind, known: ChunkRows
) -> bool:
    try:
        files = open_files(directory, generation_id, dimension)
    except DamagedBuildError:
        return True
    if files is None or files.kind != kind:
        return True
    alive, fresh = compare(files.chunks, known)
    rows = len(files.rows)
    tail = int(known.windows[fresh].sum())
    dead = int(files.chunks.windows[~alive].sum())
    return tail > TAIL_LIMIT * rows or dead > DEAD_LIMIT * rows


def _build(
    directory: Path,
    catalog: Catalog,
    generation_id: int,
    kind: BuildKind,
    known: ChunkRows,
    dimension: int,
    progress: Callable[[str], None] | None,
) -> None:
    def vectors() -> Iterator[memoryview]:
        rows = catalog.vectors_of(known.ids)
        for (chunk, matrix), wanted, count in zip(rows, known.ids, known.windows, strict=True):
            if chunk != wanted or matrix.shape != (count, dimension):
                raise LibraryDamagedError(
                    f"The library {directory} is damaged: chunk {wanted} has not the "
                    f"{count} x {dimension} numbers it should; index the videos again."
                )
            yield np.ascontiguousarray(matrix).data

    with derived_files.new_build(directory, generation_id) as build:
        build.files[_ROWS_FILE] = derived_files.write_stream(build.folder / _ROWS_FILE, vectors())
        table = np.stack([known.ids, known.windows, known.checksums])
        build.files[_CHUNKS_FILE] = derived_files.write_stream(
            build.folder / _CHUNKS_FILE, [table.data]
        )
        build.facts["kind"] = kind
        if kind != "exact":
            count = int(known.windows.sum())
            rows = _map_rows(build.folder / _ROWS_FILE, count, dimension, in_order=True)
            index, tuning = ann_index.build(rows, kind, progress=progress)
            build.files[_ANN_FILE] = derived_files.write_stream(
                build.folder / _ANN_FILE, [ann_index.serialized(index)]
            )
            build.facts["tuning"] = tuning.to_dict()


def open_files(directory: Path, generation_id: int, dimension: int) -> VectorFiles | None:
    """The newest build, checked and mapped; None where there is none. Raises DamagedBuildError."""
    for _ in range(3):  # a writer may replace the build between two of our steps
        try:
            build = derived_files.newest_build(directory, generation_id)
            return None if build is None else _open_build(build, dimension)
        except FileNotFoundError as error:
            lost = error
        except OSError as error:
            raise DamagedBuildError(f"the vector index cannot be read: {error}") from error
    raise DamagedBuildError(f"a file of the vector index is not there: {lost}")


def _open_build(build: Build, dimension: int) -> VectorFiles:
    for name in build.files:
        derived_files.check_quickly(build, name, sample=name == _ROWS_FILE)
    try:
        kind = cast(BuildKind, build.facts["kind"])
        table = np.fromfile(build.folder / _CHUNKS_FILE, np.int64).reshape(3, -1)
        chunks = ChunkRows(*table)
        count = int(chunks.windows.sum())
        rows = _map_rows(build.folder / _ROWS_FILE, count, dimension, in_order=kind == "exact")
        ann = None
        if kind != "exact":
            tuning = ann_index.Tuning(**build.facts["tuning"])
            ann = ann_index.AnnIndex.read(build.folder / _ANN_FILE, tuning)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DamagedBuildError(f"{build.folder} cannot be read: {error}") from error
    return VectorFiles(build, kind, chunks, rows, ann)


def _map_rows(path: Path, count: int, dimension: int, *, in_order: bool) -> HalfMatrix:
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if hasattr(mapped, "madvise"):
        # reading ahead helps a scan, and hurts the gathering of a few rows here and there
        mapped.madvise(mmap.MADV_WILLNEED if in_order else mmap.MADV_RANDOM)
    return np.frombuffer(mapped, np.float16).reshape(count, dimension)


def compare(
    stored: ChunkRows, known: ChunkRows
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which stored chunks the catalogue still has as they were, and which it has beyond them."""
    places = np.searchsorted(known.ids, stored.ids)
    alive = np.zeros(len(stored.ids), np.bool_)
    inside = places < len(known.ids)
    at = places[inside]
    alive[inside] = (
        (known.ids[at] == stored.ids[inside])
        & (known.checksums[at] == stored.checksums[inside])
        & (known.windows[at] == stored.windows[inside])
    )
    fresh = np.ones(len(known.ids), np.bool_)
    fresh[places[alive]] = False
    return alive, fresh
