"""An encoder that sees nothing but colours: small, exact, and honest about what it is.

A frame's vector is its histogram over eight named colours (each pixel belongs to the nearest
corner of the RGB cube), a query is a colour's name. Worker processes import this module by name.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import (
    Concepts,
    EncoderSpec,
    FloatArray,
    Query,
    WindowFeatures,
)
from scenewise.encoders.vocabulary import Concept
from scenewise.errors import EncoderError, UnknownEncoderError
from scenewise.media.target import Target
from scenewise.types import Why

COLOURS = ("black", "blue", "green", "cyan", "red", "magenta", "yellow", "white")


class ColourEncoder:
    """Implements the Encoder protocol; ``frames_per_window`` > 1 makes it one of clips."""

    def __init__(self, name: str, runtime: str = "onnxruntime", frames_per_window: int = 1) -> None:
        clips = frames_per_window > 1
        self.spec = EncoderSpec(
            name=name,
            revision="1",
            dimension=len(COLOURS),
            target=Target(32, 32),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            runtime="torch" if runtime == "torch" else "onnxruntime",
            frames_per_window=frames_per_window,
            window_seconds=2.0 if clips else None,
            stride_seconds=1.0 if clips else None,
        )
        self.batches: list[int] = []  # windows of each call
        self.closed = False

    @property
    def vocabulary(self) -> tuple[Concept, ...]:
        return tuple(Concept(i, colour, "", "", "") for i, colour in enumerate(COLOURS))

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        expected = (self.spec.frames_per_window, 32, 32, 3)
        if frames.shape[1:] != expected or frames.dtype != np.uint8:
            raise ValueError(f"got frames of shape {frames.shape}, expected (B, {expected})")
        self.batches.append(len(frames))
        bits = (frames > 127).astype(np.int64) @ np.array([4, 2, 1])
        counts = np.stack([np.bincount(row.ravel(), minlength=8) for row in bits])
        share = counts / counts.sum(axis=1, keepdims=True)
        vectors = (share / np.linalg.norm(share, axis=1, keepdims=True)).astype(np.float32)
        order = np.argsort(-share, axis=1, kind="stable")[:, :3]
        values = np.take_along_axis(share, order, axis=1)
        return WindowFeatures(vectors, Concepts(order.astype(np.uint16), values.astype(np.float16)))

    def encode_query(self, text: str) -> Query:
        vector = np.zeros(len(COLOURS), np.float32)
        for word in text.split():
            if word in COLOURS:
                vector[COLOURS.index(word)] = 1
        length = float(np.linalg.norm(vector))
        return Query(text, vector / length if length else vector + len(COLOURS) ** -0.5, vector)

    def encode_image(self, image: npt.NDArray[np.uint8]) -> Query:
        return Query("", self.encode_windows(image[None, None]).vectors[0])

    def score(self, query: Query, features: WindowFeatures) -> FloatArray:
        return np.asarray(features.vectors @ query.vector, np.float32)

    def explain(self, query: Query, features: WindowFeatures) -> tuple[Why, ...]:
        best = int(np.argmax(features.vectors.mean(axis=0) * query.vector))
        return (Why("concept", COLOURS[best]),)

    def close(self) -> None:
        self.closed = True


def load_colours(
    name: str,
    *,
    runtime: str,
    device: str,
    threads: int,
    cache_dir: Path | None,
    progress: Callable[[str], None] | None = None,
) -> ColourEncoder:
    """``colours``, or ``colour-clips`` for clips of 4 frames, or one of those below."""
    if name == "colours":
        return ColourEncoder(name, runtime)
    if name == "colour-clips":
        return ColourEncoder(name, runtime, frames_per_window=4)
    if name == "deadly":
        return DeadlyEncoder(name, runtime)
    if name == "broken":
        return BrokenEncoder(name, runtime)
    raise UnknownEncoderError(f"the encoder {name!r} is unknown")


class WordlessEncoder:
    """One of CLIP's kind: vectors that can be compared with words, no concepts and no words."""

    def __init__(self) -> None:
        self._colours = ColourEncoder("wordless")
        self.spec = self._colours.spec
        self.score = self._colours.score
        self.encode_image = self._colours.encode_image
        self.close = self._colours.close
        self.asked: list[str] = []

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        return WindowFeatures(self._colours.encode_windows(frames).vectors)

    def encode_query(self, text: str) -> Query:
        self.asked.append(text)
        return self._colours.encode_query(text)

    def explain(self, query: Query, features: WindowFeatures) -> tuple[Why, ...]:
        return (Why("similarity", f"{float((features.vectors @ query.vector).max()):.2f}"),)


def load_wordless(name: str, **_: object) -> WordlessEncoder:
    """That one, whatever it is called."""
    return WordlessEncoder()


class DeadlyEncoder(ColourEncoder):
    """Takes its process down, as a crashing decoder or a lack of memory does, on magenta."""

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        features = super().encode_windows(frames)
        if np.any(features.vectors[:, COLOURS.index("magenta")] > 0.9):
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)
        return features


class BrokenEncoder(ColourEncoder):
    """A network that loads and does not run."""

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        raise EncoderError("the network does not run")
