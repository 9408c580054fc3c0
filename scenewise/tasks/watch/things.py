"""Things that rules ask about: where they are, and whether they are what a rule means.

There are three kinds: whatever moves, cut out and held against a sentence where there is one; what
moves, labelled by the encoder from its best few pictures, as ``scenewise detect`` does; and what a
detector draws boxes around, at rest or moving. Rules for lines, zones and ways are asked the same
of each. It knows one instant after another; it knows no line and no zone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from scenewise.encoders.detectors import DetectedBox
from scenewise.media.motion import MovingBox
from scenewise.tasks.crops import CropLabeller, Looks
from scenewise.tasks.detect import LABEL_FROM
from scenewise.tasks.linking import Linker, distinct
from scenewise.tasks.watch.judge import CROP_THRESHOLD, SentenceJudge, crop_window, probability
from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.recent import FORGET_SECONDS, Recent
from scenewise.types import EventBox, Why

CROP_MARGIN = 0.2  # of the box, on each side: what surrounds a thing helps to name it
SIGHTINGS = 2  # before a thing is labelled: a box in one frame alone is noise
_MOST_JUDGED = 10  # times that one moving thing is labelled; the first few pictures decide


@dataclass(frozen=True, slots=True)
class Look:
    """How far a thing is what the rule means: ``match`` 1 where it means anything."""

    match: float
    why: tuple[Why, ...] = ()
    box: EventBox | None = None


class Things(Protocol):
    """What a rule asks about. Implementations keep what they know of one stream."""

    threshold: float  # of ``match``, where the rule has none

    def boxes(self, seen: Observation) -> Sequence[MovingBox]:
        """Where things are since the instant before, in order of time; once for each instant."""
        ...

    def look(self, seen: Observation, box: MovingBox) -> Look:
        """What the thing in one of these boxes is."""
        ...


class Moving:
    """Whatever moves; where there is a judge, it must look like its sentence."""

    threshold = CROP_THRESHOLD

    def __init__(self, judge: SentenceJudge | None = None) -> None:
        self._judge = judge

    def boxes(self, seen: Observation) -> Sequence[MovingBox]:
        """See ``Things``."""
        return seen.moving

    def look(self, seen: Observation, box: MovingBox) -> Look:
        """See ``Things``."""
        if self._judge is None:
            return Look(1.0)
        # the picture is of this instant, so the box of the same track nearest to it is the last
        last = next(other for other in reversed(seen.moving) if other.track == box.track)
        features = crop_window(self._judge.encoder, cut_out(seen.image, last))
        return Look(probability(self._judge.standing(features)), self._judge.why(features))


@dataclass(slots=True)
class _Labelled:
    sightings: int = 0
    looks: Looks = field(default_factory=Looks)
    news: bool = False  # a crop that was not asked about
    judged: int = 0
    label: str = ""
    probability: float = 0.0


class MovingLabelled:
    """What moves, each thing labelled by the encoder from its best three pictures so far."""

    threshold = LABEL_FROM

    def __init__(self, labeller: CropLabeller) -> None:
        self._labeller = labeller
        self._known: Recent[_Labelled] = Recent(_Labelled)

    def boxes(self, seen: Observation) -> Sequence[MovingBox]:
        """See ``Things``."""
        last = {}
        for box in seen.moving:
            self._known.of(box.track, seen.time).sightings += 1
            last[box.track] = box
        for box in last.values():  # the picture shows where they are now
            known = self._known.of(box.track, seen.time)
            place = (box.left, box.top, box.width, box.height)
            if known.judged < _MOST_JUDGED:
                known.news |= known.looks.see(place, seen.time, seen.image, self._labeller)
        self._known.forget(seen.time)
        return seen.moving

    def look(self, seen: Observation, box: MovingBox) -> Look:
        """See ``Things``."""
        known = self._known.of(box.track, seen.time)
        if known.news and known.sightings >= SIGHTINGS:
            shares = self._labeller.probabilities(known.looks.crops)
            best = int(np.argmax(shares))
            known.label, known.probability = self._labeller.labels[best], float(shares[best])
            known.news = False
            known.judged += 1
        if not known.judged:
            return Look(0.0)
        there = event_box(known.label, known.probability, box)
        name = self._labeller.encoder.spec.name
        words = f"{words_of(there)}, a moving thing labelled by the encoder {name}"
        return Look(known.probability, (Why("motion", words),), there)


class Detected:
    """What a detector finds among the labels of a rule, followed label by label.

    ``least``: boxes under this probability do not count.
    """

    def __init__(self, key: str, name: str, labels: Sequence[str], least: float) -> None:
        """``key`` names the detector's boxes in an observation; ``name`` is for people."""
        self.threshold = least
        self.least = least  # may be set lower, where a weaker box keeps what is under way
        self._key = key
        self._name = name
        self._linkers = {label: Linker(FORGET_SECONDS) for label in labels}
        self._found: dict[int, DetectedBox] = {}

    def boxes(self, seen: Observation) -> Sequence[MovingBox]:
        """See ``Things``."""
        height, width = seen.image.shape[:2]
        self._found = {}
        moving = []
        for place, (label, linker) in enumerate(self._linkers.items()):
            some = [
                box
                for box in seen.detected[self._key]
                if box.label == label and box.probability >= self.least
            ]
            for number, box, velocity in linker.join(distinct(some), seen.time, width / height):
                track = number * len(self._linkers) + place  # numbers of labels do not meet
                self._found[track] = box
                shape = (box.left, box.top, box.width, box.height)
                moving.append(MovingBox(track, *shape, velocity))
        return moving

    def look(self, seen: Observation, box: MovingBox) -> Look:
        """See ``Things``."""
        del seen
        found = self._found[box.track]
        there = event_box(found.label, found.probability, box)
        why = Why("model", f"{words_of(there)}, by the detector {self._name}")
        return Look(found.probability, (why,), there)


def event_box(label: str, match: float, box: MovingBox) -> EventBox:
    """What an event tells of a thing, to a ten thousandth of the picture."""
    place = (round(value, 4) for value in (box.left, box.top, box.width, box.height))
    return EventBox(label, round(match, 4), *place)


def words_of(box: EventBox) -> str:
    """``person 0.87 at 0.10,0.55 0.12x0.20``: label, probability, left, top, width, height."""
    place = f"{box.left:.2f},{box.top:.2f} {box.width:.2f}x{box.height:.2f}"
    return f"{box.label} {box.probability:.2f} at {place}"


def cut_out(image: npt.NDArray[np.uint8], box: MovingBox) -> npt.NDArray[np.uint8]:
    """The part of a picture (H, W, 3) that a box shows, with ``CROP_MARGIN``; never empty."""
    height, width = image.shape[:2]

    def span(start: float, length: float, size: int) -> slice:
        first = math.floor((start - CROP_MARGIN * length) * size)
        last = math.ceil((start + (1 + CROP_MARGIN) * length) * size)
        first = min(max(0, first), size - 1)
        return slice(first, min(max(first + 1, last), size))

    return image[span(box.top, box.height, height), span(box.left, box.width, width)]
