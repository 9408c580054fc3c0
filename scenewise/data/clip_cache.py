"""Decoded frames kept on the disk, so that no video is decoded twice.

Two files for a split: ``NAME.frames`` holds bytes, read through the memory map of the system, and
``NAME.index`` says which clip lies where. It fills while it is read, by any number of processes
of one machine. It knows frames and spans; it knows no row, no augmentation and no network.

A clip is known by everything that its bytes depend on: the file's place, size and time stamp, the
span, the number of frames, their scale. A changed video or setting is another clip; what is no
longer asked for stays until the files are removed. An entry of the index is written after its
frames, and each carries a checksum: a process that is killed leaves bytes that the next writer
overwrites, and a page that never reached the disk is decoded again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import BufferedRandom
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scenewise.data.stretch import FileStretch, Frames, Scale, Stretch
from scenewise.errors import StorageError
from scenewise.media.sampling import uniform
from scenewise.types import Segment

_VERSION = 1  # raised by hand when decoding would give other bytes
# key, offset, frames, height, width, start and end in seconds, checksum of all these
_ENTRY = struct.Struct("<16sQIIIddI")
_CHECK = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a clip lies: checksums of its frames, then the frames."""

    offset: int
    shape: tuple[int, int, int, int]
    span: Segment

    @property
    def end(self) -> int:
        count, height, width, channels = self.shape
        return self.offset + count * (_CHECK.size + height * width * channels)


class CachedStretch:
    """A span as F frames at the middles of equal parts; each stands for its part."""

    def __init__(self, path: Path, place: _Place, mend: Callable[[], _Place]) -> None:
        self.span = place.span
        self.step_seconds = place.span.duration / place.shape[0]
        self._path = path
        self._place = place
        self._mend = mend

    def pictures(self, times: Sequence[float]) -> Frames:
        """The frames in whose parts these instants lie."""
        count = self._place.shape[0]
        share = (np.asarray(times) - self.span.start) / max(self.span.duration, 1e-9)
        # the middle of a part, computed twice, is not to fall into its neighbour
        numbers = np.clip(np.floor(share * count + 1e-9).astype(int), 0, count - 1)
        frames = _read(self._path, self._place, numbers)
        if frames is None:
            self._place = self._mend()
            frames = _read(self._path, self._place, numbers)
        if frames is None:
            raise StorageError(
                f"{self._path}: what was just written reads back otherwise; the disk is failing."
            )
        return frames


def _read(path: Path, place: _Place, numbers: npt.NDArray[np.intp]) -> Frames | None:
    """Some frames of a clip; None where they are not what was written."""
    count = place.shape[0]
    try:
        checks = np.memmap(path, np.uint32, "r", place.offset, (count,))
        kept = np.memmap(path, np.uint8, "r", place.offset + count * _CHECK.size, place.shape)
    except (OSError, ValueError):  # a map longer than its file is a ValueError
        return None
    frames: Frames = np.array(kept[numbers])
    whole = all(
        zlib.crc32(frame) == checks[number] for frame, number in zip(frames, numbers, strict=True)
    )
    return frames if whole else None


class ClipCache:
    """The cache of one split; ``place`` is the path of both files, without a suffix."""

    def __init__(self, place: Path, frames: int) -> None:
        """``frames`` are kept of each span. Raises StorageError where the folder is no place."""
        self.frames = frames
        self._data = place.with_name(place.name + ".frames")
        self._index = place.with_name(place.name + ".index")
        self._known: dict[bytes, _Place] = {}
        self._read = 0  # bytes of the index that are known
        self._end = 0  # of the last clip's bytes
        with _storage_errors(self._data):
            place.parent.mkdir(parents=True, exist_ok=True)
            for path in (self._data, self._index):
                path.touch()

    def __len__(self) -> int:
        """How many clips are kept."""
        self._refresh()
        return len(self._known)

    @contextmanager
    def open(self, path: Path, span: Segment | None, scale: Scale) -> Iterator[Stretch]:
        """The stretch from the cache; it is decoded and kept first where it is not there.

        Raises MediaError and DataError for the video, StorageError for the cache.
        """
        key = _key(path, span, scale, self.frames)
        found = self._find(key)
        place = self._decoded(key, path, span, scale) if found is None else found
        yield CachedStretch(
            self._data,
            place,
            lambda: self._decoded(key, path, span, scale, damaged=place),
        )

    def _decoded(
        self,
        key: bytes,
        path: Path,
        span: Segment | None,
        scale: Scale,
        damaged: _Place | None = None,
    ) -> _Place:
        """Decode the span and keep it."""
        with FileStretch(path, span, scale) as stretch:
            start, length = stretch.span.start, stretch.span.duration
            frames = stretch.pictures([start + time for time in uniform(length, self.frames)])
            return self._keep(key, frames, stretch.span, damaged)

    def _find(self, key: bytes) -> _Place | None:
        if key not in self._known:
            self._refresh()
        return self._known.get(key)

    def _refresh(self) -> None:
        """Learn what other processes have added."""
        with _storage_errors(self._index), self._index.open("rb") as file:
            file.seek(self._read)
            added = file.read()
        whole = len(added) // _ENTRY.size * _ENTRY.size
        for entry in _ENTRY.iter_unpack(added[:whole]):
            key, offset, count, height, width, start, end, check = entry
            if zlib.crc32(_ENTRY.pack(*entry[:-1], 0)) == check:
                shape = (count, height, width, 3)
                self._known[key] = place = _Place(offset, shape, Segment(start, end))
                self._end = max(self._end, place.end)
        self._read += whole

    def _keep(self, key: bytes, frames: Frames, span: Segment, damaged: _Place | None) -> _Place:
        """Write frames, then their entry, while no other process does."""
        with _storage_errors(self._data), _locked(self._index) as index:
            self._refresh()
            known = self._known.get(key)
            if known is not None and known != damaged:
                return known  # another process was faster
            # past the last entry may lie what a killed process left: it is written over
            offset = -(-self._end // _CHECK.size) * _CHECK.size
            place = _Place(offset, (len(frames), *frames.shape[1:3], 3), span)
            with self._data.open("r+b") as data:
                data.seek(offset)
                data.write(b"".join(_CHECK.pack(zlib.crc32(frame)) for frame in frames))
                data.write(np.ascontiguousarray(frames).data)
            fields = (key, offset, *frames.shape[:3], span.start, span.end)
            index.seek(self._read)
            index.write(_ENTRY.pack(*fields, zlib.crc32(_ENTRY.pack(*fields, 0))))
            index.flush()
            self._refresh()
            return place


def _key(path: Path, span: Segment | None, scale: Scale, frames: int) -> bytes:
    """What the bytes depend on; a missing file has no stamp, and opening it says so."""
    place = path.resolve()
    try:
        status = place.stat()
        stamp = [status.st_size, status.st_mtime_ns]
    except OSError:
        stamp = []
    ends = None if span is None else [span.start, span.end]
    facts = [_VERSION, os.fspath(place), stamp, ends, asdict(scale), frames]
    return hashlib.sha256(json.dumps(facts).encode("utf-8", "surrogateescape")).digest()[:16]


@contextmanager
def _locked(path: Path) -> Iterator[BufferedRandom]:
    """The file, while no other process has it; a killed process has it no longer."""
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            yield file
            file.flush()
        finally:
            # closing is not enough where a process was forked meanwhile
            fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path}: the cache of frames cannot be used ({error.strerror or error}); make room, "
            "or name another folder as cache."
        ) from error
