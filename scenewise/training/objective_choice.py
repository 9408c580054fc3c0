"""Which objectives there are, and what each is for: networks of which kind, rows of which task.

A new objective is a line here. It knows names; the objectives are imported when one is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from scenewise.data.rows import Task
from scenewise.models.cards.card import Kind


@dataclass(frozen=True, slots=True)
class Choice:
    """One objective."""

    name: str
    builder: str  # "module:function or class" of the options
    kinds: tuple[Kind, ...]
    tasks: tuple[Task, ...]  # rows that it can learn from
    families: tuple[str, ...] = ()  # of networks; empty: all of these kinds


CHOICES: tuple[Choice, ...] = (
    Choice(
        "classification",
        "scenewise.training.objectives.classification:Classification",
        kinds=("backbone",),
        tasks=("labels",),
    ),
    Choice(
        "contrastive",
        "scenewise.training.objectives.contrastive:Contrastive",
        kinds=("video-text",),
        tasks=("captions",),
    ),
)


def choice_of(name: str) -> Choice | None:
    """The objective of this name."""
    return next((choice for choice in CHOICES if choice.name == name), None)


def default_choice(kind: Kind, family: str, task: Task) -> Choice | None:
    """The first that fits a network and a task; None where none does."""
    for choice in CHOICES:
        fits = kind in choice.kinds and task in choice.tasks
        if fits and (not choice.families or family in choice.families):
            return choice
    return None
