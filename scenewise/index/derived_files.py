"""Folders of files that can be made again: written aside, flushed, renamed, checksummed.

It knows bytes, folders and checksums; what the bytes mean is ``vectors``' and ``ann``'s. A build
is one folder; its manifest names each file with size, CRC-32 per block (the check at opening,
about 0.15 s per GB) and SHA-256 (the full check). The folder appears under its name by one
rename, after everything in it is on the disk, so a build that can be seen is whole.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scenewise.index.database import library_errors
from scenewise.media.whole_file import flush

BUILDS_FOLDER = "vectors"
MANIFEST_FILE = "manifest.json"
_FORMAT = 1
_BLOCK_BYTES = 4 << 20
_ALL_BLOCKS_BELOW_BYTES = 256 << 20  # larger files are checked at opening by sample
_SAMPLED_BLOCKS = 16
_NAME = re.compile(r"g(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What a file must be."""

    size: int
    sha256: str
    blocks: tuple[int, ...]  # CRC-32 of each 4 MiB


@dataclass(frozen=True, slots=True)
class Build:
    """A folder of derived files of one generation, with what its manifest says."""

    folder: Path
    generation_id: int
    serial: int  # grows with every build of a generation
    files: dict[str, FileRecord]
    facts: dict[str, Any]  # what the maker of the files wants to know of them

    @property
    def name(self) -> str:
        """Unique within a library."""
        return self.folder.name


class DamagedBuildError(Exception):
    """A build is not what its manifest says. Never leaves the index floor: builds are made anew."""


def write_stream(path: Path, parts: Iterable[bytes | memoryview]) -> FileRecord:
    """Write a file part by part, on the disk when this returns."""
    record = _Recorder()
    with path.open("wb") as file:
        for part in parts:
            file.write(part)
            record.add(part)
    flush(path)
    return record.finish()


def record_file(path: Path) -> FileRecord:
    """The record of a file that something else wrote; on the disk when this returns."""
    flush(path)
    record = _Recorder()
    for block in _blocks(path):
        record.add(block)
    return record.finish()


@contextmanager
def new_build(directory: Path, generation_id: int) -> Iterator[NewBuild]:
    """A folder to fill; it becomes the newest build when the block ends well, else vanishes.

    Raises StorageError. Only the writer of a library may build.
    """
    root = directory / BUILDS_FOLDER
    with library_errors(directory):
        root.mkdir(exist_ok=True)
        serial = max((build[1] for build in _names(root, generation_id)), default=0) + 1
        aside = root / f".new-{secrets.token_hex(4)}"
        aside.mkdir()
        try:
            build = NewBuild(aside)
            yield build
            build.write_manifest(generation_id)
            flush(aside)
            aside.rename(root / f"g{generation_id}-{serial}")
            flush(root)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise


class NewBuild:
    """A build in the making: write files into ``folder``, add their records and the facts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, FileRecord] = {}
        self.facts: dict[str, Any] = {}

    def write_manifest(self, generation_id: int) -> None:
        """The last file."""
        shape = {
            "format": _FORMAT,
            "generation": generation_id,
            "files": {name: asdict(record) for name, record in self.files.items()},
            "facts": self.facts,
        }
        text = json.dumps(shape, sort_keys=True)
        sealed = json.dumps({"seal": hashlib.sha256(text.encode()).hexdigest(), "manifest": text})
        path = self.folder / MANIFEST_FILE
        path.write_text(sealed, "ascii")
        flush(path)


def newest_build(directory: Path, generation_id: int) -> Build | None:
    """The newest build of a generation, its manifest read and its file sizes checked.

    Raises DamagedBuildError, FileNotFoundError where a writer replaced it this very moment.
    """
    root = directory / BUILDS_FOLDER
    found = max(_names(root, generation_id), key=lambda name: name[1], default=None)
    if found is None:
        return None
    folder = root / found[0]
    try:
        outer = json.loads((folder / MANIFEST_FILE).read_text("ascii"))
        text = outer["manifest"]
        if hashlib.sha256(text.encode()).hexdigest() != outer["seal"]:
            raise DamagedBuildError(f"{folder / MANIFEST_FILE} was changed")
        shape = json.loads(text)
        if shape["format"] != _FORMAT or shape["generation"] != generation_id:
            raise DamagedBuildError(f"{folder} is of another format or generation")
        files = {
            name: FileRecord(record["size"], record["sha256"], tuple(record["blocks"]))
            for name, record in shape["files"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedBuildError(f"{folder / MANIFEST_FILE} cannot be read: {error}") from error
    for name, record in files.items():
        size = (folder / name).stat().st_size
        if size != record.size:
            raise DamagedBuildError(f"{folder / name} has {size} bytes, not {record.size}")
    return Build(folder, generation_id, found[1], files, shape["facts"])


def newest_name(directory: Path, generation_id: int) -> str | None:
    """The folder name of the newest build, without a look inside."""
    names = _names(directory / BUILDS_FOLDER, generation_id)
    return max(names, key=lambda name: name[1], default=(None, 0))[0]


def check_quickly(build: Build, name: str, *, sample: bool) -> None:
    """Compare a file's blocks with their CRC-32; of a large one a sample, where ``sample``.

    Raises DamagedBuildError.
    """
    record = build.files[name]
    count = len(record.blocks)
    chosen = range(count)
    if sample and record.size > _ALL_BLOCKS_BELOW_BYTES:
        chosen = range(0, count, max(1, count // _SAMPLED_BLOCKS))
    with (build.folder / name).open("rb") as file:
        for index in (*chosen, count - 1) if count else ():
            file.seek(index * _BLOCK_BYTES)
            if zlib.crc32(file.read(_BLOCK_BYTES)) != record.blocks[index]:
                raise DamagedBuildError(
                    f"{build.folder / name} was changed near byte {index * _BLOCK_BYTES}"
                )


def problems(build: Build) -> list[str]:
    """The full check, in sentences; empty where all is well. Reads every byte."""
    found = []
    for name, record in build.files.items():
        if record_file(build.folder / name) != record:
            found.append(f"{build.folder / name} is not what was written; it will be made again.")
    return found


def remove_old(directory: Path, keep: dict[int, str]) -> None:
    """Delete what is left of killed builds, and all builds but those to keep (generation: name).

    What another process still holds open may stay until the next time (Windows).
    """
    root = directory / BUILDS_FOLDER
    if not root.is_dir():
        return
    kept = set(keep.values())
    for folder in root.iterdir():
        if folder.name not in kept and (
            _NAME.fullmatch(folder.name) or folder.name.startswith((".new-", ".old-"))
        ):
            # renamed first, so that nobody finds a folder that is half gone
            gone = root / f".old-{secrets.token_hex(4)}"
            try:
                folder.rename(gone)
            except OSError:
                gone = folder
            shutil.rmtree(gone, ignore_errors=True)


def _names(root: Path, generation_id: int) -> list[tuple[str, int]]:
    if not root.is_dir():
        return []
    found = []
    for folder in root.iterdir():
        match = _NAME.fullmatch(folder.name)
        if match and int(match[1]) == generation_id:
            found.append((folder.name, int(match[2])))
    return found


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            yield block


class _Recorder:
    """Size and checksums of bytes that pass by, cut into blocks of one size."""

    def __init__(self) -> None:
        self._size = 0
        self._sha256 = hashlib.sha256()
        self._blocks: list[int] = []
        self._crc = 0

    def add(self, part: bytes | memoryview) -> None:
        view = memoryview(part).cast("B")
        self._sha256.update(view)
        while len(view):
            room = _BLOCK_BYTES - self._size % _BLOCK_BYTES
            piece = view[:room]
            self._crc = zlib.crc32(piece, self._crc)
            self._size += len(piece)
            if self._size % _BLOCK_BYTES == 0:
                self._blocks.append(self._crc)
                self._crc = 0
            view = view[room:]

    def finish(self) -> FileRecord:
        blocks = self._blocks + ([self._crc] if self._size % _BLOCK_BYTES else [])
        return FileRecord(self._size, self._sha256.hexdigest(), tuple(blocks))
