"""Films of plain colours: what is shown when is known by construction; and of noise."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from colour_encoder import COLOURS

from scenewise.media.film import FilmSettings, write_film

RATE = Fraction(10)


def write_colours(
    path: Path, scenes: Sequence[tuple[str, float]], *, size: tuple[int, int] = (64, 48)
) -> Path:
    """One colour after another, each for some seconds (multiples of 0.1)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = []
    for colour, seconds in scenes:
        code = COLOURS.index(colour)
        rgb = [255 * (code >> shift & 1) for shift in (2, 1, 0)]
        picture = np.full((size[1], size[0], 3), rgb, np.uint8)
        pictures += [picture] * round(seconds * RATE)
    write_film(path, pictures, FilmSettings(frame_rate=RATE, gop=10))
    return path


def write_noise(path: Path, *, seconds: float) -> Path:
    """Large random patches of the colours, others in every frame: no two vectors are equal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    patches = random.integers(0, 2, (round(seconds * RATE), 6, 8, 3), np.uint8) * np.uint8(255)
    pictures = list(patches.repeat(8, axis=1).repeat(8, axis=2))
    write_film(path, pictures, FilmSettings(frame_rate=RATE, gop=10))
    return path
