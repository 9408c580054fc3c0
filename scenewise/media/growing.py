"""A file that a recorder is still writing, read as if it had no end yet.

It knows bytes and pauses; what they mean, the demuxer knows.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

_LOOK_AGAIN_SECONDS = 0.1


class GrowingFile:
    """A file object for PyAV without seeking: at the end it waits for more.

    It ends after ``idle_seconds`` without growth (None: never), when ``stop`` is set, or when the
    file becomes shorter: then something else is written under its name.
    """

    def __init__(self, path: Path, stop: threading.Event, idle_seconds: float | None) -> None:
        """Open; OSError where that cannot be done."""
        self._file = path.open("rb")
        self._path = path
        self._stop = stop
        self._idle_seconds = idle_seconds
        self._position = 0
        self.waited_seconds = 0.0  # in all, for bytes that were not there yet
        self.at_end = False  # it had to wait at least once: what comes now is new

    def read(self, size: int) -> bytes:
        """Some bytes, as soon as there are any; none at the end of all."""
        begin = time.monotonic()
        while not self._stop.is_set():
            block = self._file.read(size)
            if block:
                self._position += len(block)
                return block
            self.at_end = True
            idle = time.monotonic() - begin
            if self._idle_seconds is not None and idle >= self._idle_seconds:
                break
            if self._path.stat().st_size < self._position:
                break
            self._stop.wait(_LOOK_AGAIN_SECONDS)
            self.waited_seconds += _LOOK_AGAIN_SECONDS
        return b""

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def index_comes_last(path: Path) -> bool:
    """Whether this is an mp4 or mov whose pictures stand before their index, as far as it goes.

    Such a file tells where its pictures are only when it is complete.
    """
    with path.open("rb") as file:
        while len(head := file.read(8)) == 8:
            size, kind = int.from_bytes(head[:4]), head[4:]
            if file.tell() == 8 and kind not in (b"ftyp", b"wide", b"mdat", b"moov"):
                return False
            if kind in (b"moov", b"mdat"):
                return kind == b"mdat"
            if size == 1:
                size = int.from_bytes(file.read(8)) - 8
            if size < 8:
                return False
            file.seek(size - 8, 1)
    return False
