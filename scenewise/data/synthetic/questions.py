"""Questions about scenes, with answers that follow from them: ``Questions`` keeps a set balanced.

It knows how often which answer came; what can be asked is in ``asking``.

Blind guesses stay near chance. A question is dropped when its answer has come more often than the
others of its group, and among choices each wrong one looks as right as the right one: a pair of
twins stands beside another pair, and the places are drawn.
"""

from __future__ import annotations

from collections import Counter
from random import Random

from scenewise.data.synthetic.asking import KINDS, Candidate, Question
from scenewise.data.synthetic.scene import Scene

_MOST_OF_A_KIND = 2  # for one scene
_SLACK = 1.25  # of the mean of a group's answers, where they are not equally easy to find


class Questions:
    """Asks about one scene after another; what is asked depends on what was asked before."""

    def __init__(self) -> None:
        self._given: dict[str, Counter[str]] = {}

    def ask(self, scene: Scene, lots: Random) -> list[Question]:
        """Questions about a scene, at most two of a kind."""
        asked: list[Question] = []
        for make in KINDS.values():
            candidates = list(make(scene, lots))
            lots.shuffle(candidates)
            taken = 0
            for candidate in candidates:
                if taken < _MOST_OF_A_KIND and self._fair(candidate):
                    asked.append(candidate.question)
                    taken += 1
        return asked

    def _fair(self, candidate: Candidate) -> bool:
        """Whether its answer may come once more; counts it if so."""
        given = self._given.setdefault(candidate.group, Counter())
        if candidate.strict:
            most = float(min(given[key] for key in candidate.keys))
        else:
            most = _SLACK * given.total() / len(candidate.keys)
        if given[candidate.key] > most:
            return False
        given[candidate.key] += 1
        return True
