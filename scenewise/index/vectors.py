"""Nearest windows: an exact scan or a FAISS index, both derived from the catalogue.

It knows vectors and window ids. Its files can be deleted at any time: they are checksummed,
written aside, renamed, and made again when missing or damaged.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray
from scenewise.index.catalog import Catalog

AnnKind = Literal["exact", "ivfpq", "rabitq", "auto"]


class VectorIndex:
    """The windows of one generation, searchable. Rows newer than the files are scanned too."""

    @classmethod
    def open(cls, directory: Path, catalog: Catalog, generation_id: int) -> VectorIndex:
        """Map the derived files, or scan the catalogue where they are missing or damaged."""
        raise NotImplementedError

    def search(
        self, vector: FloatArray, k: int, *, only_chunks: Collection[int] | None = None
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """The k best window ids with their exact inner products, best first; live ones only."""
        raise NotImplementedError


def refresh(directory: Path, catalog: Catalog, generation_id: int, ann: AnnKind = "auto") -> None:
    """Bring the derived files up to date where the tail or the deletions grew too large."""
    raise NotImplementedError
