"""Rows and their videos in shards: plain tar files of a bounded size, in WebDataset's layout.

A shard has two members a video: ``KEY.json`` with its rows, and ``KEY.mp4`` (or its own suffix)
with its bytes as they are; other programs for WebDataset read them too. Beside each tar lies a
small JSON file that says what is in it: a shard is finished when that is there, so a run that was
ended goes on where it was.

Reading gives ``ShardSample``: one row, and where its video lies inside the tar. Bytes are read only
when a sample is used, so shuffling holds places, not videos. It needs no torch: ``shard_stream``
makes a dataset of it. Shards are files of this machine; none is fetched from elsewhere.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from scenewise.data.rows import Annotations, AnyRow, Row, Task, row_from_dict
from scenewise.errors import DataError, StorageError, UsageError, first_line
from scenewise.media.whole_file import write_text, written_aside

FORM = "scenewise shard 1"
SHARD_BYTES = 1 << 30
BUFFER = 1000
_TAR = tarfile.GNU_FORMAT
_CHUNK = 1 << 20  # bytes that are copied at once
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShardSample:
    """One row, and its video as ``size`` bytes from ``offset`` of the file ``shard``.

    ``number`` is that of the row in the annotations that were written.
    """

    number: int
    row: Row
    shard: Path
    suffix: str
    offset: int
    size: int

    def read(self) -> bytes:
        """The video's bytes. Raises DataError where the shard is shorter by now."""
        with self.shard.open("rb") as file:
            file.seek(self.offset)
            data = file.read(self.size)
        if len(data) < self.size:
            raise DataError(f"{self.shard}: ends inside the video of {self.row.video}.")
        return data

    @contextmanager
    def as_file(self) -> Iterator[Path]:
        """The video as a file, which is gone when the block ends: decoders seek in files."""
        with tempfile.TemporaryDirectory(prefix="scenewise-") as folder:
            path = Path(folder) / f"video{self.suffix}"
            with self.shard.open("rb") as source, path.open("wb") as copy:
                source.seek(self.offset)
                left = self.size
                while left and (data := source.read(min(left, _CHUNK))):
                    copy.write(data)
                    left -= len(data)
            if left:
                raise DataError(f"{self.shard}: ends inside the video of {self.row.video}.")
            yield path


# ---- writing


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What lies in the folder now. ``kept`` shards were finished before and left as they were."""

    shards: tuple[Path, ...]
    rows: int
    kept: int


@dataclass(frozen=True, slots=True)
class _Planned:
    """One video of a shard: its rows with their numbers."""

    video: str
    path: Path
    size: int
    rows: tuple[tuple[int, Row], ...]


def write_shards(
    annotations: Annotations[AnyRow],
    videos: Mapping[str, Path],
    folder: str | Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int, int], None] | None = None,
) -> ShardReport:
    """Write all rows and their videos; ``videos`` says where each lies (``Found.paths``).

    A shard is closed before the video that would make it larger than ``shard_bytes``; a larger
    video has one of its own. All rows of a video lie together. The same rows, files and size give
    the same shards, so a second run writes what is missing and leaves the rest; shards of other
    rows in the folder are an error. ``progress`` is told finished shards and all.

    Raises DataError for a video that is missing or changes, UsageError, StorageError.
    """
    if shard_bytes < 1:
        raise UsageError(f"shard_bytes is at least 1, got {shard_bytes}.")
    folder = Path(folder)
    plan = _plan(annotations, videos, shard_bytes)
    shards = [folder / f"{number:06d}.tar" for number in range(len(plan))]
    foreign = sorted(set(folder.glob("*.tar")) - set(shards)) if folder.is_dir() else []
    if foreign:
        raise DataError(f"{foreign[0]}: belongs to other shards; name an empty folder.")
    kept = 0
    for number, (shard, parts) in enumerate(zip(shards, plan, strict=True), 1):
        shape = _about(annotations.task, parts)
        if _is_finished(shard, shape):
            kept += 1
        else:
            _write_shard(shard, annotations.task, parts, shape)
        if progress is not None:
            progress(number, len(plan))
    return ShardReport(tuple(shards), len(annotations.rows), kept)


def _plan(
    annotations: Annotations[AnyRow], videos: Mapping[str, Path], shard_bytes: int
) -> list[list[_Planned]]:
    by_video: dict[str, list[tuple[int, Row]]] = {}
    for number, row in enumerate(annotations.rows):
        by_video.setdefault(row.video, []).append((number, row))
    plan: list[list[_Planned]] = []
    filled = 0
    for video, rows in by_video.items():
        try:
            size = videos[video].stat().st_size
        except KeyError:
            raise DataError(
                f"{video}: has no file; leave its rows out first (with_videos does)."
            ) from None
        except OSError as error:
            raise DataError(f"{videos[video]}: cannot be read: {first_line(error)}.") from error
        if not plan or filled + size > shard_bytes:
            plan.append([])
            filled = 0
        plan[-1].append(_Planned(video, videos[video], size, tuple(rows)))
        filled += size
    if not plan:
        raise DataError(f"{annotations.dataset}, {annotations.split}: has no row to write.")
    return plan


def _member(task: Task, part: _Planned) -> bytes:
    rows = [{"number": number, **row.to_dict()} for number, row in part.rows]
    return json.dumps({"task": task, "video": part.video, "rows": rows}).encode()


def _about(task: Task, parts: Sequence[_Planned]) -> dict[str, Any]:
    """What the file beside a shard says; the digest stands for its rows and sizes."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(_member(task, part) + f" {part.path.suffix} {part.size}\n".encode())
    rows = sum(len(part.rows) for part in parts)
    return {"form": FORM, "rows": rows, "videos": len(parts), "digest": digest.hexdigest()}


def _is_finished(shard: Path, about: dict[str, Any]) -> bool:
    try:
        known = json.loads(shard.with_suffix(".json").read_text("utf-8"))
        return bool(known == {**about, "bytes": shard.stat().st_size})
    except (OSError, ValueError):
        return False


def _write_shard(shard: Path, task: Task, parts: Sequence[_Planned], about: dict[str, Any]) -> None:
    note = shard.with_suffix(".json")
    try:
        note.unlink(missing_ok=True)
        with written_aside(shard) as aside, tarfile.open(aside, "w", format=_TAR) as tar:
            for number, part in enumerate(parts):
                key = f"{shard.stem}-{number:06d}"
                data = _member(task, part)
                entry = tarfile.TarInfo(f"{key}.json")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
                _add_video(tar, key, part)
        write_text(note, json.dumps({**about, "bytes": shard.stat().st_size}) + "\n")
    except OSError as error:
        raise StorageError(
            f"{shard}: cannot be written ({error.strerror or error}); name another place."
        ) from error


def _add_video(tar: tarfile.TarFile, key: str, part: _Planned) -> None:
    entry = tarfile.TarInfo(f"{key}{part.path.suffix.lower()}")
    entry.size = part.size
    try:
        with part.path.open("rb") as file:
            if file.seek(0, io.SEEK_END) != part.size:
                raise DataError(f"{part.path}: changes while it is read; begin again.")
            file.seek(0)
            tar.addfile(entry, file)
    except FileNotFoundError:
        raise DataError(f"{part.path}: is gone since the shards were planned.") from None


# ---- reading


def find_shards(folder: str | Path) -> tuple[Path, ...]:
    """The shards of a folder, by name. Raises DataError where there is none."""
    folder = Path(folder)
    shards = tuple(sorted(folder.glob("*.tar"))) if folder.is_dir() else ()
    if not shards:
        raise DataError(f"{folder}: holds no shard (*.tar).")
    return shards


def count_rows(shards: Sequence[Path]) -> int:
    """How many rows the shards have, by the files beside them. Raises DataError without these."""
    total = 0
    for shard in shards:
        try:
            total += int(json.loads(shard.with_suffix(".json").read_text("utf-8"))["rows"])
        except (OSError, ValueError, KeyError, TypeError):
            raise DataError(
                f"{shard}: is not finished, as {shard.stem}.json beside it says nothing; "
                "write the shards again, what is finished stays."
            ) from None
    return total


class ShardReader:
    """Samples of shards: ``skipped`` names what was broken, and grows while they are read.

    ``part`` of ``parts`` readers reads its own share, and all shares together are every sample
    once: whole shards where there are as many as readers, else every ``parts``-th video.
    """

    def __init__(
        self,
        shards: Sequence[Path],
        *,
        part: int = 0,
        parts: int = 1,
        seed: int | None = None,
        epoch: int = 0,
        buffer: int = BUFFER,
    ) -> None:
        """``seed`` None reads in the order of writing; else shards and samples are shuffled.

        ``buffer`` is how many samples are held to draw from. Raises UsageError.
        """
        if not 0 <= part < parts:
            raise UsageError(f"a part is from 0 to below {parts}, got {part}.")
        if buffer < 1:
            raise UsageError(f"a shuffle buffer holds at least 1 sample, got {buffer}.")
        self._shards = tuple(shards)
        self._part, self._parts = part, parts
        self._seed, self._epoch = seed, epoch
        self._buffer = buffer
        self.skipped: list[str] = []

    def __iter__(self) -> Iterator[ShardSample]:
        shards = list(self._shards)
        if self._seed is None:
            yield from self._own(shards)
            return
        # alike in all parts, which share the shards out then
        Random(f"{self._seed} {self._epoch}").shuffle(shards)
        draws = Random(f"{self._seed} {self._epoch} {self._part}")
        held: list[ShardSample] = []
        for sample in self._own(shards):
            if len(held) < self._buffer:
                held.append(sample)
                continue
            place = draws.randrange(len(held))
            drawn, held[place] = held[place], sample
            yield drawn
        draws.shuffle(held)
        yield from held

    def _own(self, shards: Sequence[Path]) -> Iterator[ShardSample]:
        if len(shards) >= self._parts:
            for shard in shards[self._part :: self._parts]:
                for samples in self._videos(shard):
                    yield from samples
            return
        videos = (samples for shard in shards for samples in self._videos(shard))
        for samples in islice(videos, self._part, None, self._parts):
            yield from samples

    def _videos(self, shard: Path) -> Iterator[list[ShardSample]]:
        """The samples of each video that is whole."""
        about: tuple[str, bytes] | None = None
        number = 0  # of videos so far, whole or not
        try:
            with shard.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
                for member in tar:
                    key, _, suffix = member.name.partition(".")
                    if member.offset_data + member.size > shard.stat().st_size:
                        raise tarfile.ReadError("it ends before its last member")
                    if suffix == "json":
                        if about is not None:
                            self._skip(shard, about[0], "has no video")
                        number += 1
                        about = key, _contents(tar, member)
                    elif about is None or about[0] != key:
                        self._skip(shard, member.name, "has no rows")
                    else:
                        samples = self._samples(shard, key, about[1], f".{suffix}", member)
                        about = None
                        if samples:
                            yield samples
            if about is not None:
                self._skip(shard, about[0], "has no video")
            written = _written(shard)
            if written is not None and number < written:
                # a damaged header in the middle looks to tarfile like the end
                self._skip(shard, f"all after video {number} of {written}", "cannot be found")
        except (OSError, tarfile.TarError) as error:
            place = f"all after video {number}" if number else "the shard"
            self._skip(shard, place, f"cannot be read: {first_line(error)}")

    def _samples(
        self, shard: Path, key: str, data: bytes, suffix: str, member: tarfile.TarInfo
    ) -> list[ShardSample]:
        try:
            shape = json.loads(data)
            return [
                ShardSample(
                    int(row.pop("number")),
                    row_from_dict(shape["task"], row),
                    shard,
                    suffix,
                    member.offset_data,
                    member.size,
                )
                for row in shape["rows"]
            ]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._skip(shard, f"{key}.json", f"is not what was written: {first_line(error)}")
            return []

    def _skip(self, shard: Path, what: str, why: str) -> None:
        self.skipped.append(f"{shard.name}: {what} {why}")
        logger.warning("%s: %s %s; left out, %d so far", shard, what, why, len(self.skipped))


def _contents(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return b"" if file is None else file.read()


def _written(shard: Path) -> int | None:
    """How many videos were written, by the file beside the shard."""
    try:
        return int(json.loads(shard.with_suffix(".json").read_text("utf-8"))["videos"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
