"""What can be asked about a scene: for each kind of question all candidates with their answers.

It knows scenes and truth; which candidates are kept is decided in ``questions``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, permutations
from random import Random

from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.captions import clause
from scenewise.data.synthetic.scene import COLOURS, SHAPES, UNITS, Event, Scene, ticks
from scenewise.data.synthetic.statements import fact
from scenewise.data.synthetic.tracks import value_at
from scenewise.data.synthetic.words import Wording

PLACES = ("left", "right", "top", "bottom", "middle")
BY_ITSELF = "it moves by itself"
YES, NO = "yes", "no"
_MIDDLE = 140  # units from the middle of the picture that are still the middle
_CLEARLY = 120  # units by which one direction must outweigh the other
# actions of one thing that have a twin: of these a wrong choice can be made that is as likely
_PAIRED = tuple(a.name for a in ACTIONS.values() if a.things == 1 and a.twin != a.name)
_NOT_TWICE = {"appear", "vanish", "change colour"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its answer, and the choices where there are some."""

    kind: str
    text: str
    answer: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Candidate:
    """A question that may be asked: ``key`` of ``keys`` is what must not come too often."""

    question: Question
    group: str  # within which keys are counted
    key: str
    keys: Sequence[str]
    strict: bool = False  # each key as often as the others


def _open(
    kind: str, text: str, answer: str, keys: Sequence[str], *, strict: bool = False
) -> Candidate:
    """A question without choices, balanced among those of the same words."""
    return Candidate(Question(kind, text, answer), f"{kind}: {text}", answer, keys, strict)


def _name(scene: Scene, number: int, seconds: float) -> str:
    thing = scene.things[number]
    return f"the {Wording().thing(thing.colour_at(seconds), thing.shape)}"


def _acts(scene: Scene, number: int) -> list[Event]:
    """What a thing does alone, in time's order; also what other events say too."""
    return [event for event in scene.events if event.thing == number and event.other is None]


def _of_one_colour(scene: Scene) -> list[int]:
    """Things that have one name all the time."""
    return [number for number, thing in enumerate(scene.things) if len(thing.colours) == 1]


def _does(action: str) -> str:
    return Wording().action(action, "third")


def _do(event: Event) -> str:
    return Wording().action(event.action, "base", event.colour)


def _present(scene: Scene, number: int, seconds: float) -> bool:
    return value_at(scene.things[number].presence, ticks(seconds))[0] == 1000


# ---- what, which


def _what_colour(scene: Scene, lots: Random) -> Iterator[Candidate]:
    """The shapes of a story differ, so the shape names the thing."""
    for thing in scene.things:
        when = lots.choice(("beginning", "end"))
        colour = thing.colours[0 if when == "beginning" else -1][1]
        text = f"What colour does the {thing.shape} have at the {when}?"
        question = Question("what colour", text, colour)
        yield Candidate(question, "what colour", colour, tuple(COLOURS))


def _what_shape(scene: Scene, _lots: Random) -> Iterator[Candidate]:
    for thing in scene.things:
        alike = [one for one in scene.things if thing.colour in {name for _, name in one.colours}]
        if len(alike) == 1:
            text = f"What shape is the thing that is {thing.colour} at the beginning?"
            yield Candidate(
                Question("what shape", text, thing.shape), "what shape", thing.shape, SHAPES
            )


def _what_happens(scene: Scene, lots: Random) -> Iterator[Candidate]:
    """What a thing does first or last; the choices are two pairs of twins."""
    for number in range(len(scene.things)):
        acts = _acts(scene, number)
        for which, event in (("first", acts[0]), ("last", acts[-1])) if acts else ():
            if event.action not in _PAIRED:
                continue
            others = [act.action for act in scene.events if act.action in _PAIRED]
            decoy = _another_pair(lots, event.action, others)
            choices = [
                _does(action)
                for one in (event.action, decoy)
                for action in (one, ACTIONS[one].twin)
            ]
            lots.shuffle(choices)
            text = f"What does {_name(scene, number, event.start)} do {which}?"
            answer = _does(event.action)
            question = Question("what happens", text, answer, tuple(choices))
            yield Candidate(question, "what happens", answer, [_does(one) for one in _PAIRED])


def _another_pair(lots: Random, action: str, wanted: Sequence[str]) -> str:
    """An action of another pair than ``action``'s, one of ``wanted`` where there is one."""
    pair = (action, ACTIONS[action].twin)
    return lots.choice(
        [one for one in wanted if one not in pair] or [one for one in _PAIRED if one not in pair]
    )


def _which(scene: Scene, _lots: Random) -> Iterator[Candidate]:
    """Of two things, the one that does something; balanced by its place in the question."""
    for one, other in permutations(_of_one_colour(scene), 2):
        theirs = {act.action for act in _acts(scene, other)}
        for act in _acts(scene, one):
            if act.action in theirs or act.action == "change colour":
                continue
            names = [_name(scene, one, 0), _name(scene, other, 0)]
            answer = names[0]
            for place in ("first", "second"):
                first, second = names if place == "first" else names[::-1]
                text = f"Which of the two {_does(act.action)}: {first} or {second}?"
                question = Question("which", text, answer, (first, second))
                yield Candidate(question, "which", place, ("first", "second"), strict=True)


# ---- how many, where


def _how_many(scene: Scene, _lots: Random) -> Iterator[Candidate]:
    moves = [event for event in scene.events if event.action.startswith("move")]
    for text, count, least in (
        ("How many things are there?", len(scene.things), 1),
        ("How many times does something move?", len(moves), 0),
        ("How many things move?", len({event.thing for event in moves}), 0),
        ("How many things never do anything?", _idle(scene), 0),
    ):
        keys = [str(number) for number in range(least, least + 3)]
        if str(count) in keys:
            yield _open("how many", text, str(count), keys)


def _idle(scene: Scene) -> int:
    busy = {number for event in scene.events for number in (event.thing, event.other)}
    return len(set(range(len(scene.things))) - busy)


def _where(scene: Scene, _lots: Random) -> Iterator[Candidate]:
    for number, thing in enumerate(scene.things):
        for when, seconds in (("beginning", 0.0), ("end", scene.seconds)):
            x, y = value_at(thing.place, ticks(seconds))
            place = place_of(x, y)
            if place is None or not _present(scene, number, seconds):
                continue
            name = _name(scene, number, seconds)
            question = Question("where", f"Where is {name} at the {when}?", place)
            yield Candidate(question, f"where at the {when}", place, PLACES)


def place_of(x: float, y: float) -> str | None:
    """Where a spot of the picture is, in a word; None where two words would do."""
    right, down = x - UNITS / 2, y - UNITS / 2
    if max(abs(right), abs(down)) <= _MIDDLE:
        return "middle"
    if abs(abs(right) - abs(down)) < _CLEARLY:
        return None
    if abs(right) > abs(down):
        return "right" if right > 0 else "left"
    return "bottom" if down > 0 else "top"


# ---- before and after, why


def _before_and_after(scene: Scene, lots: Random) -> Iterator[Candidate]:
    """What happens next to an event; the choices are two events and their twins."""
    told = scene.told
    starts = [event.start for event in told]
    alone = [event for event in told if starts.count(event.start) == 1]
    facts = [fact(scene, event) for event in scene.events]
    for earlier, later in pairwise(alone):
        between = [event for event in told if earlier.start < event.start < later.start]
        if between or facts.count(fact(scene, earlier)) > 1 or facts.count(fact(scene, later)) > 1:
            continue
        for word, asked, right in (("before", later, earlier), ("after", earlier, later)):
            if right.action not in _PAIRED:
                continue
            decoys = [event for event in told if event is not right and event is not asked]
            choices = _two_pairs(scene, lots, right, [e for e in decoys if e.action in _PAIRED])
            text = f"What happens right {word} {_the(clause(scene, asked))}?"
            question = Question("before and after", text, _the(clause(scene, right)), choices)
            keys = [_does(action) for action in _PAIRED]
            yield Candidate(question, "before and after", _does(right.action), keys)


def _the(words: str) -> str:
    """A clause about things that are known: ``the red circle moves left``."""
    return " ".join("the" if word in ("a", "an") else word for word in words.split())


def _two_pairs(
    scene: Scene, lots: Random, right: Event, decoys: Sequence[Event]
) -> tuple[str, ...]:
    subject = _name(scene, right.thing, right.start)
    decoys = [e for e in decoys if (e.thing, ACTIONS[e.action].twin) != (right.thing, right.action)]
    if decoys:
        decoy = lots.choice(decoys)
        other, action = _name(scene, decoy.thing, decoy.start), decoy.action
    else:
        other, action = subject, _another_pair(lots, right.action, ())
    choices = [f"{subject} {_does(one)}" for one in (right.action, ACTIONS[right.action].twin)]
    choices += [f"{other} {_does(one)}" for one in (action, ACTIONS[action].twin)]
    lots.shuffle(choices)
    return tuple(choices)


def _why(scene: Scene, lots: Random) -> Iterator[Candidate]:
    """Why a thing moves: one thing hit it, or another did, or none."""
    for event in scene.events:
        if not event.action.startswith("move") or event.part_of is not None:
            continue
        if sum(act.action == event.action for act in _acts(scene, event.thing)) > 1:
            continue
        cause = None if event.cause is None else scene.events[event.cause]
        others = [n for n in range(len(scene.things)) if n != event.thing]
        lots.shuffle(others)
        if cause is not None:  # the one that did it comes first
            others.sort(key=lambda number: number != cause.thing)
        names = [_name(scene, number, event.start) for number in others]
        while len(names) < 2:  # one that is not there
            stranger = f"the {Wording().thing(lots.choice(list(COLOURS)), lots.choice(SHAPES))}"
            names += [stranger] if stranger not in names else []
        choices = [*(f"because {name} hit it" for name in names[:2]), BY_ITSELF]
        answer = BY_ITSELF if cause is None else choices[0]
        key = BY_ITSELF if cause is None else lots.choice(("one", "another"))
        lots.shuffle(choices)
        text = f"Why does {_name(scene, event.thing, event.start)} {_do(event)}?"
        question = Question("why", text, answer, tuple(choices))
        yield Candidate(question, "why", key, ("one", "another", BY_ITSELF), strict=True)


# ---- yes or no: each fact is asked so that it is right, and so that it is not


def _does_it(scene: Scene, _lots: Random) -> Iterator[Candidate]:
    for number in _of_one_colour(scene):
        done = {act.action for act in _acts(scene, number)}
        name = _name(scene, number, 0)
        for action in sorted(done & set(_PAIRED)):
            twin = ACTIONS[action].twin
            if twin not in done:
                for asked, answer in ((action, YES), (twin, NO)):
                    text = f"Does {name} {Wording().action(asked, 'base')}?"
                    yield _yes_or_no(text, answer, f"does it {asked}")


def _in_this_order(scene: Scene, _lots: Random) -> Iterator[Candidate]:
    facts = [fact(scene, event) for event in scene.events]
    for earlier, later in permutations(scene.told, 2):
        once = all(facts.count(fact(scene, event)) == 1 for event in (earlier, later))
        if earlier.end > later.start or not once:
            continue
        if earlier.other is not None or later.other is not None:
            continue
        if earlier.thing == later.thing and _NOT_TWICE & {earlier.action, later.action}:
            continue  # the words tell the order
        for (first, second), answer in (((earlier, later), YES), ((later, earlier), NO)):
            name = _name(scene, first.thing, first.start)
            then = _the(clause(scene, second))
            text = f"Does {name} {_do(first)} before {then}?"
            yield _yes_or_no(text, answer, "in this order")


def _is_there(scene: Scene, _lots: Random) -> Iterator[Candidate]:
    """A thing that is not there has the colour of one that is and the shape of another."""
    for one, other in permutations(scene.things, 2):
        if len({*one.colours, *other.colours}) > 2:
            continue  # one of them changes
        for shape, answer in ((one.shape, YES), (other.shape, NO)):
            text = f"Is there a {Wording().thing(one.colour, shape)}?"
            yield _yes_or_no(text.replace(" a o", " an o"), answer, "is there")


def _yes_or_no(text: str, answer: str, group: str) -> Candidate:
    return Candidate(Question("yes or no", text, answer), group, answer, (YES, NO), strict=True)


KINDS: dict[str, Callable[[Scene, Random], Iterator[Candidate]]] = {
    "what colour": _what_colour,
    "what shape": _what_shape,
    "what happens": _what_happens,
    "which": _which,
    "how many": _how_many,
    "where": _where,
    "before and after": _before_and_after,
    "why": _why,
    "does it": _does_it,
    "in this order": _in_this_order,
    "is there": _is_there,
}
