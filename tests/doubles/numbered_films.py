"""Films whose frames carry their number, and what a clip of them shows."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from einops import rearrange
from torch import Tensor

from scenewise.data.clip_dataset import ClipDataset
from scenewise.data.example import Recipe
from scenewise.data.row_targets import RowReader
from scenewise.data.rows import LabelRow, Row
from scenewise.data.settings import AugmentSettings, ClipSettings
from scenewise.data.text_tokens import Tokenize
from scenewise.encoders.network_folder import Pixels
from scenewise.media.film import FilmSettings, Sound, barcode_pictures, read_barcode, write_film
from scenewise.media.target import Target

SIDE = 96  # pixels: 6 for each bar
RATE = 10  # frames a second
# a network that wants bytes as they are: (x / 255 - 0) * 255
BYTES = Pixels(
    frames=4,
    target=Target(SIDE, SIDE, "crop", interpolation="bilinear"),
    mean=(0.0, 0.0, 0.0),
    std=(1 / 255, 1 / 255, 1 / 255),
    channels="rgb",
    seconds=2.0,
)


def numbered(
    path: Path,
    frames: int = 50,
    *,
    times: Sequence[float] | None = None,
    sound: Sound | None = None,
    width: int = SIDE,
) -> Path:
    """A film of ``frames`` numbered pictures, 10 a second or at ``times``."""
    settings = FilmSettings(frame_rate=Fraction(RATE), gop=10)
    write_film(path, barcode_pictures(frames, width, SIDE), settings, times=times, sound=sound)
    return path


def tone(seconds: float, rate: int = 16_000) -> Sound:
    """A quiet hum whose level is the same everywhere."""
    wave = 0.25 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * rate)) / rate)
    return Sound(wave[None].astype(np.float32), sample_rate=rate)


def shown(clip: Tensor | None) -> list[int]:
    """The numbers of the frames of a clip (T, 3, H, W) of bytes."""
    assert clip is not None
    pictures = rearrange(clip, "t c h w -> t h w c").clamp(0, 255).byte().numpy()
    return [read_barcode(picture) for picture in pictures]


def settings(**given: Any) -> ClipSettings:
    return ClipSettings(**{"frames": 4, "size": SIDE, **given})


def clips(
    rows: Sequence[Row],
    videos: dict[str, Path],
    *,
    train: bool = False,
    seed: int = 0,
    augment: AugmentSettings | None = None,
    pixels: Pixels = BYTES,
    classes: Sequence[str] = ("thing",),
    tokenize: Tokenize | None = None,
    **given: Any,
) -> ClipDataset:
    """A dataset of clips of 4 frames in bytes."""
    recipe = Recipe(
        pixels=pixels,
        settings=settings(**given),
        reader=RowReader.for_rows(rows, classes, tokenize),
        mode="train" if train else "test",
        augment=augment or AugmentSettings(),
        seed=seed,
    )
    return ClipDataset(rows, videos, recipe)


def labelled(*videos: str) -> list[LabelRow]:
    return [LabelRow(video, ("thing",)) for video in videos]
