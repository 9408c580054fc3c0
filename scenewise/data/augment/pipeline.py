"""From decoded frames to what a network takes: cut, changed by chance, normalised.

The order: box, flip, colours, RandAugment on bytes; then the card's normalisation, then erasing.
It knows settings and pixels; it knows no file and no row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from scenewise.data.augment import boxes, colour
from scenewise.data.augment.boxes import Box
from scenewise.data.augment.erasing import erase
from scenewise.data.augment.rand_augment import rand_augment
from scenewise.data.settings import AugmentSettings
from scenewise.data.stretch import Frames, Scale
from scenewise.encoders.network_folder import Pixels

_PUBLISHED = 224  # pixels, for which 256 and 320 are meant
_SHORT, _LONGEST = 256, 320


def scale_of(
    pixels: Pixels, augment: AugmentSettings | None, short_side: int | None = None
) -> Scale:
    """How large frames are decoded: no smaller than any box needs.

    Without chance as the network's card says, so that testing sees what ``classify --model``
    sees; with chance the published 256 for 224, or the upper end of the jitter.
    """
    size, card = pixels.target.width, pixels.target.resize_shortest
    usual = size if card is None else max(size, card)
    if augment is not None and augment.crop == "jitter":
        usual = jitter_of(augment, size)[1]
    elif augment is not None and augment.crop != "centre":
        usual = usual if card is not None else round(size * _SHORT / _PUBLISHED)
    if augment is not None and short_side is not None:
        usual = short_side
    return Scale(usual, pixels.target.interpolation)


def jitter_of(augment: AugmentSettings, size: int) -> tuple[int, int]:
    """Shortest and longest short edge, in pixels."""
    if augment.jitter is not None:
        return augment.jitter
    return round(size * _SHORT / _PUBLISHED), round(size * _LONGEST / _PUBLISHED)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is done to the frames of every clip; ``augment`` None is testing."""

    pixels: Pixels
    augment: AugmentSettings | None = None
    crops: int = 1  # in testing

    def __call__(
        self,
        frames: Frames,
        draw: np.random.Generator,
        *,
        crop: int = 0,
        keep_direction: bool = False,
    ) -> Tensor:
        """Frames (T, H, W, 3) uint8 to (T, C, size, size) float, normalised.

        ``crop`` counts the crops of testing. With ``keep_direction`` left stays left.
        """
        clip = rearrange(torch.from_numpy(frames), "t h w c -> t c h w")
        size = self.pixels.target.width
        mode = "bicubic" if self.pixels.target.interpolation == "bicubic" else "bilinear"
        box = self._box(clip.shape[-2], clip.shape[-1], size, draw, crop)
        clip = boxes.cut(clip, box, size, mode)
        if self.augment is not None:
            clip = _changed(clip, self.augment, draw, keep_direction)
        values = normalised(clip, self.pixels)
        if self.augment is not None and draw.random() < self.augment.erase:
            values = erase(values, draw, self.augment.erase_with)
        return values

    def _box(self, height: int, width: int, size: int, draw: np.random.Generator, crop: int) -> Box:
        augment = self.augment
        if augment is None or augment.crop == "centre":
            places = self.crops if augment is None else 1
            return boxes.centre_box(height, width, size, crop, places)
        match augment.crop:
            case "resized":
                return boxes.resized_box(
                    height, width, draw, augment.crop_scale, augment.crop_ratio
                )
            case "corners":
                return boxes.corner_box(height, width, size, draw)
            case "jitter":
                return boxes.jitter_box(height, width, size, jitter_of(augment, size), draw)


def normalised(clip: Tensor, pixels: Pixels) -> Tensor:
    """RGB bytes (T, 3, H, W) to (x / 255 - mean) / std, in the order of the network's channels."""
    mean, std = torch.tensor(pixels.mean), torch.tensor(pixels.std)
    # one multiplication and one addition, as the encoders of a search do it
    scale = rearrange(1 / (255 * std), "c -> c 1 1")
    shift = rearrange(-mean / std, "c -> c 1 1")
    if pixels.channels == "bgr":
        clip = clip.flip(1)
    # rearranged as bytes, of which there are a quarter
    return clip.contiguous().float().mul_(scale).add_(shift)


def _changed(
    clip: Tensor, augment: AugmentSettings, draw: np.random.Generator, keep_direction: bool
) -> Tensor:
    """Flip and colours; one draw for each whether it is used or not."""
    flipped = draw.random() < augment.flip
    if flipped and not keep_direction:
        clip = clip.flip(-1)
    if draw.random() < augment.colour:
        clip = colour.jitter(
            clip,
            draw,
            brightness_by=augment.brightness,
            contrast_by=augment.contrast,
            saturation_by=augment.saturation,
            hue_by=augment.hue,
        )
    if draw.random() < augment.grayscale:
        clip = colour.grayscale(clip)
    if augment.rand_augment:
        clip = rand_augment(clip, draw, augment.rand_augment, augment.magnitude)
    return clip
