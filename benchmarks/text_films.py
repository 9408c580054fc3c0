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
    ink: int | None = None  # grey level of letters without a rim; None: white with a dark rim
    speed: float = 0.0  # pixels per second to the left, from ``place`` at ``start``

    def at(self, time: float) -> tuple[int, int]:
        """The upper left corner at a time."""
        return round(self.place[0] - self.speed * (time - self.start)), self.place[1]


def luminance(level: float) -> float:
    """Relative luminance of a grey level of sRGB, 0 to 1 (WCAG 2.2)."""
    share = level / 255
    return float(share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4)


def contrast(a: float, b: float) -> float:
    """Contrast ratio of two grey levels, 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def draw(picture: Picture, shown: Shown, time: float | None = None) -> Picture:
    """The picture with one text on it; ``time`` None: as it stands at its start."""
    place = shown.at(shown.start if time is None else time)
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    if shown.font is None and all(letter in STROKES for letter in shown.text):
        for number, letter in enumerate(shown.text):
            left, upper = place[0] + number * shown.size * 1.15, place[1]
            for x0, y0, x1, y1 in STROKES[letter]:
                ends = [left + x0 * shown.size, upper + y0 * shown.size]
                ends += [left + x1 * shown.size, upper + y1 * shown.size]
                pen.line(ends, fill="white", width=max(2, shown.size // 11))
    else:
        font = font_of(shown)
        if shown.ink is not None:
            pen.text(place, shown.text, (shown.ink,) * 3, font=font)
        else:
            rim = max(1, shown.size // 14)
            pen.text(place, shown.text, "white", font=font, stroke_width=rim, stroke_fill="black")
    return np.asarray(image)


def font_of(shown: Shown) -> ImageFont.FreeTypeFont:
    """The font of a text that is not drawn by strokes."""
    font = (
        ImageFont.truetype(shown.font, shown.size)
        if shown.font
        else ImageFont.load_default(shown.size)
    )
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow was built with FreeType
    return font


def pictures(
    texts: Sequence[Shown],
    seconds: float,
    *,
    size: tuple[int, int] = (640, 360),
    moving: bool = False,
    paper: int | None = None,
    seed: int = 0,
) -> Iterator[Picture]:
    """A smooth background, standing still or drifting by 20 pixels a second, with the texts.

    ``paper`` is the grey level of an even background instead.
    """
    width, height = size
    wide = noise_picture(seed, width + 20 * round(seconds) + 20, height) // 3
    if paper is not None:
        wide = np.full_like(wide, paper)
    for number in range(round(seconds * RATE)):
        time = number / float(RATE)
        shift = round(20 * time) if moving else 0
        picture: Picture = np.ascontiguousarray(wide[:, shift : shift + width])
        for shown in texts:
            if shown.start <= time < shown.end:
                picture = draw(picture, shown, time)
        yield picture


def write_text_film(
    path: Path,
    texts: Sequence[Shown],
    seconds: float,
    *,
    size: tuple[int, int] = (640, 360),
    moving: bool = False,
    paper: int | None = None,
    seed: int = 0,
) -> Path:
    """The pictures as a film of 10 frames per second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = FilmSettings(frame_rate=RATE, gop=20)
    shown = pictures(texts, seconds, size=size, moving=moving, paper=paper, seed=seed)
    write_film(path, shown, settings)
    return path
