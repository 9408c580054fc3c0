"""What is drawn is what the scene says, seen in the pixels."""

from __future__ import annotations

import math
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from looking import Numbers, areas, boxes, changes, colour_of, middles, only, standing_out
from PIL import Image

from scenewise.data.synthetic.action_scenes import LOOKS, draw_action
from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.drawing import SHAPE_DISTANCES, TEXTURE_SHADES, render
from scenewise.data.synthetic.scene import COLOURS, SHAPES, TEXTURES, BackgroundKind, Scene

SEEDS = range(6)
STILL: tuple[BackgroundKind, ...] = ("plain", "gradient", "noise")


def scene_of(action: str, seed: int, seconds: float = 1.0) -> Scene:
    return draw_action(action, Random(seed), seconds=seconds, backgrounds=STILL)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("action", "axis", "sign"),
    [("move left", 0, -1), ("move right", 0, 1), ("move up", 1, -1), ("move down", 1, 1)],
)
def test_what_moves_is_seen_to_move_that_way(action: str, axis: int, sign: int, seed: int) -> None:
    seen = middles(scene_of(action, seed))
    assert (seen[-1, axis] - seen[0, axis]) * sign > 0.2
    assert (np.diff(seen[:, axis]) * sign >= -0.01).all()
    assert np.ptp(seen[:, 1 - axis]) < 0.02


@pytest.mark.parametrize("seed", SEEDS)
def test_what_grows_covers_more_and_what_shrinks_less(seed: int) -> None:
    growing, shrinking = areas(scene_of("grow", seed)), areas(scene_of("shrink", seed))
    assert (np.diff(growing) >= -2).all()
    assert growing[-1] > 1.7 * growing[0]
    assert (np.diff(shrinking) <= 2).all()
    assert shrinking[0] > 1.7 * shrinking[-1]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("action", "sign"), [("turn clockwise", -1), ("turn counterclockwise", 1)])
def test_what_turns_is_seen_to_turn_that_way(action: str, sign: int, seed: int) -> None:
    scene = scene_of(action, seed)
    (thing,) = scene.things
    film = render(scene, size=128)
    turned = abs(thing.angle[-1][1][0] - thing.angle[0][1][0])
    # a small turn, so that no symmetry makes both ways alike
    moving = np.nonzero(changes(film))[0]
    first, last = film[moving[1]], film[moving[2]]
    degrees = turned / (scene.events[0].end - scene.events[0].start) / 8
    around = tuple(at * 128 / 1000 for at in thing.place[0][1])

    def distance(way: int) -> float:
        """From the first picture, turned by another program, to the last; Pillow turns left."""
        moved = Image.fromarray(first).rotate(
            way * degrees, Image.Resampling.BILINEAR, center=(around[0], around[1])
        )
        near = standing_out(scene, size=128)[moving[1]] > 8
        return float(np.abs(np.asarray(moved, float) - last)[near].mean())

    assert distance(sign) < 0.7 * distance(-sign)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_appears_was_not_there_and_what_vanishes_is_there_no_more(seed: int) -> None:
    for action, frames in (("appear", slice(None)), ("vanish", slice(None, None, -1))):
        strength = standing_out(scene_of(action, seed, 2.0)).sum(axis=(1, 2))[frames]
        assert strength[-1] > 1000
        assert strength[0] < 0.1 * strength[-1]
        assert (np.diff(strength) >= 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_what_blinks_goes_and_comes(seed: int) -> None:
    strength = standing_out(scene_of("blink", seed, 2.0), frame_rate=Fraction(24)).sum(axis=(1, 2))
    assert strength[0] == strength[-1] == strength.max()
    gone = strength == 0
    dips = int((np.diff(gone.astype(int)) == 1).sum())
    assert dips >= 2


@pytest.mark.parametrize("seed", SEEDS)
def test_what_changes_colour_has_the_one_and_then_the_other(seed: int) -> None:
    scene = scene_of("change colour", seed, 2.0)
    (event,) = scene.events
    assert event.colour is not None
    assert colour_of(scene, 0) == scene.things[0].colour
    assert colour_of(scene, -1) == event.colour != scene.things[0].colour


@pytest.mark.parametrize("seed", SEEDS)
def test_what_rests_does_not_change(seed: int) -> None:
    assert not changes(render(scene_of("rest", seed))).any()


def apart(scene: Scene) -> Numbers:
    one, other = boxes(only(scene, 0)), boxes(only(scene, 1))
    far: Numbers = np.hypot(*(one - other).T)
    return far


@pytest.mark.parametrize("seed", SEEDS)
def test_two_come_near_part_or_meet_and_bounce(seed: int) -> None:
    coming, going = apart(scene_of("approach", seed)), apart(scene_of("part", seed))
    assert coming[-1] < coming[0] - 0.15
    assert going[-1] > going[0] + 0.15
    scene = scene_of("collide", seed, 2.0)
    meeting = apart(scene)
    nearest = int(meeting.argmin())
    assert meeting[nearest] < min(meeting[0], meeting[-1]) - 0.15
    middle = (scene.events[0].start + scene.events[0].end) / 2
    assert abs((nearest + 0.5) / 8 - middle) < 0.26


@pytest.mark.parametrize("action", [name for name in ACTIONS if name != "rest"])
@pytest.mark.parametrize("seed", SEEDS)
def test_pixels_change_while_the_event_lasts_and_only_then(action: str, seed: int) -> None:
    scene = scene_of(action, seed, 2.0)
    (event,) = scene.events
    rate = 24
    times = (np.arange(2 * rate) + 0.5) / rate
    changed = changes(render(scene, frame_rate=Fraction(rate)))
    # a change from frame n to n + 1 happens between their times
    before, after = times[1:] <= event.start, times[:-1] >= event.end
    assert not changed[before].any()
    assert not changed[after].any()
    inside = ~before & ~after
    assert changed[inside].mean() > 0.5
    assert changed[np.nonzero(inside)[0][[1, -2]]].all()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("shape", SHAPES)
def test_colours_are_right_and_shapes_large_enough(colour: str, shape: str) -> None:
    scene = draw_action("rest", Random(f"{colour}{shape}"), looks=[(colour, shape)])
    assert colour_of(scene, 0) == colour
    seen = standing_out(scene)[0] > 8
    assert min(seen.any(axis=0).sum(), seen.any(axis=1).sum()) >= 11
    assert max(seen.any(axis=0).sum(), seen.any(axis=1).sum()) >= 14


def test_every_shape_and_texture_can_be_drawn_and_looks_of_its_own() -> None:
    assert set(SHAPE_DISTANCES) == set(SHAPES)
    assert set(TEXTURE_SHADES) == set(TEXTURES)
    grid = np.linspace(-1.4, 1.4, 57, dtype=np.float32)
    u, v = grid[None, :] + 0 * grid[:, None], grid[:, None] + 0 * grid[None, :]
    shapes = {name: distance(u, v) < 0 for name, (distance, _) in SHAPE_DISTANCES.items()}
    for one, first in shapes.items():
        assert first.sum() > 300
        for other, second in shapes.items():
            union = (first | second).sum()
            assert one == other or (first & second).sum() / union < 0.9


@pytest.mark.parametrize("shape", SHAPES)
def test_a_distance_is_one_near_the_edge(shape: str) -> None:
    """Smooth edges rest on it: one step across the edge changes the distance by that step."""
    distance, reach = SHAPE_DISTANCES[shape]
    for degrees in range(0, 360, 7):
        c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        ray = np.linspace(0, reach + 0.2, 400, dtype=np.float32)
        along = distance(ray * np.float32(c), ray * np.float32(s))
        steepest = np.abs(np.diff(along)).max() / (ray[1] - ray[0])
        assert steepest < 1.01
        assert along[-1] > 0  # nothing of it lies further out than is said


@pytest.mark.parametrize("rate", [24, 40])
def test_a_finer_frame_rate_shows_the_same_and_more(rate: int) -> None:
    scene = draw_action("turn clockwise", Random(2), seconds=2.0)
    step = rate // 8
    coarse, fine = render(scene), render(scene, frame_rate=Fraction(rate))
    assert (fine[step // 2 :: step] == coarse).all()


def test_some_frames_are_those_of_the_whole_film() -> None:
    scene = draw_action("move up", Random(0), backgrounds=("drifting",))
    whole = render(scene, frame_rate=Fraction(24))
    some = render(scene, frame_rate=Fraction(24), numbers=(3, 9, 9, 20))
    np.testing.assert_array_equal(some, whole[[3, 9, 9, 20]])


def test_a_finer_picture_shows_the_same() -> None:
    for seed in SEEDS:
        scene = scene_of("move right", seed)
        fine = render(scene, size=128).astype(float).reshape(8, 64, 2, 64, 2, 3).mean(axis=(2, 4))
        assert np.abs(fine - render(scene)).mean() < 1.5


def test_a_film_ends_with_a_frame() -> None:
    scene = draw_action("grow", Random(0), seconds=1.05)
    with pytest.raises(ValueError, match="no whole number of frames"):
        render(scene)
    assert len(render(scene, frame_rate=Fraction(20))) == 21


def test_all_looks_are_there() -> None:
    assert len(set(LOOKS)) == len(COLOURS) * len(SHAPES)
