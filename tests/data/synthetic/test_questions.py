"""Answers are right, by another way than they were made, and cannot be guessed."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from random import Random

import numpy as np
import pytest
from looking import boxes, colour_of, middles, only, standing_out
from reading import ACTIONS as SAID
from reading import COLOURS, SHAPES, as_fact, clauses

from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.asking import BY_ITSELF, KINDS, PLACES, Question, place_of
from scenewise.data.synthetic.questions import Questions
from scenewise.data.synthetic.scene import Event, Scene
from scenewise.data.synthetic.statements import fact
from scenewise.data.synthetic.story_scenes import draw_story

COUNT = 400


@pytest.fixture(scope="module")
def asked() -> list[tuple[Scene, Question]]:
    questions = Questions()
    pairs = []
    for seed in range(COUNT):
        scene = draw_story(Random(seed))
        pairs += [(scene, question) for question in questions.ask(scene, Random(seed))]
    return pairs


def of_kind(asked: list[tuple[Scene, Question]], kind: str) -> list[tuple[Scene, Question]]:
    found = [(scene, question) for scene, question in asked if question.kind == kind]
    assert len(found) >= 30, kind
    return found


# ---- guessing


def test_every_kind_is_asked(asked: list[tuple[Scene, Question]]) -> None:
    kinds = {question.kind for _, question in asked}
    assert kinds == {*KINDS, "yes or no"} - {"does it", "in this order", "is there"}


MOST = {
    "what colour": 0.2,
    "what shape": 0.25,
    "what happens": 0.2,
    "how many": 0.45,
    "where": 0.3,
    "which": 0.1,
    "before and after": 0.1,
    "why": 0.4,
    "yes or no": 0.55,
}


@pytest.mark.parametrize(("kind", "most"), MOST.items())
def test_no_answer_comes_too_often(
    asked: list[tuple[Scene, Question]], kind: str, most: float
) -> None:
    answers = Counter(question.answer for _, question in of_kind(asked, kind))
    assert max(answers.values()) <= most * answers.total()


@pytest.mark.parametrize("start", ["Does", "Is there"])
def test_yes_is_right_as_often_as_no(asked: list[tuple[Scene, Question]], start: str) -> None:
    answers = Counter(
        question.answer
        for _, question in of_kind(asked, "yes or no")
        if question.text.startswith(start)
    )
    assert 0.45 <= answers["yes"] / answers.total() <= 0.55


@pytest.mark.parametrize("kind", ["what happens", "which", "before and after", "why"])
def test_the_place_of_the_right_choice_tells_nothing(
    asked: list[tuple[Scene, Question]], kind: str
) -> None:
    found = of_kind(asked, kind)
    number = len(found[0][1].choices)
    places = Counter(question.choices.index(question.answer) for _, question in found)
    # within four standard deviations of even
    spread = 4 * math.sqrt((1 / number) * (1 - 1 / number) / len(found))
    assert all(abs(places[n] / len(found) - 1 / number) <= spread for n in range(number))
    assert all(len(set(question.choices)) == number for _, question in found)


@pytest.mark.parametrize("kind", ["what happens", "before and after"])
def test_each_choice_stands_beside_its_twin(asked: list[tuple[Scene, Question]], kind: str) -> None:
    """So that the pair with a twin is not the one with the answer."""
    for _, question in of_kind(asked, kind):
        said = [_action_in(choice) for choice in question.choices]
        assert sorted(said) == sorted(ACTIONS[action].twin for action in said)


def _action_in(text: str) -> str:
    found = [said for said in SAID if text == said or text.endswith(f" {said}")]
    ((action, _),) = SAID[max(found, key=len)]
    return action


def test_a_guesser_that_knows_the_words_of_a_question_gains_little() -> None:
    """Learn the best answer for each question's words on one half, try it on the other."""
    questions = Questions()
    halves: tuple[dict[str, Counter[str]], list[Question]] = (defaultdict(Counter), [])
    for seed in range(1200):
        scene = draw_story(Random(f"g{seed}"))
        for question in questions.ask(scene, Random(seed)):
            if question.kind != "yes or no":
                continue
            if seed % 2:
                halves[1].append(question)
            else:
                for word in question.text.rstrip("?").split():
                    halves[0][word][question.answer] += 1
    right = 0
    for question in halves[1]:
        score = sum(
            math.log((halves[0][word]["yes"] + 1) / (halves[0][word]["no"] + 1))
            for word in question.text.rstrip("?").split()
        )
        right += (score > 0) == (question.answer == "yes")
    assert right / len(halves[1]) < 0.56


# ---- being right


def _thing(scene: Scene, words: str, seconds: float = 0.0) -> int:
    """The number of ``red circle``: by its shape, which is that of one thing only."""
    colour, shape = words.removeprefix("the ").split()
    (number,) = (n for n, thing in enumerate(scene.things) if thing.shape == SHAPES[shape])
    assert COLOURS[colour] in {name for _, name in scene.things[number].colours}
    return number


def _visible(scene: Scene, number: int, frame: int) -> bool:
    return bool(standing_out(only(scene, number))[frame].max() > 60)


def test_colours_are_those_that_are_seen(asked: list[tuple[Scene, Question]]) -> None:
    checked = 0
    for scene, question in of_kind(asked, "what colour")[:60]:
        (shape,) = (word for word in question.text.rstrip("?").split() if word in SHAPES)
        number = [thing.shape for thing in scene.things].index(SHAPES[shape])
        frame = -1 if question.text.endswith("end?") else 0
        events = [e for e in scene.events if e.thing == number]
        still = not any(e.start < 0.1 or e.end > scene.seconds - 0.1 for e in events)
        if still and _visible(scene, number, frame):
            assert colour_of(only(scene, number), frame) == question.answer
            checked += 1
    assert checked > 25


def test_places_are_those_that_are_seen(asked: list[tuple[Scene, Question]]) -> None:
    for scene, question in of_kind(asked, "where")[:80]:
        words, frame = question.text[len("Where is ") :].split(" at the ")
        number = _thing(scene, words)
        x, y = boxes(only(scene, number))[-1 if frame == "end?" else 0]
        seen = {
            "left": 0.5 - x,
            "right": x - 0.5,
            "top": 0.5 - y,
            "bottom": y - 0.5,
            "middle": 0.19 - max(abs(x - 0.5), abs(y - 0.5)),
        }
        if question.answer == "middle":
            assert seen["middle"] > 0
        else:
            assert max(seen, key=seen.__getitem__) == question.answer


@pytest.mark.parametrize(
    ("x", "y", "place"),
    [
        (500, 500, "middle"), (620, 380, "middle"), (100, 500, "left"), (900, 450, "right"),
        (500, 100, "top"), (400, 900, "bottom"), (100, 100, None), (900, 150, None),
    ],
)  # fmt: skip
def test_places_have_one_word_or_none(x: float, y: float, place: str | None) -> None:
    assert place_of(x, y) == place
    assert place is None or place in PLACES


def test_counts_are_right(asked: list[tuple[Scene, Question]]) -> None:
    """Counted in the pixels: a thing moves while the middle of its box does."""
    for scene, question in of_kind(asked, "how many")[:120]:
        if question.text == "How many things are there?":
            # each is seen at some time
            seen = [standing_out(only(scene, n)).max() > 60 for n in range(len(scene.things))]
            assert question.answer == str(sum(seen))
        if question.text == "How many things move?":
            moving = 0
            for number in range(len(scene.things)):
                strength = standing_out(only(scene, number)).max(axis=(1, 2))
                clear = boxes(only(scene, number))[strength > 0.7 * strength.max()]
                # the shortest run is 0.13 of the picture
                moving += np.ptp(clear, axis=0).max() > 0.11
            assert question.answer == str(moving)
        if question.text == "How many things never do anything?":
            idle = 0
            for number in range(len(scene.things)):
                strength = standing_out(only(scene, number))
                idle += bool((strength == strength[0]).all())
            assert question.answer == str(idle) or scene.background.kind == "drifting"


def _acts(scene: Scene, number: int) -> list[Event]:
    return [e for e in scene.events if e.thing == number and e.other is None]


def test_who_did_what_is_right(asked: list[tuple[Scene, Question]]) -> None:
    for scene, question in of_kind(asked, "which"):
        what, pair = question.text[len("Which of the two ") :].rstrip("?").split(": ")
        ((action, _),) = SAID[what]
        did = {
            name: any(e.action == action for e in _acts(scene, _thing(scene, name)))
            for name in pair.split(" or ")
        }
        assert sorted(did.values()) == [False, True]
        assert did[question.answer]
    for scene, question in of_kind(asked, "what happens"):
        words = question.text[len("What does ") :].rstrip("?").split(" do ")
        acts = _acts(scene, _thing(scene, words[0]))
        act = acts[0] if words[1] == "first" else acts[-1]
        assert _action_in(question.answer) == act.action


def test_moves_are_seen_where_the_answer_is_one(asked: list[tuple[Scene, Question]]) -> None:
    way = {"moves left": (0, -1), "moves right": (0, 1), "moves up": (1, -1), "moves down": (1, 1)}
    checked = 0
    for scene, question in of_kind(asked, "what happens")[:150]:
        if question.answer in way and question.text.endswith("first?"):
            number = _thing(scene, question.text[len("What does ") :].split(" do ")[0])
            act = _acts(scene, number)[0]
            path = middles(only(scene, number))
            axis, sign = way[question.answer]
            first, last = round(act.start * 8), min(round(act.end * 8), len(path)) - 1
            assert (path[last, axis] - path[first, axis]) * sign > 0.1
            checked += 1
    assert checked > 10


def test_before_and_after_are_right(asked: list[tuple[Scene, Question]]) -> None:
    for scene, question in of_kind(asked, "before and after"):
        word, _, clause = question.text[len("What happens right ") :].partition(" ")
        told = list(scene.told)
        place = [_matches(scene, event, clause.rstrip("?")) for event in told].index(True)
        neighbour = told[place - 1 if word == "before" else place + 1]
        assert _matches(scene, neighbour, question.answer)
        rest = [choice for choice in question.choices if choice != question.answer]
        assert not any(_matches(scene, neighbour, choice) for choice in rest)


def _matches(scene: Scene, event: Event, text: str) -> bool:
    ((_, said),) = clauses(text)
    return as_fact(said) == fact(scene, event)


def test_causes_are_right(asked: list[tuple[Scene, Question]]) -> None:
    """Nothing moves by itself that another thing touches as it begins to."""
    hit = 0
    for scene, question in of_kind(asked, "why"):
        name = question.text[len("Why does ") :].split(" move ")[0]
        way = question.text.rstrip("?").rsplit(maxsplit=1)[1]
        number = _thing(scene, name)
        (event,) = (e for e in _acts(scene, number) if e.action == f"move {way}")
        before = [e for e in scene.events if e.other == number and e.end == event.start]
        if before:
            culprit = question.answer.removeprefix("because ").removesuffix(" hit it")
            assert _thing(scene, culprit) == before[0].thing
            hit += 1
        else:
            assert question.answer == BY_ITSELF
    assert hit > 10


def test_yes_and_no_are_right(asked: list[tuple[Scene, Question]]) -> None:
    orders = 0
    for scene, question in of_kind(asked, "yes or no"):
        text = question.text.rstrip("?")
        if text.startswith("Is there"):
            colour, shape = text.split()[-2:]
            there = any(
                (thing.colour, thing.shape) == (COLOURS[colour], SHAPES[shape])
                for thing in scene.things
            )
        elif " before " in text:
            # the question's "does it turn" reads as the clause "it turns" does
            first, second = text.removeprefix("Does ").split(" before ")
            one = [e.start for e in scene.events if _matches(scene, e, first)]
            two = [e.start for e in scene.events if _matches(scene, e, second)]
            assert len(one) == len(two) == 1
            there = one < two
            orders += 1
        else:
            said = text.removeprefix("Does ")
            there = any(_matches(scene, event, said) for event in scene.events)
        assert question.answer == ("yes" if there else "no"), text
    assert orders > 50
