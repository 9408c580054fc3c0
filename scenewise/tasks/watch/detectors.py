"""Detectors that rules ask for: each loaded once, shared by all rules and streams.

It knows rules, labels and pictures; it knows no stream and no thread. Rules that share a detector
ask all their labels at once, and each takes its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from scenewise.config import expand_user
from scenewise.encoders.detectors import DetectedBox
from scenewise.errors import UsageError
from scenewise.tasks.detect import CLOSED_FROM, OPEN_FROM, Detector
from scenewise.tasks.watch.judge import weaker
from scenewise.tasks.watch.rule import Rule
from scenewise.tasks.watch.things import Detected

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB


def with_default(rules: Sequence[Rule], detector: str | None) -> tuple[Rule, ...]:
    """The rules that detect and name no detector given this one; None leaves all as they are.

    Raises UsageError where no rule detects anything.
    """
    if detector is None:
        return tuple(rules)
    if not any(rule.detect for rule in rules):
        raise UsageError(
            f"no rule detects anything, so the detector {detector} has nothing to look for; write "
            'a rule with detect = "person", or leave the detector.'
        )
    return tuple(
        rule.model_copy(update={"detector": rule.detector or detector}) if rule.detect else rule
        for rule in rules
    )


@dataclass(slots=True)
class _Shared:
    """One network, and who asks it for what."""

    network: Detector
    rules: list[Rule] = field(default_factory=list)
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by the rule's name
    least: float = 1.0  # of all rules

    def threshold(self, rule: Rule) -> float:
        return rule.threshold or (OPEN_FROM if self.network.is_open else CLOSED_FROM)

    def look(self, pictures: Sequence[Picture]) -> list[tuple[DetectedBox, ...]]:
        """Boxes of each picture; pictures of one size go together, as many as the network likes."""
        wanted = tuple(dict.fromkeys(label for some in self.labels.values() for label in some))
        sizes: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for place, picture in enumerate(pictures):
            sizes[picture.shape].append(place)
        found: list[tuple[DetectedBox, ...]] = [()] * len(pictures)
        most = max(1, self.network.batch)
        for places in sizes.values():
            for first in range(0, len(places), most):
                some = places[first : first + most]
                boxes = self.network.detect([pictures[n] for n in some], wanted, self.least)
                for place, one in zip(some, boxes, strict=True):
                    found[place] = one
        return found


class Detectors:
    """All detectors of a watch. ``look`` is for one thread."""

    def __init__(self, rules: Sequence[Rule], load: Callable[[str], Detector]) -> None:
        """Load what the rules name, each once, and ask whether it knows their labels.

        Raises UsageError that names the rule, and what ``load`` raises.
        """
        self._shared: dict[str, _Shared] = {}
        for rule in rules:
            if rule.detector is None:
                continue
            try:
                self._take(rule, rule.detector, load)
            except UsageError as error:
                raise UsageError(f"rule {rule.name!r}: {error}") from None

    def _take(self, rule: Rule, name: str, load: Callable[[str], Detector]) -> None:
        key = _key(name)
        if key not in self._shared:
            self._shared[key] = _Shared(load(name))
        shared = self._shared[key]
        shared.labels[rule.name] = tuple(dict.fromkeys(shared.network.known_labels(rule.detect)))
        shared.rules.append(rule)
        threshold = shared.threshold(rule)
        least = weaker(threshold) if rule.kind == "detect" else threshold
        shared.least = min(shared.least, least)

    def __len__(self) -> int:
        return len(self._shared)

    @property
    def batch(self) -> int:
        """How many pictures all of them like at once."""
        return min((max(1, shared.network.batch) for shared in self._shared.values()), default=1)

    def things(self, rule: Rule) -> Detected:
        """What the rule asks about, on one stream."""
        assert rule.detector is not None
        key = _key(rule.detector)
        shared = self._shared[key]
        return Detected(key, shared.network.name, shared.labels[rule.name], shared.threshold(rule))

    def look(
        self, pictures: Sequence[tuple[str, Picture]]
    ) -> list[dict[str, tuple[DetectedBox, ...]]]:
        """What each detector sees in pictures of streams, where a rule of the stream asks it."""
        seen: list[dict[str, tuple[DetectedBox, ...]]] = [{} for _ in pictures]
        for key, shared in self._shared.items():
            asked = [
                place
                for place, (source, _) in enumerate(pictures)
                if any(rule.applies_to(source) for rule in shared.rules)
            ]
            found = shared.look([pictures[place][1] for place in asked])
            for place, boxes in zip(asked, found, strict=True):
                seen[place][key] = boxes
        return seen


def _key(name: str) -> str:
    """The same for two ways to write one folder."""
    folder = expand_user(name)
    return str(folder.resolve()) if folder.is_dir() else name
