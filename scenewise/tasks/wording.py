"""What is seen, in words: names for windows from a vocabulary, and how sure they are.

An encoder with a vocabulary of its own (``concept``) brings a probability per word with every
window. For any other encoder the words are those of the embedded vocabulary, each asked as "a
photo of a WORD": the zero-shot classification of Radford et al., "Learning Transferable Visual
Models From Natural Language Supervision", 2021, with the
encoder's own logit scale. This module knows probabilities and words; it knows no time and no verb.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from scenewise.encoders.cache import cached_folder
from scenewise.encoders.spec import Encoder, FloatArray, WindowFeatures
from scenewise.encoders.vocabulary import Concept, load_vocabulary
from scenewise.tasks.broader import MASS_WORDS, Ladder, phrases
from scenewise.tasks.classify import COSINE_SCALE, HasLogitScale
from scenewise.tasks.word_query import STOP_WORDS
from scenewise.types import Label

logger = logging.getLogger(__name__)

CERTAIN, PROBABLE, POSSIBLE = 0.8, 0.5, 0.2  # from here on it is said plainly, with doubt, at all
LEVELS = (POSSIBLE, PROBABLE, CERTAIN)
_FIRST_KINDS = 2  # of what is no animal, only so many kinds say what it is

# The embedded vocabulary has things that people wear and hold, and no people.
_PEOPLE_WORDS = """
person persons people man men woman women child children boy boys girl girls baby babies human
humans face faces someone somebody anyone anybody everyone crowd hand hands he she they who
"""
_PEOPLE = frozenset(_PEOPLE_WORDS.split())
COLOURS = (
    "black", "white", "grey", "red", "orange", "yellow", "green", "blue", "purple", "pink", "brown"
)  # fmt: skip
_CONSONANT_SOUNDS = ("uni", "euro", "ukulele", "one")  # said as "yu" and "wa"
_ARTICLES = frozenset({"a", "an", "the"})
_EMPTY_WORDS = STOP_WORDS | {
    "one",
    "ones",
    "something",
    "anything",
    "thing",
    "things",
    "kind",
    "it",
    "many",
    "several",
}

Probabilities = npt.NDArray[np.float64]


@runtime_checkable
class HasVocabulary(Protocol):
    """An encoder whose windows bring a probability per word."""

    @property
    def vocabulary(self) -> tuple[Concept, ...]:
        """The words, in the order of the concepts' indices."""
        ...


class Wording:
    """Names what one encoder sees. ``cache`` keeps the words' vectors for the next time."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        cache: Path | None = None,
        vocabulary: Sequence[Concept] | None = None,
    ) -> None:
        self._encoder = encoder
        self._cache = cache
        candidate: object = encoder
        self._scale = COSINE_SCALE
        if isinstance(candidate, HasLogitScale):
            self._scale = float(candidate.logit_scale)
        self._own = isinstance(candidate, HasVocabulary)
        if isinstance(candidate, HasVocabulary):
            self.vocabulary = candidate.vocabulary
        else:
            self.vocabulary = tuple(load_vocabulary() if vocabulary is None else vocabulary)

    def probabilities(self, features: WindowFeatures) -> Probabilities:
        """(C,) of the vocabulary's words: the mean over the windows, of which there is one."""
        if self._own and features.concepts is not None:
            total = np.zeros(len(self.vocabulary))
            indices, values = features.concepts.indices, features.concepts.values
            np.add.at(total, indices.ravel(), values.astype(np.float64).ravel())
            return total / len(indices)
        logits = self._scale * features.vectors.astype(np.float64) @ self._vectors.T
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray((exponents / exponents.sum(axis=1, keepdims=True)).mean(axis=0))

    def things(self, features: WindowFeatures, *, limit: int = 2, kind: str = "") -> list[Label]:
        """What is seen, likeliest first: a word, or a broader one where several words share it.

        ``kind`` limits it to words of that kind ("animal"); empty where nothing is likely enough.
        """
        return self.choose(self.probabilities(features), limit=limit, kind=kind)

    def choose(
        self, probabilities: Probabilities, *, limit: int = 2, kind: str = ""
    ) -> list[Label]:
        """As ``things``, from the probabilities (C,)."""
        left = probabilities.copy()
        inside = self.of_kind(kind) if kind else None
        if inside is not None:
            left[~inside] = 0
        found: list[Label] = []
        named: list[npt.NDArray[np.bool_]] = []
        while len(found) < limit:
            best = self._ladder.best(left, LEVELS, named=named, kind=inside)
            if best is None:
                break
            label, members = best
            found.append(label)
            named.append(members)
            # of one thing there may be two guesses
            left[self._like(int(members.argmax())) if members.sum() == 1 else members] = 0
        return found

    def scenery(self, features: WindowFeatures) -> list[Label]:
        """Where it is, as "in a kitchen", and what goes on, as "during sport"; may be empty."""
        return self.circumstances(self.probabilities(features))

    def circumstances(self, probabilities: Probabilities) -> list[Label]:
        """As ``scenery``, from the probabilities (C,)."""
        found = [
            self._ladder.setting(probabilities, LEVELS),
            self._ladder.scene(probabilities, PROBABLE),
        ]
        return [label for label in found if label is not None]

    def of_kind(self, kind: str) -> npt.NDArray[np.bool_]:
        """(C,) which words name something of this kind; singular and plural are one."""
        if kind not in self._kinds:
            wanted = {kind.casefold(), _singular(kind.casefold())}
            self._kinds[kind] = np.array(
                [not wanted.isdisjoint(_is_a(concept)) for concept in self.vocabulary], dtype=bool
            )
        return self._kinds[kind]

    def knows(self, sentence: str) -> bool:
        """Whether not seeing what a sentence says means something: the words must be known.

        An encoder that learnt from captions may know any word.
        """
        if not self._own:
            return True
        words = re.findall(r"\w+", sentence.casefold())
        return _PEOPLE.isdisjoint(words) and any(self.of_kind(word).any() for word in words)

    def unknown(self, sentence: str) -> list[str]:
        """Words of a sentence that name nothing in the vocabulary: deeds, colours, relations.

        None for an encoder that learnt from captions, which may know any word.
        """
        if not self._own:
            return []
        words = [
            word
            for word in re.findall(r"[\w-]+", sentence.casefold())
            if word not in _ARTICLES and not word.isdigit()
        ]
        left: list[str] = []
        place = 0
        while place < len(words):
            length = next(
                (size for size in (3, 2, 1) if self._names(words[place : place + size])), 0
            )
            if not length and words[place] not in _EMPTY_WORDS:
                left.append(words[place])
            place += max(1, length)
        return left

    def _names(self, words: list[str]) -> bool:
        """Whether these words together are a name, or a kind; a colour alone is no kind."""
        phrase = " ".join(words)
        if phrase in _PEOPLE or (phrase in COLOURS and phrase not in self._labels):
            return False
        return bool(words) and bool(self.of_kind(phrase).any())

    @cached_property
    def _labels(self) -> frozenset[str]:
        return frozenset(concept.label for concept in self.vocabulary)

    def _like(self, index: int) -> npt.NDArray[np.bool_]:
        """(C,) words that are read as the same thing: of the same first kind."""
        first = phrases(self.vocabulary[index].kinds)[:1]
        alike = [phrases(concept.kinds)[:1] == first for concept in self.vocabulary]
        alike[index] = True
        return np.array(alike, dtype=bool) if first else np.eye(len(alike), dtype=bool)[index]

    @cached_property
    def _ladder(self) -> Ladder:
        return Ladder(self.vocabulary)

    @cached_property
    def _kinds(self) -> dict[str, npt.NDArray[np.bool_]]:
        return {}

    @cached_property
    def _vectors(self) -> FloatArray:
        """(C, D) of "a photo of a WORD", made once for an encoder."""
        if self._cache is None:
            return self._embed()
        words = "\n".join(concept.label for concept in self.vocabulary)
        key = (
            f"words-{self._encoder.spec.digest()}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
        )

        def build(folder: Path) -> None:
            np.save(folder / "vectors.npy", self._embed())

        return np.asarray(np.load(cached_folder(self._cache, key, build) / "vectors.npy"))

    def _embed(self) -> FloatArray:
        logger.info("looking up %d words, once for this encoder", len(self.vocabulary))
        prompts = [f"a photo of {with_article(concept.label)}" for concept in self.vocabulary]
        return np.stack([self._encoder.encode_query(prompt).vector for prompt in prompts])


def hedged(label: Label) -> str:
    """``a tabby cat``, ``probably a tabby cat``, ``perhaps a tabby cat``."""
    return doubt(label.probability) + with_article(label.name)


def doubt(probability: float) -> str:
    """The word that says how sure something is, with a blank; empty where it is certain."""
    if probability >= CERTAIN:
        return ""
    return "probably " if probability >= PROBABLE else "perhaps "


def told(things: Sequence[Label], circumstances: Sequence[Label] = ()) -> str:
    """Part of a sentence: "a person in snow, probably during sport". Empty where there is nothing.

    What is as sure as another stands together behind one word of doubt, the surest first.
    """
    parts = []
    for hedge in ("", "probably ", "perhaps "):
        names = [with_article(thing.name) for thing in things if doubt(thing.probability) == hedge]
        where = [label.name for label in circumstances if doubt(label.probability) == hedge]
        words = [part for part in (" and ".join(names), ", ".join(where)) if part]
        if words:
            parts.append(hedge + " ".join(words))
    return ", ".join(parts)


def with_article(name: str) -> str:
    """A noun as it stands in a sentence."""
    if name in MASS_WORDS or (name.endswith("s") and not name.endswith(("ss", "us", "is"))):
        return name  # sunglasses, food
    vowel = name[:1].lower() in "aeiou" and not name.lower().startswith(_CONSONANT_SOUNDS)
    return f"{'an' if vowel else 'a'} {name}"


def _is_a(concept: Concept) -> set[str]:
    """What may be said of a thing: its names, and the kinds that say what it is."""
    kinds = phrases(concept.kinds)
    if "animal" not in kinds:
        kinds = kinds[:_FIRST_KINDS]
    return {phrase.casefold() for phrase in (*phrases(concept.names), *kinds)}


def _singular(word: str) -> str:
    for ending, stem in (("ies", "y"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("s", "")):
        if word.endswith(ending) and not word.endswith("ss"):
            return word[: -len(ending)] + stem
    return word
