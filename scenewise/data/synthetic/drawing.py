"""From a scene to frames: ``render``, and ``draw_frames`` for long films, one at a time.

It knows shapes, textures and backgrounds; what a scene means it does not know.

Edges are smooth: a pixel is covered by as much as its middle lies inside, by the distance to the
edge. Only operations are used whose result is exact by IEEE 754 (no sine, no power), so a seed
gives the same pixels everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from PIL import Image

from scenewise.data.synthetic.scene import UNITS, Background, Scene, Thing, ticks
from scenewise.data.synthetic.tracks import Values, colour_values, frame_count, values

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB
Plane = npt.NDArray[np.float32]

FRAME_RATE = Fraction(8)
_DARK = 0.5  # of its colour, where a texture is dark
_NOISE_CELLS = 6
_FINEST_ANGLE = 1 << 20


def render(
    scene: Scene,
    *,
    size: int = 64,
    frame_rate: Fraction = FRAME_RATE,
    numbers: Sequence[int] | None = None,
) -> npt.NDArray[np.uint8]:
    """All frames (T, size, size, 3) of a scene, RGB, or those of ``numbers``.

    Frame n shows ``(n + 1/2) / frame_rate``.
    """
    return np.stack(list(draw_frames(scene, size=size, frame_rate=frame_rate, numbers=numbers)))


def draw_frames(
    scene: Scene,
    *,
    size: int = 64,
    frame_rate: Fraction = FRAME_RATE,
    numbers: Sequence[int] | None = None,
) -> Iterator[Picture]:
    """The frames (size, size, 3) of a scene one after the other; ``numbers`` None: all."""
    wanted = range(frame_count(scene, frame_rate)) if numbers is None else numbers
    taken = np.array(wanted, np.int64)
    drift = ((0, scene.background.drift[0]), (ticks(scene.seconds), scene.background.drift[1]))
    shifts = np.rint(values(drift, taken, frame_rate) * size / UNITS).astype(int)
    behind = _background(scene.background, size)
    painters = [_Painter(thing, size, taken, frame_rate) for thing in scene.things]
    for number, (right, down) in enumerate(shifts.tolist()):
        canvas = np.roll(behind, (down, right), (0, 1)) if right or down else behind.copy()
        for painter in painters:
            painter.paint(canvas, number)
        canvas += np.float32(0.5)
        yield canvas.astype(np.uint8)


class _Painter:
    """One thing, in all frames of a film."""

    def __init__(
        self, thing: Thing, size: int, numbers: npt.NDArray[np.int64], frame_rate: Fraction
    ) -> None:
        self._size = size
        self._inside, self._outermost = SHAPE_DISTANCES[thing.shape]
        self._texture = TEXTURE_SHADES[thing.texture]
        scale = size / UNITS
        self._middles = values(thing.place, numbers, frame_rate) * scale
        self._radii = values(thing.radius, numbers, frame_rate)[:, 0] * scale
        self._turns = _turns(values(thing.angle, numbers, frame_rate)[:, 0])
        self._alphas = values(thing.presence, numbers, frame_rate)[:, 0] / 1000
        self._colours = colour_values(thing.colours, numbers, frame_rate).astype(np.float32)

    def paint(self, canvas: Plane, number: int) -> None:
        """Lay the thing over ``canvas`` (H, W, 3)."""
        alpha = self._alphas[number]
        if alpha == 0:
            return
        (x, y), radius = self._middles[number].tolist(), float(self._radii[number])
        reach = radius * self._outermost + 1
        left, right = max(0, math.floor(x - reach)), min(self._size, math.ceil(x + reach))
        upper, lower = max(0, math.floor(y - reach)), min(self._size, math.ceil(y + reach))
        if left >= right or upper >= lower:
            return
        across = ((np.arange(left, right) + (0.5 - x)) / radius).astype(np.float32)[None, :]
        along = ((np.arange(upper, lower) + (0.5 - y)) / radius).astype(np.float32)[:, None]
        cosine, sine = self._turns[number]
        u, v = across * cosine + along * sine, along * cosine - across * sine
        pixel = np.float32(radius)
        cover = _smooth(self._inside(u, v) * -pixel) * np.float32(alpha)
        colour = self._colours[number]
        part = canvas[upper:lower, left:right]
        if self._texture is None:
            part += cover[..., None] * (colour - part)
            return
        dark = _smooth(self._texture(u, v) * -pixel)
        shade = 1 - np.float32(1 - _DARK) * dark
        part += cover[..., None] * (shade[..., None] * colour - part)


def _smooth(depth: Plane) -> Plane:
    """How much of a pixel is covered whose middle lies ``depth`` pixels inside an edge."""
    covered: Plane = np.clip(depth + np.float32(0.5), 0, 1)
    return covered


def _turns(degrees: Values) -> list[tuple[np.float32, np.float32]]:
    """Cosine and sine, rounded so far that every machine has the same."""
    return [
        (
            np.float32(round(math.cos(math.radians(angle)) * _FINEST_ANGLE) / _FINEST_ANGLE),
            np.float32(round(math.sin(math.radians(angle)) * _FINEST_ANGLE) / _FINEST_ANGLE),
        )
        for angle in degrees.tolist()
    ]


# ---- shapes: distance to the edge in radii, negative inside; how far they reach


def _circle(u: Plane, v: Plane) -> Plane:
    return np.sqrt(u * u + v * v) - np.float32(1)


def _ring(u: Plane, v: Plane) -> Plane:
    return np.abs(np.sqrt(u * u + v * v) - np.float32(0.76)) - np.float32(0.28)


def _square(u: Plane, v: Plane) -> Plane:
    return np.maximum(np.abs(u), np.abs(v)) - np.float32(0.88)


def _cross(u: Plane, v: Plane) -> Plane:
    across, along = np.abs(u), np.abs(v)
    long, wide = np.maximum(across, along), np.minimum(across, along)
    arms: Plane = np.maximum(long - np.float32(1), wide - np.float32(0.36))
    return arms


def _half_planes(corners: int, distance: float) -> list[tuple[np.float32, np.float32]]:
    """Outward normals of a regular polygon whose first corner is up."""
    degrees = np.array([360 * (side + 0.5) / corners - 90 for side in range(corners)])
    return [(c * np.float32(distance), s * np.float32(distance)) for c, s in _turns(degrees)]


_TRIANGLE = _half_planes(3, 1)
_STAR = _half_planes(5, 1)


def _triangle(u: Plane, v: Plane) -> Plane:
    sides = [u * c + v * s for c, s in _TRIANGLE]
    return np.maximum(np.maximum(sides[0], sides[1]), sides[2]) - np.float32(0.62)


def _star(u: Plane, v: Plane) -> Plane:
    """Five points: inside all but one at most of the five lines of a pentagram."""
    sides = [u * c + v * s for c, s in _STAR]
    # the second largest of five
    high, low = np.maximum(sides[0], sides[1]), np.minimum(sides[0], sides[1])
    for side in sides[2:]:
        low = np.maximum(low, np.minimum(high, side))
        high = np.maximum(high, side)
    return low - np.float32(0.42)


Distance = Callable[[Plane, Plane], Plane]
SHAPE_DISTANCES: dict[str, tuple[Distance, float]] = {
    "circle": (_circle, 1.0),
    "square": (_square, 1.25),
    "triangle": (_triangle, 1.3),
    "star": (_star, 1.4),
    "cross": (_cross, 1.1),
    "ring": (_ring, 1.05),
}


# ---- textures: distance to the edge of what is dark, in radii


def _wave(x: Plane, period: float) -> Plane:
    """Distance to the middle of the nearest dark band; bands lie at whole periods and a half."""
    turns = x / np.float32(period)
    away: Plane = np.abs(turns - np.floor(turns) - np.float32(0.5)) * np.float32(period)
    return away


def _striped(u: Plane, _v: Plane) -> Plane:
    return _wave(u, 0.8) - np.float32(0.2)


def _checked(u: Plane, v: Plane) -> Plane:
    across, along = _wave(u, 1.0) - np.float32(0.25), _wave(v, 1.0) - np.float32(0.25)
    # dark where exactly one of the two is
    odd: Plane = np.maximum(np.minimum(across, along), -np.maximum(across, along))
    return odd


def _dotted(u: Plane, v: Plane) -> Plane:
    across, along = _wave(u, 0.8), _wave(v, 0.8)
    return np.sqrt(across * across + along * along) - np.float32(0.24)


def _halved(_u: Plane, v: Plane) -> Plane:
    return v


TEXTURE_SHADES: dict[str, Distance | None] = {
    "plain": None,
    "striped": _striped,
    "dotted": _dotted,
    "checked": _checked,
    "halved": _halved,
}


# ---- backgrounds


def _background(background: Background, size: int) -> Plane:
    """(size, size, 3), 0 to 255; noise repeats at its borders, so that it can drift."""
    first, second = (np.array(colour, np.float32) for colour in background.colours)
    plain = np.broadcast_to(first, (size, size, 3)).astype(np.float32)
    if background.kind == "plain":
        return plain
    if background.kind == "gradient":
        share = ((np.arange(size) + 0.5) / size).astype(np.float32)
        share = share[:, None, None] if background.upright else share[None, :, None]
        return plain + share * (second - first)
    cells = np.random.default_rng(background.seed).random((_NOISE_CELLS, _NOISE_CELLS, 1))
    mixed = first + cells.astype(np.float32) * (second - first)
    around = np.tile(mixed.astype(np.uint8), (3, 3, 1))
    wide = Image.fromarray(around).resize((3 * size, 3 * size), Image.Resampling.BILINEAR)
    return np.asarray(wide, np.float32)[size : 2 * size, size : 2 * size].copy()
