"""From a probability per word to what is said: the level, the setting and the deed that are sure.

A classifier that wavers between forty breeds knows that it sees a dog. So the words stand on a
ladder, tabby cat - cat - animal, whose upper rungs sum the probabilities below, and the most
telling rung that is likely enough is said (Deng et al., "Hedging Your Bets: Optimizing
Accuracy-Specificity Trade-offs in Large Scale Visual Recognition", 2012). Where something is seen,
and what goes on, is read the same way from the places and activities of all words together.

What a frame without any content would give by the mere number of words is taken off each sum: two
words in five name animals, and many small shares of them are no animal. It knows a vocabulary and
probabilities; it knows no encoder, no time and no video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenewise.encoders.vocabulary import Concept
from scenewise.types import Label

Probabilities = npt.NDArray[np.float64]
Members = npt.NDArray[np.bool_]

PERSON = "person"
# What may be said, with the kinds of the vocabulary that mean it where the word differs.
# fmt: off
KINDS: dict[str, tuple[str, ...]] = {
    word: (word,) for word in (
        "cat", "big cat", "dog", "bear", "wolf", "fox", "elephant", "rabbit", "pig", "sheep",
        "whale", "rodent", "snake", "lizard", "frog", "spider", "butterfly", "beetle", "shark",
        "bird", "fish", "insect", "reptile", "animal",
        "van", "truck", "bus", "bicycle", "motorcycle", "train", "aircraft", "vehicle",
        "computer", "screen", "electronic device", "lamp", "clock", "chair", "bed", "furniture",
        "bag", "bottle", "container", "kitchen tool", "kitchen appliance", "household appliance",
        "tool", "machine", "weapon", "toy", "ball", "musical instrument", "hat", "shoe", "window",
        "tower", "house", "building", "fruit", "vegetable", "bread", "dessert", "mushroom", "food",
        "flower", "plant", "landscape", "text",
    )
} | {
    "monkey": ("monkey", "ape", "primate"), "cow": ("cow", "cattle"),
    "deer": ("deer", "antelope"), "turtle": ("turtle", "tortoise"), "crustacean": ("crustacean",),
    "car": ("car", "automobile"), "boat": ("boat", "ship"), "drink": ("drink", "beverage"),
    "shop": ("shop", "store"), "book": ("book", "books"),
    "percussion instrument": ("percussion",),
    "baby": ("baby", "infant", "toddler"),
    # Who is usually seen with a thing stands among its kinds: clothing has somebody in it.
    PERSON: (
        "person", "people", "man", "woman", "child", "girl", "boy", "baby", "infant", "toddler",
        "player", "athlete", "gymnast", "swimmer", "rider", "soldier", "musician", "cook",
        "doctor", "patient", "face", "hand", "hair",
    ),
}
# Where something is seen: how it is said, and the places of the vocabulary that mean it.
SETTINGS: dict[str, tuple[str, ...]] = {
    "underwater": ("underwater", "coral reef", "sea floor", "aquarium"),
    "in snow": ("snow", "ice", "winter", "winter landscape", "winter forest", "ski slope",
                "glacier"),
    "at the sea": ("sea", "ocean", "beach", "coast", "sea shore", "harbour", "pier", "island",
                   "tropical sea", "cliff"),
    "in the mountains": ("mountains", "mountain", "Alps", "ridge", "glacier", "cliff",
                         "rocky mountain", "hill", "valley"),
    "in a forest": ("forest", "forest floor", "jungle", "rainforest", "winter forest"),
    "on a road": ("road", "street", "city street", "highway", "motorway", "country road",
                  "race track", "dirt road", "car park", "city", "city traffic", "tracks",
                  "tram stop", "pavement", "town"),
    "in a kitchen": ("kitchen", "stove", "oven", "counter", "sink", "cutting board"),
    "in an office": ("office", "desk", "computer", "browser"),
    "on a stage": ("stage", "concert", "concert hall", "theatre", "orchestra", "band", "studio"),
    "in a gym": ("gym", "sports hall", "fitness room"),
    "in a workshop": ("workshop", "garage", "workbench", "factory"),
    "in a hospital": ("hospital", "laboratory"),
    "at home": ("home", "living room", "bedroom", "bed", "sofa", "bathroom", "nursery", "kitchen",
                "room", "dining room", "crib", "window sill", "house"),
    "outdoors": (
        "garden", "grass", "street", "forest", "park", "field", "beach", "tree", "river", "farm",
        "sea", "jungle", "meadow", "forest floor", "snow", "road", "mountains", "lake", "pond",
        "desert", "ocean", "tree branch", "city", "yard", "savanna", "sky", "rainforest",
        "desert sand", "harbour", "marsh", "wilderness", "Africa", "wetland", "lake shore",
        "river bank", "coast", "cliff", "countryside", "hill", "stream", "mud flat", "sea shore",
        "grassland", "village", "swamp", "moor", "ice", "pasture", "pavement", "town",
        "race track", "country road", "lawn", "pier", "city street", "railway tracks", "island",
        "ski slope", "winter", "highway", "motorway", "square", "campsite", "playground",
        "football pitch", "Alps", "ridge", "glacier", "canoe", "dirt road", "building site",
    ),
    "indoors": (
        "kitchen", "desk", "living room", "office", "bathroom", "sofa", "restaurant", "bedroom",
        "bed", "workshop", "room", "counter", "shelf", "gym", "hospital", "sports hall", "nursery",
        "laboratory", "garage", "cafe", "oven", "stove", "concert hall", "sink", "studio",
        "indoors", "bar", "workbench", "bakery", "classroom", "warehouse", "dining room",
        "dressing table", "salon", "theatre", "library", "floor", "ceiling", "museum", "school",
        "fitness room", "crib", "cellar", "dark room", "chimney", "shelves", "shop",
    ),
}
# What goes on, by kinds: no deed of a single thing, a sort of scene.
SCENES: dict[str, tuple[str, ...]] = {
    "during sport": ("sport", "winter sport", "water sport", "motor sport", "athlete",
              "player", "gymnast", "gymnastics apparatus"),
}
# fmt: on
COARSE = frozenset({"indoors", "outdoors"})
MASS_WORDS = frozenset({"food", "furniture", "text", "bread", "fruit", "clothing"})
LEAST_MEMBER = 0.02  # of a rung's likeliest word: many small shares are no thing
OTHER_SOURCES = 0.15  # of a setting's evidence that must come from beside its first source


@dataclass(frozen=True, slots=True)
class Rung:
    """A word that may be said, and which of the vocabulary it covers."""

    name: str
    members: Members  # (C,)
    bits: float  # what it tells

    def probability(self, probabilities: Probabilities) -> float:
        """That it is seen, beyond what as many words have where nothing is."""
        count = int(self.members.sum())
        if probabilities[self.members].max(initial=0.0) < LEAST_MEMBER:
            return 0.0
        if count <= 1:
            return float(probabilities[self.members].sum())
        return beyond(float(probabilities[self.members].sum()), count / len(self.members))


class Ladder:
    """The rungs of a vocabulary."""

    def __init__(self, vocabulary: Sequence[Concept]) -> None:
        self._labels = [concept.label for concept in vocabulary]
        self._count = len(vocabulary)
        kinds = [phrases(concept.kinds) for concept in vocabulary]
        self._rungs = [self._rung(word, _of(kinds, meant)) for word, meant in KINDS.items()]
        self._rungs = [rung for rung in self._rungs if rung.members.any()]
        animals = _of(kinds, KINDS["animal"])
        self._beasts = [
            rung.members
            for rung in self._rungs
            if rung.members[animals].any()
            and rung.members[~animals].sum() < rung.members[animals].sum() < animals.sum()
        ]
        self._people = _of(kinds, KINDS[PERSON])
        places = [phrases(concept.places) for concept in vocabulary]
        self._settings = {word: _shares(places, meant) for word, meant in SETTINGS.items()}
        self._scenes = {word: _of(kinds, meant) for word, meant in SCENES.items()}

    def best(
        self,
        probabilities: Probabilities,
        levels: tuple[float, float, float],
        *,
        named: Sequence[Members] = (),
        kind: Members | None = None,
    ) -> tuple[Label, Members] | None:
        """What tells most of what is seen, and the words (C,) that it stands for.

        ``levels``: probabilities from which a thing is possible, probable, certain. Of what is
        probable the rung that tells most; where nothing is, of what is possible the one that is
        worth most; None where nothing is. Nothing that covers what is ``named`` already; within a
        ``kind`` (C,), nothing that covers all of it.
        """
        possible, probable, certain = levels
        top = int(probabilities.argmax())
        single = np.zeros(self._count, dtype=bool)
        single[top] = True
        # one word alone must be probable: what a classifier wavers about is better said broadly.
        # What somebody wears says that there is somebody; the very garment must be certain.
        worn = self._people[top] and kind is None
        if probabilities[top] >= (certain if worn else probable):
            rungs = [self._rung(self._labels[top], single)]
        else:
            rungs = []
        rungs += [rung for rung in self._rungs if not _covers(rung, named, kind)]
        weights = [(rung.probability(probabilities), rung) for rung in rungs]
        weights = [(share, rung) for share, rung in weights if share >= possible]
        if not weights:
            return None
        likely = [(share, rung) for share, rung in weights if share >= probable]
        if likely:
            share, chosen = max(likely, key=lambda pair: pair[1].bits)
        else:
            share, chosen = max(weights, key=lambda pair: pair[0] * pair[1].bits)
        return Label(chosen.name, min(1.0, share)), chosen.members

    def setting(
        self, probabilities: Probabilities, levels: tuple[float, float, float]
    ) -> Label | None:
        """Where it is seen, as "in a kitchen", where several words agree on it.

        Of what is probable the place that tells most; a mere "outdoors" must be probable.
        """
        possible, probable, _ = levels
        found = []
        for word, share in self._settings.items():
            evidence = probabilities * share
            total = float(evidence.sum())
            if total <= 0 or self._one_source(evidence) > (1 - OTHER_SOURCES) * total:
                continue
            level = beyond(total, float(share.mean()))
            if level >= (probable if word in COARSE else possible):
                found.append((level >= probable, word not in COARSE, level, word))
        if not found:
            return None
        _, _, level, word = max(found)
        return Label(word, level)

    def _one_source(self, evidence: Probabilities) -> float:
        """The most that one word gives, or one kind of animal: cats alone show no home."""
        beasts = [float(evidence[members].sum()) for members in self._beasts]
        return max([float(evidence.max()), *beasts])

    def scene(self, probabilities: Probabilities, least: float) -> Label | None:
        """What goes on, as "sport"."""
        found = [
            Label(word, beyond(float(probabilities[members].sum()), float(members.mean())))
            for word, members in self._scenes.items()
            if members.any()
        ]
        found = [label for label in found if label.probability >= least]
        return max(found, key=lambda label: label.probability) if found else None

    def _rung(self, name: str, members: Members) -> Rung:
        return Rung(name, members, float(np.log2(self._count / max(1, members.sum()))))


def _covers(rung: Rung, named: Sequence[Members], kind: Members | None) -> bool:
    if kind is not None and (rung.name == PERSON or bool(rung.members[kind].all())):
        return True
    return any(bool(rung.members[members].all()) for members in named)


def beyond(share: float, usual: float) -> float:
    """A share of probability beyond the usual one, as a share of what could be beyond it."""
    return max(0.0, (share - usual) / (1 - usual)) if usual < 1 else 0.0


def phrases(text: str) -> list[str]:
    """The phrases of a facet."""
    return [phrase.strip() for phrase in text.split(",") if phrase.strip()]


def _of(facets: Sequence[Sequence[str]], meant: Sequence[str]) -> Members:
    wanted = set(meant)
    return np.array([not wanted.isdisjoint(facet) for facet in facets], dtype=bool)


def _shares(facets: Sequence[Sequence[str]], meant: Sequence[str]) -> Probabilities:
    """(C,) which share of a word's places means this one."""
    wanted = set(meant)
    return np.array(
        [sum(phrase in wanted for phrase in facet) / max(1, len(facet)) for facet in facets]
    )
