"""One row and its video file as an example: the step that every way of loading shares.

``make_example`` is a plain function of a recipe, a row, a file and the place in the epochs. It
knows how the parts are joined; it knows no dataset, no batch and no other row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from scenewise.data.augment.pipeline import Preparation, scale_of
from scenewise.data.chance import stream_of
from scenewise.data.clip_cache import ClipCache
from scenewise.data.clip_sound import clip_sound
from scenewise.data.clip_times import clip_times
from scenewise.data.row_targets import RowReader, RowTensors, texts_of
from scenewise.data.rows import MomentRow, Row
from scenewise.data.settings import AugmentSettings, ClipSettings
from scenewise.data.stretch import FileStretch, OpenStretch, inside
from scenewise.encoders.network_folder import Pixels
from scenewise.errors import DataError, MediaError, UsageError
from scenewise.media.probe import probe
from scenewise.types import Segment


class Place(NamedTuple):
    """Which example of which epoch. With views, several examples in a row are of one row."""

    epoch: int
    number: int


class ExpertVectors(NamedTuple):
    """What one network saw or heard of a row."""

    vectors: Tensor  # (T, D) float
    times: Tensor  # (T,) float seconds of the video
    largest: Tensor  # (D,): the largest value of each dimension, of all vectors that there are


@dataclass(frozen=True, slots=True)
class Example:
    """One row as tensors; a mask is True where something is real."""

    row: int
    view: int = 0
    clip: Tensor | None = None  # (T, C, H, W) float
    clip_mask: Tensor | None = None  # (T,) bool
    features: Tensor | None = None  # (T, D) float
    times: Tensor | None = None  # (T,) float seconds of the video
    duration: float | None = None  # seconds of what was read
    experts: Mapping[str, ExpertVectors] | None = None  # by name; one that saw nothing is absent
    sound: Tensor | None = None  # (n,) float
    has_sound: bool = False
    learnt: RowTensors = field(default_factory=RowTensors)
    notes: tuple[str, ...] = ()
    readable: bool = True  # False: there are notes alone


@dataclass(frozen=True, slots=True)
class Recipe:
    """How rows become examples. ``mode`` test: no chance, and views and crops as settings say.

    ``pixels`` None: no picture is decoded, and examples are of sound alone.
    """

    pixels: Pixels | None
    settings: ClipSettings
    reader: RowReader = field(default_factory=RowReader)
    mode: Literal["train", "test"] = "train"
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    seed: int = 0
    opened: OpenStretch = FileStretch  # or ClipCache.open

    def __post_init__(self) -> None:
        spread = self.settings.sampling in ("segments", "uniform")
        if spread and self.augment.tempo > 1:
            raise UsageError(
                f"tempo stretches steps in time, and sampling = {self.settings.sampling!r} covers "
                "the whole video at any tempo; take dense or rate, or leave tempo out."
            )
        if self.pixels is None:
            if self.settings.sound_rate is None:
                raise UsageError("Sound alone is read at a rate; set sound_rate.")
        elif self.settings.size != self.pixels.target.width:
            raise UsageError(
                f"size is {self.settings.size}, and the network takes {self.pixels.target.width}."
            )

    @property
    def views(self) -> int:
        """Examples for each row."""
        return 1 if self.mode == "train" else self.settings.views * self.settings.crops

    def with_cache(self, cache: ClipCache) -> Recipe:
        """The same from decoded frames that are kept."""
        return replace(self, opened=cache.open)


def make_example(recipe: Recipe, row: Row, path: Path, place: Place) -> Example:
    """The example of a row, whose video is ``path``; all chance is of ``place`` and the seed.

    Raises DataError, which names row and file, where the video cannot be decoded or the row does
    not fit it.
    """
    number, part = divmod(place.number, recipe.views)
    try:
        return _made(recipe, row, path, number, part, place.epoch)
    except (MediaError, DataError) as error:
        raise DataError(f"row {number} ({row.video}): {error}") from error


def _made(recipe: Recipe, row: Row, path: Path, number: int, part: int, epoch: int) -> Example:
    training = recipe.mode == "train"
    settings, augment = recipe.settings, recipe.augment if training else None
    view, crop = divmod(part, settings.crops)
    draws = {
        purpose: stream_of(recipe.seed, epoch, number, purpose)
        for purpose in ("frames", "pixels", "text", "sound")
    }
    learnt = recipe.reader(row, draws["text"] if training else None)
    span = None if isinstance(row, MomentRow) else row.span
    if recipe.pixels is None:
        whole = inside(span, probe(path).duration, path)
        sound, has_sound = _sound_of(settings, path, whole, draws["sound"] if training else None)
        return Example(
            row=number,
            view=part,
            duration=whole.duration,
            sound=sound,
            has_sound=has_sound,
            learnt=learnt,
        )
    scale = scale_of(recipe.pixels, augment, settings.short_side)
    with recipe.opened(path, span, scale) as stretch:
        whole = stretch.span
        chosen = clip_times(
            whole,
            settings,
            window_seconds=settings.window_seconds or recipe.pixels.seconds,
            draw=draws["frames"] if training else None,
            view=view,
            tempo=1.0 if augment is None else augment.tempo,
            reverse=0.0 if augment is None else augment.reverse,
        )
        _check_steps(settings, stretch.step_seconds, chosen.step_seconds)
        frames = stretch.pictures(chosen.times)
    prepare = Preparation(recipe.pixels, augment, settings.crops)
    clip = prepare(
        frames,
        draws["pixels"],
        crop=crop,
        keep_direction=augment is not None and _keeps_direction(row, augment),
    )
    sound, has_sound = _sound_of(settings, path, whole, draws["sound"] if training else None)
    real = len(chosen.times)
    missing = settings.frames - real
    return Example(
        row=number,
        view=part,
        clip=torch.cat([clip, clip.new_zeros(missing, *clip.shape[1:])]) if missing else clip,
        clip_mask=torch.arange(settings.frames) < real,
        times=torch.tensor([*chosen.times, *[0.0] * missing]),
        duration=whole.duration,
        sound=sound,
        has_sound=has_sound,
        learnt=learnt,
    )


def _sound_of(
    settings: ClipSettings, path: Path, span: Segment, draw: np.random.Generator | None
) -> tuple[Tensor | None, bool]:
    """The clip's samples (n,), and whether there are any; None where no sound is wanted."""
    if settings.sound_rate is None:
        return None, False
    return clip_sound(
        path,
        span,
        sample_rate=settings.sound_rate,
        seconds=settings.sound_seconds,
        draw=draw,
    )


def _check_steps(settings: ClipSettings, kept_seconds: float, wanted_seconds: float) -> None:
    """A cache with fewer frames than the sampling steps over would show one frame for several."""
    if settings.sampling in ("dense", "rate") and kept_seconds > wanted_seconds * 1.001:
        raise UsageError(
            f"The cache has a frame each {kept_seconds:.3g} s and sampling = "
            f"{settings.sampling!r} wants one each {wanted_seconds:.3g} s; raise cache_frames, or "
            "leave the cache out."
        )


def _keeps_direction(row: Row, augment: AugmentSettings) -> bool:
    """Whether a text of the row forbids that left and right are exchanged."""
    return any(
        fnmatchcase(text.lower(), pattern.lower())
        for text in texts_of(row)
        for pattern in augment.keep_direction
    )
