"""Where pictures and words meet: an image classifier's concepts in a sentence model's space.

The classifier says how probable each of 1,000 concepts is in a frame; the vocabulary says each
concept in phrases (names, kinds, places, activities); the sentence model places phrases and query
in one space. Three readings of the same logits are added, each cheap and none trained on pictures
with sentences:

- *convex combination* (ConSE; Norouzi et al., "Zero-Shot Learning by Convex Combination of
  Semantic Embeddings", 2014): the mean of the embeddings of the ten most probable concepts,
  weighted by probability, against the query. It is precise where the classifier is sure.
- *visual map*: a ridge regression from each concept's embedding to its row of the classifier's
  weights draws the query as a direction of the classifier's own features; the frame's features,
  read back from its logits, are compared with it. It uses all that the features say, also where
  no concept fits. The regression goes from words to pictures because the other direction makes
  hubs (Shigeto et al., "Ridge Regression, Hubness, and Zero-Shot Learning", 2015).
- *late interaction*: the query is a weight per concept, a softmax over the similarity of the
  concept's nearest phrase, and meets the square roots of the probabilities, which have length
  one like any other vector here. One good concept counts although the frame shows much else.
  Where the query names a *kind* of things ("an animal", "food"), to which many concepts belong,
  their roots would favour a frame that shows a little of each over one that surely shows one of
  them. There the probabilities themselves are added: how probable it is that the frame shows
  anything of this kind. A query names a kind where it is nearly a phrase of many concepts.

The dense vector that is stored holds the first two; the sparse concepts that are stored give the
third. Each is divided by its spread over queries and frames, so that the three weigh alike.

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
from scenewise.encoders.vectors import softmax, unit
from scenewise.encoders.vocabulary import Concept, load_vocabulary
from scenewise.errors import EncoderError
from scenewise.types import Why

SPACE_VERSION = 3  # rises when stored vectors or concepts change their meaning
TOP_CONCEPTS = 64  # stored of each frame; the scores below need no more
CONVEX_CONCEPTS = 10  # T of ConSE
VISUAL_DIMENSION = 384  # most telling directions of the classifier's weights that are kept
RIDGE = 0.4  # strength of the ridge, in mean squared singular values of the embeddings
TEMPERATURE = 0.1  # of the softmax that turns similarities into weights
DENSE_SPREAD = 0.08  # standard deviation of the dense inner product over queries and frames
LATE_SPREAD = 0.08  # likewise of late interaction
KIND_NEAR = (0.78, 0.84)  # similarity from which, and in full, a concept is of a named kind
KIND_BEHIND = (0.05, 0.08)  # and how far behind the nearest concept, in full, and at most
KIND_SIZE = (5.0, 15.0)  # concepts from which, and in full, their number makes a kind
KIND_SPREAD = 0.055  # what LATE_SPREAD is, for the probability of a kind
LEAST_SEEN = 0.01  # probability from which a concept is named as a further reason
PROTOTYPE_STRENGTH = 2.0  # length of a prototype's features: about as sure as real frames are

_ARRAYS = ("phrases", "members", "firsts", "convex", "bias", "visual", "text_map", "prototypes")
Embed = Callable[[Sequence[str]], FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class ConceptSpace:
    """Concepts as embeddings, and what turns logits into features and sentences into queries.

    ``phrases`` (P, D): unit embeddings of the distinct phrases, kept in 16 bits; ``members``
    (M,): their numbers concept by concept, concept c from ``firsts[c]`` on; ``convex`` (C, D):
    one unit embedding per concept; ``bias`` (C,) of the classifier; ``visual`` (C, V): logits
    without bias to visual coordinates; ``text_map`` (D, V): a sentence to the same;
    ``prototypes`` (C, C): logits of one imagined frame per concept, 16-bit.
    """

    labels: tuple[str, ...]
    phrases: FloatArray
    members: npt.NDArray[np.int32]
    firsts: npt.NDArray[np.int32]
    convex: FloatArray
    bias: FloatArray
    visual: FloatArray
    text_map: FloatArray
    prototypes: npt.NDArray[np.float16]
    digest: str

    @classmethod
    def build(
        cls,
        embed: Embed,
        classifier_weight: FloatArray,
        classifier_bias: FloatArray,
        vocabulary: Sequence[Concept] | None = None,
    ) -> ConceptSpace:
        """Embed the vocabulary and solve the visual map.

        ``embed`` turns N texts into (N, D) vectors; ``classifier_weight`` (C, F) and
        ``classifier_bias`` (C,) are the classifier's last layer, one row per concept. Raises
        EncoderError where vocabulary and classifier differ in length.
        """
        concepts = tuple(load_vocabulary() if vocabulary is None else vocabulary)
        weight = np.asarray(classifier_weight, dtype=np.float64)
        if len(concepts) != len(weight) or len(classifier_bias) != len(weight):
            raise EncoderError(
                f"the vocabulary has {len(concepts)} concepts and the classifier {len(weight)} "
                f"weight rows and {len(classifier_bias)} biases: they must be the same classes "
                f"in one order"
            )
        facets = [[_phrases(text) for text in concept.facets] for concept in concepts]
        distinct = list(dict.fromkeys(phrase for four in facets for one in four for phrase in one))
        number = {phrase: place for place, phrase in enumerate(distinct)}
        vectors = unit(np.asarray(embed(distinct), dtype=np.float32))
        own = [[[number[phrase] for phrase in one] for one in four] for four in facets]
        members = [[place for one in four for place in one] for four in own]
        # each facet weighs alike, however many phrases it has
        convex = np.stack([_mean([_mean(vectors[one]) for one in four]) for four in own])
        visual, text_map = _visual_map(weight, convex.astype(np.float64))
        arrays: dict[str, npt.NDArray[Any]] = {
            "phrases": vectors.astype(np.float16).astype(np.float32),
            "members": np.array([place for many in members for place in many], dtype=np.int32),
            "firsts": np.cumsum([0, *map(len, members[:-1])], dtype=np.int32),
            "convex": convex,
            "bias": np.asarray(classifier_bias, dtype=np.float32),
            "visual": visual,
            "text_map": text_map,
            "prototypes": _prototypes(weight, np.asarray(classifier_bias, dtype=np.float64)),
        }
        return cls._of(tuple(concept.label for concept in concepts), arrays)

    @classmethod
    def _of(cls, labels: tuple[str, ...], arrays: dict[str, npt.NDArray[Any]]) -> ConceptSpace:
        content = hashlib.sha256(f"concept space {SPACE_VERSION}".encode())
        content.update("\n".join(labels).encode())
        for name in sorted(arrays):
            content.update(np.ascontiguousarray(arrays[name]).tobytes())
        return cls(labels=labels, digest=content.hexdigest()[:16], **arrays)

    def save(self, path: Path) -> None:
        """Write everything to one ``.npz`` file."""
        with Path(path).open("wb") as file:
            np.savez(
                file,
                labels=np.array(self.labels),
                digest=np.array(self.digest),
                phrases=self.phrases.astype(np.float16),
                **{name: getattr(self, name) for name in _ARRAYS if name != "phrases"},
            )

    @classmethod
    def load(cls, path: Path) -> ConceptSpace:
        """Read what ``save`` wrote. Raises EncoderError where the file is not that."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in _ARRAYS}
                arrays["phrases"] = arrays["phrases"].astype(np.float32)
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
        return int(self.convex.shape[1] + self.visual.shape[1])

    def window_features(self, logits: FloatArray) -> WindowFeatures:
        """Logits (N, C) of N frames to dense unit vectors (N, 2 D) and sparse concepts."""
        logits = np.asarray(logits, dtype=np.float32)
        probabilities = softmax(logits)
        top = min(TOP_CONCEPTS, logits.shape[1])
        order = _largest(probabilities, top)
        values = np.take_along_axis(probabilities, order, axis=1)
        few = min(CONVEX_CONCEPTS, top)
        convex = np.einsum("nk,nkd->nd", values[:, :few], self.convex[order[:, :few]])
        seen = (logits - self.bias) @ self.visual
        vectors = unit(np.hstack([unit(convex), unit(seen)]))
        concepts = Concepts(order.astype(np.uint16), values.astype(np.float16))
        return WindowFeatures(vectors, concepts)

    def query(self, text: str, sentence_vector: FloatArray) -> Query:
        """A sentence and its embedding (D,) to a query."""
        sentence = unit(np.asarray(sentence_vector, dtype=np.float32))
        similarity = self.phrases @ sentence
        nearest = np.maximum.reduceat(similarity[self.members], self.firsts)
        weights = np.exp((nearest - nearest.max()) / TEMPERATURE)
        return Query(
            text=text,
            vector=unit(np.hstack([sentence, unit(sentence @ self.text_map)])),
            concept_weights=unit(weights),
            kind_weights=_kind(nearest),
        )

    def background(self) -> WindowFeatures:
        """One imagined frame per concept: what a query scores where anything may be seen.

        The features point along one row of the classifier's weights each. They stand in for
        pictures of everything, of which none come with the classifier.
        """
        return self.window_features(self.prototypes.astype(np.float32))

    def image_query(self, logits: FloatArray) -> Query:
        """The logits (C,) of one picture to a query: windows that show alike score high."""
        features = self.window_features(np.asarray(logits, dtype=np.float32)[None])
        weights = np.zeros(len(self.labels), dtype=np.float32)
        assert features.concepts is not None
        weights[features.concepts.indices[0]] = _roots(features.concepts.values)[0]
        return Query(text="", vector=features.vectors[0], concept_weights=weights)

    def score(self, query: Query, features: WindowFeatures) -> FloatArray:
        """Scores (N,) of windows, from what an index stores of them; higher is better."""
        dense = np.asarray(features.vectors, dtype=np.float32) @ query.vector
        late = self._late(query, features).sum(axis=1) / LATE_SPREAD
        if query.kind_weights is not None and features.concepts is not None:
            kind = _ramp(float(query.kind_weights.sum()), KIND_SIZE)
            members = query.kind_weights[features.concepts.indices]
            shown = (members * features.concepts.values.astype(np.float32)).sum(axis=1)
            late = (1 - kind) * late + kind * shown / KIND_SPREAD
        return np.asarray((2 * dense / DENSE_SPREAD + late) / 3, dtype=np.float32)

    def explain(self, query: Query, features: WindowFeatures, limit: int = 3) -> tuple[Why, ...]:
        """The concepts that the windows share most with the query, with their probability.

        The probability is the largest among the windows; the order is weight x probability.
        After the first, only concepts that are seen and weigh in are named.
        """
        if features.concepts is None or query.concept_weights is None or len(features) == 0:
            return ()
        indices = features.concepts.indices
        seen = np.zeros(len(self.labels), dtype=np.float32)
        np.maximum.at(seen, indices.ravel(), features.concepts.values.astype(np.float32).ravel())
        share = seen * query.concept_weights
        best = np.argsort(-share, kind="stable")[:limit]
        named = [
            number
            for place, number in enumerate(best)
            if place == 0 or (seen[number] >= LEAST_SEEN and share[number] > 0.1 * share[best[0]])
        ]
        return tuple(
            Why("concept", f"{self.labels[number]} {_short(float(seen[number]))}")
            for number in named
        )

    def _late(self, query: Query, features: WindowFeatures) -> FloatArray:
        """What each stored concept adds to late interaction, (N, K)."""
        if features.concepts is None or query.concept_weights is None:
            raise EncoderError("the concept encoder scores windows that have concepts, got none")
        weights = query.concept_weights[features.concepts.indices]
        return weights * _roots(features.concepts.values)


def _kind(nearest: FloatArray) -> FloatArray | None:
    """How much each concept (C,) is of the kind that a query names; None where it names none.

    ``nearest`` (C,): similarity of the query to each concept's nearest phrase.
    """
    behind = float(nearest.max()) - nearest
    weights = _ramp(nearest, KIND_NEAR) * (1 - _ramp(behind, KIND_BEHIND))
    return np.asarray(weights, np.float32) if weights.sum() > KIND_SIZE[0] else None


def _ramp(value: Any, ends: tuple[float, float]) -> Any:
    """0 up to the first end, 1 from the second on, and straight between."""
    return np.clip((value - ends[0]) / (ends[1] - ends[0]), 0.0, 1.0)


def _short(probability: float) -> str:
    return f"{probability:.2f}" if probability >= LEAST_SEEN else f"under {LEAST_SEEN}"


def _phrases(text: str) -> list[str]:
    return [phrase.strip() for phrase in text.split(",")]


def _mean(vectors: FloatArray | Sequence[FloatArray]) -> FloatArray:
    """The unit vector in the middle of unit vectors."""
    return unit(np.mean(np.asarray(vectors), axis=0))


def _roots(values: npt.NDArray[np.float16]) -> FloatArray:
    """Square roots of probabilities (N, K), of unit length although the smallest are missing."""
    return unit(np.sqrt(np.asarray(values, dtype=np.float32)))


def _visual_map(
    weight: npt.NDArray[np.float64], embeddings: npt.NDArray[np.float64]
) -> tuple[FloatArray, FloatArray]:
    """(C, V) from logits without bias, and (D, V) from sentences, to visual coordinates.

    The coordinates are those of the features along the V strongest right singular vectors of the
    centred weight rows, ``rows = U S V'``. Features are not needed: ``rows @ features`` are the
    logits without bias, less their mean, and so ``V' features = S^-1 U' (logits - mean)``.
    """
    rows = weight - weight.mean(axis=0)
    left, strength, right = np.linalg.svd(rows, full_matrices=False)
    kept = min(VISUAL_DIMENSION, int((strength > 1e-6 * strength[0]).sum()))
    # A singular vector's sign is the machine's choice, and stored vectors travel: it is fixed.
    peaks = right[np.arange(len(right)), np.abs(right).argmax(axis=1)]
    left, right = left * np.sign(peaks), right * np.sign(peaks)[:, None]
    visual = left[:, :kept] / strength[:kept]
    visual -= visual.mean(axis=0)  # takes the mean of the logits off
    gram = embeddings.T @ embeddings
    ridge = RIDGE * float(np.trace(gram)) / len(gram)
    solved = np.linalg.solve(gram + ridge * np.eye(len(gram)), embeddings.T @ rows)
    return (
        np.asarray(visual, dtype=np.float32),
        np.asarray(solved @ right[:kept].T, dtype=np.float32),
    )


def _prototypes(
    weight: npt.NDArray[np.float64], bias: npt.NDArray[np.float64]
) -> npt.NDArray[np.float16]:
    """Logits (C, C): row c is the frame whose features point along weight row c."""
    directions = weight / np.maximum(np.linalg.norm(weight, axis=1, keepdims=True), 1e-12)
    return np.asarray(PROTOTYPE_STRENGTH * directions @ weight.T + bias, dtype=np.float16)


def _largest(values: FloatArray, count: int) -> npt.NDArray[np.intp]:
    """Columns (N, count) of the largest values of each row, descending."""
    some = np.argpartition(values, values.shape[1] - count, axis=1)[:, values.shape[1] - count :]
    order = np.argsort(-np.take_along_axis(values, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1)
