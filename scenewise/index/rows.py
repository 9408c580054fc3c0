"""The nouns of the catalogue, and how they lie in its columns.

It knows shapes and bytes (arrays are little-endian, C order); it knows no SQL.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import EncoderSpec
from scenewise.index.records import FileStamp
from scenewise.types import Segment

ORDINAL_BITS = 20  # a window's id is chunk id << 20 | ordinal


@dataclass(frozen=True, slots=True)
class Generation:
    """One encoder's filling of the library."""

    id: int
    spec: EncoderSpec
    sampling: str  # how windows were taken, such as "fps=2" or "frames=8"
    state: Literal["filling", "active", "retired"]


@dataclass(frozen=True, slots=True)
class Chunk:
    """One video in one generation, without its vectors."""

    id: int
    video_id: str
    path: str  # a live location; the first one where there are several
    duration: float
    starts: npt.NDArray[np.float64]
    ends: npt.NDArray[np.float64]
    times: npt.NDArray[np.float64]
    shots: tuple[Segment, ...]
    modified: float
    missing: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalogue has on a path."""

    stamp: FileStamp
    content_hash: str | None  # None for a file that failed
    reason: str | None
    missing: bool


@dataclass(frozen=True, slots=True)
class CatalogStats:
    """How much a library holds, in the generation that answers."""

    videos: int  # contents that answer: a live file and windows
    windows: int
    video_seconds: float
    files: int  # paths, whatever their state
    missing: int  # paths
    failed: int  # paths


@dataclass(frozen=True, slots=True)
class ChunkRows:
    """The chunks of a generation in the order of their ids, as three parallel columns (C,)."""

    ids: npt.NDArray[np.int64]
    windows: npt.NDArray[np.int64]  # how many each has
    checksums: npt.NDArray[np.int64]  # of each one's vectors


def checksum(vectors: bytes) -> int:
    """64 bits of the BLAKE2b hash of a vectors BLOB, as SQLite's signed integer."""
    return int.from_bytes(hashlib.blake2b(vectors, digest_size=8).digest(), "little", signed=True)


def path_key(path: str) -> bytes:
    """How a path is stored: file names need not be valid UTF-8."""
    return os.fsencode(path)


def chunk_from_row(row: tuple[Any, ...]) -> Chunk:
    """A Chunk from the columns that ``CatalogReader.chunks`` selects."""
    chunk_id, video_id, path, duration, starts, ends, times, shots, modified_ns = row[:9]
    spans = np.frombuffer(shots, np.float64).reshape(-1, 2)
    return Chunk(
        id=chunk_id,
        video_id=video_id,
        path=os.fsdecode(path),
        duration=duration,
        starts=np.frombuffer(starts, np.float64),
        ends=np.frombuffer(ends, np.float64),
        times=np.frombuffer(times, np.float64),
        shots=tuple(Segment(float(start), float(end)) for start, end in spans),
        modified=modified_ns / 1e9,
        missing=bool(row[9]),
        warnings=tuple(json.loads(row[10])),
    )
