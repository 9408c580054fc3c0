"""Twins differ in the order of their frames and in nothing else.

So whatever sees frames singly, and adds up or averages what it sees, answers both alike.
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from random import Random

import numpy as np
import numpy.typing as npt
import pytest

from scenewise.data.synthetic.action_scenes import draw_action
from scenewise.data.synthetic.actions import ACTIONS, TWINS
from scenewise.data.synthetic.drawing import render
from scenewise.data.synthetic.settings import WorldSettings
from scenewise.data.synthetic.story_scenes import draw_story
from scenewise.data.synthetic.world import World

PAIRS = [pytest.param(*pair, id=pair[0]) for pair in TWINS]


def frames_without_order(film: npt.NDArray[np.uint8]) -> Counter[bytes]:
    return Counter(frame.tobytes() for frame in film)


def test_every_action_has_a_twin_that_has_it() -> None:
    for action in ACTIONS.values():
        assert ACTIONS[action.twin].twin == action.name
        assert ACTIONS[action.twin].things == action.things
    assert len(TWINS) == 6
    alone = {action.name for action in ACTIONS.values() if action.twin == action.name}
    assert alone == {"collide", "change colour", "blink", "rest"}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("rate", [8, 24, 25, 30])
def test_a_film_backwards_is_the_film_of_the_twin_to_the_last_bit(action: str, rate: int) -> None:
    for seed in range(3):
        scene = draw_action(action, Random(seed), seconds=2.0)
        twin = scene.reversed()
        assert twin.label == ACTIONS[action].twin
        assert [event.action for event in twin.events] == [ACTIONS[action].twin]
        film = render(scene, frame_rate=Fraction(rate))
        assert (render(twin, frame_rate=Fraction(rate)) == film[::-1]).all()


@pytest.mark.parametrize("action", ACTIONS)
def test_twice_backwards_is_forwards(action: str) -> None:
    scene = draw_action(action, Random(5), seconds=2.0)
    again = scene.reversed().reversed()
    assert again == scene
    assert (render(again) == render(scene)).all()


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_the_frames_of_twins_are_distributed_alike(first: str, second: str) -> None:
    """Lot for lot: what is drawn for the one is drawn for the other, backwards."""
    for seed in range(20):
        one = render(draw_action(first, Random(seed)))
        other = render(draw_action(second, Random(seed)))
        assert frames_without_order(one) == frames_without_order(other)
        assert (one != other).any()


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_what_averages_over_frames_is_at_chance_between_twins(first: str, second: str) -> None:
    """The best order-free guess by nearest mean of pixels: each film has its equal in the twin."""
    seeds = range(30)
    means = {
        action: np.stack([render(draw_action(action, Random(s))).mean(axis=0) for s in seeds])
        for action in (first, second)
    }
    centres = {action: films.mean(axis=0) for action, films in means.items()}
    right = 0.0
    for action, films in means.items():
        for film in films:
            near = {name: np.abs(film - centre).sum() for name, centre in centres.items()}
            tie = abs(near[first] - near[second]) < 1e-6
            right += 0.5 if tie else min(near, key=near.__getitem__) == action
    assert right == len(seeds)  # of twice as many


def test_classes_are_equally_frequent() -> None:
    world = World(WorldSettings())
    labels = Counter(world.scene("train", number).label for number in range(5 * len(ACTIONS)))
    assert set(labels.values()) == {5}
    assert set(labels) == set(ACTIONS)


def test_effects_do_not_come_before_their_causes() -> None:
    stories = (draw_story(Random(seed)) for seed in range(50))
    hit = next(story for story in stories if story.events[0].action == "hit")
    with pytest.raises(ValueError, match="has no backwards"):
        hit.reversed()
