"""From a rule to the machine that follows it on one source.

It knows which machine goes with which kind of rule, and nothing of what they do.
"""

from __future__ import annotations

from scenewise.encoders.spec import Encoder
from scenewise.index.calibration import Calibrator
from scenewise.index.catalog import Catalog
from scenewise.tasks.watch.anomaly import AnomalyMachine
from scenewise.tasks.watch.crossings import LineMachine, ZoneMachine
from scenewise.tasks.watch.judge import SentenceJudge
from scenewise.tasks.watch.levels import ClassifierMachine, SentenceMachine, SoundMachine
from scenewise.tasks.watch.nouns import Observation, RuleMachine
from scenewise.tasks.watch.rule import Rule
from scenewise.types import Event


def arm(
    rule: Rule, encoder: Encoder, calibrator: Calibrator, catalog: Catalog | None, source: str
) -> RuleMachine:
    """A machine for one rule on one source; a rule for other sources stays silent.

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
    judge = None
    if rule.sentence is not None:
        judge = SentenceJudge(rule.sentence, encoder, calibrator)
    if rule.kind == "line":
        return LineMachine(rule, source, judge)
    if rule.kind == "zone":
        return ZoneMachine(rule, source, judge)
    assert judge is not None
    return SentenceMachine(rule, source, judge)


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
