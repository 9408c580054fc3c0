"""Films that show known text at known times, and the letters of a few Chinese characters.

Latin text is drawn with the font inside Pillow. Chinese characters are drawn stroke by stroke:
no font of the machine is needed for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenewise.media.film import FilmSettings, Picture, noise_picture, write_film

RATE = Fraction(10)
Stroke = tuple[float, float, float, float]  # x, y to x, y as shares of the character's square
STROKES: dict[str, tuple[Stroke, ...]] = {
    "中": ((0.15, 0.25, 0.85, 0.25), (0.15, 0.25, 0.15, 0.65), (0.85, 0.25, 0.85, 0.65),
           (0.15, 0.65, 0.85, 0.65), (0.5, 0.05, 0.5, 0.95)),
    "日": ((0.25, 0.1, 0.75, 0.1), (0.25, 0.1, 0.25, 0.92), (0.75, 0.1, 0.75, 0.92),
           (0.25, 0.5, 0.75, 0.5), (0.25, 0.9, 0.75, 0.9)),
    "王": ((0.15, 0.15, 0.85, 0.15), (0.2, 0.5, 0.8, 0.5), (0.1, 0.85, 0.9, 0.85),
           (0.5, 0.15, 0.5, 0.85)),
    "田": ((0.15, 0.15, 0.85, 0.15), (0.15, 0.15, 0.15, 0.9), (0.85, 0.15, 0.85, 0.9),
           (0.15, 0.88, 0.85, 0.88), (0.5, 0.15, 0.5, 0.88), (0.15, 0.5, 0.85, 0.5)),
    "山": ((0.15, 0.4, 0.15, 0.88), (0.85, 0.4, 0.85, 0.88), (0.5, 0.1, 0.5, 0.88),
           (0.15, 0.88, 0.85, 0.88)),
    "口": ((0.2, 0.2, 0.8, 0.2), (0.2, 0.2, 0.2, 0.8), (0.8, 0.2, 0.8, 0.8),
           (0.2, 0.8, 0.8, 0.8)),
    "工": ((0.15, 0.18, 0.85, 0.18), (0.08, 0.85, 0.92, 0.85), (0.5, 0.18, 0.5, 0.85)),
    "土": ((0.2, 0.42, 0.8, 0.42), (0.08, 0.88, 0.92, 0.88), (0.5, 0.1, 0.5, 0.88)),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """A text in [start, end) seconds, its upper left corner at ``place``."""

    start: float
    end: float
    text: str
    place: tuple[int, int] = (60, 280)
    size: int = 28  # pixels
    font: str | None = None  # a font file; None: strokes, or the font inside Pillow


def draw(picture: Picture, shown: Shown) -> Picture:
    """The picture with one text on it, light with a dark rim."""
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    if shown.font is None and all(letter in STROKES for letter in shown.text):
        for number, letter in enumerate(shown.text):
            left, upper = shown.place[0] + number * shown.size * 1.15, shown.place[1]
            for x0, y0, x1, y1 in STROKES[letter]:
                ends = [left + x0 * shown.size, upper + y0 * shown.size]
                ends += [left + x1 * shown.size, upper + y1 * shown.size]
                pen.line(ends, fill="white", width=max(2, shown.size // 11))
    else:
        rim = max(1, shown.size // 14)
        font = (
            ImageFont.truetype(shown.font, shown.size)
            if shown.font
            else ImageFont.load_default(shown.size)
        )
        pen.text(shown.place, shown.text, "white", font=font, stroke_width=rim, stroke_fill="black")
    return np.asarray(image)


def pictures(
    texts: Sequence[Shown],
    seconds: float,
    *,
    size: tuple[int, int] = (640, 360),
    moving: bool = False,
    seed: int = 0,
) -> Iterator[Picture]:
    """A smooth background, standing still or drifting by 20 pixels a second, with the texts."""
    width, height = size
    wide = noise_picture(seed, width + 20 * round(seconds) + 20, height) // 3
    for number in range(round(seconds * RATE)):
        time = number / float(RATE)
        shift = round(20 * time) if moving else 0
        picture: Picture = np.ascontiguousarray(wide[:, shift : shift + width])
        for shown in texts:
            if shown.start <= time < shown.end:
                picture = draw(picture, shown)
        yield picture


def write_text_film(
    path: Path,
    texts: Sequence[Shown],
    seconds: float,
    *,
    size: tuple[int, int] = (640, 360),
    moving: bool = False,
    seed: int = 0,
) -> Path:
    """The pictures as a film of 10 frames per second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = FilmSettings(frame_rate=RATE, gop=20)
    write_film(path, pictures(texts, seconds, size=size, moving=moving, seed=seed), settings)
    return path
