"""What an encoder is: the nouns that encoders and indexes share.

It knows shapes and identities; it loads no network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from scenewise.media.target import Target
from scenewise.types import Why

Report = Callable[[str], None]  # takes one line that says what is being done
FloatArray = npt.NDArray[np.float32]
Precision = Literal["fp32", "bf16", "fp16"]
RuntimeName = Literal["onnxruntime", "openvino", "torch"]


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Everything that a stored vector depends on. Its digest is part of an index's identity.

    A window is one stored vector: one sampled frame (``frames_per_window`` 1), or one clip of
    that many frames spread over ``window_seconds``, a new one every ``stride_seconds``.
    """

    name: str  # what the user types: "concept", a folder, or a hub id
    revision: str  # hash of weights, vocabulary and code version of the image side
    dimension: int
    target: Target  # the picture that the network wants
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    runtime: RuntimeName = "onnxruntime"
    precision: Precision = "fp32"
    frames_per_window: int = 1
    window_seconds: float | None = None  # None: a window is one sampled frame
    stride_seconds: float | None = None
    licence: str = "unknown"
    languages: tuple[str, ...] = ("en",)

    def digest(self) -> str:
        """16 hex digits; equal exactly when stored vectors are interchangeable.

        Licence and languages do not count: a model card that was reworded changes no vector.
        """
        shape = self.to_dict()
        for name in ("licence", "languages"):
            del shape[name]
        return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)

    @classmethod
    def from_dict(cls, shape: dict[str, Any]) -> EncoderSpec:
        """The inverse of ``to_dict``, also after a trip through JSON."""
        values = dict(shape)
        values["target"] = Target(**values["target"])
        for name in ("mean", "std", "languages"):
            values[name] = tuple(values[name])
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Concepts:
    """Sparse concept probabilities of N windows, the K largest of each, descending."""

    indices: npt.NDArray[np.uint16]  # (N, K)
    values: npt.NDArray[np.float16]  # (N, K)


@dataclass(frozen=True, slots=True)
class WindowFeatures:
    """What an encoder says of N windows: unit vectors, and concepts where it has them."""

    vectors: FloatArray  # (N, D), unit length
    concepts: Concepts | None = None

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True, slots=True)
class Query:
    """What an encoder makes of a question: a unit vector, and weights per concept."""

    text: str  # the words as the encoder took them; empty for a picture
    vector: FloatArray  # (D,), unit length
    concept_weights: FloatArray | None = None  # (C,)
    notes: tuple[str, ...] = field(default=())  # such as "cut after 77 tokens"
    kind_weights: FloatArray | None = None  # (C,) 0 to 1: concepts of the kind that words name


class Encoder(Protocol):
    """A network, or two, behind one face. Image side and text side load when first used."""

    spec: EncoderSpec

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        """Frames (B, T, H, W, 3) uint8 RGB of ``spec.target``'s size to B windows."""
        ...

    def encode_query(self, text: str) -> Query:
        """Words to a query. Imports neither torch nor transformers once prepared."""
        ...

    def encode_image(self, image: npt.NDArray[np.uint8]) -> Query:
        """One picture (H, W, 3) uint8 RGB of ``spec.target``'s size to a query."""
        ...

    def score(self, query: Query, features: WindowFeatures) -> FloatArray:
        """Exact scores (N,) for re-ranking, higher is better; any scale."""
        ...

    def explain(self, query: Query, features: WindowFeatures) -> tuple[Why, ...]:
        """Why a moment made of these windows matches, best reason first."""
        ...

    def close(self) -> None:
        """Release sessions."""
        ...
