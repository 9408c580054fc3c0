"""Pictures of a video with boxes drawn around things: one by one, or as one sheet.

It knows instants, boxes, texts and how to draw; it knows nothing of how things were found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from scenewise.errors import UsageError
from scenewise.media.decode import VideoReader
from scenewise.media.target import Target
from scenewise.media.whole_file import check_picture, write_picture

Box = tuple[float, float, float, float]  # left, top, width, height, fractions of the picture
Colour = tuple[int, int, int]

SHEET = "a sheet"
_COLOURS: tuple[Colour, ...] = (  # told apart also by people who see few hues (Okabe and Ito 2008)
    (213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233),
)  # fmt: skip
_EDGE = 960  # pixels of a picture of its own, at most
_CELL = 320  # and in the sheet
_GAP = 16
_COLUMNS = 4
_MOST_CELLS = 200  # a sheet is for looking
_PAPER: Colour = (250, 250, 248)
_INK: Colour = (28, 28, 32)


@dataclass(frozen=True, slots=True)
class Marked:
    """A thing at the instant at which it is to be shown."""

    number: int  # gives the colour
    time: float  # seconds
    box: Box
    text: str  # beside the box
    caption: str  # under the picture in a sheet


def draw_box(picture: npt.NDArray[np.uint8], marked: Marked) -> Image.Image:
    """The picture (H, W, 3) with the thing's box and text."""
    image = Image.fromarray(np.ascontiguousarray(picture))
    draw = ImageDraw.Draw(image)
    colour = _COLOURS[marked.number % len(_COLOURS)]
    line = max(2, image.width // 240)
    left, top = marked.box[0] * image.width, marked.box[1] * image.height
    right = min(left + marked.box[2] * image.width, image.width) - 1
    low = min(top + marked.box[3] * image.height, image.height) - 1
    draw.rectangle((left, top, max(left, right), max(top, low)), outline=colour, width=line)
    font = ImageFont.load_default(size=max(12, image.width // 36))
    inside = draw.textbbox((0, 0), marked.text, font)
    wide, high = inside[2] + 8, inside[3] + 6
    x = min(max(0.0, left), max(0.0, image.width - wide))
    y = top - high if top >= high else min(low, image.height - high)
    draw.rectangle((x, y, x + wide, y + high), fill=colour)
    draw.text((x + 4, y + 1), marked.text, (255, 255, 255), font)
    return image


def write_pictures(path: str | Path, things: Sequence[Marked], folder: Path) -> list[Path]:
    """One JPEG for each thing into a folder that is made where it is not there.

    Raises StorageError where it cannot be written, MediaError as ``VideoReader`` does.
    """
    return [
        write_picture(folder / f"{thing.number:04d}.jpg", image, quality=90)
        for thing, image in _shown(path, things, _EDGE)
    ]


def write_sheet(path: str | Path, things: Sequence[Marked], target: Path) -> Path:
    """All things, at most 200, as one picture, by the suffix as PNG, JPEG or WebP.

    Raises UsageError for another suffix or no things, StorageError, MediaError.
    """
    check_picture(target, SHEET)
    if not things:
        raise UsageError("a sheet needs at least one thing.")
    things = things[:_MOST_CELLS]
    font = ImageFont.load_default(size=15)
    shown = list(_shown(path, things, _CELL))
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    cell = max(image.height for _, image in shown) + 24
    size = (columns * (_CELL + _GAP) + _GAP, rows * (cell + _GAP) + _GAP)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, (thing, image) in enumerate(shown):
        x = _GAP + place % columns * (_CELL + _GAP)
        y = _GAP + place // columns * (cell + _GAP)
        sheet.paste(image, (x, y))
        draw.text((x, y + image.height + 4), thing.caption, _INK, font)
    return write_picture(target, sheet)


def _shown(
    path: str | Path, things: Sequence[Marked], edge: int
) -> Iterator[tuple[Marked, Image.Image]]:
    """Each thing in its picture, in order of time."""
    ordered = sorted(things, key=lambda thing: thing.time)
    if not ordered:
        return
    with VideoReader(path) as reader:
        target = Target(edge, edge, mode="fit")
        frames = reader.read([thing.time for thing in ordered], target)
        for thing, frame in zip(ordered, frames, strict=True):
            yield thing, draw_box(frame.image, thing)
