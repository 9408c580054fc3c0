"""From a rule to the machine that follows it on one source.

It knows which machine goes with which kind of rule, and nothing of what they do.
"""

from __future__ import annotations

from scenewise.encoders.spec import Encoder
from scenewise.errors import UsageError
from scenewise.index.calibration import Calibrator
from scenewise.index.catalog import Catalog
from scenewise.tasks.crops import CropLabeller
from scenewise.tasks.watch.anomaly import AnomalyMachine
from scenewise.tasks.watch.crossings import LineMachine, ZoneMachine
from scenewise.tasks.watch.detectors import Detectors
from scenewise.tasks.watch.judge import SentenceJudge
from scenewise.tasks.watch.levels import ClassifierMachine, SentenceMachine, SoundMachine
from scenewise.tasks.watch.moves import MovesMachine
from scenewise.tasks.watch.nouns import Observation, RuleMachine
from scenewise.tasks.watch.presence import PresenceMachine
from scenewise.tasks.watch.rule import Rule
from scenewise.tasks.watch.things import Moving, MovingLabelled, Things
from scenewise.types import Event


def arm(
    rule: Rule,
    encoder: Encoder,
    calibrator: Calibrator,
    catalog: Catalog | None,
    source: str,
    detectors: Detectors | None = None,
) -> RuleMachine:
    """A machine for one rule on one source; a rule for other sources stays silent.

    ``detectors``: those of all rules, where a rule names one.

    Raises UsageError where the rule asks for what is not there, such as a classifier that the
    library does not have, and EncoderError.
    """
    if not rule.applies_to(source):
        return SilentMachine(rule.name)
    if rule.kind == "sound":
        return SoundMachine(rule, source)
    if rule.kind == "classifier":
        return ClassifierMachine(rule, encoder, catalog, source)
    if rule.kind == "anomaly":
        return AnomalyMachine(rule, encoder.spec, catalog, source)
    if rule.kind == "sentence":
        assert rule.sentence is not None
        return SentenceMachine(rule, source, SentenceJudge(rule.sentence, encoder, calibrator))
    things = _things(rule, encoder, calibrator, detectors)
    if rule.kind == "line":
        return LineMachine(rule, source, things)
    if rule.kind == "zone":
        return ZoneMachine(rule, source, things)
    if rule.kind == "moves":
        return MovesMachine(rule, source, things)
    return PresenceMachine(rule, source, things)


def _things(
    rule: Rule, encoder: Encoder, calibrator: Calibrator, detectors: Detectors | None
) -> Things:
    """What the rule asks about: what a detector finds, or what moves."""
    if rule.detector is not None:
        if detectors is None:
            raise UsageError(
                f"rule {rule.name!r}: the detector {rule.detector} was not loaded; watch by "
                "Library.watch, or hand over Detectors."
            )
        return detectors.things(rule)
    if rule.detect:
        try:
            return MovingLabelled(CropLabeller(rule.detect, encoder, calibrator))
        except UsageError as error:
            raise UsageError(f"rule {rule.name!r}: {error}") from None
    if rule.sentence is not None:
        return Moving(SentenceJudge(rule.sentence, encoder, calibrator))
    return Moving()


class SilentMachine:
    """A rule that is not for this source."""

    def __init__(self, name: str) -> None:
        self.name = name

    def update(self, seen: Observation) -> tuple[Event, ...]:
        """Nothing."""
        del seen
        return ()


def disarm(machine: RuleMachine) -> None:
    """At the end: what a machine has learnt is kept in the library, where there is one."""
    if isinstance(machine, AnomalyMachine):
        machine.save()
