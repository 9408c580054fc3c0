"""Looks at rendered films as a person would: where something is, how large, of what colour.

It knows pixels; of a scene it uses nothing but its empty stage, to see what stands out from it.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from scenewise.data.synthetic.drawing import render
from scenewise.data.synthetic.scene import COLOURS, Scene

Frames = npt.NDArray[np.uint8]  # (T, H, W, 3)
Numbers = npt.NDArray[np.float64]
RATE = Fraction(8)


def only(scene: Scene, *things: int) -> Scene:
    """The scene with some of its things, on the same stage."""
    return replace(scene, things=tuple(scene.things[number] for number in things), events=())


def standing_out(scene: Scene, *, size: int = 64, frame_rate: Fraction = RATE) -> Numbers:
    """(T, H, W): by how much each pixel differs from the empty stage, in its strongest colour."""
    film = render(scene, size=size, frame_rate=frame_rate).astype(float)
    stage = render(only(scene), size=size, frame_rate=frame_rate).astype(float)
    strength: Numbers = np.abs(film - stage).max(axis=-1)
    return strength


def areas(scene: Scene) -> Numbers:
    """(T,): how many pixels stand out."""
    return np.asarray((standing_out(scene) > 8).sum(axis=(1, 2)), float)


def middles(scene: Scene, *, size: int = 64) -> Numbers:
    """(T, 2): the middle (x, y) of what stands out, as shares of the picture; nan for nothing."""
    seen = standing_out(scene, size=size) > 8
    grid = (np.arange(size) + 0.5) / size
    count = seen.sum(axis=(1, 2))
    with np.errstate(invalid="ignore"):
        x = (seen * grid).sum(axis=(1, 2)) / count
        y = (seen * grid[:, None]).sum(axis=(1, 2)) / count
    return np.stack([x, y], axis=1)


def boxes(scene: Scene) -> Numbers:
    """(T, 2): the middle of the box around what stands out, which a dark half does not shift."""
    found = []
    for seen in standing_out(scene) > 8:
        rows, columns = np.nonzero(seen.any(axis=1))[0], np.nonzero(seen.any(axis=0))[0]
        found.append(
            ((columns[0] + columns[-1] + 1) / 128, (rows[0] + rows[-1] + 1) / 128)
            if len(rows)
            else (np.nan, np.nan)
        )
    return np.array(found)


def colour_of(scene: Scene, frame: int) -> str:
    """The name whose colour the brightest part that stands out has."""
    film = render(scene)[frame].astype(float)
    seen = standing_out(scene)[frame] > 40
    pixels = film[seen]
    bright = pixels[pixels.max(axis=1) >= np.quantile(pixels.max(axis=1), 0.7)]
    typical = np.median(bright, axis=0)
    return min(COLOURS, key=lambda name: float(np.abs(typical - COLOURS[name]).sum()))


def changes(film: Frames) -> npt.NDArray[np.bool_]:
    """(T - 1,): whether a frame differs from the one before."""
    return np.array([bool((before != after).any()) for before, after in pairwise(film)])
