"""The nearest windows: exact where exact is promised, and never what the library has no more."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.synthetic_windows import (
    content_hash,
    encoded_video,
    query_vectors,
    synthetic_spec,
    window_vectors,
)
from scenewise.index import ann as ann_index
from scenewise.index import vector_files
from scenewise.index.catalog import ORDINAL_BITS, Catalog
from scenewise.index.derived_files import BUILDS_FOLDER, newest_name
from scenewise.index.rows import ChunkRows
from scenewise.index.scan import Scanner, ranges_of
from scenewise.index.vectors import AnnKind, VectorIndex, problems, refresh

DIMENSION = 32
WINDOWS = 20


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(tmp_path, write=True, create=True) as opened:
        opened.begin(synthetic_spec(DIMENSION), "fps=2")
        yield opened


def fill(catalog: Catalog, numbers: range, generation: int = 1) -> list[int]:
    return [
        catalog.commit_video(generation, encoded_video(n, windows=WINDOWS, dimension=DIMENSION))
        for n in numbers
    ]


def expected(
    catalog: Catalog, query: npt.NDArray[np.float32], k: int, only: set[int] | None = None
) -> tuple[list[int], npt.NDArray[np.float64]]:
    """The truth: float64 products with every fp16 row of the catalogue."""
    ids: list[int] = []
    rows = [np.empty((0, DIMENSION))]
    for chunk_id, part in catalog.vectors_after(1, 0):
        if only is None or chunk_id in only:
            ids += [(chunk_id << ORDINAL_BITS) | ordinal for ordinal in range(len(part))]
            rows.append(part.astype(np.float64))
    products = np.concatenate(rows) @ query.astype(np.float64)
    order = np.argsort(-products, kind="stable")[:k]
    return [ids[place] for place in order], products[order]


def check_exact(catalog: Catalog, index: VectorIndex, only: set[int] | None = None) -> None:
    for query in query_vectors(4, 50, WINDOWS, DIMENSION):
        ids, scores = index.search(query, 10, only_chunks=only)
        true_ids, true_scores = expected(catalog, query, 10, only)
        assert ids.tolist() == true_ids
        np.testing.assert_allclose(scores, true_scores, rtol=1e-6)


def test_without_files_the_catalogue_is_scanned(catalog: Catalog, tmp_path: Path) -> None:
    fill(catalog, range(30))
    index = VectorIndex.open(tmp_path, catalog, 1)
    status = index.status()
    assert (status.kind, status.rows, status.tail) == (None, 0, 600)
    check_exact(catalog, index)


def test_an_empty_library_answers_nothing(catalog: Catalog, tmp_path: Path) -> None:
    assert not refresh(tmp_path, catalog, 1)
    ids, scores = VectorIndex.open(tmp_path, catalog, 1).search(np.ones(DIMENSION, np.float32), 5)
    assert ids.size == scores.size == 0


def test_files_tail_and_deletions_together_are_exact(catalog: Catalog, tmp_path: Path) -> None:
    chunks = fill(catalog, range(30))
    assert refresh(tmp_path, catalog, 1)
    index = VectorIndex.open(tmp_path, catalog, 1)
    assert index.status().kind == "exact"
    assert (index.status().rows, index.status().tail, index.status().dead) == (600, 0, 0)
    check_exact(catalog, index)

    chunks += fill(catalog, range(30, 32))
    catalog.remove([content_hash(n)[:16] for n in (0, 7, 8, 29)])
    assert (index.status().tail, index.status().dead) == (40, 80)
    check_exact(catalog, index)
    for only in ({chunks[3], chunks[4], chunks[7], chunks[20], chunks[31]}, set(), {10**9}):
        check_exact(catalog, index, only)
    ids, _ = index.search(np.ones(DIMENSION, np.float32), 10_000)
    assert len(ids) == len(set(ids.tolist())) == 28 * WINDOWS


def test_a_reader_follows_what_a_writer_does(catalog: Catalog, tmp_path: Path) -> None:
    fill(catalog, range(10))
    with Catalog.open(tmp_path) as reader:
        index = VectorIndex.open(tmp_path, reader, 1)
        check_exact(reader, index)
        refresh(tmp_path, catalog, 1)
        assert index.status().kind == "exact", "new files are taken up"
        fill(catalog, range(10, 20))
        check_exact(reader, index)
        first = newest_name(tmp_path, 1)
        assert refresh(tmp_path, catalog, 1), "the tail is as large as the files"
        assert newest_name(tmp_path, 1) != first
        check_exact(reader, index)
        catalog.remove([content_hash(n)[:16] for n in range(20)])
        assert index.search(np.ones(DIMENSION, np.float32), 5)[0].size == 0


@pytest.mark.parametrize(
    ("added", "removed", "due"),
    [
        pytest.param(0, 0, False, id="nothing new"),
        pytest.param(4, 0, False, id="tail of 10 %"),
        pytest.param(5, 0, True, id="tail above 10 %"),
        pytest.param(0, 8, False, id="20 % deleted"),
        pytest.param(0, 9, True, id="more than 20 % deleted"),
    ],
)
def test_files_are_made_again_when_due(
    catalog: Catalog, tmp_path: Path, added: int, removed: int, due: bool
) -> None:
    fill(catalog, range(40))
    assert refresh(tmp_path, catalog, 1)
    fill(catalog, range(40, 40 + added))
    catalog.remove([content_hash(n)[:16] for n in range(removed)])
    assert refresh(tmp_path, catalog, 1) == due
    assert len(list((tmp_path / BUILDS_FOLDER).iterdir())) == 1
    check_exact(catalog, VectorIndex.open(tmp_path, catalog, 1))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


@pytest.mark.parametrize("name", ["rows.f16", "chunks.i64", "manifest.json"])
@pytest.mark.parametrize("harm", [flip, cut, Path.unlink])
def test_damaged_files_are_not_used_and_are_made_again(
    catalog: Catalog, tmp_path: Path, name: str, harm: Callable[[Path], None]
) -> None:
    fill(catalog, range(20))
    refresh(tmp_path, catalog, 1)
    (folder,) = (tmp_path / BUILDS_FOLDER).iterdir()
    assert problems(tmp_path, catalog, 1) == []
    harm(folder / name)
    assert len(problems(tmp_path, catalog, 1)) == 1
    index = VectorIndex.open(tmp_path, catalog, 1)
    assert index.status().kind is None
    assert index.status().problem
    check_exact(catalog, index)
    assert refresh(tmp_path, catalog, 1)
    assert index.status().kind == "exact"
    assert index.status().problem is None
    check_exact(catalog, index)


def test_files_of_another_state_of_the_library_never_answer(
    catalog: Catalog, tmp_path: Path
) -> None:
    fill(catalog, range(5))
    with_five = tmp_path / "backup"
    catalog.backup(with_five)
    fill(catalog, range(5, 10))
    refresh(tmp_path, catalog, 1)
    # the backup goes on alone, and its chunk ids meet those of the old files
    shutil.copytree(tmp_path / BUILDS_FOLDER, with_five / BUILDS_FOLDER)
    with Catalog.open(with_five, write=True) as restored:
        fill(restored, range(50, 53))
        index = VectorIndex.open(with_five, restored, 1)
        assert index.status().dead == 5 * WINDOWS
        assert index.status().tail == 3 * WINDOWS
        check_exact(restored, index)


def test_leftovers_of_killed_builds_and_retired_generations_go(
    catalog: Catalog, tmp_path: Path
) -> None:
    fill(catalog, range(5))
    refresh(tmp_path, catalog, 1)
    builds = tmp_path / BUILDS_FOLDER
    (builds / ".new-0123").mkdir()
    (builds / ".new-0123" / "rows.f16").write_bytes(b"half")
    filling = catalog.begin(synthetic_spec(DIMENSION, "2"), "fps=2")
    fill(catalog, range(5), filling.id)
    refresh(tmp_path, catalog, filling.id)
    assert sorted(path.name for path in builds.iterdir()) == ["g1-1", f"g{filling.id}-1"]
    old = VectorIndex.open(tmp_path, catalog, 1)
    check_exact(catalog, old)
    catalog.switch(filling.id)
    assert old.search(np.ones(DIMENSION, np.float32), 5)[0].size == 0
    refresh(tmp_path, catalog, filling.id)
    assert [path.name for path in builds.iterdir()] == [f"g{filling.id}-1"]


def test_a_build_that_fails_leaves_the_old_one(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(catalog, range(10))
    refresh(tmp_path, catalog, 1)
    before = newest_name(tmp_path, 1)
    fill(catalog, range(10, 20))

    def full(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("scenewise.index.derived_files.flush", full)
    with pytest.raises(Exception, match="No space left on device"):
        refresh(tmp_path, catalog, 1)
    monkeypatch.undo()
    assert newest_name(tmp_path, 1) == before
    assert [path.name for path in (tmp_path / BUILDS_FOLDER).iterdir()] == [before]
    check_exact(catalog, VectorIndex.open(tmp_path, catalog, 1))


def test_a_wrong_query_or_a_reader_that_builds_is_an_error(
    catalog: Catalog, tmp_path: Path
) -> None:
    fill(catalog, range(2))
    index = VectorIndex.open(tmp_path, catalog, 1)
    with pytest.raises(ValueError, match=r"shape \(32,\), got \(31,\)"):
        index.search(np.ones(31, np.float32), 5)
    with pytest.raises(ValueError, match="no generation 9"):
        VectorIndex.open(tmp_path, catalog, 9)
    with Catalog.open(tmp_path) as reader, pytest.raises(ValueError, match="write=True"):
        refresh(tmp_path, reader, 1)


def test_one_index_serves_several_threads(catalog: Catalog, tmp_path: Path) -> None:
    fill(catalog, range(30))
    refresh(tmp_path, catalog, 1)
    fill(catalog, range(30, 33))
    index = VectorIndex.open(tmp_path, catalog, 1)
    queries = list(query_vectors(16, 50, WINDOWS, DIMENSION))
    alone = [index.search(query, 10)[0].tolist() for query in queries]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(5):
            assert [
                ids.tolist() for ids, _ in pool.map(lambda q: index.search(q, 10), queries)
            ] == (alone)


def test_searches_go_on_while_another_process_writes_and_rebuilds(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from benchmarks.synthetic_windows import encoded_video, content_hash\n"
        "from scenewise.index.catalog import Catalog\n"
        "from scenewise.index.vectors import refresh\n"
        "folder = Path(sys.argv[1])\n"
        "with Catalog.open(folder, write=True) as catalog:\n"
        "    for number in range(100, 160):\n"
        "        catalog.commit_video(1, encoded_video(number, windows=20))\n"
        "        catalog.remove([content_hash(number - 50)[:16]])\n"
        "        refresh(folder, catalog, 1)\n"
    )
    with Catalog.open(tmp_path, write=True, create=True) as catalog:
        catalog.begin(synthetic_spec(DIMENSION), "fps=2")
        kept = set(fill(catalog, range(20)))
        refresh(tmp_path, catalog, 1)
    (query,) = query_vectors(1, 20, WINDOWS, DIMENSION)
    with Catalog.open(tmp_path) as reader:
        index = VectorIndex.open(tmp_path, reader, 1)
        before = expected(reader, query, 10)[0]
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], cwd=Path(__file__).parents[2]
        )
        states = set()
        while child.poll() is None:
            ids, _ = index.search(query, 10, only_chunks=kept)
            assert ids.tolist() == before
            states.add(reader.state())
            assert len(index.search(query, 10)[0]) == 10
        assert child.returncode == 0
        assert len(states) > 1, "the reader saw the library change"
        check_exact(reader, index)


# the exact scan


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    counts=st.lists(st.integers(1, 5), min_size=1, max_size=30),
    chosen=st.data(),
    k=st.integers(1, 40),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_scan_of_ranges_is_exact(
    counts: list[int], chosen: st.DataObject, k: int, seed: int
) -> None:
    mask = np.array(
        chosen.draw(st.lists(st.booleans(), min_size=len(counts), max_size=len(counts)))
    )
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((sum(counts), 8)).astype(np.float16)
    rows[rng.integers(len(rows), size=len(rows) // 3)] = rows[0]  # equal rows
    query = rng.standard_normal(8).astype(np.float32)
    numbers, scores = Scanner(8).top(rows, ranges_of(np.array(counts), mask), query, k)

    allowed = np.flatnonzero(np.repeat(mask, counts))
    products = rows[allowed].astype(np.float64) @ query.astype(np.float64)
    best = np.sort(products)[::-1][:k]
    np.testing.assert_allclose(scores, best, rtol=1e-12)
    assert set(numbers.tolist()) <= set(allowed.tolist())
    assert len(set(numbers.tolist())) == len(best)


def test_recall_of_the_exact_scan_is_one_among_near_duplicates() -> None:
    rows = np.concatenate([window_vectors(n, 100, 384) for n in range(100)]).astype(np.float16)
    rows[5000:9000] = rows[5000] + np.random.default_rng(0).normal(0, 1e-3, (4000, 384)).astype(
        np.float16
    )
    scanner = Scanner(384)
    for query in (*query_vectors(20, 100, 100, 384), rows[5000].astype(np.float32)):
        numbers, _ = scanner.top(rows, [(0, len(rows))], query, 10)
        truth = np.argsort(-(rows.astype(np.float64) @ query.astype(np.float64)), kind="stable")
        assert numbers.tolist() == truth[:10].tolist()


# approximate indexes


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catalog]:
    """12,000 windows: the smallest library that a FAISS index is made for."""
    folder = tmp_path_factory.mktemp("large")
    with Catalog.open(folder, write=True, create=True) as opened:
        opened.begin(synthetic_spec(DIMENSION), "fps=2")
        for number in range(120):
            opened.commit_video(1, encoded_video(number, windows=100, dimension=DIMENSION))
        yield opened


@pytest.mark.parametrize("kind", ["rabitq", "ivfpq"])
def test_an_approximate_index_finds_and_forgets(large: Catalog, kind: AnnKind) -> None:
    folder = large.directory
    assert refresh(folder, large, 1, kind)
    assert not refresh(folder, large, 1), "the kind is kept as a setting"
    index = VectorIndex.open(folder, large, 1)
    status = index.status()
    assert status.kind == kind
    assert status.tuning is not None
    assert status.tuning.recall >= ann_index.RECALL_TARGET

    def check() -> None:
        hits, alive = 0, set(large.chunk_ids(1).tolist())
        queries = query_vectors(50, 120, 100, DIMENSION)
        for query in queries:
            ids, scores = index.search(query, 10)
            true_ids, true_scores = expected(large, query, 10)
            hits += len(set(ids.tolist()) & set(true_ids))
            assert {int(window) >> ORDINAL_BITS for window in ids} <= alive
            assert (np.diff(scores) <= 0).all()
            np.testing.assert_allclose(scores[0], true_scores[0], atol=0.2)
        assert hits / (10 * len(queries)) >= 0.95

    check()
    large.remove([content_hash(n)[:16] for n in range(5 if kind == "rabitq" else 10)])
    fill(large, range(900, 910) if kind == "rabitq" else range(910, 915))
    assert index.status().dead > 0
    assert index.status().tail > 0
    check()
    some = set(large.chunk_ids(1).tolist()[10:40])
    check_exact(large, index, some)


def test_a_damaged_faiss_file_is_noticed_before_faiss_reads_it(large: Catalog) -> None:
    refresh(large.directory, large, 1, "rabitq")
    (path,) = large.directory.glob(f"{BUILDS_FOLDER}/*/ann.faiss")
    flip(path)
    index = VectorIndex.open(large.directory, large, 1)
    assert index.status().kind is None
    assert "ann.faiss was changed" in str(index.status().problem)
    refresh(large.directory, large, 1, "exact")
    assert index.status().kind == "exact"


@pytest.mark.parametrize(
    ("ann", "windows", "kind"),
    [
        ("auto", 9_999, "exact"),
        ("auto", 199_999, "exact"),
        ("auto", 200_000, "rabitq"),
        ("exact", 10**6, "exact"),
        ("ivfpq", 9_999, "exact"),
        ("ivfpq", 10_000, "ivfpq"),
        ("rabitq", 10_000, "rabitq"),
    ],
)
def test_which_kind_a_library_gets(ann: AnnKind, windows: int, kind: str) -> None:
    rows = ChunkRows(*(np.array([n], np.int64) for n in (1, windows, 0)))
    assert vector_files._kind_for(ann, rows) == kind


@pytest.mark.parametrize(
    ("kind", "dimension", "rows", "name"),
    [
        ("rabitq", 384, 10**6, "RR384,IVF4000,RaBitQfs"),
        ("ivfpq", 384, 10**6, "RR384,IVF4000,PQ96x4fs"),
        ("ivfpq", 512, 10**6, "RR512,IVF4000,PQ128x4fs"),
        ("ivfpq", 1001, 10**6, "RR1001,IVF4000,PQ143x4fs"),
        ("rabitq", 384, 10_000, "RR384,IVF250,RaBitQfs"),
    ],
)
def test_the_index_suits_dimension_and_size(
    kind: ann_index.CodeKind, dimension: int, rows: int, name: str
) -> None:
    assert ann_index.factory(kind, dimension, rows) == name


def test_a_manifest_of_another_generation_is_refused(catalog: Catalog, tmp_path: Path) -> None:
    fill(catalog, range(3))
    refresh(tmp_path, catalog, 1)
    builds = tmp_path / BUILDS_FOLDER
    shutil.copytree(builds / "g1-1", builds / "g1-2")
    manifest = json.loads((builds / "g1-2" / "manifest.json").read_text())
    assert set(manifest) == {"seal", "manifest"}
    filling = catalog.begin(synthetic_spec(DIMENSION, "2"), "fps=2")
    (builds / "g1-2").rename(builds / f"g{filling.id}-1")
    assert "another format or generation" in problems(tmp_path, catalog, filling.id)[0]
