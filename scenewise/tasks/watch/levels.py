"""Rules that follow one number over time: a sentence's, a classifier's, a sound's.

It knows scores, thresholds and smoothing; when something that holds becomes an event,
``occurrences`` says. What a machine keeps is bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from scenewise.encoders.spec import Encoder
from scenewise.errors import UsageError
from scenewise.index.catalog import Catalog
from scenewise.tasks.watch.judge import (
    SENTENCE_THRESHOLD,
    SentenceJudge,
    probability,
    straight_line,
    weaker,
)
from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.occurrences import GAP_SECONDS, EventMaker, Gate
from scenewise.tasks.watch.rule import Rule
from scenewise.tasks.watch.standing import Smoother, UsualScores
from scenewise.types import Event, Sound, Why

CLASSIFIER_THRESHOLD = 0.6
SOUND_THRESHOLD = 0.5
LEAST_DEVIATION = 0.1  # of a stream's own scores, in deviations of the background


class SentenceMachine:
    """Raises where a sentence stands out from the background *and* from the stream's own hour.

    ``match`` is the smaller of two: of the standing against the encoder's background, and, once
    two minutes were seen, of the standing against what the stream itself has shown. The first
    keeps a dull stream from alarming at every change, the second keeps a camera that always shows
    a door from alarming for doors.
    """

    def __init__(self, rule: Rule, source: str, judge: SentenceJudge) -> None:
        self.name = rule.name
        self._threshold = rule.threshold or SENTENCE_THRESHOLD
        self._judge = judge
        self._gate = Gate(rule)
        self._events = EventMaker(rule, source)
        self._smoother = Smoother()
        self._usual = UsualScores()
        self._own: tuple[float, float] | None = None  # standing among them, as a straight line
        self._last: float | None = None

    def update(self, seen: Observation) -> tuple[Event, ...]:
        """See ``RuleMachine``."""
        self._events.see(seen)
        if self._last is not None and seen.time - self._last > GAP_SECONDS:
            self._smoother.restart()
        self._last = seen.time
        z = self._smoother.add(self._judge.standing(seen.features))
        if z is None:
            return ()
        match = self._match(z)
        if self._usual.add(seen.time, z) and self._usual.warm:
            usual = self._usual.robust(LEAST_DEVIATION)
            # no block is known better than that
            spread = np.concatenate([usual - LEAST_DEVIATION, usual + LEAST_DEVIATION])
            self._own = straight_line(spread, videos=len(usual))
        limit = weaker(self._threshold) if self._gate.holding else self._threshold
        since = self._gate.update(seen, match >= limit)
        if since is None:
            return ()
        why = _during(self._judge.why(seen.features), since, seen.time)
        return (self._events.make(seen, match, why),)

    def _match(self, z: float) -> float:
        match = probability(z)
        if self._own is not None:
            at_zero, slope = self._own
            match = min(match, probability(at_zero + slope * z))
        return match


class ClassifierMachine:
    """Raises where a trained class is probable."""

    def __init__(self, rule: Rule, encoder: Encoder, catalog: Catalog | None, source: str) -> None:
        from scenewise.tasks.classifiers import load_classifier

        assert rule.classifier is not None
        self.name = rule.name
        if catalog is None:
            raise UsageError(
                f"rule {rule.name!r}: the classifier {rule.classifier.name!r} is in no library; "
                "name the library that it was trained in."
            )
        self._classifier = load_classifier(catalog, rule.classifier.name, encoder.spec)
        if self._classifier.is_regression:
            raise UsageError(
                f"rule {rule.name!r}: the classifier {rule.classifier.name!r} gives a number, and "
                "a rule needs one that gives labels."
            )
        self._label = self._classifier.column(rule.classifier.label)
        self._threshold = rule.threshold or CLASSIFIER_THRESHOLD
        self._gate = Gate(rule)
        self._events = EventMaker(rule, source)
        self._smoother = Smoother()
        self._last: float | None = None

    def update(self, seen: Observation) -> tuple[Event, ...]:
        """See ``RuleMachine``."""
        self._events.see(seen)
        if self._last is not None and seen.time - self._last > GAP_SECONDS:
            self._smoother.restart()
        self._last = seen.time
        row = self._classifier.probabilities(seen.features)[0]
        match = self._smoother.add(float(row[self._label]))
        if match is None:
            return ()
        limit = weaker(self._threshold) if self._gate.holding else self._threshold
        since = self._gate.update(seen, match >= limit)
        if since is None:
            return ()
        name = f"{self._classifier.labels[self._label]} {match:.2f}"
        return (self._events.make(seen, match, [Why("classifier", name, since, seen.time)]),)


class SoundMachine:
    """Raises where a kind of sound is heard clearly enough."""

    def __init__(self, rule: Rule, source: str) -> None:
        self.name = rule.name
        self._kind = rule.sound
        self._threshold = rule.threshold or SOUND_THRESHOLD
        self._gate = Gate(rule)
        self._events = EventMaker(rule, source)
        self._heard = float("-inf")  # until when it was heard, as far as it was told

    def update(self, seen: Observation) -> tuple[Event, ...]:
        """See ``RuleMachine``.

        A sound may be told when it is over, or again and again while it goes on: it counts
        where it reaches beyond what was told before.
        """
        self._events.see(seen)
        heard = [sound for sound in seen.sounds if self._counts(sound, seen.time)]
        if not heard:
            self._gate.update(seen, False)
            return ()
        best = max(heard, key=lambda sound: sound.strength)
        start = min(sound.start for sound in heard)
        end = max(sound.end for sound in heard)
        self._heard = end
        # what is told late lasted no longer for that
        since = self._gate.update(seen, True, min(seen.time, start + max(0.0, seen.time - end)))
        if since is None:
            return ()
        why = Why("sound", f"{best.kind} {best.strength:.2f}", start, end)
        return (self._events.make(seen, best.strength, [why]),)

    def _counts(self, sound: Sound, now: float) -> bool:
        """Whether it is of this kind, clear enough, and news."""
        clear = sound.kind == self._kind and sound.strength >= self._threshold
        return clear and sound.end > self._heard and sound.start <= now


def _during(why: Sequence[Why], start: float, end: float) -> list[Why]:
    return [replace(reason, start=start, end=end) for reason in why]
