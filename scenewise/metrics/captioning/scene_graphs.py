"""SPICE's score of scene graphs that are given as tuples: an F-measure, without Java.

Anderson et al., "SPICE: Semantic Propositional Image Caption Evaluation" (2016), section 3.2: a
graph is its set of objects (dog,), attributes (dog, brown) and relations (dog, chase, cat); tuples
match where each word is the same or a synonym by WordNet. It knows how to compare graphs, not how
to read one out of a caption.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from scenewise.errors import UsageError
from scenewise.metrics.wordnet import read_wordnet

Tuple = tuple[str, ...]
Synonymous = Callable[[str, str], bool]


@dataclass(frozen=True, slots=True)
class SceneGraphScore:
    """From 0 to 1 each; 0 where a side has no tuples."""

    precision: float
    recall: float
    f1: float


def scene_graph_score(
    predicted: Iterable[Sequence[str]],
    reference: Iterable[Sequence[str]],
    synonymous: Synonymous | None = None,
) -> SceneGraphScore:
    """Compare the tuples of one caption with those of its references, taken together.

    Tuples of one word are objects, of two attributes, of three relations. On either side tuples
    that mean the same count once, as the paper merges synonymous nodes, and none is matched twice.
    ``synonymous`` None asks WordNet. Raises UsageError for a tuple of another length, and what
    ``wordnet_synonyms`` raises.
    """
    same = wordnet_synonyms() if synonymous is None else synonymous
    own, theirs = _merged(predicted, same), _merged(reference, same)
    matched = _matched(
        [[n for n, other in enumerate(theirs) if _match(one, other, same)] for one in own]
    )
    precision = matched / len(own) if own else 0.0
    recall = matched / len(theirs) if theirs else 0.0
    both = precision + recall
    return SceneGraphScore(precision, recall, 2 * precision * recall / both if both else 0.0)


def _merged(tuples: Iterable[Sequence[str]], same: Synonymous) -> list[Tuple]:
    kept: list[Tuple] = []
    for given in tuples:
        if isinstance(given, str) or not 1 <= len(given) <= 3 or not all(map(str.strip, given)):
            raise UsageError(
                f"{given!r} is no tuple of a scene graph; give (object,), (object, attribute) or "
                "(object, relation, object), of words."
            )
        one = tuple(" ".join(word.lower().split()) for word in given)
        if not any(_match(one, other, same) for other in kept):
            kept.append(one)
    return kept


def _match(one: Tuple, other: Tuple, same: Synonymous) -> bool:
    return len(one) == len(other) and all(
        word == theirs or same(word, theirs) for word, theirs in zip(one, other, strict=True)
    )


def _matched(partners: list[list[int]]) -> int:
    """How many can be paired at most, each with a partner of its own (Kuhn, 1955)."""
    taken: dict[int, int] = {}

    def pair(one: int, tried: set[int]) -> bool:
        for partner in partners[one]:
            if partner not in tried:
                tried.add(partner)
                if partner not in taken or pair(taken[partner], tried):
                    taken[partner] = one
                    return True
        return False

    return sum(pair(one, set()) for one in range(len(partners)))


def wordnet_synonyms(folder: Path | None = None) -> Synonymous:
    """Whether two words share a sense in WordNet, in any of their inflected forms.

    ``folder`` as ``read_wordnet`` takes it, with what that raises.
    """
    reader = read_wordnet(folder)

    @cache
    def senses(word: str) -> frozenset[str]:
        return frozenset(one.name() for one in reader.synsets(word.replace(" ", "_")))

    return lambda one, other: not senses(one).isdisjoint(senses(other))
