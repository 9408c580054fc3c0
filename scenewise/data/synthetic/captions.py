"""Sentences that say what happens in a scene: ``captions`` of all of it, ``sentence`` of one event.

It knows events in their order of time; what happens it takes from the scene, how it is put from
``words``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.scene import Event, Scene
from scenewise.data.synthetic.words import Form, action_words, thing_words, with_article

# X, Y, Z stand for clauses; those of ALONE say one event
_ALONE_THIRD = ("{}", "here, {}", "in this film {}", "you can see that {}")
_ALONE_ING = ("there is {}", "the film shows {}", "a film of {}")


def name_of(scene: Scene, number: int, lots: Random | None = None) -> str:
    """``red circle``: a thing by the colour that it begins with, and its shape."""
    thing = scene.things[number]
    return thing_words(thing.colour, thing.shape, lots)


def clause(
    scene: Scene,
    event: Event,
    form: Form = "third",
    *,
    lots: Random | None = None,
    known: Sequence[int] = (),
) -> str:
    """``a red circle moves left``; a thing in ``known`` was spoken of: ``the red circle``."""

    def called(number: int) -> str:
        words = name_of(scene, number, lots)
        return f"the {words}" if number in known else with_article(words)

    subject = called(event.thing)
    if event.other is None:
        return f"{subject} {action_words(event.action, form, colour=event.colour, lots=lots)}"
    other = called(event.other)
    if event.action not in ACTIONS:  # one does it to the other
        return f"{subject} {action_words(event.action, form, lots=lots)} {other}"
    plural: Form = "base" if form == "third" else form
    return f"{subject} and {other} {action_words(event.action, plural, lots=lots)}"


def sentence(scene: Scene, event: Event, lots: Random | None = None) -> str:
    """One event as a sentence: ``A red circle moves left.``"""
    return _closed(clause(scene, event, lots=lots))


def captions(scene: Scene, lots: Random, count: int = 4) -> tuple[str, ...]:
    """``count`` sentences that say all that happens, in time's order; no two alike."""
    told = scene.events
    if not told:
        raise ValueError("a scene without events has no caption")
    made: dict[str, None] = {}
    templates = _templates(scene, told)
    turn = lots.randrange(len(templates))
    while len(made) < count:
        made[_closed(templates[turn % len(templates)](lots))] = None
        turn += 1
    return tuple(made)


Template = Callable[[Random], str]


def _templates(scene: Scene, told: Sequence[Event]) -> list[Template]:
    if len(told) == 1:
        return [
            *(
                lambda lots, t=text: t.format(_clauses(scene, told, lots)[0])
                for text in _ALONE_THIRD
            ),
            *(
                lambda lots, t=text: t.format(_clauses(scene, told, lots, "ing")[0])
                for text in _ALONE_ING
            ),
        ]
    return [
        lambda lots: ", then ".join(_clauses(scene, told, lots)),
        lambda lots: _first_and_finally(_clauses(scene, told, lots)),
        lambda lots: ", followed by ".join(_clauses(scene, told, lots, "ing")),
        lambda lots: _before(_clauses(scene, told, lots)),
        lambda lots: _after(_clauses(scene, told, lots)),
    ]


def _clauses(scene: Scene, told: Sequence[Event], lots: Random, form: Form = "third") -> list[str]:
    known: list[int] = []
    made = []
    for event in told:
        made.append(clause(scene, event, form, lots=lots, known=known))
        known += [event.thing] if event.other is None else [event.thing, event.other]
    return made


def _first_and_finally(clauses: Sequence[str]) -> str:
    *earlier, last = clauses
    return "first " + ", then ".join(earlier) + f", and finally {last}"


def _before(clauses: Sequence[str]) -> str:
    first, second, *rest = clauses
    return f"{first} before {second}" + "".join(f", and after that {later}" for later in rest)


def _after(clauses: Sequence[str]) -> str:
    first, second, *rest = clauses
    return f"after {first}, {second}" + "".join(f", and later {later}" for later in rest)


def _closed(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
