"""Opening media files, and FFmpeg's errors told as ours.

It knows files, containers and which stream is the picture; it knows no packet and no frame.
Only files of this machine are opened: a list that points elsewhere is not followed.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Discard, Disposition

from scenewise.errors import UnreadableMediaError

# what FFmpeg and the operating system raise over a broken file; UnicodeError is a ValueError
FOREIGN_ERRORS = (av.FFmpegError, OSError, MemoryError, ValueError, OverflowError)

# A header may claim any size. 8K is 33 million pixels; above twice that it is a lie, or will not
# fit in memory with the reference frames.
MAX_PIXELS = 1 << 26

_NOT_A_FILM = Disposition.attached_pic | Disposition.timed_thumbnails


@contextmanager
def foreign_errors(path: Path) -> Iterator[None]:
    """Turn errors of FFmpeg and of the operating system into UnreadableMediaError."""
    try:
        yield
    except FOREIGN_ERRORS as error:
        raise UnreadableMediaError(_sentence(path, error)) from error


def _sentence(path: Path, error: BaseException) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path}: there is no such file."
    if isinstance(error, PermissionError):
        return f"{path}: no permission to read it."
    if isinstance(error, MemoryError):
        return f"{path}: its header asks for more memory than there is; it is damaged or too large."
    if getattr(error, "errno", None) == errno.EIO:
        return f"{path}: the disk could not be read."
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return (
        f"{path}: not readable as a video ({reason}); it is empty, cut off, damaged or of "
        "another kind: play it, or make it anew."
    )


def open_container(path: Path) -> InputContainer:
    """Open a regular file for reading. Raises UnreadableMediaError."""
    with foreign_errors(path):
        if path.is_dir():
            raise UnreadableMediaError(f"{path}: is a folder, not a video file.")
        size = path.stat().st_size
        if not path.is_file():
            raise UnreadableMediaError(f"{path}: is not a regular file.")
        if size == 0:
            raise UnreadableMediaError(f"{path}: the file is empty.")
        # the absolute path, so that a name such as "12:30.mp4" is not taken for a protocol
        return av.open(
            str(path.absolute()),
            "r",
            metadata_errors="replace",
            options={"protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)},
        )


def choose_video(container: InputContainer) -> av.VideoStream | None:
    """The stream that is the film: no cover picture; the default one, then the largest."""
    films = [
        stream
        for stream in container.streams.video
        if not stream.disposition & _NOT_A_FILM and stream.codec_context is not None
    ]
    return max(
        films,
        key=lambda stream: (
            bool(stream.disposition & Disposition.default),
            stream.codec_context.width * stream.codec_context.height,
            -stream.index,
        ),
        default=None,
    )


def read_only(container: InputContainer, stream: av.stream.Stream) -> None:
    """Let the demuxer skip all streams but one."""
    for other in container.streams:
        other.discard = Discard.default if other.index == stream.index else Discard.all
