"""Small folders to train on: films of one grey level, bright or dark, and their captions."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from scenewise.media.film import FilmSettings, write_film

LEVELS = {"bright": 220, "dark": 30}
SIZE, FRAMES = 64, 8


def write_films(folder: Path, count: int = 3) -> Path:
    """``folder/bright/0.mp4`` and so on: a film a second, all of one grey."""
    for label, level in LEVELS.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            picture = np.full((SIZE, SIZE, 3), level + 2 * number, dtype=np.uint8)
            write_film(
                folder / label / f"{number}.mp4",
                [picture] * FRAMES,
                FilmSettings(frame_rate=Fraction(FRAMES)),
            )
    return folder


def write_captions(folder: Path, count: int = 3) -> Path:
    """``train.csv`` and ``val.csv`` beside the films: what each is."""
    lines = ["video,caption"]
    lines += [f"{label}/{number},a {label} one" for label in LEVELS for number in range(count)]
    for split in ("train", "val"):
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n")
    return folder


def write_config(folder: Path, *, network: str = "c3d_tiny", more: str = "") -> Path:
    """``labels.toml`` over the films in ``folder/films``."""
    path = folder / "labels.toml"
    path.write_text(
        f'[model]\nname = "{network}"\n[data]\ndataset = "folder"\nannotations = "films"\n'
        f"size = {SIZE}\n[train]\nepochs = 2\nbatch_size = 3\n{more}"
    )
    return path


def write_caption_config(folder: Path) -> Path:
    """``captions.toml``: a dual encoder that reads bytes."""
    path = folder / "captions.toml"
    path.write_text(
        '[model]\nname = "dual_encoder_tiny"\n[data]\ndataset = "csv"\nannotations = "films"\n'
        f'size = {SIZE}\ntokenizer = "bytes"\n[train]\nepochs = 2\nbatch_size = 3\n'
    )
    return path
