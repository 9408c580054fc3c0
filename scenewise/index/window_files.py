"""Windows of files that are in no library, kept in the cache folder: encoded once, used often.

One npz file for each content, encoder and sampling. Files appear by a rename, so that several
processes may read and write at once; what cannot be read counts as absent. The folder is bounded:
the files that were used longest ago go first. All of it can be deleted at any time.

It knows arrays and files; it decodes nothing.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scenewise.encoders.spec import EncoderSpec, FloatArray
from scenewise.index.windows import Sampling, Times

logger = logging.getLogger(__name__)

FOLDER = "windows"
LIMIT_BYTES = 2 << 30
_OLD_SECONDS = 86_400  # no file takes so long to be written
_FIELDS = ("starts", "ends", "times", "vectors", "duration")


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """N windows of one content: what a head is trained on."""

    video_id: str  # the beginning of the content's hash
    duration: float  # seconds
    starts: Times  # (N,) seconds
    ends: Times
    times: Times
    vectors: FloatArray  # (N, D), unit length


class WindowFiles:
    """The windows of many contents, in ``cache_dir``/windows."""

    def __init__(self, cache_dir: Path, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = cache_dir / FOLDER
        self._limit = limit_bytes

    def get(self, content_hash: str, spec: EncoderSpec, sampling: Sampling) -> Windows | None:
        """What was put for this content, encoder and sampling; None where there is nothing."""
        path = self._path(content_hash, spec, sampling)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                fields = {name: arrays[name] for name in _FIELDS}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        with contextlib.suppress(OSError):  # a cache that cannot be written is still a good one
            os.utime(path)  # used just now
        vectors = fields["vectors"].astype(np.float32)
        return Windows(
            content_hash[:16],
            float(fields["duration"]),
            fields["starts"],
            fields["ends"],
            fields["times"],
            vectors,
        )

    def put(
        self, content_hash: str, spec: EncoderSpec, sampling: Sampling, windows: Windows
    ) -> None:
        """Keep windows; vectors with 16 bits, as a library keeps them.

        Where the cache cannot be written, nothing is kept, and a log message says so.
        """
        path = self._path(content_hash, spec, sampling)
        fields: dict[str, Any] = {
            "starts": windows.starts,
            "ends": windows.ends,
            "times": windows.times,
            "vectors": windows.vectors.astype(np.float16),
            "duration": np.float64(windows.duration),
        }
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(
                dir=self._folder, suffix=".part", delete=False
            ) as aside:
                try:
                    np.savez(aside, **fields)
                    aside.close()
                    Path(aside.name).replace(path)
                except BaseException:
                    Path(aside.name).unlink(missing_ok=True)
                    raise
            self._shrink(keep=path)
        except OSError as error:
            logger.info("windows are not kept in %s: %s", self._folder, error)

    def _path(self, content_hash: str, spec: EncoderSpec, sampling: Sampling) -> Path:
        return self._folder / f"{content_hash}-{spec.digest()}-{sampling}.npz"

    def _shrink(self, keep: Path) -> None:
        """Delete what was used longest ago, until the folder is small enough."""
        for part in self._folder.glob("*.part"):  # of a process that was killed
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > _OLD_SECONDS:
                    part.unlink()
        files = []
        for path in self._folder.glob("*.npz"):
            with contextlib.suppress(FileNotFoundError):  # another process shrinks, too
                status = path.stat()
                files.append((status.st_mtime_ns, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._limit:
                return
            if path != keep:
                path.unlink(missing_ok=True)
                total -= size
