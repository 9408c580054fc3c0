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
from scenewise.data.synthetic.actions import ACTIONS, TWINS
from scenewise.data.synthetic.annotating import annotate
from scenewise.data.synthetic.scene import COLOURS, SHAPES, TEXTURES, Scene
from scenewise.data.synthetic.settings import SPLITS, WorldSettings, world_settings
from scenewise.data.synthetic.sound_scenes import SOUND_CLASSES
from scenewise.data.synthetic.statements import holds
from scenewise.data.synthetic.world import World, held_out
from scenewise.errors import UsageError

KINDS: tuple[Any, ...] = ("actions", "stories", "sounds")
ALONE = tuple(action.name for action in ACTIONS.values() if action.things == 1)
APART: Any = {"told_apart": True, "compositional": True, "classes": ALONE}


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


@pytest.mark.parametrize("given", [{"kind": "stories"}, APART], ids=["stories", "actions"])
@pytest.mark.parametrize("split", ["val", "test"])
def test_every_caption_of_two_hundred_films_fits_one_of_them(split: Split, given: Any) -> None:
    world = World(world_settings(**given))
    scenes = list(world.scenes(split, 200))
    rows = annotate(world, split, 200)["captions"].rows
    texts = Counter(text for row in rows for text in row.captions)
    assert len(rows) == 200
    assert max(texts.values()) == 1
    for number, row in enumerate(rows):
        for claim in {read_caption(text) for text in row.captions}:
            fitting = [other for other, scene in enumerate(scenes) if holds(claim, scene)]
            assert fitting == [number]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "stories", "seconds": 0.75, "events": 1}, "longer films or more events"),
        ({**APART, "textures": ("striped",)}, "more textures or classes"),
    ],
)
def test_more_films_than_differ_are_refused(given: Any, message: str) -> None:
    world = World(world_settings(**given))
    with pytest.raises(UsageError, match=f"no more than [0-9]+ films.*{message}"):
        world.scene("test", 3000)


@pytest.mark.parametrize("split", ["val", "test"])
def test_films_that_are_told_apart_come_with_their_twins(split: Split) -> None:
    """So what is told of one and cannot be seen in single frames is true of two films."""
    scenes = list(World(world_settings(**APART)).scenes(split, 10 * len(ALONE)))
    looks = [
        (thing.colour, thing.shape, thing.texture) for scene in scenes for thing in scene.things
    ]
    pairs = [pair for pair in TWINS if ACTIONS[pair[0]].things == 1]
    twins = {number for number, scene in enumerate(scenes) if scene.label in dict(pairs)}
    assert len(twins) == 10 * len(pairs)
    for number in twins:
        assert scenes[number + 1].label == ACTIONS[scenes[number].label].twin
        assert looks[number + 1] == looks[number]
    rest = [one for number, one in enumerate(looks) if number - 1 not in twins]
    assert len(set(rest)) > 0.5 * len(rest)


def test_what_is_told_apart_has_textures_in_every_sentence() -> None:
    world = World(world_settings(**APART))
    for row in annotate(world, "train", 26)["captions"].rows:
        assert all(len(fact.thing) == 3 for text in row.captions for (fact,) in read_caption(text))
    assert World(world_settings()).scene("train", 0).textured is False


def test_things_are_as_large_as_is_wanted() -> None:
    world = World(world_settings(classes=ALONE, radius=(200, 250)))
    for scene in world.scenes("train", 104):
        sizes = {value[0] for _, value in scene.things[0].radius}
        assert (len(sizes) == 2) == (scene.label in ("grow", "shrink"))
        assert len(sizes) == 2 or 200 <= min(sizes) <= 250


@pytest.mark.parametrize("turning", [(80, 120), (240, 340)])
def test_things_turn_as_fast_as_is_wanted(turning: tuple[int, int]) -> None:
    ways = {"turn clockwise": 1, "turn counterclockwise": -1}
    world = World(world_settings(classes=tuple(ways), turning=turning))
    for scene in world.scenes("train", 60):
        (event,), (thing,) = scene.events, scene.things
        degrees = thing.angle[-1][1][0] - thing.angle[0][1][0]
        speed = ways[scene.label] * degrees / (event.end - event.start)
        assert turning[0] - 1 <= speed <= turning[1]


def test_things_have_the_textures_that_are_named() -> None:
    wanted = ("plain", "checked")
    world = World(world_settings(classes=ALONE, textures=wanted))
    seen = {(one.label, one.things[0].texture) for one in world.scenes("train", 260)}
    assert {texture for _, texture in seen} == set(wanted)
    assert {texture for label, texture in seen if label.startswith("turn")} == {"checked"}
    assert set(TEXTURES) > set(wanted)


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
    assert not {(*look, ACTIONS[action].twin) for *look, action in test} & train
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
        ({"classes": ("fly",)}, "Class 'fly': allowed are move left"),
        ({"size": 63}, "multiple of 2"),
        ({"textures": ("woolly",)}, "Texture 'woolly': allowed are plain"),
        ({"textures": ("plain",)}, "what turns is striped, checked, halved"),
        ({"radius": (100, 200)}, "Radius 100 to 200: allowed are 110 to 250"),
        ({"radius": (200, 150)}, "the smaller first"),
        ({"turning": (10, 100)}, "Turning 10 to 100: allowed are 20 to 720"),
        ({"turning": (200, 100)}, "the slower first"),
        ({"kind": "stories", "told_apart": True}, "belongs to kind actions"),
        ({"told_apart": True}, "for actions of one thing"),
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
