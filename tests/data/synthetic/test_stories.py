"""Stories: so many events, in order, of things that keep apart, with causes that touch."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

import numpy as np
import pytest
from looking import middles, only, standing_out

from scenewise.data.synthetic.scene import Scene, ticks
from scenewise.data.synthetic.story_scenes import MOST_EVENTS, SHORTEST_SLOT_SECONDS, draw_story
from scenewise.data.synthetic.tracks import value_at

STORIES = [draw_story(Random(seed)) for seed in range(120)]


def test_one_to_four_events_in_order_within_the_film() -> None:
    counts = Counter(len(story.told) for story in STORIES)
    assert set(counts) == {1, 2, 3, 4}
    for story in STORIES:
        starts = [event.start for event in story.events]
        assert starts == sorted(starts)
        for event in story.events:
            assert 0 <= event.start < event.end <= story.seconds
            assert round(event.start * 20, 9).is_integer()


@pytest.mark.parametrize("count", range(1, MOST_EVENTS + 1))
@pytest.mark.parametrize("slot", [SHORTEST_SLOT_SECONDS, 1.5])
def test_a_number_of_events_is_kept_and_each_is_another(count: int, slot: float) -> None:
    story = draw_story(Random(count), seconds=count * slot, events=count)
    assert len(story.told) == count
    assert len({(event.thing, event.action) for event in story.told}) == count
    assert all(event.end - event.start >= 0.25 for event in story.events)


def test_every_action_of_one_thing_is_told_about_as_often_as_others() -> None:
    told = Counter(event.action for story in STORIES for event in story.told)
    assert len(told) == 13
    assert max(told.values()) < 0.25 * told.total()


def test_things_differ_in_shape_and_first_colour() -> None:
    for story in STORIES:
        assert len({thing.shape for thing in story.things}) == len(story.things)
        assert len({thing.colour for thing in story.things}) == len(story.things)


def test_things_do_not_cover_one_another() -> None:
    for story in STORIES[:40]:
        seen = [standing_out(only(story, n)) > 8 for n in range(len(story.things))]
        for one in range(len(seen)):
            for other in range(one):
                both = (seen[one] & seen[other]).sum(axis=(1, 2))
                # where one hits the other, their edges meet
                assert both.max() <= 25


def hits() -> list[Scene]:
    return [story for story in STORIES if story.events[0].action == "hit"]


def test_a_hit_is_seen_to_touch_and_what_is_hit_moves_from_then_on() -> None:
    assert len(hits()) > 10
    for story in hits():
        hit, run, after = story.events[:3]
        assert (run.thing, run.part_of) == (hit.thing, 0)
        assert (after.thing, after.cause) == (hit.other, 0)
        assert hit.end == run.end == after.start
        assert run.action == after.action
        one, two = story.things[0], story.things[1]
        at = ticks(hit.end)
        touching = one.radius[0][1][0] + two.radius[0][1][0]
        gap = math.dist(value_at(one.place, at), value_at(two.place, at))
        assert gap == pytest.approx(touching, abs=1e-9)
        path = middles(only(story, 1))
        times = (np.arange(len(path)) + 0.5) / 8
        before = path[times < hit.end]
        assert np.ptp(before, axis=0).max() < 0.02
        moved = path[np.searchsorted(times, after.end) - 1] - path[0]
        assert np.abs(moved).max() > 0.15


def test_what_comes_again_has_several_spans() -> None:
    again = [
        story
        for story in STORIES
        if len({(event.thing, event.action) for event in story.told}) < len(story.told)
    ]
    assert len(again) > 5


def test_equal_lots_tell_equal_stories() -> None:
    assert draw_story(Random("a")) == draw_story(Random("a"))
    assert draw_story(Random("a")) != draw_story(Random("b"))
