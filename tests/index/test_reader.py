"""An open generation: parts of chunks equal the whole, caches stay in bounds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from colour_encoder import load_colours
from colour_films import write_colours

from scenewise.index.catalog import Catalog
from scenewise.index.reader import FeatureCache, IndexReader
from scenewise.library import Library


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IndexReader]:
    root = tmp_path_factory.mktemp("root")
    for name, colours in (("a", ["red", "blue", "green"]), ("b", ["white", "black"])):
        write_colours(root / "films" / f"{name}.mp4", [(colour, 1.5) for colour in colours])
    with Library.open(root / "library", encoder="colours", load=load_colours) as library:
        library.index(root / "films", workers=1)
    with Catalog.open(root / "library") as catalog:
        generation = catalog.active()
        assert generation is not None
        yield IndexReader(catalog, generation, FeatureCache())


@pytest.mark.parametrize("rows", [[0], [8, 2, 2, 5], [], list(range(9))])
def test_some_rows_of_a_chunk_are_those_of_the_whole(reader: IndexReader, rows: list[int]) -> None:
    chunk_id = int(reader.rows.ids[0])
    whole = reader.catalog.features(chunk_id)
    part = reader.catalog.feature_rows(chunk_id, np.array(rows, np.int64))
    assert whole.concepts is not None
    assert part.concepts is not None
    assert np.array_equal(part.vectors, whole.vectors[rows])
    assert np.array_equal(part.concepts.indices, whole.concepts.indices[rows])
    assert np.array_equal(part.concepts.values, whole.concepts.values[rows])


@pytest.mark.parametrize("row", [-1, 9])
def test_rows_that_are_not_there_are_refused(reader: IndexReader, row: int) -> None:
    with pytest.raises(IndexError, match="9 windows"):
        reader.catalog.feature_rows(int(reader.rows.ids[0]), np.array([row]))
    with pytest.raises(KeyError):
        reader.catalog.feature_rows(999, np.array([0]))


def test_the_cache_forgets_what_was_used_longest_ago(reader: IndexReader) -> None:
    first, second = reader.rows.ids.tolist()
    one = reader.catalog.features(first)
    cache = FeatureCache(limit_bytes=one.vectors.nbytes + 1)
    kept = cache.get(reader.catalog, first)
    assert cache.get(reader.catalog, first) is kept
    cache.get(reader.catalog, second)
    assert cache.get(reader.catalog, first) is not kept


def test_videos_are_near_by_their_own_vector(reader: IndexReader) -> None:
    first, second = reader.rows.ids.tolist()
    ids, similarity = reader.nearest_videos(reader.video_vector(second), 2, None)
    assert ids.tolist() == [second, first]
    assert similarity[0] == pytest.approx(1, abs=1e-3)
    assert reader.nearest_videos(reader.video_vector(second), 2, {first})[0].tolist() == [first]
    with pytest.raises(KeyError):
        reader.video_vector(999)
