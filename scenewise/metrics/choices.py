"""How often the right one of several choices is taken: accuracy, by kind of question.

It knows NExT-QA's kinds and how its paper joins them (Xiao et al., "NExT-QA: Next Phase of
Question-Answering to Explaining Temporal Actions", 2021). It knows no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scenewise.metrics.answers import Share, joined_share, shares_by_kind

NEXTQA_GROUPS = {
    "Acc@C": ("CW", "CH"),  # causal: why, how
    "Acc@T": ("TN", "TC", "TP"),  # temporal: next, current, previous
    "Acc@D": ("DC", "DL", "DO"),  # descriptive: count, location, other
}
# its table has one column for what comes before and after
NEXTQA_BEFORE_AND_AFTER = ("TN", "TP")


@dataclass(frozen=True, slots=True)
class ChoiceFigures:
    """Shares that were right: of all, of each kind, and of NExT-QA's groups of kinds."""

    overall: Share
    by_kind: dict[str, Share]
    groups: dict[str, Share]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        shape: dict[str, Any] = {"accuracy": self.overall.to_dict()["accuracy"]}
        if self.groups:
            shape |= {name: one.to_dict()["accuracy"] for name, one in self.groups.items()}
        if self.by_kind:
            shape["by_kind"] = {kind: one.to_dict() for kind, one in self.by_kind.items()}
        return shape


def choice_figures(right: Sequence[bool], kinds: Sequence[str] | None = None) -> ChoiceFigures:
    """Accuracy of all questions, by kind where kinds are given, grouped where all are NExT-QA's."""
    overall = Share(sum(right), len(right))
    by_kind = shares_by_kind(right, kinds) if kinds is not None else {}
    known = {kind for group in NEXTQA_GROUPS.values() for kind in group}
    if not by_kind or not known >= set(by_kind):
        return ChoiceFigures(overall, by_kind, {})
    groups = {name: joined_share(by_kind, group) for name, group in NEXTQA_GROUPS.items()}
    groups["TN+TP"] = joined_share(by_kind, NEXTQA_BEFORE_AND_AFTER)
    return ChoiceFigures(overall, by_kind, {"Acc@All": overall, **groups})
