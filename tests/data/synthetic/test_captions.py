"""Sentences say what happens: read back by another way, they claim the scene's own events."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import pytest
from reading import ACTIONS as SAID
from reading import read_caption

from scenewise.data.synthetic.action_scenes import draw_action
from scenewise.data.synthetic.actions import ACTIONS, HIT
from scenewise.data.synthetic.captions import captions, moments
from scenewise.data.synthetic.scene import COLOURS, SHAPES, TEXTURES, Scene
from scenewise.data.synthetic.statements import fact, holds, statement
from scenewise.data.synthetic.story_scenes import draw_story
from scenewise.data.synthetic.words import (
    COLOUR_WORDS,
    PHRASES,
    SHAPE_WORDS,
    TEXTURE_WORDS,
    with_article,
)

STORIES = [draw_story(Random(seed)) for seed in range(150)]
SINGLE = [draw_action(action, Random(seed)) for action in ACTIONS for seed in range(4)]
TEXTURED = [replace(scene, textured=True) for scene in SINGLE]


def test_every_name_has_words_and_no_wording_two_meanings() -> None:
    assert set(PHRASES) == {*ACTIONS, HIT}
    assert set(COLOUR_WORDS) == set(COLOURS)
    assert set(SHAPE_WORDS) == set(SHAPES)
    assert set(TEXTURE_WORDS) == set(TEXTURES)
    assert all(len(meanings) == 1 for meanings in SAID.values())
    assert all(len(wordings) >= 2 for wordings in PHRASES.values())


@pytest.mark.parametrize(
    "scenes", [STORIES, SINGLE, TEXTURED], ids=["stories", "actions", "textured"]
)
def test_captions_read_back_are_the_scene(scenes: list[Scene]) -> None:
    for number, scene in enumerate(scenes):
        told = captions(scene, Random(number))
        assert len(set(told)) == len(told) == 4
        for text in told:
            assert read_caption(text) == statement(scene), text


def test_captions_are_sentences() -> None:
    for number, scene in enumerate(STORIES):
        for text in captions(scene, Random(number)):
            assert re.fullmatch(r"[A-Z][a-z,; ]+\.", text), text
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]", text), text


def test_captions_are_put_in_many_ways() -> None:
    texts = [text for n, scene in enumerate(STORIES) for text in captions(scene, Random(n))]
    for word in ("before", "After", "then", "while", "followed by", "finally", "later", " it "):
        assert sum(word in text for text in texts) > 5, word


def test_a_claim_holds_in_order_and_only_so() -> None:
    checked = 0
    for scene in STORIES:
        claim = statement(scene)
        assert holds(claim, scene)
        assert holds(claim[:1], scene)
        if len(set(claim)) == len(claim) > 1:
            assert not holds(claim[::-1], scene)
            checked += 1
    assert checked > 50


@pytest.mark.parametrize("text", ["an orange ring", "a red ring"])
def test_articles(text: str) -> None:
    assert with_article(text.split(maxsplit=1)[1]) == text


def test_moments_hold_when_they_are_said_to_and_at_no_other_time() -> None:
    """Tick by tick: what the sentence says happens exactly inside its spans."""
    several = 0
    for number, scene in enumerate(STORIES):
        found = moments(scene, Random(number))
        assert len({text for text, _ in found}) == len(found)
        said = set()
        for text, spans in found:
            several += len(spans) > 1
            general = re.fullmatch(r"Something (.+)\.", text)
            wanted = None if general else read_caption(text)
            for step in range(round(scene.seconds * 20)):
                at = (step + 0.5) / 20
                now = [event for event in scene.events if event.start <= at < event.end]
                if general:
                    ((action, _),) = SAID[general[1]]
                    true = any(event.action == action for event in now)
                else:
                    true = any((frozenset({fact(scene, event)}),) == wanted for event in now)
                assert true == any(span.start <= at < span.end for span in spans), text
            if wanted:
                said |= set(wanted[0])
        assert said == {fact(scene, event) for event in scene.told}
    assert several > 10


def test_a_scene_in_which_nothing_happens_has_no_caption() -> None:
    with pytest.raises(ValueError, match="has no caption"):
        captions(replace(STORIES[0], events=()), Random(0))
