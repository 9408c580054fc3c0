"""Sentences that say what happens in a scene: ``captions`` of all of it, ``moments`` of parts.

It knows events in their order of time; how they are put it takes from ``words``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from scenewise.data.synthetic.actions import ACTIONS, HIT
from scenewise.data.synthetic.scene import Event, Scene
from scenewise.data.synthetic.statements import fact, together
from scenewise.data.synthetic.words import Form, Wording, closed, with_article
from scenewise.types import Segment

_PRONOUNS = 0.5  # share of sentences that have some
_ALONE: tuple[tuple[Form, str], ...] = (
    ("third", "{}"),
    ("third", "here, {}"),
    ("third", "in this film {}"),
    ("third", "you can see that {}"),
    ("ing", "there is {}"),
    ("ing", "the film shows {}"),
    ("ing", "a film of {}"),
)
# clauses c[0], c[1] and so on, each of one time
_Join = Callable[[Sequence[str]], str]
_IN_ORDER: tuple[tuple[Form, _Join], ...] = (
    ("third", ", then ".join),
    ("third", lambda c: "first " + ", then ".join(c[:-1]) + f", and finally {c[-1]}"),
    ("third", "; after that ".join),
    ("third", lambda c: f"at the beginning {c[0]}, and later " + ", and later ".join(c[1:])),
)
_ONE_BY_ONE: tuple[tuple[Form, _Join], ...] = (  # where nothing happens at once
    ("ing", ", followed by ".join),
    ("third", lambda c: f"{c[0]} before {c[1]}" + "".join(f", and then {x}" for x in c[2:])),
    ("third", lambda c: f"after {c[0]}, {c[1]}" + "".join(f", and then {x}" for x in c[2:])),
)


def captions(scene: Scene, lots: Random, count: int = 4) -> tuple[str, ...]:
    """``count`` sentences that say all that is worth telling, in time's order; no two alike.

    Raises ValueError for a scene in which nothing happens.
    """
    if not scene.told:
        raise ValueError("a scene without events has no caption")
    groups = together(scene.told)
    templates: list[tuple[Form, _Join]] = list(_IN_ORDER)
    if len(groups) == 1:
        alone = len(groups[0]) == 1
        templates = [(form, _within(text)) for form, text in _ALONE if alone or form == "third"]
    elif all(len(group) == 1 for group in groups):
        templates += _ONE_BY_ONE
    lots.shuffle(templates)
    made: dict[str, None] = {}
    turn = 0
    while len(made) < count:
        form, join = templates[turn % len(templates)]
        pronouns = form == "third" and lots.random() < _PRONOUNS
        clauses = _clauses(scene, groups, Wording(lots), form, pronouns=pronouns)
        made[closed(join(clauses))] = None
        turn += 1
    return tuple(made)


def moments(scene: Scene, lots: Random) -> list[tuple[str, tuple[Segment, ...]]]:
    """Sentences with the spans in which each holds: one for each fact, in time's order.

    What happens several times, or to several things, has several spans.
    """
    made: dict[str, tuple[Segment, ...]] = {}
    for event in scene.told:
        wanted = fact(scene, event)
        spans = [_span(other) for other in scene.events if fact(scene, other) == wanted]
        made.setdefault(closed(clause(scene, event)), tuple(sorted(spans, key=_start)))
    again: dict[str, tuple[Segment, ...]] = {}
    for action in dict.fromkeys(event.action for event in scene.told):
        events = [event for event in scene.events if event.action == action]
        several = len({fact(scene, event) for event in events}) > 1
        if several and action not in (HIT, "change colour") and ACTIONS[action].things == 1:
            text = closed(f"something {Wording().action(action, 'third')}")
            again[text] = _merged([_span(event) for event in events])
    words = dict(_reworded(scene, lots))
    return [(words.get(text, text), spans) for text, spans in (made | again).items()]


def _within(text: str) -> _Join:
    return lambda clauses: text.format(clauses[0])


def _reworded(scene: Scene, lots: Random) -> list[tuple[str, str]]:
    """Each event's first wording with another one."""
    return [
        (closed(clause(scene, event)), closed(clause(scene, event, wording=Wording(lots))))
        for event in scene.told
    ]


def _span(event: Event) -> Segment:
    return Segment(event.start, event.end)


def _start(span: Segment) -> float:
    return span.start


def _merged(spans: Sequence[Segment]) -> tuple[Segment, ...]:
    """Without overlaps."""
    merged: list[Segment] = []
    for span in sorted(spans, key=_start):
        if merged and span.start < merged[-1].end:
            merged[-1] = Segment(merged[-1].start, max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return tuple(merged)


def clause(
    scene: Scene,
    event: Event,
    form: Form = "third",
    *,
    wording: Wording | None = None,
    known: Sequence[int] = (),
    it: int | None = None,
) -> str:
    """``a red circle moves left``; a thing in ``known`` was spoken of: ``the red circle``.

    ``it`` is the number of the thing that a pronoun stands for.
    """
    wording = wording or Wording()

    def called(number: int) -> str:
        if number == it:
            return "it"
        thing = scene.things[number]
        texture = thing.texture if scene.textured else ""
        words = wording.thing(thing.colour_at(event.start), thing.shape, texture)
        return f"the {words}" if number in known else with_article(words)

    subject = called(event.thing)
    if event.other is None:
        return f"{subject} {wording.action(event.action, form, event.colour)}"
    other = called(event.other)
    if event.action == HIT:  # one does it to the other
        return f"{subject} {wording.action(event.action, form)} {other}"
    plural: Form = "base" if form == "third" else form
    return f"{subject} and {other} {wording.action(event.action, plural)}"


def _clauses(
    scene: Scene,
    groups: Sequence[Sequence[Event]],
    wording: Wording,
    form: Form,
    *,
    pronouns: bool,
) -> list[str]:
    known: list[int] = []
    last: int | None = None  # of which alone the sentence spoke last
    made = []
    for group in groups:
        parts = []
        for event in group:
            it = last if pronouns and len(group) == 1 else None
            parts.append(clause(scene, event, form, wording=wording, known=known, it=it))
            known += [event.thing] if event.other is None else [event.thing, event.other]
        single = len(group) == 1 and group[0].other is None
        last = group[0].thing if single else None
        made.append(" while ".join(parts))
    return made
