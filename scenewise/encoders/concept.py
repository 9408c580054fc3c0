"""The embedded default: an image classifier and a sentence model meet in a space of concepts.

It joins three prepared parts and keeps them apart: the classifier (frames to logits), the
sentence model (words to a vector) and ``ConceptSpace`` (the meaning of both, in numpy). A search
loads the last two alone. Weights come with the installation: nothing is downloaded.

``runtime`` and ``device`` are those of the frames; words always run on ONNX Runtime on the
processor, where one sentence takes some milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.device import processor_count
from scenewise.encoders import concept_space, vocabulary
from scenewise.encoders.cache import cached_folder, find_folder
from scenewise.encoders.concept_space import ConceptSpace
from scenewise.encoders.runtimes import RUNTIMES, Session, batches, open_session
from scenewise.encoders.sentence import SentenceEmbedder, prepare_sentences, sentences_key
from scenewise.encoders.spec import (
    EncoderSpec,
    FloatArray,
    Query,
    Report,
    RuntimeName,
    WindowFeatures,
)
from scenewise.encoders.vocabulary import Concept, load_vocabulary
from scenewise.errors import UsageError
from scenewise.media.target import Target
from scenewise.models.weights.packaged import EFFICIENTNET_LITE0, MINILM_L6_V2
from scenewise.types import Why

NAME = "concept"
SIZE = 224  # pixels, square
CLASSES = 1000
DIMENSION = 384 + concept_space.VISUAL_DIMENSION  # of sentences, and of what is seen
BATCH = 4  # frames a run: larger ones fall out of a processor's cache and are slower
_FRAME_BYTES = 13 * 2**20  # what one frame takes on its way through the network, at most
_MEAN = (127 / 255, 127 / 255, 127 / 255)  # published for the family: (pixel - 127) / 128
_STD = (128 / 255, 128 / 255, 128 / 255)
_TARGET = Target(SIZE, SIZE, "crop", SIZE + 32, "bicubic")
_EXPORT_VERSION = 1  # rises when the exported graph of the classifier changes


@dataclass(frozen=True, slots=True)
class PreparedParts:
    """Folders in the cache."""

    frames: Path  # model.onnx: pixels to logits
    sentences: Path  # see scenewise.encoders.sentence
    space: Path  # space.npz


class ConceptEncoder:
    """Frames (B, 1, 224, 224, 3) and English words, through 1,000 concepts.

    Mohammad Norouzi et al., "Zero-Shot Learning by Convex Combination of Semantic Embeddings",
    2014 (https://arxiv.org/abs/1312.5650), with the readings that ``ConceptSpace`` adds. The
    parts must be prepared: use ``scenewise.encoders.load.load_encoder``.
    """

    def __init__(
        self,
        spec: EncoderSpec,
        parts: PreparedParts,
        *,
        device: str = "auto",
        threads: int = 1,
    ) -> None:
        self.spec = spec
        self._parts = parts
        self._device = device
        self._threads = threads

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
    ) -> ConceptEncoder:
        """The encoder, prepared first where it is not; each network loads when first used."""
        spec = cls.describe(name, runtime=runtime, cache_dir=cache_dir)
        parts = _prepare(cache_dir, runtime, thorough=False, progress=progress)
        return cls(spec, parts, device=device, threads=threads)

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
        """Export what is missing or damaged, check all of it, and run it once."""
        spec = cls.describe(name, runtime=runtime, cache_dir=cache_dir)
        parts = _prepare(cache_dir, runtime, thorough=True, progress=progress)
        encoder = cls(spec, parts, device=device)
        encoder.encode_windows(np.zeros((1, 1, SIZE, SIZE, 3), np.uint8))
        encoder.encode_query("a cat")
        encoder.close()
        return spec

    @classmethod
    def describe(cls, name: str, *, runtime: str, cache_dir: Path) -> EncoderSpec:
        """The spec; reads the vocabulary and nothing else."""
        del cache_dir  # the spec follows from what is published, not from what is prepared
        return EncoderSpec(
            name=name,
            revision=_revision(),
            dimension=DIMENSION,
            target=_TARGET,
            mean=_MEAN,
            std=_STD,
            runtime=_known_runtime(runtime),
            licence="Apache-2.0",
            languages=("en",),
        )

    @classmethod
    def is_prepared(cls, name: str, *, runtime: str, cache_dir: Path) -> bool:
        """Whether all parts lie whole in the cache."""
        del name
        keys = (sentences_key(), _classifier_key(runtime), f"concept-{_space_key()}")
        return all(find_folder(cache_dir, key) is not None for key in keys)

    def encode_windows(self, frames: npt.NDArray[np.uint8]) -> WindowFeatures:
        """Frames (B, 1, 224, 224, 3) uint8 RGB to B windows with concepts."""
        if frames.shape[1:] != (1, SIZE, SIZE, 3) or frames.dtype != np.uint8:
            raise ValueError(
                f"wanted are uint8 frames (B, 1, {SIZE}, {SIZE}, 3), got {frames.dtype} "
                f"{frames.shape}"
            )
        return self._space.window_features(self._logits(frames[:, 0]))

    def encode_query(self, text: str) -> Query:
        """Words to a query; notes say where they were cut, or are in a script it cannot read."""
        words = text.strip()
        if not words:
            raise UsageError("The query is empty; say in words what the video should show.")
        read = self._sentences.read_part(words)
        notes = []
        if read != words:
            notes.append(
                f"the query is longer than {self._sentences.longest} word pieces: what follows "
                f"“…{read[-40:]}” was not read"
            )
        if not _is_latin(words):
            notes.append(
                "the encoder concept reads English words; for other languages use a multilingual "
                "encoder: scenewise reindex --encoder google/siglip2-base-patch16-224"
            )
        query = self._space.query(words, self._sentences.embed([words])[0])
        return replace(query, notes=query.notes + tuple(notes))

    def encode_image(self, image: npt.NDArray[np.uint8]) -> Query:
        """One picture (224, 224, 3) uint8 RGB to a query for windows that show alike."""
        if image.shape != (SIZE, SIZE, 3) or image.dtype != np.uint8:
            raise ValueError(
                f"wanted is a uint8 picture ({SIZE}, {SIZE}, 3), got {image.dtype} {image.shape}"
            )
        return self._space.image_query(self._logits(image[None])[0])

    def score(self, query: Query, features: WindowFeatures) -> FloatArray:
        """Exact scores (N,), higher is better."""
        return self._space.score(query, features)

    @property
    def vocabulary(self) -> tuple[Concept, ...]:
        """The words for what is seen, in the order of the concepts' indices."""
        return load_vocabulary()

    def background(self) -> WindowFeatures:
        """One imagined frame per concept, for calibration to hold a library's scores against."""
        return self._space.background()

    def explain(self, query: Query, features: WindowFeatures) -> tuple[Why, ...]:
        """The concepts that the windows and the query share."""
        return self._space.explain(query, features)

    def close(self) -> None:
        """Release whatever was loaded; the next use loads it again."""
        for name in ("_frames", "_sentences"):
            part = self.__dict__.pop(name, None)
            if part is not None:
                part.close()
        self.__dict__.pop("_space", None)

    @cached_property
    def _frames(self) -> Session:
        return open_session(
            self._parts.frames / "model.onnx",
            runtime=self.spec.runtime,
            device=self._device,
            threads=self._threads,
            precision=self.spec.precision,
        )

    @cached_property
    def _sentences(self) -> SentenceEmbedder:
        return SentenceEmbedder(self._parts.sentences, threads=self._threads)

    @cached_property
    def _space(self) -> ConceptSpace:
        return ConceptSpace.load(self._parts.space / "space.npz")

    def _logits(self, pixels: npt.NDArray[np.uint8]) -> FloatArray:
        """Pixels (N, 224, 224, 3) to class logits (N, 1000)."""
        logits = np.empty((len(pixels), CLASSES), np.float32)
        for part in batches(len(pixels), item_bytes=_FRAME_BYTES, largest=BATCH):
            (logits[part],) = self._frames.run({"pixels": np.ascontiguousarray(pixels[part])})
        return logits


def _prepare(
    cache_dir: Path, runtime: str, *, thorough: bool, progress: Report | None
) -> PreparedParts:
    sentences = prepare_sentences(cache_dir, thorough=thorough, progress=progress)

    def build_frames(folder: Path) -> None:
        if progress is not None:
            progress("preparing EfficientNet-Lite0 (once, some seconds)")
        _export_classifier(folder, program=runtime == "torch")

    def build_space(folder: Path) -> None:
        if progress is not None:
            progress("preparing the concept vocabulary (once, some seconds)")
        _build_space(sentences).save(folder / "space.npz")

    keep: dict[str, Any] = {"thorough": thorough, "progress": progress}
    return PreparedParts(
        frames=cached_folder(cache_dir, _classifier_key(runtime), build_frames, **keep),
        sentences=sentences,
        space=cached_folder(cache_dir, f"concept-{_space_key()}", build_space, **keep),
    )


def _export_classifier(folder: Path, *, program: bool) -> None:
    import torch

    from scenewise.encoders.export import export_onnx
    from scenewise.models.backbones import efficientnet_lite
    from scenewise.models.layers.pixels import FromPixels

    network = efficientnet_lite.load_lite0(EFFICIENTNET_LITE0.verify())
    random = torch.Generator().manual_seed(0)
    export_onnx(
        FromPixels(network, [efficientnet_lite.PIXEL_MEAN] * 3, [efficientnet_lite.PIXEL_STD] * 3),
        (torch.randint(0, 256, (2, SIZE, SIZE, 3), dtype=torch.uint8, generator=random),),
        folder / "model.onnx",
        input_names=("pixels",),
        output_names=("logits",),
        program=program,
    )


def _build_space(sentences_folder: Path) -> ConceptSpace:
    import torch

    weights = torch.load(EFFICIENTNET_LITE0.verify(), map_location="cpu", weights_only=True)
    # some thousand texts, once: worth every core
    embedder = SentenceEmbedder(sentences_folder, threads=processor_count())
    try:
        return ConceptSpace.build(
            embedder.embed, weights["_fc.weight"].numpy(), weights["_fc.bias"].numpy()
        )
    finally:
        embedder.close()


@cache
def _revision() -> str:
    """A hash of everything that stored vectors and concepts depend on, except the runtime.

    Of the inputs, not of the computed space: its last bits differ between processors, and a
    library must open on another machine.
    """
    words = [[concept.names, *concept.facets] for concept in vocabulary.load_vocabulary()]
    inputs = {
        "weights": [EFFICIENTNET_LITE0.sha256, MINILM_L6_V2.sha256],
        "vocabulary": words,
        "space": [
            concept_space.SPACE_VERSION,
            concept_space.TOP_CONCEPTS,
            concept_space.CONVEX_CONCEPTS,
            concept_space.VISUAL_DIMENSION,
        ],
    }
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]


def _classifier_key(runtime: str) -> str:
    kind = "-torch" if runtime == "torch" else ""
    return f"efficientnet-lite0-{EFFICIENTNET_LITE0.sha256[:12]}-{_EXPORT_VERSION}{kind}"


def _space_key() -> str:
    """As the revision, and the code that builds the space: a stored one must never be stale."""
    code = Path(concept_space.__file__).read_bytes()
    return hashlib.sha256(_revision().encode() + code).hexdigest()[:16]


def _known_runtime(runtime: str) -> RuntimeName:
    for known in RUNTIMES:
        if runtime == known:
            return known
    raise UsageError(f"runtime {runtime!r} is unknown; allowed: {', '.join(RUNTIMES)}.")


def _is_latin(text: str) -> bool:
    """Whether there are letters and most are of the Latin script; pictograms are none."""
    letters = [letter for letter in text if letter.isalpha()]
    latin = sum(unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    return bool(letters) and 2 * latin >= len(letters)
