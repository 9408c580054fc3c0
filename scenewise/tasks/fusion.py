"""What several senses say of one video, joined into moments.

Each sense brings spans with a calibrated match: the probability that the span is what was asked
for, were this the only reason. Four rules join them:

1. *Within a sense the best counts.* A sentence that is spoken and stands in the subtitles is one
   reason, not two. Spans of one sense that overlap are one moment, as long as each has at least
   half the match of the best.
2. *The strongest leads.* From the best span down, each span that is not told yet becomes a moment
   with its own start and end. A long shot that shows a little of everything does not blur the
   second in which the word was said.
3. *Others join where they overlap in time.* A moment's match is the noisy-or of its senses, one
   match each: ``1 - (1 - p_seen) (1 - p_read) (1 - p_heard)``, the probability that at least one
   reason is right, were they independent (Pearl, "Probabilistic Reasoning in Intelligent
   Systems", 1988). So agreement beats either sense alone, and weak evidence lifts little.
4. *Silence is no evidence.* What is said is mostly not shown, and what is shown mostly not said:
   a sense that says nothing of a moment takes nothing from it. For the same reason a match under
   ``LEAST`` counts as nothing.

This module knows spans and probabilities; it knows no words, no scores and no database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import prod

from scenewise.tasks.evidence import Evidence
from scenewise.types import Modality

SHARE = 0.5  # of the best match of a moment, which its further spans have to reach
LEAST = 0.05  # a match under this is no reason


@dataclass(frozen=True, slots=True)
class Part:
    """What one sense says of [start, end) seconds of a video."""

    modality: Modality
    start: float
    end: float
    match: float
    evidence: tuple[Evidence, ...] = ()  # what was read or heard, best first
    seen: int | None = None  # number of the visual moment, where it is one

    def overlaps(self, other: Part) -> bool:
        """Whether both share time."""
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Joint:
    """A moment of one video: the part that leads, and those of other senses at that time."""

    lead: Part
    others: tuple[Part, ...]

    @property
    def match(self) -> float:
        """The noisy-or of the senses."""
        return noisy_or(part.match for part in (self.lead, *self.others))

    def of(self, modality: Modality) -> Part | None:
        """What this sense has to say."""
        parts = (part for part in (self.lead, *self.others) if part.modality == modality)
        return next(parts, None)


def noisy_or(matches: Iterable[float]) -> float:
    """The probability that at least one is right, were they independent.

    >>> round(noisy_or([0.5, 0.5]), 3), noisy_or([0.3])
    (0.75, 0.3)
    """
    values = list(matches)
    if len(values) == 1:
        return values[0]  # to the last bit
    return 1.0 - prod(1.0 - value for value in values)


def parts_of(evidence: Sequence[Evidence], duration: float) -> list[Part]:
    """Evidence of one sense about one video (rule 1), best first, inside [0, duration]."""
    waiting = sorted(evidence, key=lambda one: (one.start, one.end))
    told: set[int] = set()
    parts = []
    order = sorted(range(len(waiting)), key=lambda n: (-waiting[n].match, waiting[n].start))
    for seed in order:
        if seed in told:
            continue
        members = _grow(waiting, seed, told)
        told |= members
        chosen = sorted((waiting[n] for n in members), key=lambda one: (-one.match, one.start))
        end = min(duration, max(one.end for one in chosen))
        start = min(max(0.0, min(one.start for one in chosen)), end)
        parts.append(Part(chosen[0].modality, start, end, chosen[0].match, tuple(chosen)))
    return parts


def _grow(waiting: list[Evidence], seed: int, told: set[int]) -> set[int]:
    """Numbers of the spans that make one moment with the seed."""
    least = SHARE * waiting[seed].match
    start, end = waiting[seed].start, waiting[seed].end
    members = {seed}
    growing = True
    while growing:
        growing = False
        for number, one in enumerate(waiting):
            shared = one.start < end and one.end > start
            if number not in members and number not in told and shared and one.match >= least:
                members.add(number)
                start, end = min(start, one.start), max(end, one.end)
                growing = True
    return members


def join(parts: Sequence[Part], seen_at: Callable[[Part], float] | None = None) -> list[Joint]:
    """Parts of one video to moments, best first (rules 2 to 4).

    ``seen_at`` says how probable the question is by sight while a part lasts, also where no
    visual moment lies; without it, overlapping visual parts speak for themselves.
    """
    order = sorted(parts, key=lambda part: (-part.match, part.start, part.modality))
    told: set[int] = set()  # told by a moment of another sense
    leads: set[int] = set()
    joints = []
    for number, lead in enumerate(order):
        if number in told:
            continue
        leads.add(number)
        others: list[Part] = []
        for place, part in enumerate(order):
            if place in leads or part.modality == lead.modality or not part.overlaps(lead):
                continue
            told.add(place)
            if all(part.modality != other.modality for other in others):  # the best comes first
                others.append(part)
        if seen_at is not None and lead.modality != "visual":
            others = [part for part in others if part.modality != "visual"]
            others.append(Part("visual", lead.start, lead.end, seen_at(lead)))
        joints.append(Joint(lead, tuple(part for part in others if part.match >= LEAST)))
    return sorted(joints, key=lambda joint: (-joint.match, joint.lead.start))
