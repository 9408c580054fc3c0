"""Scenes of one event: ``draw_action`` for one class.

It knows the two sides of a pair of twins: of the second, the scene is one of the first shown
backwards. So the frames of both, without their order, are distributed alike by construction, and
what sees frames singly can do no better than chance between twins.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from scenewise.data.synthetic.actions import ACTIONS, TWINS
from scenewise.data.synthetic.scene import (
    BACKGROUNDS,
    COLOURS,
    SHAPES,
    TEXTURES,
    BackgroundKind,
    Scene,
)
from scenewise.data.synthetic.staging import (
    COMMON,
    SMALLEST,
    TURNING,
    TURNING_TEXTURES,
    NoRoomError,
    Stage,
    draw_background,
)

_Looks = Sequence[tuple[str, str]]

LOOKS: _Looks = tuple((colour, shape) for colour in COLOURS for shape in SHAPES)
_GRID = 20  # times are whole twentieths of a second
FIRST_OF_TWINS = {second: first for first, second in TWINS}  # by the one shown backwards
_TRIES = 1000


def draw_action(
    action: str,
    lots: Random,
    *,
    seconds: float = 1.0,
    looks: Sequence[tuple[str, str]] = LOOKS,
    backgrounds: tuple[BackgroundKind, ...] = BACKGROUNDS,
    textures: Sequence[str] = TEXTURES,
    radius: tuple[int, int] = COMMON,
    turning: tuple[int, int] = TURNING,
) -> Scene:
    """A scene of ``seconds`` in which one action happens; ``label`` is its name.

    Every thing has a colour and a shape of ``looks``. What acts alone has one of ``textures``;
    what turns, one of those of ``TURNING_TEXTURES`` among them. Its ``radius`` is drawn between
    two, in thousandths of the picture, except where it grows or shrinks. ``turning``: how fast
    what turns does, degrees a second.
    """
    if action in FIRST_OF_TWINS:
        forward = FIRST_OF_TWINS[action]
        return draw_action(
            forward,
            lots,
            seconds=seconds,
            looks=looks,
            backgrounds=backgrounds,
            textures=textures,
            radius=radius,
            turning=turning,
        ).reversed()
    background = draw_background(lots, seconds, backgrounds)
    for _ in range(_TRIES):
        stage = Stage(lots, seconds, turning)
        start, end = draw_span(lots, seconds) if action != "rest" else (0.0, seconds)
        try:
            if ACTIONS[action].things == 2:
                _meet(stage, action, start, end, looks)
            else:
                _act(stage, action, (start, end), looks, textures, radius)
        except NoRoomError:
            continue
        return stage.scene(background, label=action)
    raise AssertionError(f"no scene of {action!r} was found in {_TRIES} draws")


def draw_span(lots: Random, seconds: float) -> tuple[float, float]:
    """Start and end of the one event: six to nine tenths of the film, anywhere in it."""
    steps = round(seconds * _GRID)
    length = lots.randint(-(-steps * 6 // 10), max(steps * 9 // 10, 1))
    start = lots.randint(0, steps - length)
    return start / _GRID, (start + length) / _GRID


def _act(
    stage: Stage,
    action: str,
    span: tuple[float, float],
    looks: _Looks,
    textures: Sequence[str],
    sizes: tuple[int, int],
) -> None:
    lots = stage.lots
    low, high = (SMALLEST, 140) if action == "grow" else sizes
    radius = lots.randint(low, high)
    spot = stage.spot(radius)
    if action.startswith("turn"):
        textures = [name for name in TURNING_TEXTURES if name in textures]
    texture = lots.choice(textures)
    colour, shape = lots.choice(looks)
    who = stage.enter(
        spot,
        radius,
        colour=colour,
        shape=shape,
        texture=texture,
        there=action != "appear",
    )
    stage.act(action, who, *span)


def _meet(stage: Stage, action: str, start: float, end: float, looks: _Looks) -> None:
    """Two things somewhere, in any direction from each other, and what happens between them."""
    lots = stage.lots
    for _ in range(2):
        radius = lots.randint(SMALLEST, COMMON[1])
        colour, shape = lots.choice(looks)
        stage.enter(stage.spot(radius), radius, colour=colour, shape=shape)
    stage.meet(action, 0, 1, start, end)
