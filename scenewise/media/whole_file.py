"""Files that are there whole or not at all: written beside their place, synced, then renamed.

It knows paths, text and pictures that are ready; what they say or show is others'. A process that
is killed while it writes leaves the file that was there before, and a ``.part`` beside it.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenewise.errors import StorageError, UsageError

if TYPE_CHECKING:  # text is written without the picture library
    from PIL.Image import Image

PICTURE_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_LONGEST_NAME = 80  # characters of the name that the path beside keeps; a name has 255 bytes


@contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """A path beside ``path`` that takes its name when the block ends well; folders are made.

    The block writes and closes it. Raises OSError, also where the place is a device or a folder.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no file that can be replaced")
    aside = path.with_name(f".{path.name[-_LONGEST_NAME:]}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        flush(aside)
        aside.replace(path)
    finally:
        with suppress(OSError):  # where it could not be made
            aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8, line ends as they are; an existing file is replaced whole. Raises StorageError.

    Bytes of a file name that are no valid text come back as they were.
    """
    with _storage_errors(path), written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8", errors="surrogateescape", newline="")
    return path


def write_picture(path: Path, picture: Image, **options: Any) -> Path:
    """Write PNG, JPEG or WebP, by the suffix; an existing file is replaced whole.

    ``options`` are Pillow's for that format. Raises UsageError for another suffix, StorageError.
    """
    check_picture(path)
    with _storage_errors(path), written_aside(path) as aside:
        picture.save(aside, format=PICTURE_FORMATS[path.suffix.lower()], **options)
    return path


def check_picture(path: Path, what: str = "a picture") -> None:
    """Raise UsageError for a file name that no picture can be written as; ``what`` it would be."""
    if path.suffix.lower() not in PICTURE_FORMATS:
        allowed = ", ".join(PICTURE_FORMATS)
        raise UsageError(f"{path}: {what} is written as {allowed}, not {path.suffix!r}.")


def flush(path: Path) -> None:
    """Force a file, or the names in a folder, onto the disk."""
    if sys.platform == "win32" and path.is_dir():
        return  # Windows keeps names by itself and opens no folder
    descriptor = os.open(path, os.O_RDONLY if sys.platform != "win32" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _storage_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written ({error.strerror or error}); name another place."
        ) from error
