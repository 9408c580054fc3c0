"""Which files of the given folders are videos, and which of the known ones are gone.

It knows names and file dates; it opens a file only to tell a transport stream from a program
text that shares its suffix. It knows no catalogue.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenewise.config import expand_user
from scenewise.errors import UsageError
from scenewise.index.records import FileStamp
from scenewise.media.video_names import looks_like_video
from scenewise.types import Failure

_SHARED_WITH_TEXT = frozenset({".ts", ".mts"})  # TypeScript


@dataclass(frozen=True, slots=True)
class Discovery:
    """What was found under the given paths."""

    files: tuple[FileStamp, ...]  # sorted by path, each real file once
    roots: tuple[str, ...]  # the given paths, symbolic links resolved
    problems: tuple[Failure, ...]  # folders and files that could not be looked at


def discover(paths: Sequence[str | Path], *, recursive: bool = True) -> Discovery:
    """Find videos: folders are searched, files that are named directly are always taken.

    Hidden and unfinished files are skipped; symbolic links are followed, and every real folder
    and file counts once, so that loops end. A path that does not exist is among the roots and
    yields nothing: only the catalogue can tell whether it was known.

    Raises UsageError where no path is given.
    """
    if not paths:
        raise UsageError("no path was given; name at least one folder or video file.")
    for path in paths:
        if not str(path).strip() or "\0" in str(path):
            raise UsageError(f"{str(path)!r} is no path; name a folder or a video file.")
    problems: list[Failure] = []
    found: dict[str, FileStamp] = {}
    seen_folders: set[tuple[int, int]] = set()
    roots = []
    for path in paths:
        root = os.path.realpath(expand_user(path))
        roots.append(root)
        candidates: Iterable[str] = (root,)
        if Path(root).is_dir():
            candidates = _walk(root, recursive, seen_folders, problems)
        for name in candidates:
            real = os.path.realpath(name)
            if real in found:
                continue
            try:
                seen = stamp(real)
            except FileNotFoundError:
                continue  # a dangling link, or gone since the folder was read
            except OSError as error:
                problems.append(Failure(real, f"cannot be looked at: {_reason(error)}"))
                continue
            if seen is not None:
                found[real] = seen
            elif real == root:
                problems.append(Failure(real, "is neither a file nor a folder"))
    return Discovery(
        tuple(found[path] for path in sorted(found)),
        tuple(dict.fromkeys(roots)),
        tuple(sorted(problems, key=lambda problem: problem.path)),
    )


def stamp(path: str | Path) -> FileStamp | None:
    """Size and date of a regular file; None for a pipe, device or socket. Raises OSError."""
    state = Path(path).stat()
    if not stat.S_ISREG(state.st_mode):
        return None
    return FileStamp(str(path), state.st_size, state.st_mtime_ns)


def vanished(known: Iterable[str], roots: Sequence[str]) -> list[str]:
    """Those of the known paths that lay under the roots and are surely gone, sorted.

    A folder that cannot be read proves nothing, so its files are not counted as gone.
    """
    return sorted(path for path in known if under(path, roots) and _is_gone(path))


def under(path: str, roots: Sequence[str]) -> bool:
    """True where a path is one of the roots or lies below one."""
    return any(path == root or path.startswith(root.rstrip(os.sep) + os.sep) for root in roots)


def _walk(
    folder: str, recursive: bool, seen: set[tuple[int, int]], problems: list[Failure]
) -> Iterator[str]:
    """Video files below a folder; each real folder is entered once."""
    waiting = [folder]
    while waiting:
        current = waiting.pop()
        try:
            state = Path(current).stat()
            if (state.st_dev, state.st_ino) in seen:
                continue
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(current) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError as error:
            problems.append(Failure(current, f"the folder cannot be read: {_reason(error)}"))
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if _is_folder(entry):
                if recursive:
                    waiting.append(entry.path)
            elif looks_like_video(entry.name) and not _is_text(entry.path):
                yield entry.path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links, or no permission to follow one
        return False


def _is_text(path: str) -> bool:
    """True for program text under a suffix that transport streams use too."""
    if Path(path).suffix.lower() not in _SHARED_WITH_TEXT:
        return False
    try:
        with Path(path).open("rb") as file:
            head = file.read(4096)
    except OSError:
        return False  # indexing will say what is wrong with it
    return bool(head) and not any(byte < 9 or byte in (0x0E, 0x0F, 0x7F) for byte in head)


def _is_gone(path: str) -> bool:
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
