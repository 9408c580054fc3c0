"""Networks of ``scenewise.models`` as encoders, from folders in our own format.

It knows how a prepared network embeds clips and words; ``network_preparation`` knows how a folder
becomes one. It knows no video files and no index.

Every network embeds a clip of its own number of frames. A video-text model also embeds words; where
its published similarity is more than a cosine of two vectors, every query says so in its notes. A
backbone knows no words: what it embeds can be compared with pictures, clips and examples.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from einops import repeat

from scenewise.encoders.network_preparation import (
    TEXT_SIDE,
    VIDEO_SIDE,
    Prepared,
    describe,
    is_prepared,
    prepared_network,
)
from scenewise.encoders.runtimes import Session, batches, open_session
from scenewise.encoders.spec import (
    EncoderSpec,
    FloatArray,
    Query,
    Report,
    RuntimeName,
    WindowFeatures,
)
from scenewise.encoders.tokens import TOKENIZER, TextTokens
from scenewise.errors import EncoderError, UsageError
from scenewise.types import Why


class NetworkEncoder:
    """A prepared network. Video side, text side and tokenizer load when first used.

    ``logit_scale`` is what its similarity multiplies a cosine by.
    """

    def __init__(self, prepared: Prepared, *, device: str, threads: int) -> None:
        self.spec = prepared.spec
        self.logit_scale = prepared.logit_scale
        self._prepared = prepared
        self._device = device
        self._threads = threads
        self._video_side: Session | None = None
        self._text_side: Session | None = None
        self._tokens: TextTokens | None = None

    @classmethod
    def load(
        cls,
        name: str,
        *,
        runtime: str,
        device: str,
        threads: int,
        cache_dir: Path,
        progress: Report | None,
    ) -> NetworkEncoder:
        """The encoder of a folder, prepared first where it is not.

        Once prepared, neither torch nor transformers nor the network's code is used. Raises
        EncoderError and NetworkError.
        """
        prepared = prepared_network(
            name, runtime=cast(RuntimeName, runtime), cache_dir=cache_dir, progress=progress
        )
        return cls(prepared, device=device, threads=threads)

    @classmethod
    def prepare(
        cls,
        name: str,
        *,
        runtime: str,
        device: str,
        cache_dir: Path,
        progress: Report | None,
    ) -> EncoderSpec:
        """Look at the folder anew, export and check it."""
        prepared = prepared_network(
            name,
            runtime=cast(RuntimeName, runtime),
            cache_dir=cache_dir,
            progress=progress,
            look_again=True,
        )
        encoder = cls(prepared, device=device, threads=1)
        try:
            if prepared.lacks is None:
                encoder.encode_query("a check")
            size = prepared.spec.target
            encoder.encode_image(np.zeros((size.height, size.width, 3), np.uint8))
        finally:
            encoder.close()
        return prepared.spec

    @classmethod
    def describe(cls, name: str, *, runtime: str, cache_dir: Path) -> EncoderSpec:
        """The spec, from the cache or from the network's own sizes; reads no weights into one."""
        return describe(name, runtime=cast(RuntimeName, runtime), cache_dir=cache_dir)

    @classmethod
    def is_prepared(cls, name: str, *, runtime: str, cache_dir: Path) -> bool:
        """Whether it lies whole in the cache, for the folder as it was prepared."""
        return is_prepared(name, runtime=cast(RuntimeName, runtime), cache_dir=cache_dir)

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        """Clips (B, T, H, W, 3) uint8 RGB of ``spec.target``'s size to B unit vectors.

        T is the network's own number of frames. Raises EncoderError for any other shape.
        """
        self._check(frames, (len(frames), *self._clip_shape))
        return WindowFeatures(self._embed(frames))

    def encode_query(self, text: str) -> Query:
        """Words to a unit vector; a text beyond the network's length is cut, and a note says so.

        Raises UsageError for an empty text, EncoderError where the network reads no words.
        """
        if not text.strip():
            raise UsageError("The query is empty; say in words what to look for.")
        self._require_words()
        if self._tokens is None:
            self._tokens = TextTokens(self._prepared.folder / TOKENIZER)
        if self._text_side is None:
            self._text_side = self._open(TEXT_SIDE)
        tokens = self._tokens(text)
        (vectors,) = self._text_side.run({"input_ids": tokens.ids})
        notes = (*tokens.notes, self._prepared.note) if self._prepared.note else tokens.notes
        return Query(tokens.text, np.asarray(vectors[0], dtype=np.float32), notes=notes)

    def encode_image(self, image: npt.NDArray[np.uint8]) -> Query:
        """A picture (H, W, 3) uint8 RGB to a unit vector: that of a clip in which nothing moves."""
        self._check(image, self._clip_shape[1:])
        clip = repeat(image, "h w c -> 1 t h w c", t=self.spec.frames_per_window)
        return Query("", self._embed(clip)[0])

    def score(self, query: Query, features: WindowFeatures) -> FloatArray:
        """Cosines (N,)."""
        return np.asarray(features.vectors @ query.vector, dtype=np.float32)

    def explain(self, query: Query, features: WindowFeatures) -> tuple[Why, ...]:
        """The largest cosine among these windows; a network of this kind names no reasons."""
        if len(features) == 0:
            return ()
        best = float(self.score(query, features).max())
        if not query.text:
            return (Why("image", f"the pictures agree at cosine {best:.2f}"),)
        return (Why("similarity", f"words and picture agree at cosine {best:.2f}"),)

    def close(self) -> None:
        """Release both sessions; they open again when needed."""
        for session in (self._video_side, self._text_side):
            if session is not None:
                session.close()
        self._video_side = self._text_side = None

    @property
    def _clip_shape(self) -> tuple[int, ...]:
        target = self.spec.target
        return (self.spec.frames_per_window, target.height, target.width, 3)

    def _require_words(self) -> None:
        name, lacks = self.spec.name, self._prepared.lacks
        if lacks == "text side":
            raise EncoderError(
                f"{name} is a backbone ({self._prepared.network}), which knows pictures and no "
                "words: search with --image or --in text,audio, ask for similar, or index with a "
                "video-text network (scenewise models list --kind video-text)."
            )
        if lacks == "tokenizer":
            raise EncoderError(
                f"{name} holds no {TOKENIZER}, so it cannot read words: put the tokenizer that "
                "its text side was trained with into the folder."
            )

    def _open(self, file: str) -> Session:
        return open_session(
            self._prepared.folder / file,
            runtime=self.spec.runtime,
            device=self._device,
            threads=self._threads,
        )

    def _embed(self, clips: npt.NDArray[np.uint8]) -> FloatArray:
        """Clips, in batches of bounded memory."""
        if self._video_side is None:
            self._video_side = self._open(VIDEO_SIDE)
        vectors = np.empty((len(clips), self.spec.dimension), dtype=np.float32)
        for part in batches(len(clips), item_bytes=self._prepared.window_bytes):
            feed = np.ascontiguousarray(clips[part])
            (vectors[part],) = self._video_side.run({"frames": feed})
        return vectors

    def _check(self, pixels: npt.NDArray[np.uint8], wanted: tuple[int, ...]) -> None:
        if pixels.shape != wanted or pixels.dtype != np.uint8:
            raise EncoderError(
                f"{self.spec.name} takes uint8 pictures of the shape {wanted}; got {pixels.shape} "
                f"{pixels.dtype}."
            )
