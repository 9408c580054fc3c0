"""Vectors of texts and pictures that lie outside of a library, kept by their content.

A disposable file in the cache folder: what is not in it is encoded again. It knows keys and
vectors; it knows no network.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from scenewise.encoders.spec import FloatArray

FILE = "vectors.sqlite"
_READ_AT_ONCE = 500


def content_key(digest: str, kind: str, content: bytes) -> bytes:
    """The key of a text or a picture's bytes for the encoder of this digest."""
    return hashlib.sha256(f"{digest}\0{kind}\0".encode() + content).digest()


class VectorCache:
    """A file of vectors; one that cannot be read or written is as good as an empty one."""

    def __init__(self, cache_dir: Path) -> None:
        self._path = cache_dir / FILE

    def get(self, keys: Sequence[bytes]) -> dict[bytes, FloatArray]:
        """What is there of these, (D,) each."""
        found: dict[bytes, FloatArray] = {}
        with contextlib.suppress(sqlite3.Error, OSError), self._opened() as rows:
            for first in range(0, len(keys), _READ_AT_ONCE):
                part = list(keys[first : first + _READ_AT_ONCE])
                marks = ",".join("?" * len(part))
                query = f"SELECT key, vector FROM vector WHERE key IN ({marks})"
                for key, vector in rows.execute(query, part):
                    found[key] = np.frombuffer(vector, np.float32)
        return found

    def put(self, vectors: Mapping[bytes, FloatArray]) -> None:
        """Keep them."""
        with contextlib.suppress(sqlite3.Error, OSError), self._opened() as rows, rows:
            rows.executemany(
                "INSERT OR REPLACE INTO vector VALUES (?, ?)",
                [(key, np.asarray(one, np.float32).tobytes()) for key, one in vectors.items()],
            )

    @contextlib.contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.closing(sqlite3.connect(self._path, timeout=10)) as rows:
            rows.execute("CREATE TABLE IF NOT EXISTS vector (key BLOB PRIMARY KEY, vector BLOB)")
            yield rows
