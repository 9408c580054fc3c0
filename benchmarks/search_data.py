"""Libraries to measure searches on: windows, questions, and what the right answers are.

Two sources of windows: the seeded generator of ``synthetic_windows``, and the real windows of
clips, repeated with noise until there are enough (each repetition is a video of its own: its
windows plus Gaussian noise of length 0.3 common to the video and 0.1 per window, brought back to
unit length). Questions: the generator's own, or real words through the encoder.
It measures nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.synthetic_windows import encoded_video, query_vectors, synthetic_spec
from scenewise.encoders.load import load_encoder
from scenewise.encoders.spec import EncoderSpec, FloatArray, WindowFeatures
from scenewise.index.catalog import ORDINAL_BITS, Catalog
from scenewise.index.records import EncodedVideo
from scenewise.library import Library

WINDOWS = 100  # of each synthetic video
SHARED = Path(__file__).resolve().parents[2] / "shared"
_BLOCK_ROWS = 20_000


@dataclass(frozen=True)
class Source:
    """Where windows and questions come from."""

    name: str
    spec: EncoderSpec
    videos: Iterator[EncodedVideo]
    queries: FloatArray  # (Q, D)


def synthetic_source(windows: int, dimension: int, queries: int, seed: int = 0) -> Source:
    """``windows`` windows in videos of 100."""
    count = windows // WINDOWS
    return Source(
        f"synthetic, seed {seed}",
        synthetic_spec(dimension),
        (
            encoded_video(number, windows=WINDOWS, dimension=dimension, seed=seed)
            for number in range(count)
        ),
        query_vectors(queries, count, WINDOWS, dimension, seed=seed),
    )


def concept_library_videos(
    windows: int, spec: EncoderSpec, concepts: int
) -> Iterator[EncodedVideo]:
    """Synthetic windows that claim to be an encoder's, with concepts, for a whole search."""
    for number in range(windows // WINDOWS):
        yield encoded_video(number, windows=WINDOWS, dimension=spec.dimension, concepts=concepts)


def real_source(windows: int, folder: Path, seed: int = 0) -> Source | None:
    """The clips of the reference media, indexed into ``folder``; None where they are not there."""
    clips = SHARED / "media" / "eval"
    if not clips.is_dir():
        return None
    with Library.open(folder) as library:
        library.index([clips])
    with Catalog.open(folder) as catalog:
        active = catalog.active()
        assert active is not None
        parts = [rows.astype(np.float32) for _, rows in catalog.vectors_after(active.id, 0)]
    encoder = load_encoder(active.spec.name)
    try:
        queries = np.stack([encoder.encode_query(text).vector for text in real_queries()])
    finally:
        encoder.close()
    return Source(
        f"the windows of {len(parts)} real clips, repeated with noise",
        active.spec,
        repeated(parts, windows, seed),
        queries,
    )


def real_queries() -> list[str]:
    """The questions that come with the reference clips."""
    with (SHARED / "media" / "videos.csv").open(newline="", encoding="utf-8") as file:
        found = [
            text.strip()
            for row in csv.DictReader(file)
            if row["role"] == "eval"
            for text in row["queries"].split("|")
        ]
    return [text for text in found if text]


def repeated(parts: list[FloatArray], windows: int, seed: int) -> Iterator[EncodedVideo]:
    """Videos made of the parts in turn, the first time as they are, then with noise."""
    rng = np.random.default_rng(seed)
    done = number = 0
    while done < windows:
        part = parts[number % len(parts)][: windows - done]
        if number >= len(parts):
            scale = np.float32(1 / np.sqrt(part.shape[1]))
            common = rng.standard_normal((1, part.shape[1]), np.float32) * scale
            single = rng.standard_normal(part.shape, np.float32) * scale
            part = part + np.float32(0.3) * common + np.float32(0.1) * single
            part = part / np.linalg.norm(part, axis=1, keepdims=True)
        frame = encoded_video(number, windows=len(part), dimension=4)
        mean = part.mean(axis=0)
        yield replace(
            frame,
            features=WindowFeatures(part.astype(np.float32)),
            video_vector=(mean / np.linalg.norm(mean)).astype(np.float32),
        )
        done += len(part)
        number += 1


def make_library(folder: Path, spec: EncoderSpec, videos: Iterator[EncodedVideo]) -> None:
    """Commit videos one by one, as indexing does."""
    with Catalog.open(folder, write=True, create=True) as catalog:
        generation = catalog.begin(spec, "fps=2")
        for video in videos:
            catalog.commit_video(generation.id, video)


def rows_of(catalog: Catalog) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float16]]:
    """All window ids (N,) and their vectors (N, D) of the generation that answers."""
    active = catalog.active()
    assert active is not None
    ids, parts = [], []
    for chunk_id, rows in catalog.vectors_after(active.id, 0):
        ids.append((chunk_id << ORDINAL_BITS) | np.arange(len(rows), dtype=np.int64))
        parts.append(rows)
    return np.concatenate(ids), np.concatenate(parts)


def true_neighbours(
    rows: npt.NDArray[np.float16], queries: FloatArray, k: int
) -> npt.NDArray[np.int64]:
    """Row numbers (Q, k) of the largest inner products in float64, block by block."""
    best = np.full((len(queries), k), -np.inf)
    found = np.zeros((len(queries), k), np.int64)
    wide = queries.astype(np.float64)
    for start in range(0, len(rows), _BLOCK_ROWS):
        products = wide @ rows[start : start + _BLOCK_ROWS].astype(np.float64).T
        numbers = np.arange(start, start + products.shape[1])
        merged = np.concatenate([best, products], axis=1)
        labels = np.concatenate([found, np.broadcast_to(numbers, products.shape)], axis=1)
        order = np.argsort(-merged, axis=1, kind="stable")[:, :k]
        best = np.take_along_axis(merged, order, axis=1)
        found = np.take_along_axis(labels, order, axis=1)
    return found
