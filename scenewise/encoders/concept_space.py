"""Where pictures and words meet: an image classifier's concepts in a sentence model's space.

The classifier says how probable each of 1,000 concepts is in a frame; the vocabulary says each
concept in four facets (names, kinds, places, activities); the sentence model places facets and
query in one space. Three readings of the same logits are combined, each cheap and none trained
on pictures with sentences:

- *convex combination* (ConSE; Norouzi et al., "Zero-Shot Learning by Convex Combination of
  Semantic Embeddings", 2014): the mean of the embeddings of the ten most probable concepts,
  weighted by probability. It is precise where the classifier is sure.
- *ridge map*: a linear map from the classifier's weight rows to the embeddings of its own
  concepts, applied to the frame (compare ESZSL; Romera-Paredes and Torr, 2015). It uses all that
  the frame's features say, also where no single concept fits.
- *late interaction*: the query is a weight per concept, a softmax over its best facet's
  similarity, and meets the flattened concept probabilities ``p^0.25`` of the frame. It lets one
  good concept count although the frame shows much else.

The dense vector that is stored holds the first two; the sparse concepts that are stored give the
third. The three weigh alike after division by their spread over real frames (``*_SPREAD``).

This module is numpy alone; it knows no network, and no file but its own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Concepts, FloatArray, Query, WindowFeatures
from scenewise.encoders.vocabulary import FACETS, Concept, load_vocabulary
from scenewise.errors import EncoderError
from scenewise.types import Why

SPACE_VERSION = 1  # rises when stored vectors or concepts change their meaning
TOP_CONCEPTS = 64  # stored of each frame; the scores below need no more
CONVEX_CONCEPTS = 10  # T of ConSE
RIDGE = 1.0  # strength of the ridge, in mean squared row lengths
FLATTEN = 0.25  # exponent of the probabilities in late interaction
TEMPERATURE = 0.1  # of the softmax that turns similarities into weights
DENSE_SPREAD = 0.10  # standard deviation of the dense inner product over queries and frames
LATE_SPREAD = 0.085  # likewise of late interaction

Embed = Callable[[Sequence[str]], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class ConceptSpace:
    """Concepts as embeddings, and what turns logits into features and sentences into queries.

    ``facets`` (4, C, D): unit embeddings of the vocabulary; ``convex`` (C, D): one unit embedding
    per concept; ``ridge`` (C, D) and ``bias`` (C,): frame logits to sentence space.
    """

    labels: tuple[str, ...]
    facets: FloatArray
    convex: FloatArray
    ridge: FloatArray
    bias: FloatArray
    digest: str

    @classmethod
    def build(
        cls,
        embed: Embed,
        classifier_weight: FloatArray,
        classifier_bias: FloatArray,
        vocabulary: Sequence[Concept] | None = None,
    ) -> ConceptSpace:
        """Embed the vocabulary and solve the ridge map.

        ``embed`` turns N texts into (N, D) vectors; ``classifier_weight`` (C, F) and
        ``classifier_bias`` (C,) are the classifier's last layer, one row per concept. Raises
        EncoderError where vocabulary and classifier differ in length.
        """
        concepts = tuple(load_vocabulary() if vocabulary is None else vocabulary)
        weight = np.asarray(classifier_weight, dtype=np.float64)
        bias = np.asarray(classifier_bias, dtype=np.float32)
        if len(concepts) != len(weight) or len(bias) != len(weight):
            raise EncoderError(
                f"the vocabulary has {len(concepts)} concepts and the classifier {len(weight)} "
                f"weight rows and {len(bias)} biases: they must be the same classes in one order"
            )
        texts = [text for concept in concepts for text in concept.facets]
        whole = [", ".join(concept.facets) for concept in concepts]
        distinct = list(dict.fromkeys(texts + whole))
        place = {text: number for number, text in enumerate(distinct)}
        vectors = _unit(np.asarray(embed(distinct), dtype=np.float32))
        facets = vectors[[place[text] for text in texts]].reshape(
            len(concepts), len(FACETS), vectors.shape[1]
        )
        targets = vectors[[place[text] for text in whole]].astype(np.float64)
        arrays = {
            "facets": np.ascontiguousarray(facets.transpose(1, 0, 2)),
            "convex": _unit(facets.sum(axis=1)),
            "ridge": _ridge_map(weight, targets - targets.mean(axis=0)),
            "bias": bias,
        }
        return cls._of(tuple(concept.label for concept in concepts), arrays)

    @classmethod
    def _of(cls, labels: tuple[str, ...], arrays: dict[str, FloatArray]) -> ConceptSpace:
        content = hashlib.sha256(f"concept space {SPACE_VERSION}".encode())
        content.update("\n".join(labels).encode())
        for name in sorted(arrays):
            content.update(np.ascontiguousarray(arrays[name], dtype="<f4").tobytes())
        return cls(labels=labels, digest=content.hexdigest()[:16], **arrays)

    def save(self, path: Path) -> None:
        """Write everything to one ``.npz`` file."""
        with Path(path).open("wb") as file:
            np.savez(
                file,
                labels=np.array(self.labels),
                facets=self.facets,
                convex=self.convex,
                ridge=self.ridge,
                bias=self.bias,
                digest=np.array(self.digest),
            )

    @classmethod
    def load(cls, path: Path) -> ConceptSpace:
        """Read what ``save`` wrote. Raises EncoderError where the file is not that."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in ("facets", "convex", "ridge", "bias")}
                space = cls._of(tuple(str(label) for label in file["labels"]), arrays)
                stored = str(file["digest"])
        except (OSError, ValueError, KeyError) as reason:
            raise EncoderError(
                f"{path} is not a concept space ({reason}): remove its folder, it is made anew"
            ) from None
        if space.digest != stored:
            raise EncoderError(
                f"{path} was written by another version or is damaged: remove its folder, "
                f"it is made anew"
            )
        return space

    @property
    def dimension(self) -> int:
        """Length of the dense vectors."""
        return 2 * int(self.convex.shape[1])

    def window_features(self, logits: FloatArray) -> WindowFeatures:
        """Logits (N, C) of N frames to dense unit vectors (N, 2 D) and sparse concepts."""
        logits = np.asarray(logits, dtype=np.float32)
        probabilities = _softmax(logits)
        top = min(TOP_CONCEPTS, logits.shape[1])
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
        values = np.take_along_axis(probabilities, order, axis=1)
        few = min(CONVEX_CONCEPTS, top)
        convex = np.einsum("nk,nkd->nd", values[:, :few], self.convex[order[:, :few]])
        mapped = (logits - self.bias) @ self.ridge
        vectors = _unit(np.hstack([_unit(convex), _unit(mapped)]))
        concepts = Concepts(order.astype(np.uint16), values.astype(np.float16))
        return WindowFeatures(vectors, concepts)

    def query(self, text: str, sentence_vector: FloatArray) -> Query:
        """A sentence and its embedding (D,) to a query."""
        sentence = _unit(np.asarray(sentence_vector, dtype=np.float32))
        similarity = (self.facets @ sentence).max(axis=0)
        weights = np.exp((similarity - similarity.max()) / TEMPERATURE)
        return Query(
            text=text,
            vector=_unit(np.hstack([sentence, sentence])),
            concept_weights=_unit(weights),
        )

    def image_query(self, logits: FloatArray) -> Query:
        """The logits (C,) of one picture to a query: windows that show alike score high."""
        features = self.window_features(np.asarray(logits, dtype=np.float32)[None])
        weights = np.zeros(len(self.labels), dtype=np.float32)
        assert features.concepts is not None
        weights[features.concepts.indices[0]] = _flatten(features.concepts.values)[0]
        return Query(text="", vector=features.vectors[0], concept_weights=weights)

    def score(self, query: Query, features: WindowFeatures) -> FloatArray:
        """Scores (N,) of windows, from what an index stores of them; higher is better."""
        dense = np.asarray(features.vectors, dtype=np.float32) @ query.vector
        score = 2 * dense / DENSE_SPREAD + self._late(query, features).sum(axis=1) / LATE_SPREAD
        return np.asarray(score / 3, dtype=np.float32)

    def explain(self, query: Query, features: WindowFeatures, limit: int = 3) -> tuple[Why, ...]:
        """The concepts that the windows share most with the query, with their probability.

        The probability is the largest among the windows; the order is weight x probability.
        """
        if features.concepts is None or query.concept_weights is None or len(features) == 0:
            return ()
        indices = features.concepts.indices
        seen = np.zeros(len(self.labels), dtype=np.float32)
        np.maximum.at(seen, indices.ravel(), features.concepts.values.astype(np.float32).ravel())
        share = seen * query.concept_weights
        best = np.argsort(-share, kind="stable")[:limit]
        return tuple(
            Why("concept", f"{self.labels[number]} {seen[number]:.2f}")
            for number in best
            if share[number] > 0.1 * share[best[0]] > 0
        )

    def _late(self, query: Query, features: WindowFeatures) -> FloatArray:
        """What each stored concept adds to late interaction, (N, K)."""
        if features.concepts is None or query.concept_weights is None:
            raise EncoderError("the concept encoder scores windows that have concepts, got none")
        weights = query.concept_weights[features.concepts.indices]
        return weights * _flatten(features.concepts.values)


def _flatten(values: npt.NDArray[np.float16]) -> FloatArray:
    """Probabilities (N, K) to ``p^FLATTEN`` of unit length."""
    return _unit(np.asarray(values, dtype=np.float32) ** FLATTEN)


def _ridge_map(weight: npt.NDArray[np.float64], targets: npt.NDArray[np.float64]) -> FloatArray:
    """The map from logits without bias (C,) to sentence space (D,), as a matrix (C, D).

    The primal map is ``features @ weight.T @ (weight weight.T + r I)^-1 @ targets``, and
    ``features @ weight.T`` are the logits without their bias: features are not needed.
    """
    gram = weight @ weight.T
    strength = RIDGE * float(np.trace(gram)) / len(gram)
    solved = np.linalg.solve(gram + strength * np.eye(len(gram)), targets)
    return np.asarray(solved, dtype=np.float32)


def _softmax(logits: FloatArray) -> FloatArray:
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float32)


def _unit(vectors: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Rows of length one; a row of zeros stays."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, 1e-12), dtype=np.float32)
