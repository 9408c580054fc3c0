"""How long a search takes, and how much it finds.

    python -m benchmarks.search_speed exact   [--windows 100000] [--dimension 768]
    python -m benchmarks.search_speed fresh   [--windows 100000]
    python -m benchmarks.search_speed million [--windows 1000000] [--source synthetic|real]

exact: warm top-10 through ``VectorIndex`` (the catalogue is asked whether anything changed, each
time), CPU milliseconds of single queries on one thread; recall against float64 products of the
fp16 rows.
fresh: wall and CPU seconds of ``scenewise search`` in a new process, from start to printed answer,
files in the page cache; windows are synthetic and carry the default encoder's name.
million: RaBitQ and IVF-PQ, each built by ``refresh``; beside them FAISS called directly on the
same file (IndexRefine over an fp16 scalar quantizer, same probes and depth).
``--json FILE`` keeps the figures, ``--keep FOLDER`` the library, to measure again.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from benchmarks.machine import describe_machine
from benchmarks.search_data import (
    Source,
    concept_library_videos,
    make_library,
    real_source,
    rows_of,
    synthetic_source,
    true_neighbours,
)
from scenewise.encoders.concept_space import TOP_CONCEPTS
from scenewise.encoders.load import describe
from scenewise.encoders.spec import FloatArray
from scenewise.index.ann import Tuning
from scenewise.index.catalog import Catalog
from scenewise.index.database import DATABASE_FILE
from scenewise.index.derived_files import BUILDS_FOLDER
from scenewise.index.vectors import AnnKind, VectorIndex, refresh

K = 10
ROOT = Path(__file__).parents[1]
Figures = dict[str, Any]
Answer = Callable[[FloatArray], npt.NDArray[np.int64]]


def measure(answer: Answer, queries: FloatArray, repeats: int = 3) -> Figures:
    """CPU ms of single queries, the best of some repeats each; the first pass is not counted."""
    for query in queries:
        answer(query)
    best = np.full(len(queries), np.inf)
    for _ in range(repeats):
        for number, query in enumerate(queries):
            start = time.process_time_ns()
            answer(query)
            best[number] = min(best[number], (time.process_time_ns() - start) / 1e6)
    return {
        "cpu_ms_median": round(float(np.median(best)), 3),
        "cpu_ms_p95": round(float(np.percentile(best, 95)), 3),
    }


def recall(answer: Answer, queries: FloatArray, truth: npt.NDArray[np.int64]) -> float:
    """Of the true neighbours, how many are found; by id."""
    hits = [
        len(set(answer(query)[:K].tolist()) & set(true.tolist()))
        for query, true in zip(queries, truth, strict=True)
    ]
    return sum(hits) / truth.size


def measure_exact(folder: Path, windows: int, dimension: int, queries: int) -> list[Figures]:
    source = synthetic_source(windows, dimension, queries)
    _fill(folder, source)
    with Catalog.open(folder, write=True) as catalog:
        build = _timed(lambda: refresh(folder, catalog, 1, "exact"))
        start = time.perf_counter()
        index = VectorIndex.open(folder, catalog, 1)
        opened = time.perf_counter() - start

        def answer(query: FloatArray) -> npt.NDArray[np.int64]:
            return index.search(query, K)[0]

        faiss.omp_set_num_threads(1)
        ids, rows = rows_of(catalog)
        truth = ids[true_neighbours(rows, source.queries, K)]
        return [
            {
                "what": f"exact, {len(ids)} x {dimension}, {source.name}",
                **measure(answer, source.queries),
                "recall_at_10": recall(answer, source.queries, truth),
                "open_seconds": round(opened, 3),
                "build_seconds": round(build, 2),
                "index_megabytes": _megabytes(folder / BUILDS_FOLDER),
            }
        ]


def measure_fresh(folder: Path, windows: int, runs: int = 7) -> list[Figures]:
    spec = describe("concept")
    if not (folder / DATABASE_FILE).exists():
        make_library(folder, spec, concept_library_videos(windows, spec, TOP_CONCEPTS))
    with Catalog.open(folder, write=True) as catalog:
        refresh(folder, catalog, 1)
    command = [sys.executable, "-m", "scenewise", "search", "a dog on a skateboard"]
    command += ["--library", str(folder)]
    walls, cpus = [], []
    for _ in range(runs + 1):  # the first one warms the page cache, or prepares the encoder
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        start = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        walls.append(time.perf_counter() - start)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        if done.returncode != 0 or not done.stdout.strip():
            raise RuntimeError(f"the search failed ({done.returncode}): {done.stderr}")
    return [
        {
            "what": f"scenewise search in a fresh process, {windows} x {spec.dimension}",
            "wall_seconds_median": round(statistics.median(walls[1:]), 3),
            "wall_seconds_best": round(min(walls[1:]), 3),
            "cpu_seconds_median": round(statistics.median(cpus[1:]), 3),
        }
    ]


def measure_million(folder: Path, source: Source, kinds: tuple[AnnKind, ...]) -> list[Figures]:
    _fill(folder, source)
    figures = []
    with Catalog.open(folder, write=True) as catalog:
        ids, rows = rows_of(catalog)
        truth = true_neighbours(rows, source.queries, K)
        active = catalog.active()
        assert active is not None
        for kind in kinds:
            cpu = time.process_time()
            build = _timed(lambda kind=kind: refresh(folder, catalog, active.id, kind))  # type: ignore[misc]  # mypy cannot type a lambda's default
            cpu = time.process_time() - cpu
            index = VectorIndex.open(folder, catalog, active.id)
            tuning = index.status().tuning
            assert tuning is not None

            def ours(query: FloatArray, index: VectorIndex = index) -> npt.NDArray[np.int64]:
                return index.search(query, K)[0]

            (path,) = folder.glob(f"{BUILDS_FOLDER}/*/ann.faiss")
            direct = faiss_directly(path, rows, tuning)
            figures.append(
                {
                    "what": f"{kind}, {len(ids)} x {rows.shape[1]}, {source.name}",
                    **measure(ours, source.queries),
                    "recall_at_10": round(recall(ours, source.queries, ids[truth]), 4),
                    "faiss_cpu_ms_median": measure(direct, source.queries)["cpu_ms_median"],
                    "faiss_recall_at_10": round(recall(direct, source.queries, truth), 4),
                    **tuning.to_dict(),
                    "build_seconds": round(build, 1),
                    "build_cpu_seconds": round(cpu, 1),
                    "ann_megabytes": round(path.stat().st_size / 1e6, 1),
                    "rows_megabytes": round(rows.nbytes / 1e6, 1),
                }
            )
            figures[-1]["ratio_to_faiss"] = round(
                figures[-1]["cpu_ms_median"] / figures[-1]["faiss_cpu_ms_median"], 2
            )
            del index, direct
    return figures


def faiss_directly(path: Path, rows: npt.NDArray[np.float16], tuning: Tuning) -> Answer:
    """FAISS's own two-stage search, everything in memory: the same index and the same depth."""
    faiss.omp_set_num_threads(1)
    coarse = faiss.read_index(str(path))
    dimension = rows.shape[1]
    exact = faiss.IndexScalarQuantizer(dimension, faiss.ScalarQuantizer.QT_fp16, faiss.METRIC_L2)
    exact.train(rows[:1].astype(np.float32))
    for start in range(0, len(rows), 50_000):
        exact.add(rows[start : start + 50_000].astype(np.float32))
    refined = faiss.IndexRefine(coarse, exact)
    parameters = faiss.IndexRefineSearchParameters(
        k_factor=tuning.depth / K,
        base_index_params=faiss.SearchParametersPreTransform(
            index_params=faiss.SearchParametersIVF(nprobe=tuning.probes)
        ),
    )

    def answer(query: FloatArray) -> npt.NDArray[np.int64]:
        found: npt.NDArray[np.int64] = refined.search(query[None], K, params=parameters)[1][0]
        return found

    return answer


def _fill(folder: Path, source: Source) -> None:
    if not (folder / DATABASE_FILE).exists():
        make_library(folder, source.spec, source.videos)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _megabytes(folder: Path) -> float:
    return round(sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6, 1)


def to_markdown(figures: list[Figures]) -> str:
    """One table per measurement, its figures as rows."""
    lines = []
    for entry in figures:
        lines += [f"| {entry['what']} | |", "|---|---|"]
        lines += [f"| {key} | {value} |" for key, value in entry.items() if key != "what"]
        lines.append("")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description="Speed and recall of searches")
    parser.add_argument("what", choices=["exact", "fresh", "million"])
    parser.add_argument("--windows", type=int)
    parser.add_argument("--dimension", type=int, default=768, help="of synthetic windows")
    parser.add_argument("--queries", type=int, default=200, help="synthetic ones")
    parser.add_argument("--source", choices=["synthetic", "real"], default="synthetic")
    parser.add_argument("--kinds", nargs="+", default=["rabitq", "ivfpq"])
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary) / "library"
        windows = options.windows or (1_000_000 if options.what == "million" else 100_000)
        if options.what == "exact":
            figures = measure_exact(folder, windows, options.dimension, options.queries)
        elif options.what == "fresh":
            figures = measure_fresh(folder, windows)
        else:
            if options.source == "real":
                source = real_source(windows, Path(temporary) / "clips")
                if source is None:
                    print("the reference clips are not beside the checkout", file=sys.stderr)
                    return 1
            else:
                source = synthetic_source(windows, options.dimension, options.queries)
            figures = measure_million(folder, source, tuple(options.kinds))
    print(f"{describe_machine()}\n\n{to_markdown(figures)}")
    if options.json:
        shape = {"machine": describe_machine(), "figures": figures}
        options.json.write_text(json.dumps(shape, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
