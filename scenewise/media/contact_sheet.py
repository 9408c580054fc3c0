"""One picture of a search result: a grid of thumbnails with rank, match, time and path.

It knows hits and how to draw them. It knows nothing of how they were found.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenewise.errors import MediaError, UsageError
from scenewise.media.decode import VideoReader
from scenewise.media.target import Target
from scenewise.media.whole_file import check_picture, write_picture
from scenewise.types import Moment, clock

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

SHEET = "a contact sheet"


@dataclass(frozen=True, slots=True)
class SheetStyle:
    """Sizes in pixels, colours as red, green, blue."""

    cell_width: int = 320
    cell_height: int = 180  # thumbnails of another aspect stand in the middle
    columns: int | None = None  # None: as many as make the sheet about 4:3, at most 5
    gap: int = 20
    margin: int = 28
    text_size: int = 17
    title_size: int = 26
    background: tuple[int, int, int] = (250, 250, 248)
    frame: tuple[int, int, int] = (24, 24, 27)  # around thumbnails of another aspect
    ink: tuple[int, int, int] = (28, 28, 32)
    faint: tuple[int, int, int] = (116, 116, 124)
    empty: tuple[int, int, int] = (230, 230, 228)


def write_contact_sheet(
    hits: Sequence[Moment],
    path: str | Path,
    *,
    title: str = "",
    style: SheetStyle | None = None,
    lines: Sequence[str] | None = None,
) -> Path:
    """Draw the hits and write them as PNG, JPEG or WebP, by the suffix; replaces a file whole.

    ``lines`` stand below the pictures in place of match and path, one for each hit.

    Raises UsageError for another suffix or no hits, StorageError where it cannot be written.
    """
    path = Path(path)
    check_picture(path, SHEET)
    return write_picture(path, draw_contact_sheet(hits, title=title, style=style, lines=lines))


def draw_contact_sheet(
    hits: Sequence[Moment],
    *,
    title: str = "",
    style: SheetStyle | None = None,
    lines: Sequence[str] | None = None,
) -> Image.Image:
    """The sheet as a picture. A hit that cannot be shown has an empty cell with the reason.

    Raises UsageError for no hits.
    """
    if not hits:
        raise UsageError("A contact sheet needs at least one hit.")
    style = style or SheetStyle()
    columns = _columns(len(hits), style)
    rows = -(-len(hits) // columns)
    text, small = _font(style.text_size), _font(style.text_size - 3)
    caption_height = round(style.text_size * 3.1)
    folder, names = _common_folder([hit.path for hit in hits])
    head = style.margin + (round(style.title_size * 1.5) if title else 0)
    head += round(style.text_size * 1.9) if folder else 0
    width = 2 * style.margin + columns * style.cell_width + (columns - 1) * style.gap
    step = style.cell_height + caption_height + style.gap
    sheet = Image.new(
        "RGB", (width, head + rows * step - style.gap + style.margin // 2), style.background
    )
    draw = ImageDraw.Draw(sheet)
    if title:
        big = _font(style.title_size)
        line = _shorten(title, big, width - 2 * style.margin)
        draw.text((style.margin, style.margin - 4), line, style.ink, big)
    if folder:
        line = _shorten(folder, small, width - 2 * style.margin, keep_end=True)
        draw.text((style.margin, head - round(style.text_size * 1.9)), line, style.faint, small)
    thumbnails = _thumbnails(hits, style)
    for place, (hit, thumbnail) in enumerate(zip(hits, thumbnails, strict=True)):
        left = style.margin + place % columns * (style.cell_width + style.gap)
        top = head + place // columns * step
        _draw_cell(sheet, (left, top), thumbnail, style, small)
        top += style.cell_height + round(style.text_size * 0.4)
        mark = f"#{hit.rank}  {hit.match:.2f}" if lines is None else f"{hit.rank}"
        draw.text((left, top), mark, style.ink, text)
        times = f"{clock(hit.start)} - {clock(hit.end)}"
        right = left + style.cell_width - round(text.getlength(times))
        draw.text((right, top), times, style.ink, text)
        below = names[place] if lines is None else lines[place]
        name = _shorten(below, small, style.cell_width, keep_end=lines is None)
        draw.text((left, top + round(style.text_size * 1.35)), name, style.faint, small)
    return sheet


def _columns(count: int, style: SheetStyle) -> int:
    if style.columns is not None:
        return max(1, min(style.columns, count))
    return min(count, 5, max(1, round((count * 1.1) ** 0.5)) if count > 3 else count)


def _common_folder(paths: Sequence[str]) -> tuple[str, list[str]]:
    """The folder that all files share, as it is shown, and their paths in it."""
    try:
        folder = os.path.commonpath([os.path.dirname(path) for path in paths])  # noqa: PTH120 - as text
    except ValueError:  # absolute and relative ones, or several drives
        return "", list(paths)
    if not folder or Path(folder) == Path(folder).parent:
        return "", list(paths)
    return _familiar(Path(folder)), [os.path.relpath(path, folder) for path in paths]


def _familiar(folder: Path) -> str:
    """The folder as a person here would write it: from the working directory, or from home."""
    for base, mark in ((Path.cwd(), ""), (Path.home(), "~/")):
        if folder.is_relative_to(base) and folder != base:
            return mark + folder.relative_to(base).as_posix()
    return str(folder)


def _thumbnails(hits: Sequence[Moment], style: SheetStyle) -> list[Image.Image | str]:
    """For each hit its picture, or why there is none. Each file is opened once."""
    found: dict[int, Image.Image | str] = {}
    target = Target(style.cell_width, style.cell_height, mode="fit")
    by_path: dict[str, list[int]] = {}
    for place, hit in enumerate(hits):
        by_path.setdefault(hit.path, []).append(place)
    for path, places in by_path.items():
        places.sort(key=lambda place: hits[place].thumbnail_time)
        times = [max(0.0, hits[place].thumbnail_time) for place in places]
        try:
            with VideoReader(path) as reader:
                for place, frame in zip(places, reader.read(times, target), strict=True):
                    found[place] = Image.fromarray(np.ascontiguousarray(frame.image))
        except MediaError as error:
            reason = str(error).removeprefix(path).lstrip(": ")
            for place in places:
                found.setdefault(place, reason)
    return [found[place] for place in range(len(hits))]


def _draw_cell(
    sheet: Image.Image,
    corner: tuple[int, int],
    thumbnail: Image.Image | str,
    style: SheetStyle,
    font: Font,
) -> None:
    left, top = corner
    draw = ImageDraw.Draw(sheet)
    box = (left, top, left + style.cell_width - 1, top + style.cell_height - 1)
    if isinstance(thumbnail, str):
        draw.rectangle(box, fill=style.empty)
        lines = _wrap(thumbnail, font, style.cell_width - 32)[:5]
        height = round(style.text_size * 1.25)
        y = top + (style.cell_height - height * len(lines)) // 2
        for number, line in enumerate(lines):
            x = left + (style.cell_width - round(font.getlength(line))) // 2
            draw.text((x, y + number * height), line, style.faint, font)
        return
    draw.rectangle(box, fill=style.frame)
    x = left + (style.cell_width - thumbnail.width) // 2
    y = top + (style.cell_height - thumbnail.height) // 2
    sheet.paste(thumbnail, (x, y))


def _font(size: int) -> Font:
    return ImageFont.load_default(size=size)


def _shorten(line: str, font: Font, width: int, *, keep_end: bool = False) -> str:
    """The line, or as much of it as fits, with an ellipsis for the rest."""
    line = _drawable(line)
    if font.getlength(line) <= width:
        return line
    low, high = 0, len(line)
    while low < high:  # the most characters that fit
        middle = (low + high + 1) // 2
        part = f"…{line[-middle:]}" if keep_end else f"{line[:middle]}…"
        if font.getlength(part) <= width:
            low = middle
        else:
            high = middle - 1
    if low == 0:
        return "…"
    return f"…{line[-low:]}" if keep_end else f"{line[:low]}…"


def _wrap(text: str, font: Font, width: int) -> list[str]:
    lines: list[str] = []
    for word in _drawable(text).split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(_shorten(word, font, width))
    return lines


def _drawable(text: str) -> str:
    """Text on one line; bytes of a path that are no text become question marks."""
    text = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split(" "))
