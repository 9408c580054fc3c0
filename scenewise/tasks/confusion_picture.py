"""A confusion matrix as a picture: rows are what is true, columns what was said.

It knows labels and counts, and how to draw them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from scenewise.media.whole_file import write_picture

_PAPER, _INK, _FAINT = (250, 250, 248), (28, 28, 32), (116, 116, 124)
_RIGHT, _WRONG = np.array([38, 110, 84]), np.array([176, 58, 46])
_MOST_NUMBERS = 30  # classes up to which counts are written into the cells
_LONGEST = 24  # characters of a label

Counts = npt.NDArray[np.int64]


def write_confusion(confusion: Counts, labels: Sequence[str], path: Path, title: str = "") -> Path:
    """Draw and write by the suffix; replaces a file whole. Raises UsageError, StorageError."""
    return write_picture(path, draw_confusion(confusion, labels, title))


def draw_confusion(confusion: Counts, labels: Sequence[str], title: str = "") -> Image.Image:
    """The picture. A cell is as dark as its share of its row: green if right, red if not."""
    count = len(labels)
    if confusion.shape != (count, count) or count == 0:
        raise ValueError(f"{count} labels do not go with a table of {confusion.shape}")
    cell = 44 if count <= 12 else 30 if count <= _MOST_NUMBERS else max(6, 900 // count)
    font = ImageFont.load_default(size=min(15, max(6, round(cell * 0.48))))
    small, big = ImageFont.load_default(size=14), ImageFont.load_default(size=20)
    names = [_short(label) for label in labels]
    margin, width_of_names = 24, round(max(font.getlength(name) for name in names)) + 14
    head = margin + (34 if title else 0) + 26
    left, top = margin + 24 + width_of_names, head + width_of_names
    side = cell * count
    said = "each row is as dark as its share; numbers are examples"
    line = said if count <= _MOST_NUMBERS else said.partition(";")[0]
    foot = ImageFont.load_default(size=12)
    # few labels are narrower than the words around them
    words = max(foot.getlength(line), big.getlength(title))
    width = max(left + side, margin + math.ceil(words)) + margin
    picture = Image.new("RGB", (width, top + side + margin + 26), _PAPER)
    draw = ImageDraw.Draw(picture)
    if title:
        draw.text((margin, margin - 6), title, _INK, big)
    draw.text((left, head - 24), "said", _FAINT, small)
    draw.text((margin, top - 20), "true", _FAINT, small)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    for row in range(count):
        y = top + row * cell
        x = left - 8 - round(font.getlength(names[row]))
        draw.text((x, y + cell / 2), names[row], _INK, font, anchor="lm")
        _write_upwards(picture, names[row], (left + row * cell, top - 8), cell, font)
        for column in range(count):
            x, share = left + column * cell, float(shares[row, column])
            tone = _RIGHT if row == column else _WRONG
            colour = np.asarray(_PAPER) + (tone - np.asarray(_PAPER)) * share**0.7
            box = (x, y, x + cell - 1, y + cell - 1)
            fill = tuple(int(part) for part in colour.round())
            draw.rectangle(box, fill=fill, outline=(226, 226, 222) if cell >= 12 else None)
            if confusion[row, column] and count <= _MOST_NUMBERS:
                ink = _PAPER if share > 0.45 else _INK
                middle = (x + cell / 2, y + cell / 2)
                draw.text(middle, str(confusion[row, column]), ink, font, anchor="mm")
    draw.text((margin, top + side + 12), line, _FAINT, foot)
    return picture


def _write_upwards(
    picture: Image.Image,
    name: str,
    corner: tuple[int, int],
    cell: int,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """A label above its column, from bottom to top; ``corner`` is the column's upper left."""
    width, height = round(font.getlength(name)) + 2, round(getattr(font, "size", 11) * 1.5)
    strip = Image.new("RGB", (width, height), _PAPER)
    ImageDraw.Draw(strip).text((0, height / 2), name, _INK, font, anchor="lm")
    turned = strip.rotate(90, expand=True)
    picture.paste(turned, (corner[0] + (cell - turned.width) // 2, corner[1] - turned.height))


def _short(label: str) -> str:
    text = "".join(character if character.isprintable() else " " for character in label)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
