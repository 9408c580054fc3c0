"""The contact sheet: the right picture in each cell, reasons where there is none, any text."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from scenewise.errors import StorageError, UsageError
from scenewise.media.contact_sheet import (
    SheetStyle,
    draw_contact_sheet,
    write_contact_sheet,
)
from scenewise.media.film import FilmSettings, barcode_pictures, read_barcode, write_film
from scenewise.types import Moment

STYLE = SheetStyle(cell_width=160, cell_height=120, columns=3)


def hit(rank: int, path: Path | str, time: float, match: float = 0.5) -> Moment:
    return Moment(rank, "v", str(path), time, time + 1.0, 1.0, match, (), time)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """25 pictures a second for 2 seconds; picture n carries n."""
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    write_film(path, barcode_pictures(50, 160, 120), FilmSettings(gop=20))
    return path


def cells(sheet: Image.Image, count: int, columns: int = 3) -> list[npt.NDArray[np.uint8]]:
    """The thumbnails, found by their size and place from the lower right, as drawn."""
    pixels = np.asarray(sheet)
    background = np.array(STYLE.background)
    # rows and columns of cells stand out as stretches that are not background
    found = []
    step = STYLE.cell_height + round(STYLE.text_size * 3.1) + STYLE.gap
    column = pixels[:, STYLE.margin + 2]
    tops = [
        y
        for y in range(pixels.shape[0] - STYLE.cell_height)
        if (column[y : y + STYLE.cell_height] != background).any(axis=1).all()
    ]
    top = tops[0]
    for place in range(count):
        y = top + place // columns * step
        x = STYLE.margin + place % columns * (STYLE.cell_width + STYLE.gap)
        found.append(pixels[y : y + STYLE.cell_height, x : x + STYLE.cell_width])
    return found


def test_each_cell_shows_the_frame_of_its_hit(film: Path) -> None:
    hits = [hit(rank, film, time) for rank, time in enumerate((1.0, 0.2, 1.9, 0.64), start=1)]
    sheet = draw_contact_sheet(hits, title="a query", style=STYLE)
    assert [read_barcode(cell) for cell in cells(sheet, 4)] == [25, 5, 47, 16]


def test_a_hit_whose_file_is_gone_has_an_empty_cell(film: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film" * 50)
    hits = [hit(1, film, 1.0), hit(2, tmp_path / "gone.mp4", 1.0), hit(3, broken, 1.0)]
    shown, gone, damaged = cells(draw_contact_sheet(hits, style=STYLE), 3)
    assert read_barcode(shown) == 25
    for cell in (gone, damaged):
        empty = (cell == np.array(STYLE.empty)).all(axis=2).mean()
        assert 0.6 < empty < 0.999  # the rest is the reason, written in it


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (3, 3, 1), (10, 3, 4), (20, 5, 4)]
)
def test_the_grid_holds_all_hits(film: Path, count: int, columns: int, rows: int) -> None:
    style = SheetStyle(cell_width=64, cell_height=48)
    hits = [hit(rank, film, 0.1) for rank in range(1, count + 1)]
    sheet = draw_contact_sheet(hits, style=style)
    assert sheet.width == 2 * style.margin + columns * 64 + (columns - 1) * style.gap
    assert sheet.height > rows * (48 + 2 * style.text_size)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".JPEG", ".webp"])
def test_sheets_are_written_whole(film: Path, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"sheet{suffix}"
    assert write_contact_sheet([hit(1, film, 0.5)], path, title="x") == path
    with Image.open(path) as picture:
        picture.load()
        assert picture.width > 300
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "text", ["", "x" * 500, "Katze auf dem Skateboard äöü", "一只猫", "a\nb\tc\x00", "\udcff.mp4"]
)
def test_any_title_and_any_path_can_be_drawn(film: Path, text: str) -> None:
    small = SheetStyle(cell_width=96, cell_height=54)
    draw_contact_sheet([hit(1, film, 0.5), hit(2, text or "gone", 0.5)], title=text, style=small)


def test_bad_input_is_one_of_our_errors(film: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="at least one hit"):
        draw_contact_sheet([])
    with pytest.raises(UsageError, match=r"\.png"):
        write_contact_sheet([hit(1, film, 0.5)], tmp_path / "sheet.txt")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(StorageError, match="cannot be written"):
        write_contact_sheet([hit(1, film, 0.5)], tmp_path / "file" / "sheet.png")
