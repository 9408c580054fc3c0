"""What an encoder of sound is: the nouns, and a file's sound as windows.

It knows shapes, identities and windows of time; it loads no network.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray

Samples = npt.NDArray[np.float32]  # (n,) mono at the encoder's own rate


@dataclass(frozen=True, slots=True)
class AudioSpec:
    """Everything that a stored vector of sound depends on."""

    name: str  # a folder, or a hub name
    revision: str  # hash of weights, settings and code version of the sound side
    dimension: int
    sample_rate: int  # Hz
    window_seconds: float
    hop_seconds: float  # from one window to the next
    licence: str = "unknown"

    def digest(self) -> str:
        """16 hex digits; equal exactly when stored vectors are interchangeable.

        The name does not count: the same checkpoint may lie in another folder tomorrow.
        """
        shape = asdict(self)
        for name in ("name", "licence"):
            del shape[name]
        return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()[:16]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True, eq=False)
class AudioQuery:
    """Words about sound, as an audio encoder makes them."""

    text: str  # as they were taken
    vector: FloatArray  # (D,) unit length
    notes: tuple[str, ...] = ()
    digest: str = ""  # of the encoder's spec: only its own vectors can be compared


class AudioEncoder(Protocol):
    """Sound and words in one space. Each side loads when it is first used."""

    spec: AudioSpec

    def encode_audio(self, windows: Sequence[Samples]) -> FloatArray:
        """B windows of at most ``window_seconds`` each to unit vectors (B, D)."""
        ...

    def encode_text(self, text: str) -> AudioQuery:
        """Words to a query. Imports neither torch nor transformers once prepared."""
        ...

    def close(self) -> None:
        """Release sessions."""
        ...


def encode_sound(
    path: str | Path, encoder: AudioEncoder, *, track: int | None = None, batch: int = 8
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], FloatArray]:
    """The sound of a file as windows: starts (N,), ends (N,) in seconds, unit vectors (N, D).

    A window every ``hop_seconds``; the last ends with the sound. Sound that is shorter than a
    window is one, and memory stays bounded however long the sound is. Raises MissingStreamError
    for a file without sound, UnreadableMediaError, EncoderError.
    """
    from scenewise.media.audio import stream_channels

    spec = encoder.spec
    size = round(spec.window_seconds * spec.sample_rate)
    hop = round(spec.hop_seconds * spec.sample_rate)
    starts: list[float] = []
    ends: list[float] = []
    vectors: list[FloatArray] = []
    waiting: list[Samples] = []

    def encode(least: int) -> None:
        if len(waiting) >= max(1, least):
            vectors.append(encoder.encode_audio(waiting))
            waiting.clear()

    held = np.zeros(0, np.float32)
    begin = 0  # of held, in samples
    for samples, _ in stream_channels(path, track=track, sample_rate=spec.sample_rate):
        held = np.concatenate([held, samples[0]])
        while len(held) > size:  # at its exact length it may be the last one
            waiting.append(held[:size].copy())
            starts.append(begin / spec.sample_rate)
            ends.append((begin + size) / spec.sample_rate)
            held, begin = held[hop:], begin + hop
            encode(batch)
    # what the windows before have not heard yet
    if len(held) > size - hop or (not starts and len(held)):
        waiting.append(held)
        starts.append(begin / spec.sample_rate)
        ends.append((begin + len(held)) / spec.sample_rate)
    encode(1)
    shape = np.zeros((0, spec.dimension), np.float32)
    return np.array(starts), np.array(ends), np.concatenate([shape, *vectors])
