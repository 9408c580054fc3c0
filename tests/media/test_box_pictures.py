"""Boxes drawn where they belong, at the instant that is meant."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenewise.errors import StorageError, UsageError
from scenewise.media.box_pictures import Marked, draw_box, write_pictures, write_sheet
from scenewise.media.film import FilmSettings, write_film


def things() -> list[Marked]:
    """Two: at the second picture, which is bright, and at the first, which is dark."""
    return [
        Marked(1, 1.0, (0.25, 0.5, 0.25, 0.25), "a dog", "#1 a dog"),
        Marked(2, 0.0, (0.5, 0.5, 0.5, 0.5), "a cat", "#2 a cat"),
    ]


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    pictures = [np.full((180, 320, 3), grey, np.uint8) for grey in (20, 200)]
    write_film(path, pictures, FilmSettings(frame_rate=Fraction(1)))
    return path


def test_the_box_is_drawn_on_its_border_and_not_inside() -> None:
    drawn = np.asarray(draw_box(np.full((180, 320, 3), 20, np.uint8), things()[0]))
    middle = drawn[90 + 22, 80:160]
    assert (middle[:2] != 20).any(axis=1).all()  # left line
    assert (middle[-2:] != 20).any(axis=1).all()
    assert (middle[5:-5] == 20).all()
    assert (drawn[160:, :] == 20).all()


@pytest.mark.parametrize(
    "box", [(0.0, 0.0, 1.0, 1.0), (0.99, 0.0, 0.01, 0.01), (0, 0.9, 0.02, 0.1)]
)
def test_a_box_at_the_edge_has_its_text_in_the_picture(
    box: tuple[float, float, float, float],
) -> None:
    drawn = draw_box(np.full((180, 320, 3), 20, np.uint8), Marked(1, 0, box, "a dog", ""))
    assert drawn.size == (320, 180)
    assert np.asarray(drawn).max() == 255  # white letters


def test_each_thing_has_a_picture_of_its_instant(film: Path, tmp_path: Path) -> None:
    written = write_pictures(film, things(), tmp_path / "new" / "pictures")
    assert sorted(path.name for path in written) == ["0001.jpg", "0002.jpg"]
    shown = {path.name: np.asarray(Image.open(path))[2, 2].mean() for path in written}
    assert shown["0001.jpg"] > 150 > 60 > shown["0002.jpg"]


def test_all_things_on_one_sheet(film: Path, tmp_path: Path) -> None:
    target = write_sheet(film, things(), tmp_path / "sheet.png")
    with Image.open(target) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 640
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []


def test_what_cannot_be_written(film: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"written as \.png"):
        write_sheet(film, things(), tmp_path / "sheet.bmp")
    with pytest.raises(UsageError, match="at least one"):
        write_sheet(film, [], tmp_path / "sheet.png")
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        write_pictures(film, things(), tmp_path / "file")
    with pytest.raises(StorageError, match="cannot be written"):
        write_sheet(film, things(), tmp_path / "file" / "sheet.png")
