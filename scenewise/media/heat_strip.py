"""A score curve over time as one picture: thumbnails, a band of heat, the moments, a time axis.

It knows times, levels and how to draw them; it knows nothing of what was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from scenewise.errors import MediaError
from scenewise.media.decode import VideoReader
from scenewise.media.target import Target
from scenewise.media.whole_file import write_picture
from scenewise.types import Segment, clock

WIDTH = 1200
THUMBNAILS = 10
_MARGIN, _BAND, _AXIS = 20, 64, 26
_PAPER, _INK, _FAINT = (250, 250, 248), (28, 28, 32), (116, 116, 124)
# from nothing to all: dark blue over red to yellow, rising in lightness
_COLOURS = np.array(
    [(24, 28, 60), (84, 32, 110), (170, 52, 92), (236, 112, 52), (252, 222, 110)], np.float64
)
_TICKS = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)  # seconds
_MOST_TICKS = 12


def write_heat_strip(
    video: str | Path,
    target: str | Path,
    *,
    duration: float,
    starts: npt.NDArray[np.float64],
    ends: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    moments: Sequence[Segment],
    title: str = "",
) -> Path:
    """Draw and write a PNG; replaces a file whole. ``levels`` (N,) are 0 to 1.

    A video whose file is gone has no thumbnails. Raises StorageError.
    """
    picture = _draw(str(video), duration, starts, ends, levels, moments, title)
    return write_picture(Path(target), picture)


def _draw(
    video: str,
    duration: float,
    starts: npt.NDArray[np.float64],
    ends: npt.NDArray[np.float64],
    levels: npt.NDArray[np.float64],
    moments: Sequence[Segment],
    title: str,
) -> Image.Image:
    inner = WIDTH - 2 * _MARGIN
    cell = inner // THUMBNAILS
    height = round(cell * 9 / 16)
    head = 34 if title else 0
    top = _MARGIN + head
    band = top + height + 8
    picture = Image.new("RGB", (WIDTH, band + _BAND + _AXIS + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(size=15)
    if title:
        printable = "".join(letter if letter.isprintable() else " " for letter in title)
        draw.text((_MARGIN, _MARGIN - 4), printable[:110], _INK, ImageFont.load_default(size=20))
    for place, thumbnail in enumerate(_thumbnails(video, duration, cell - 2, height)):
        left = _MARGIN + place * cell + (cell - thumbnail.width) // 2
        picture.paste(thumbnail, (left, top + (height - thumbnail.height) // 2))
    span = max(duration, 1e-9)
    centres = (np.arange(inner) + 0.5) / inner * span
    window = np.clip(np.searchsorted(starts, centres, side="right") - 1, 0, len(starts) - 1)
    level = np.where(centres < ends[window], levels[window], 0.0)
    row = np.stack(
        [np.interp(level, np.linspace(0, 1, len(_COLOURS)), _COLOURS[:, n]) for n in range(3)], -1
    )
    strip = np.broadcast_to(row[None], (_BAND, inner, 3)).astype(np.uint8)
    picture.paste(Image.fromarray(strip), (_MARGIN, band))
    for number, moment in enumerate(moments, start=1):
        left, right = (_MARGIN + round(t / span * (inner - 1)) for t in (moment.start, moment.end))
        draw.rectangle(
            (left, band, max(left + 2, right), band + _BAND - 1), outline=_PAPER, width=3
        )
        draw.text(
            (left + 7, band + 5),
            f"#{number}",
            (255, 255, 255),
            font,
            stroke_width=2,
            stroke_fill=(0, 0, 0),
        )
    _axis(draw, font, span, inner, band + _BAND)
    return picture


def _axis(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    duration: float,
    inner: int,
    top: int,
) -> None:
    step = next((tick for tick in _TICKS if duration / tick <= _MOST_TICKS), duration / _MOST_TICKS)
    for number in range(int(duration / step) + 1):
        x = _MARGIN + round(number * step / duration * (inner - 1))
        draw.line((x, top, x, top + 5), _FAINT)
        draw.text((min(x, WIDTH - _MARGIN - 56), top + 7), clock(number * step), _FAINT, font)


def _thumbnails(video: str, duration: float, width: int, height: int) -> list[Image.Image]:
    """One from the middle of each tenth; empty pictures where the file cannot be read."""
    times = [(place + 0.5) / THUMBNAILS * duration for place in range(THUMBNAILS)]
    try:
        with VideoReader(video) as reader:
            frames = list(reader.read(times, Target(width, height, mode="fit")))
        return [Image.fromarray(np.ascontiguousarray(frame.image)) for frame in frames]
    except MediaError:
        return [Image.new("RGB", (width, height), (230, 230, 228)) for _ in times]
