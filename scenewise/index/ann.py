"""FAISS indexes that propose rows: built as a stream, tuned to a recall, read from a file.

It knows rows of fp16 and their numbers; it knows no catalogue and no window id. What it
proposes is only a shortlist: whoever asks ranks it exactly (``scan``).

Both kinds rotate at random, part the rows among ``4 sqrt(n)`` centroids (IVF, Jegou et al. 2011)
and keep a short code of each row's place in its cell:
rabitq: one bit per dimension (RaBitQ, Gao and Long 2024), scanned by SIMD look-up;
ivfpq: four bits per four dimensions (product quantization, Jegou et al. 2011, with the fast
scan of Andre et al. 2015).
Distances are L2: on unit vectors that is the order of inner products, and codes of residuals
suit it.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import faiss
import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray
from scenewise.encoders.vectors import unit
from scenewise.index.scan import HalfMatrix, Scanner

CodeKind = Literal["ivfpq", "rabitq"]
RECALL_TARGET = 0.97  # recall@10 on queries held out at building: 0.95 with a margin
FEWEST_ROWS = 10_000  # below, training has too little and an exact scan takes a blink

_TRAINING_ROWS_PER_CELL = 40
_BLOCK_ROWS = 32_768
_TUNING_QUERIES = 100  # of each kind
# A cosine of about 0.45 to the row that was meant: words lie far from pictures. The default
# encoder's cosine of a query to its best frame is 0.39 in the median (0.26 to 0.52, 190 queries),
# and that of CLIP-like networks is lower still.
_ASIDE = 2.0
_NEIGHBOURS = 10
_PROBES = (8, 16, 32, 64, 128, 256, 512)
_DEPTHS = (50, 100, 200, 400, 800, 1600, 3200, 6400)
# relative cost of scanning one code and of ranking one row exactly, for choosing between
# settings that reach the target; measured at 1M x 384
_COST_OF_ROW_IN_CODES = 20


@dataclass(frozen=True, slots=True)
class Tuning:
    """How far to look: cells to probe and proposals to rank, and the recall it gave."""

    probes: int
    depth: int
    recall: float  # recall@10 on the worst kind of held-out queries

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


class AnnIndex:
    """A built index, open for questions. Thread-safe."""

    def __init__(self, index: Any, tuning: Tuning) -> None:
        self._index = index
        self.tuning = tuning
        self._usual = _parameters(tuning.probes, None)

    @classmethod
    def read(cls, path: Path, tuning: Tuning) -> AnnIndex:
        """Open a file that passed its checksum; its lists are mapped, not copied."""
        return cls(faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC), tuning)

    def propose(
        self,
        vector: FloatArray,
        depth: int,
        *,
        probes: int | None = None,
        allowed: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.int64]:
        """Up to ``depth`` row numbers near a query (D,).

        ``allowed`` is a bitmap (little-endian bits) of the rows that may be proposed.
        """
        faiss.omp_set_num_threads(1)  # threads cost more than they save for one query
        proposals = self._search(vector[None], depth, probes or self.tuning.probes, allowed)[0]
        found: npt.NDArray[np.int64] = proposals[proposals >= 0]
        return found

    def _search(
        self,
        vectors: FloatArray,
        depth: int,
        probes: int,
        allowed: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.int64]:
        parameters = self._usual
        if probes != self.tuning.probes or allowed is not None:
            parameters = _parameters(probes, allowed)
        queries = np.ascontiguousarray(vectors, np.float32)
        labels: npt.NDArray[np.int64] = self._index.search(queries, depth, params=parameters)[1]
        return labels


def _parameters(probes: int, allowed: npt.NDArray[np.uint8] | None) -> Any:
    selector = None
    if allowed is not None:
        selector = faiss.IDSelectorBitmap(len(allowed), faiss.swig_ptr(allowed))
    return faiss.SearchParametersPreTransform(
        index_params=faiss.SearchParametersIVF(nprobe=probes, sel=selector)
    )


def cells(rows: int) -> int:
    """How many parts n rows fall into: about 4 sqrt(n), with enough rows to train each."""
    return max(1, min(round(4 * math.sqrt(rows)), rows // _TRAINING_ROWS_PER_CELL))


def factory(kind: CodeKind, dimension: int, rows: int) -> str:
    """FAISS's name of the index."""
    if kind == "rabitq":
        code = "RaBitQfs"
    else:
        groups = max(m for m in range(1, max(1, dimension // 4) + 1) if dimension % m == 0)
        code = f"PQ{groups}x4fs"
    return f"RR{dimension},IVF{cells(rows)},{code}"


def build(
    rows: HalfMatrix,
    kind: CodeKind,
    *,
    threads: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> tuple[Any, Tuning]:
    """Train on a sample, add all rows block by block, and tune: a FAISS index and its tuning.

    Memory: the sample in fp32 (40 rows per cell: 245 MB at 1M x 384) and the codes (75 MB).
    ``threads`` None: all cores that this process may use.
    """
    say = progress or _silent
    count, dimension = rows.shape
    with _faiss_threads(threads or _available_cores()):
        index = faiss.index_factory(dimension, factory(kind, dimension, count), faiss.METRIC_L2)
        lists = faiss.extract_index_ivf(index)
        lists.cp.max_points_per_centroid = _TRAINING_ROWS_PER_CELL
        rng = np.random.default_rng(count)
        wanted = min(count, _TRAINING_ROWS_PER_CELL * cells(count))
        say(f"training {cells(count)} cells on {wanted} windows")
        sample = np.sort(rng.choice(count, wanted, replace=False))
        index.train(rows[sample].astype(np.float32))
        say(f"adding {count} windows")
        for start in range(0, count, _BLOCK_ROWS):
            index.add(rows[start : start + _BLOCK_ROWS].astype(np.float32))
        say("tuning")
        tuning = tune(index, rows, cells(count))
    return index, tuning


def serialized(index: Any) -> memoryview:
    """The bytes of a file that ``AnnIndex.read`` takes.

    FAISS's own writer does not tell of a disk that fills as it closes the file.
    """
    data: npt.NDArray[np.uint8] = faiss.serialize_index(index)
    return data.data


def tune(index: Any, rows: HalfMatrix, cell_count: int) -> Tuning:
    """The cheapest probes and depth that reach the target on each kind of held-out query."""
    queries = held_out_queries(rows, _TUNING_QUERIES).reshape(-1, rows.shape[1])
    scanner = Scanner(rows.shape[1])
    everything = [(0, len(rows))]
    truth = [scanner.top(rows, everything, query, _NEIGHBOURS)[0] for query in queries]
    whole = AnnIndex(index, Tuning(1, 1, 0.0))
    codes_per_cell = len(rows) / cell_count
    best: tuple[float, Tuning] | None = None
    widest = Tuning(1, 1, 0.0)
    for probes in dict.fromkeys(min(probes, cell_count) for probes in _PROBES):
        proposals = whole._search(queries, min(_DEPTHS[-1], len(rows)), probes)
        # the depth at which each true neighbour is proposed; beyond all depths where it is not
        ranks = np.stack(
            [_ranks(found, true) for found, true in zip(proposals, truth, strict=True)]
        )
        for depth in _DEPTHS:
            recalls = (ranks < depth).reshape(3, -1).mean(axis=1)
            tuning = Tuning(probes, depth, float(recalls.min()))
            if tuning.recall > widest.recall:
                widest = tuning
            cost = probes * codes_per_cell + cell_count + depth * _COST_OF_ROW_IN_CODES
            if tuning.recall >= RECALL_TARGET and (best is None or cost < best[0]):
                best = (cost, tuning)
    return best[1] if best is not None else widest


def held_out_queries(rows: HalfMatrix, count: int) -> FloatArray:
    """Questions like those that will come, from rows alone, seeded: unit vectors (3, count, D).

    Words lie aside of pictures, so nothing here lies where rows lie. Three kinds, each moved by
    twice a row's length: a row, moved within the spread of the data (a random mixture of 64
    centred rows); a row, moved in any direction; a mean of three rows, moved as the first.
    """
    rng = np.random.default_rng(len(rows))
    sample = rows[np.sort(rng.choice(len(rows), min(len(rows), 4096), replace=False))]
    pictures = sample.astype(np.float32)
    centred = pictures - pictures.mean(axis=0)
    shape = (3, count, rows.shape[1])
    moves = rng.standard_normal(shape, np.float32)
    for kind in (0, 2):
        members = rng.integers(len(pictures), size=(count, 64))
        weights = rng.standard_normal((count, 1, 64), np.float32)
        moves[kind] = (weights @ centred[members])[:, 0]
    middles = pictures[rng.integers(len(pictures), size=(3, count))]
    middles[2] = pictures[rng.integers(len(pictures), size=(count, 3))].mean(axis=1)
    return unit((unit(middles) + _ASIDE * unit(moves)).astype(np.float32))


def _ranks(found: npt.NDArray[np.int64], true: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    places = np.full(len(true), len(found) + _DEPTHS[-1], np.int64)
    for place, row in enumerate(true):
        hit = np.flatnonzero(found == row)
        if hit.size:
            places[place] = hit[0]
    return places


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _faiss_threads(count: int) -> Iterator[None]:
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _silent(_: str) -> None:
    """Nobody listens."""
