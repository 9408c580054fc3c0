"""CLIP, SigLIP, SigLIP 2 and X-CLIP checkpoints in Hugging Face layout as encoders.

It knows how a prepared checkpoint embeds pictures, clips and words; ``clip_preparation`` knows
how it becomes one. It knows no video files and no index.

Every family embeds a frame, except X-CLIP, which embeds a clip of ``num_frames`` frames. Its
published score lets the video change the words' vector (a cross-attention over all patches of
the clip, weighted by alpha, 0.1 at the start of training); to keep that exact, a hundred
thousand numbers a window would have to be stored. Here both sides are embedded on their own, and
every query says so in its notes.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import numpy.typing as npt
from einops import rearrange, repeat

from scenewise.encoders.clip_preparation import (
    IMAGE_SIDE,
    TEXT_SIDE,
    Prepared,
    describe,
    is_prepared,
    prepared_checkpoint,
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
from scenewise.encoders.vectors import unit
from scenewise.errors import EncoderError, UsageError
from scenewise.types import Why

XCLIP_NOTE = (
    "X-CLIP's words and clips are embedded on their own here; its published score also lets the "
    "clip change the words' vector"
)


class ClipEncoder:
    """A prepared checkpoint. Image side, text side and tokenizer load when first used.

    ``logit_scale`` and ``logit_bias`` are the network's own: SigLIP's probability that words and
    picture belong together is ``sigmoid(logit_scale * cosine + logit_bias)``.
    """

    def __init__(self, prepared: Prepared, *, device: str, threads: int) -> None:
        self.spec = prepared.spec
        self.logit_scale = prepared.logit_scale
        self.logit_bias = prepared.logit_bias
        self._prepared = prepared
        self._device = device
        self._threads = threads
        self._image_side: Session | None = None
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
    ) -> ClipEncoder:
        """The encoder of a folder or hub name, prepared first where it is not.

        Once prepared, neither torch nor transformers nor the network is used. Raises
        UnknownEncoderError and EncoderError.
        """
        prepared = prepared_checkpoint(
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
        """Look at the checkpoint anew (a hub name may have moved on), export and check it."""
        prepared = prepared_checkpoint(
            name,
            runtime=cast(RuntimeName, runtime),
            cache_dir=cache_dir,
            progress=progress,
            look_again=True,
        )
        encoder = cls(prepared, device=device, threads=1)
        try:
            encoder.encode_query("a check")
            size = prepared.spec.target
            encoder.encode_image(np.zeros((size.height, size.width, 3), np.uint8))
        finally:
            encoder.close()
        return prepared.spec

    @classmethod
    def describe(cls, name: str, *, runtime: str, cache_dir: Path) -> EncoderSpec:
        """The spec, from the cache or from the checkpoint's own files; downloads nothing."""
        return describe(name, runtime=cast(RuntimeName, runtime), cache_dir=cache_dir)

    @classmethod
    def is_prepared(cls, name: str, *, runtime: str, cache_dir: Path) -> bool:
        """Whether it lies whole in the cache, for the checkpoint as it was prepared."""
        return is_prepared(name, runtime=cast(RuntimeName, runtime), cache_dir=cache_dir)

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        """Frames (B, T, H, W, 3) uint8 RGB of ``spec.target``'s size to B unit vectors.

        A family that embeds frames takes any T: the vector of a window is then the mean over its
        frames' unit vectors, at length 1 (CLIP4Clip's mean pooling, Luo et al. 2022). X-CLIP
        takes exactly its own number of frames. Raises EncoderError for any other shape.
        """
        self._check(frames, 5)
        if self._prepared.embeds_clips:
            return WindowFeatures(self._embed(frames))
        count, length = frames.shape[:2]
        vectors = self._embed(rearrange(frames, "b t h w c -> (b t) h w c"))
        if length == 1:
            return WindowFeatures(vectors)
        mean = rearrange(vectors, "(b t) d -> b t d", b=count).mean(axis=1)
        return WindowFeatures(unit(mean))

    def encode_query(self, text: str) -> Query:
        """Words to a unit vector; a text beyond the network's length is cut, and a note says so.

        Raises UsageError for an empty text.
        """
        if not text.strip():
            raise UsageError("The query is empty; say in words what to look for.")
        if self._tokens is None:
            self._tokens = TextTokens(self._prepared.folder / TOKENIZER)
        if self._text_side is None:
            self._text_side = self._open(TEXT_SIDE)
        tokens = self._tokens(text)
        (vectors,) = self._text_side.run({"input_ids": tokens.ids})
        notes = (*tokens.notes, XCLIP_NOTE) if self._prepared.embeds_clips else tokens.notes
        return Query(tokens.text, np.asarray(vectors[0], dtype=np.float32), notes=notes)

    def encode_image(self, image: npt.NDArray[np.uint8]) -> Query:
        """One picture (H, W, 3) uint8 RGB of ``spec.target``'s size to a query.

        X-CLIP sees it as a clip that stands still.
        """
        self._check(image, 3)
        if self._prepared.embeds_clips:
            window = repeat(image, "h w c -> 1 t h w c", t=self.spec.frames_per_window)
        else:
            window = rearrange(image, "h w c -> 1 h w c")
        return Query("", self._embed(window)[0])

    def score(self, query: Query, features: WindowFeatures) -> FloatArray:
        """Cosines (N,), which rank as the published scores do (X-CLIP: see the module)."""
        return np.asarray(features.vectors @ query.vector, dtype=np.float32)

    def explain(self, query: Query, features: WindowFeatures) -> tuple[Why, ...]:
        """The largest cosine among these windows; a network of this kind names no reasons."""
        if len(features) == 0:
            return ()
        best = float(self.score(query, features).max())
        what = f"words and picture agree at cosine {best:.2f}"
        if not query.text:
            return (Why("image", f"the pictures agree at cosine {best:.2f}"),)
        return (Why("similarity", what),)

    def close(self) -> None:
        """Release both sessions; they open again when needed."""
        for session in (self._image_side, self._text_side):
            if session is not None:
                session.close()
        self._image_side = self._text_side = None

    def _open(self, file: str) -> Session:
        return open_session(
            self._prepared.folder / file,
            runtime=self.spec.runtime,
            device=self._device,
            threads=self._threads,
        )

    def _embed(self, windows: npt.NDArray[np.uint8]) -> FloatArray:
        """Pictures or clips, whichever the image side takes, in batches of bounded memory."""
        if self._image_side is None:
            self._image_side = self._open(IMAGE_SIDE)
        vectors = np.empty((len(windows), self.spec.dimension), dtype=np.float32)
        for part in batches(len(windows), item_bytes=self._prepared.window_bytes):
            feed = np.ascontiguousarray(windows[part])
            (vectors[part],) = self._image_side.run({"frames": feed})
        return vectors

    def _check(self, pixels: npt.NDArray[np.uint8], dimensions: int) -> None:
        target, frames = self.spec.target, self.spec.frames_per_window
        wanted = (target.height, target.width, 3)
        good = pixels.ndim == dimensions and pixels.shape[-3:] == wanted
        if good and dimensions == 5:
            good = pixels.shape[1] == frames if self._prepared.embeds_clips else True
        if not good or pixels.dtype != np.uint8:
            time = f"{frames}, " if self._prepared.embeds_clips else "T, "
            shape = ", ".join(str(size) for size in wanted)
            raise EncoderError(
                f"{self.spec.name} takes uint8 pictures of the shape "
                f"({'B, ' + time if dimensions == 5 else ''}{shape}); "
                f"got {pixels.shape} {pixels.dtype}."
            )
