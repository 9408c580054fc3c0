"""What can happen in the world: the table of actions and the time-reversed twin of each.

It knows names; how an action changes a thing is said in ``staging``, how people put it in
``words``.

Twins are told apart by motion alone: a film of one, shown backwards, is a film of the other. An
action that looks the same both ways is its own twin.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Action:
    """One kind of event."""

    name: str
    twin: str  # what it is when the film runs backwards
    things: int = 1  # that take part


ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        Action("move left", "move right"),
        Action("move right", "move left"),
        Action("move up", "move down"),
        Action("move down", "move up"),
        Action("turn clockwise", "turn counterclockwise"),
        Action("turn counterclockwise", "turn clockwise"),
        Action("grow", "shrink"),
        Action("shrink", "grow"),
        Action("appear", "vanish"),
        Action("vanish", "appear"),
        Action("approach", "part", things=2),
        Action("part", "approach", things=2),
        Action("collide", "collide", things=2),  # meet, touch and bounce
        Action("change colour", "change colour"),
        Action("blink", "blink"),
        Action("rest", "rest"),
    )
}
HIT = "hit"  # one thing runs into another and stops, and the other moves on: in stories only

# forward, backward: each pair once
TWINS: tuple[tuple[str, str], ...] = tuple(
    (action.name, action.twin)
    for number, action in enumerate(ACTIONS.values())
    if action.twin in list(ACTIONS)[number + 1 :]
)
