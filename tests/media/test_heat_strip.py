"""The curve as a picture: bright where the level is high, thumbnails where there is a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from colour_films import write_colours
from PIL import Image

from scenewise.errors import StorageError
from scenewise.media.heat_strip import WIDTH, write_heat_strip
from scenewise.types import Segment


def strip(video: Path, target: Path) -> np.ndarray:
    edges = np.arange(11.0)
    levels = np.zeros(10)
    levels[6:8] = 1.0
    write_heat_strip(
        video,
        target,
        duration=10.0,
        starts=edges[:-1],
        ends=edges[1:],
        levels=levels,
        moments=[Segment(6.0, 8.0)],
        title="red",
    )
    return np.asarray(Image.open(target).convert("RGB"), np.float64)


def test_the_band_is_bright_where_the_level_is_high(tmp_path: Path) -> None:
    film = write_colours(tmp_path / "film.mp4", [("red", 5.0), ("blue", 5.0)])
    pixels = strip(film, tmp_path / "heat.png")
    assert pixels.shape[1] == WIDTH
    bright = pixels.sum(axis=2)
    row = bright.shape[0] - 75  # inside the band, above the axis
    inner = WIDTH - 40
    inside, outside = (20 + round(share * inner) for share in (0.70, 0.30))
    assert bright[row, inside] > 2 * bright[row, outside]
    # thumbnails: red at the left, blue at the right
    upper = pixels[90]
    assert upper[80, 0] > 150 > upper[80, 2]
    assert upper[WIDTH - 80, 2] > 150 > upper[WIDTH - 80, 0]


def test_without_the_file_the_band_is_drawn_all_the_same(tmp_path: Path) -> None:
    assert strip(tmp_path / "gone.mp4", tmp_path / "heat.png").shape[1] == WIDTH


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        strip(tmp_path / "gone.mp4", tmp_path / "file" / "heat.png")
