"""Made-up videos for the store: seeded, and each one a function of its number alone.

A window's vector is built like a frame's embedding: a common mean, a topic that many videos
share, the video, a shot that changes every 12 windows, and a slow drift inside the shot; all in
a space whose directions carry unequal variance (standard deviation of direction i is
``(1 + i) ** -0.35``). Neighbouring windows are therefore nearly equal (cosine about 0.95), windows
of one video alike, and videos of one topic closer than others.
It knows no file and no FAISS.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Concepts, EncoderSpec, FloatArray, WindowFeatures
from scenewise.index.records import EncodedVideo, FileStamp, TextSegment, Track
from scenewise.media.target import Target
from scenewise.types import Segment

WINDOW_SECONDS = 0.5
_TOPICS = 500
_SHOT_WINDOWS = 12


def synthetic_spec(dimension: int, revision: str = "1") -> EncoderSpec:
    """The encoder that would make such windows."""
    return EncoderSpec(
        name="synthetic",
        revision=revision,
        dimension=dimension,
        target=Target(64, 64),
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    )


def _scale(dimension: int) -> npt.NDArray[np.float32]:
    return ((1.0 + np.arange(dimension)) ** -0.35).astype(np.float32)


def _unit(rows: npt.NDArray[np.float32]) -> FloatArray:
    lengths: FloatArray = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / lengths


def window_vectors(number: int, windows: int, dimension: int, *, seed: int = 0) -> FloatArray:
    """Unit vectors (windows, dimension) of the video of this number."""
    rng = np.random.default_rng([seed, number, 1])
    scale = _scale(dimension)
    mean = np.random.default_rng([seed, 2]).standard_normal(dimension).astype(np.float32)
    topic_number = int(rng.integers(_TOPICS))
    topic = np.random.default_rng([seed, topic_number, 3]).standard_normal(dimension)
    base = mean + 0.9 * topic + 0.6 * rng.standard_normal(dimension)
    shots = rng.standard_normal((windows // _SHOT_WINDOWS + 1, dimension), np.float32)
    drift = np.cumsum(rng.standard_normal((windows, dimension), np.float32), axis=0) * 0.05
    noise = rng.standard_normal((windows, dimension), np.float32) * 0.2
    shot_of = np.arange(windows) // _SHOT_WINDOWS
    rows = base.astype(np.float32) + 0.6 * shots[shot_of] + drift + noise
    return _unit((rows * scale).astype(np.float32))


def query_vectors(
    count: int, videos: int, windows: int, dimension: int, *, seed: int = 0
) -> FloatArray:
    """Unit queries (count, dimension), in turn two kinds that are in no library.

    "moment": one window, moved by a constant gap (words lie aside of pictures) and noise, to
    a cosine of about 0.7; "concept": the mean of windows of three videos, moved likewise.
    """
    rng = np.random.default_rng([seed, 4])
    scale = _scale(dimension)
    gap = np.random.default_rng([seed, 5]).standard_normal(dimension).astype(np.float32)
    found = np.empty((count, dimension), np.float32)
    for row in range(count):
        parts = [
            window_vectors(int(rng.integers(videos)), windows, dimension, seed=seed)[
                int(rng.integers(windows))
            ]
            for _ in range(1 if row % 2 == 0 else 3)
        ]
        middle = np.mean(parts, axis=0)
        aside = _unit((gap * scale)[None])[0] * 0.5
        noise = _unit((rng.standard_normal(dimension) * scale).astype(np.float32)[None])[0] * 0.7
        found[row] = _unit((middle + aside + noise)[None])[0]
    return found


def content_hash(number: int, version: int = 0) -> str:
    """32 hex digits, as of a file's bytes."""
    return hashlib.sha256(f"{number}/{version}".encode()).hexdigest()[:32]


def encoded_video(
    number: int,
    *,
    windows: int = 20,
    dimension: int = 32,
    path: str | None = None,
    version: int = 0,
    concepts: int = 0,
    seed: int = 0,
) -> EncodedVideo:
    """One video as a worker would hand it over; ``version`` is another content at the path."""
    times: npt.NDArray[np.float64] = np.arange(windows, dtype=np.float64) * WINDOW_SECONDS
    vectors = window_vectors(number + 1_000_000_007 * version, windows, dimension, seed=seed)
    rng = np.random.default_rng([seed, number, 6])
    sparse = None
    if concepts:
        values = np.sort(rng.dirichlet(np.ones(concepts), windows), axis=1)[:, ::-1]
        sparse = Concepts(
            rng.integers(0, 1000, (windows, concepts)).astype(np.uint16),
            values.astype(np.float16),
        )
    duration = windows * WINDOW_SECONDS
    return EncodedVideo(
        stamp=FileStamp(path or f"/videos/{number:07d}.mp4", 1000 + number, 10**18 + version),
        content_hash=content_hash(number, version),
        duration=duration,
        starts=times,
        ends=times + WINDOW_SECONDS,
        times=times + 0.25,
        features=WindowFeatures(vectors, sparse),
        video_vector=_unit(vectors.mean(axis=0, keepdims=True))[0],
        shots=(Segment(0.0, duration / 2), Segment(duration / 2, duration)),
        tracks=(
            Track(
                "subtitle",
                "",
                (TextSegment("subtitle", 0.0, duration, f"words of film number{number}"),),
            ),
        ),
    )
