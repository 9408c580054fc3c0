"""A world is the same for the same settings, and its splits share nothing."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from reading import read_caption

from scenewise.data.rows import Split
from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.annotating import annotate
from scenewise.data.synthetic.scene import COLOURS, SHAPES, Scene
from scenewise.data.synthetic.settings import SPLITS, WorldSettings, world_settings
from scenewise.data.synthetic.sound_scenes import SOUND_CLASSES
from scenewise.data.synthetic.statements import holds
from scenewise.data.synthetic.world import World, held_out
from scenewise.errors import UsageError

KINDS: tuple[Any, ...] = ("actions", "stories", "sounds")


def test_pixels_are_the_same_whatever_was_drawn_before() -> None:
    digest = hashlib.sha256()
    for kind in KINDS:
        for film, _ in World(world_settings(kind=kind, seed=7)).films("train", 16):
            digest.update(film.tobytes())
    again = hashlib.sha256()
    for kind in KINDS:
        world = World(world_settings(kind=kind, seed=7))
        for number in reversed(range(16)):
            world.scene("train", number)
        for number in range(16):
            again.update(world.frames(world.scene("train", number)).tobytes())
    assert digest.hexdigest() == again.hexdigest()


@pytest.mark.parametrize("kind", KINDS)
def test_splits_and_seeds_share_no_scene(kind: Any) -> None:
    seen: Counter[str] = Counter()
    for seed in (0, 1):
        world = World(world_settings(kind=kind, seed=seed))
        for split in SPLITS:
            seen.update(repr(scene.things) for scene in world.scenes(split, 60))
    assert max(seen.values()) == 1


def test_a_scene_can_be_had_without_the_others() -> None:
    for split in SPLITS:
        whole = list(World(world_settings(kind="stories")).scenes(split, 12))
        assert World(world_settings(kind="stories")).scene(split, 11) == whole[11]


@pytest.mark.parametrize("kind", KINDS)
def test_scenes_do_not_depend_on_size_and_frame_rate(kind: Any) -> None:
    coarse = World(world_settings(kind=kind, seconds=2.0))
    fine = World(
        world_settings(kind=kind, seconds=2.0, size=96, frame_rate=Fraction(30)),
    )
    for number in range(8):
        one, other = coarse.scene("test", number), fine.scene("test", number)
        assert one == other
        assert fine.frames(other).shape == (60, 96, 96, 3)
        assert coarse.frames(one).shape == (16, 64, 64, 3)


@pytest.mark.parametrize("frame_rate", [24, 25, 30])
def test_the_same_moments_at_every_frame_rate(frame_rate: int) -> None:
    worlds = [
        World(world_settings(kind="stories", frame_rate=Fraction(rate))) for rate in (8, frame_rate)
    ]
    rows = [annotate(world, "val", 10)["moments"].rows for world in worlds]
    assert rows[0] == rows[1]


def test_long_films_have_many_frames() -> None:
    world = World(world_settings(kind="stories", events=16, frame_rate=Fraction(12)))
    film = world.frames(world.scene("train", 0))
    assert len(film) == 16 * 12
    assert film.dtype == np.uint8


# ---- films that captions tell apart


@pytest.mark.parametrize("split", ["val", "test"])
def test_every_caption_of_two_hundred_films_fits_one_of_them(split: Split) -> None:
    world = World(world_settings(kind="stories"))
    scenes = list(world.scenes(split, 200))
    rows = annotate(world, split, 200)["captions"].rows
    texts = Counter(text for row in rows for text in row.captions)
    assert len(rows) == 200
    assert max(texts.values()) == 1
    for number, row in enumerate(rows):
        for claim in {read_caption(text) for text in row.captions}:
            fitting = [other for other, scene in enumerate(scenes) if holds(claim, scene)]
            assert fitting == [number]


def test_more_stories_than_differ_are_refused() -> None:
    world = World(world_settings(kind="stories", seconds=0.75, events=1))
    with pytest.raises(UsageError, match="no more than"):
        world.scene("test", 3000)


# ---- combinations that train does not have


def test_a_compositional_world_tests_what_train_did_not_join() -> None:
    world = World(world_settings(compositional=True))

    def joined(split: Split, count: int) -> set[tuple[str, str, str]]:
        return {
            (thing.colour, thing.shape, scene.label)
            for scene in world.scenes(split, count)
            for thing in scene.things
        }

    train, val, test = joined("train", 2400), joined("val", 300), joined("test", 480)
    assert not train & test
    assert not val & test
    for part, names in enumerate((COLOURS, SHAPES, ACTIONS)):
        assert {one[part] for one in train} == set(names)
        assert {one[part] for one in test} <= set(names)
    pairs = {(colour, action) for colour, _, action in train}
    assert pairs == {(colour, action) for colour in COLOURS for action in ACTIONS}


def test_a_fifth_is_held_out_and_each_pair_of_parts_is_not() -> None:
    combinations = [(c, s, a) for c in COLOURS for s in SHAPES for a in ACTIONS]
    kept = [one for one in combinations if not held_out(*one)]
    assert 0.18 < 1 - len(kept) / len(combinations) < 0.22
    assert len({(c, s) for c, s, _ in kept}) == len(COLOURS) * len(SHAPES)
    assert len({(s, a) for _, s, a in kept}) == len(SHAPES) * len(ACTIONS)


# ---- settings


def test_each_kind_has_its_own_defaults() -> None:
    assert (WorldSettings().seconds, WorldSettings().classes) == (1.0, tuple(ACTIONS))
    stories = world_settings(kind="stories")
    assert (stories.seconds, stories.classes) == (6.0, ())
    assert world_settings(kind="stories", events=4).seconds == 4.0
    assert world_settings(kind="sounds").classes == tuple(SOUND_CLASSES)


@pytest.mark.parametrize("radius", [(190, 240), (250, 250)])
def test_things_are_as_large_as_is_wanted(radius: tuple[int, int]) -> None:
    world = World(world_settings(radius=radius))
    for scene in world.scenes("train", 4 * len(ACTIONS)):
        if ACTIONS[scene.label].things == 1 and scene.label not in ("grow", "shrink"):
            (thing,) = scene.things
            assert {radius[0] <= size <= radius[1] for _, (size,) in thing.radius} == {True}


def test_usual_things_are_those_of_no_radius() -> None:
    usual, said = World(world_settings()), World(world_settings(radius=(120, 170)))
    for number in range(len(ACTIONS)):
        assert usual.scene("val", number) == said.scene("val", number)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"seconds": 1.3}, "whole number of frames"),
        ({"seconds": 1.01, "frame_rate": 100}, "whole twentieths"),
        ({"seconds": 0.5}, "0.75 and more"),
        ({"kind": "stories", "seconds": 3.0, "events": 5}, "0.75 and more"),
        ({"kind": "stories", "events": 17}, "less than or equal to 16"),
        ({"events": 3}, "belongs to kind stories"),
        ({"kind": "sounds", "compositional": True}, "belongs to kind actions"),
        ({"kind": "stories", "radius": (120, 170)}, "belongs to kind actions"),
        ({"radius": (100, 170)}, "allowed are 110 to 250"),
        ({"radius": (200, 150)}, "the smaller first"),
        ({"classes": ("fly",)}, "Class 'fly': allowed are move left"),
        ({"size": 63}, "multiple of 2"),
        ({"kind": "films"}, "'actions', 'stories' or 'sounds'"),
        ({"sise": 64}, "Sise"),
    ],
)
def test_settings_that_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        world_settings(**given)


def test_the_truth_has_a_json_shape() -> None:
    scene: Scene = World(world_settings(kind="stories")).scene("train", 0)
    shape = json.loads(json.dumps(scene.to_dict()))
    assert len(shape["events"]) == len(scene.events)
    assert shape["things"][0]["colours"][0] == [0.0, scene.things[0].colour]
