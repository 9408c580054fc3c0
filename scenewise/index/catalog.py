"""The truth about a library: one SQLite file. One transaction per video.

It knows rows and transactions; it knows no decoder, no network and no FAISS.

Tables (see docs/architecture.md): ``generation`` (an encoder's filling of the library: spec,
state filling | active | retired), ``video`` (content hash, duration), ``location`` (a path with
size, date, and whether it is missing or failed), ``chunk`` (one video in one generation: fp16
vectors, sparse concepts, spans; its id is never used twice), ``segment`` + FTS5 (words with
times), ``meta``.
A window's id is ``chunk id << 20 | ordinal``; a hit lives exactly as long as its chunk row does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import EncoderSpec, WindowFeatures
from scenewise.index.records import EncodedVideo, FileStamp
from scenewise.types import Segment, Video

ORDINAL_BITS = 20


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


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalogue has on a path."""

    stamp: FileStamp
    content_hash: str | None  # None for a file that failed
    reason: str | None
    missing: bool


class Catalog:
    """An open library database; a reader by default, a writer by ``write=True``."""

    @classmethod
    def open(cls, directory: Path, *, write: bool = False, create: bool = False) -> Self:
        """Open. Readers never block; a second writer gets LibraryLockedError at once.

        Raises LibraryNotFoundError, LibraryLockedError, LibraryDamagedError, StorageError.
        """
        raise NotImplementedError

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
        raise NotImplementedError

    # generations
    def active(self) -> Generation | None:
        """The generation that answers; None in a library that nothing was indexed into."""
        raise NotImplementedError

    def filling(self) -> Generation | None:
        """The generation that a reindex is filling, if one was begun."""
        raise NotImplementedError

    def begin(self, spec: EncoderSpec, sampling: str) -> Generation:
        """Start a generation: active where there is none yet, filling otherwise."""
        raise NotImplementedError

    def switch(self, generation_id: int) -> None:
        """Make a filling generation the active one and drop the old one's chunks."""
        raise NotImplementedError

    # writing, each one transaction
    def commit_video(self, generation_id: int, video: EncodedVideo) -> int:
        """Store everything of one video and return its chunk id."""
        raise NotImplementedError

    def commit_failure(self, stamp: FileStamp, reason: str) -> None:
        """Record that a file could not be indexed."""
        raise NotImplementedError

    def add_location(self, content_hash: str, stamp: FileStamp) -> None:
        """The content is known and lies (also) at this path; clears missing and failed."""
        raise NotImplementedError

    def mark_missing(self, paths: Collection[str]) -> None:
        """These files are gone; their videos answer no more unless another path is live."""
        raise NotImplementedError

    def remove(self, video_ids: Collection[str]) -> int:
        """Forget videos with all their rows; return how many there were."""
        raise NotImplementedError

    # reading
    def known(self) -> dict[str, Known]:
        """All paths."""
        raise NotImplementedError

    def has_content(self, generation_id: int, content_hash: str) -> bool:
        """True where this content has a chunk in this generation."""
        raise NotImplementedError

    def videos(self) -> list[Video]:
        """One per path, sorted by path."""
        raise NotImplementedError

    def chunk_ids(self, generation_id: int) -> npt.NDArray[np.int64]:
        """Ids of all chunks of a generation, ascending."""
        raise NotImplementedError

    def chunks(self, chunk_ids: Collection[int]) -> dict[int, Chunk]:
        """Those of the given chunks that are alive (missing ones included, marked)."""
        raise NotImplementedError

    def features(self, chunk_id: int) -> WindowFeatures:
        """Vectors (float32) and concepts of one chunk."""
        raise NotImplementedError

    def vectors_after(
        self, generation_id: int, chunk_id: int
    ) -> Iterator[tuple[int, npt.NDArray[np.float16]]]:
        """(chunk id, (N, D) fp16) of chunks with a larger id, ascending."""
        raise NotImplementedError

    def video_vectors(
        self, generation_id: int
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Chunk ids (V,) and one unit vector per video (V, D)."""
        raise NotImplementedError

    def backup(self, target: Path) -> None:
        """A consistent copy of the database, also while another process writes."""
        raise NotImplementedError
