"""One generation of a library, opened for questions: vectors, windows and features, cached.

It knows the catalogue and the vector index; it knows no query words and no ranking.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from functools import cached_property

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray, WindowFeatures
from scenewise.index.arrays import select
from scenewise.index.catalog import Catalog, Chunk, ChunkRows, Generation
from scenewise.index.vectors import VectorIndex

CACHE_BYTES = 128 << 20
WHOLE_WINDOWS = 1_200  # a chunk with more is not read whole for the sake of a few


class FeatureCache:
    """Features of the chunks that were scored last, up to a number of bytes.

    A chunk's id is never used twice and its rows never change, so nothing here goes stale.
    """

    def __init__(self, limit_bytes: int = CACHE_BYTES) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._kept: OrderedDict[int, WindowFeatures] = OrderedDict()
        self._guard = threading.Lock()

    def get(self, catalog: Catalog, chunk_id: int) -> WindowFeatures:
        """From the cache, or from the catalogue."""
        with self._guard:
            found = self._kept.get(chunk_id)
            if found is not None:
                self._kept.move_to_end(chunk_id)
                return found
        features = catalog.features(chunk_id)
        with self._guard:
            if chunk_id not in self._kept:
                self._kept[chunk_id] = features
                self._size += _size(features)
            while self._size > self._limit and len(self._kept) > 1:
                self._size -= _size(self._kept.popitem(last=False)[1])
        return features


class IndexReader:
    """The generation that answers, as it was when this was made (``state``)."""

    def __init__(
        self,
        catalog: Catalog,
        generation: Generation,
        cache: FeatureCache,
        previous: IndexReader | None = None,
    ) -> None:
        """``previous`` lends its vector index, which follows the catalogue by itself."""
        self.catalog = catalog
        self.generation = generation
        self.state = catalog.state()
        self._cache = cache
        self._chunks: dict[int, Chunk] = {}
        self._sampled: dict[int, WindowFeatures] = {}
        self._vectors: VectorIndex | None = None
        if previous is not None and previous.generation.id == generation.id:
            self._vectors = previous._vectors

    @property
    def vectors(self) -> VectorIndex:
        """The index of windows; opened when a question needs it."""
        if self._vectors is None:
            self._vectors = VectorIndex.open(
                self.catalog.directory, self.catalog, self.generation.id
            )
        return self._vectors

    @cached_property
    def rows(self) -> ChunkRows:
        """All chunks with their numbers of windows."""
        return self.catalog.chunk_rows(self.generation.id)

    @cached_property
    def live(self) -> npt.NDArray[np.int64]:
        """Chunks with at least one file that is there, ascending."""
        return self.catalog.live_chunk_ids(self.generation.id)

    @cached_property
    def _video_vectors(self) -> tuple[npt.NDArray[np.int64], FloatArray]:
        return self.catalog.video_vectors(self.generation.id)

    def video_vector(self, chunk_id: int) -> FloatArray:
        """The unit vector (D,) of one video; KeyError where it has none."""
        ids, matrix = self._video_vectors
        place = int(np.searchsorted(ids, chunk_id))
        if place == len(ids) or ids[place] != chunk_id:
            raise KeyError(chunk_id)
        return np.asarray(matrix[place])

    def chunks(self, chunk_ids: Iterable[int]) -> dict[int, Chunk]:
        """Spans, paths and so on of those of these chunks that are alive."""
        wanted = list(dict.fromkeys(chunk_ids))
        lacking = [chunk_id for chunk_id in wanted if chunk_id not in self._chunks]
        if lacking:
            self._chunks.update(self.catalog.chunks(lacking))
        return {chunk_id: self._chunks[chunk_id] for chunk_id in wanted if chunk_id in self._chunks}

    def features(self, chunk_id: int) -> WindowFeatures:
        """Vectors and concepts of one chunk; KeyError where it was removed."""
        return self._cache.get(self.catalog, chunk_id)

    def windows(self, chunk_id: int, rows: npt.NDArray[np.int64]) -> WindowFeatures:
        """Vectors and concepts of some windows of a chunk, in the given order.

        Raises KeyError where the chunk was removed.
        """
        chunk = self.chunks([chunk_id]).get(chunk_id)
        if chunk is not None and len(chunk.starts) > WHOLE_WINDOWS:
            return self.catalog.feature_rows(chunk_id, rows)
        return select(self.features(chunk_id), rows)

    def kept_windows(self, chunk_id: int, rows: npt.NDArray[np.int64]) -> WindowFeatures:
        """``windows``, read once for all questions: for the few that every question needs."""
        if chunk_id not in self._sampled:
            self._sampled[chunk_id] = self.windows(chunk_id, rows)
        return self._sampled[chunk_id]

    def nearest_videos(
        self, vector: FloatArray, count: int, only: Collection[int] | None
    ) -> tuple[npt.NDArray[np.int64], FloatArray]:
        """Chunk ids and inner products of the videos whose own vector is nearest, best first."""
        ids, matrix = self._video_vectors
        if not len(ids):
            return ids, np.zeros(0, np.float32)
        if only is not None:
            keep = np.isin(ids, np.fromiter(only, np.int64, len(only)))
            ids, matrix = ids[keep], matrix[keep]
        similarity = np.asarray(matrix @ vector, np.float32)
        # ties are broken by id, so that equal libraries answer equally
        order = np.lexsort((ids, -similarity))[:count]
        return ids[order], similarity[order]


def _size(features: WindowFeatures) -> int:
    concepts = features.concepts
    return features.vectors.nbytes + (
        0 if concepts is None else concepts.indices.nbytes + concepts.values.nbytes
    )
