"""Folders of prepared files, one per key: built once, whole or absent, checked when opened.

It knows files, locks and checksums; it knows nothing of networks. The key must name everything
that the content depends on (hashes of weights, version of the code), so that a folder never has
to be changed: it is only built, found whole, or built again.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scenewise.encoders.spec import Report
from scenewise.errors import EncoderError
from scenewise.media.whole_file import flush

MANIFEST = "manifest.json"
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def cached_folder(
    cache_dir: Path,
    key: str,
    build: Callable[[Path], None],
    *,
    thorough: bool = False,
    progress: Report | None = None,
) -> Path:
    """The folder ``cache_dir/key``, built by ``build(empty_folder)`` unless it is there whole.

    Several processes may ask at once: one builds, the others wait. The folder appears by a
    rename after everything in it was synced, so an interrupted build leaves nothing that a later
    call would take for a result. Files whose size and time stamp are as they were written are
    trusted; any other is hashed, and ``thorough`` hashes all. A folder that fails the check is
    built again.

    Raises EncoderError where the cache cannot be written; errors of ``build`` pass through.
    """
    if not _KEY.fullmatch(key):
        raise ValueError(f"a cache key is one plain file name, got {key!r}")
    final = cache_dir / key
    if _is_whole(final, thorough):
        return final
    with _storage_errors(cache_dir):
        cache_dir.mkdir(parents=True, exist_ok=True)
    with _lock(cache_dir, key, progress):
        if _is_whole(final, thorough):  # another process was faster
            return final
        with _storage_errors(cache_dir):
            for left_over in cache_dir.glob(f".{key}.*.building"):
                shutil.rmtree(left_over)  # of a process that was killed: we hold its lock
            building = Path(tempfile.mkdtemp(prefix=f".{key}.", suffix=".building", dir=cache_dir))
        try:
            build(building)
            with _storage_errors(cache_dir):
                building.chmod(0o755)  # mkdtemp's is private; a shared cache must be readable
                _write_manifest(building)
                if final.exists():
                    shutil.rmtree(final)
                building.rename(final)
                flush(cache_dir)
        finally:
            shutil.rmtree(building, ignore_errors=True)
    return final


def find_folder(cache_dir: Path, key: str) -> Path | None:
    """The folder if it is there whole; builds nothing."""
    folder = cache_dir / key
    return folder if _is_whole(folder, thorough=False) else None


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_whole(folder: Path, thorough: bool) -> bool:
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text("utf-8"))
        files: dict[str, dict[str, Any]] = manifest["files"]
        if manifest["digest"] != _digest(files):
            return False
        stamps_agree = True
        for name, entry in files.items():
            path = folder / name
            status = path.stat()
            if status.st_size != entry["size"]:
                return False
            if thorough or status.st_mtime_ns != entry["modified_ns"]:
                if file_sha256(path) != entry["sha256"]:
                    return False
                stamps_agree = stamps_agree and status.st_mtime_ns == entry["modified_ns"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False  # absent, or not a manifest of ours
    if not stamps_agree:
        # a copied cache: note the new time stamps, so that the next process need not hash
        with suppress(OSError):  # a read-only cache is still a good one
            _write_manifest(folder)
    return True


def _write_manifest(folder: Path) -> None:
    """Sync every file and describe it; the manifest itself is replaced in one step."""
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            flush(path)
            status = path.stat()
            files[path.relative_to(folder).as_posix()] = {
                "size": status.st_size,
                "modified_ns": status.st_mtime_ns,
                "sha256": file_sha256(path),
            }
    fresh = folder / f".{MANIFEST}.{os.getpid()}"
    shape = {"digest": _digest(files), "files": files}
    fresh.write_text(json.dumps(shape, indent=1), encoding="utf-8")
    flush(fresh)
    fresh.replace(folder / MANIFEST)
    for directory in (*(path for path in folder.rglob("*") if path.is_dir()), folder):
        flush(directory)


def _digest(files: dict[str, dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()


@contextmanager
def _lock(cache_dir: Path, key: str, progress: Report | None) -> Iterator[None]:
    """Hold ``.key.lock``. The file stays: removing it would let two processes hold it."""
    with _storage_errors(cache_dir):
        file = (cache_dir / f".{key}.lock").open("a+b")
    with file:
        if not _try_lock(file.fileno(), wait=False):
            if progress is not None:
                progress(f"waiting: another process prepares {key}")
            _try_lock(file.fileno(), wait=True)
        try:
            yield
        finally:
            _unlock(file.fileno())


if sys.platform == "win32":
    import msvcrt
    import time

    def _try_lock(descriptor: int, *, wait: bool) -> bool:
        while True:
            try:
                os.lseek(descriptor, 0, os.SEEK_SET)
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
                return True
            except OSError:
                if not wait:
                    return False
                time.sleep(0.1)  # LK_LOCK gives up after ten tries

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int, *, wait: bool) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def _storage_errors(cache_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EncoderError(
            f"The cache folder {cache_dir} cannot be written: {error.strerror or error}. "
            "Make room or set SCENEWISE_CACHE to another folder."
        ) from error
