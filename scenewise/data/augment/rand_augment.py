"""RandAugment: some of fourteen operations, drawn once and done to all frames of a clip.

Cubuk et al., "RandAugment: Practical automated data augmentation with a reduced search space",
2019 (https://arxiv.org/abs/1909.13719), with torchvision's ranges of 31 magnitudes. Operations are
Pillow's, to the byte where that is possible: nearest neighbours, and black where nothing is. It
knows pixels (T, 3, H, W) uint8.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from einops import rearrange, repeat
from torch import Tensor

from scenewise.data.augment import colour

MAGNITUDES = 31
Matrix = tuple[float, float, float, float, float, float]  # x' = a x + b y + c, y' = d x + e y + f


def affine(frames: Tensor, matrix: Matrix) -> Tensor:
    """Each pixel of the result comes from where ``matrix`` sends its centre; outside is black."""
    height, width = frames.shape[-2:]
    down = torch.arange(height, dtype=torch.float64)[:, None] + 0.5
    right = torch.arange(width, dtype=torch.float64)[None, :] + 0.5
    a, b, c, d, e, f = matrix
    from_x = (a * right + b * down + c).floor().long()
    from_y = (d * right + e * down + f).floor().long()
    inside = (from_x >= 0) & (from_x < width) & (from_y >= 0) & (from_y < height)
    moved = frames[:, :, from_y.clamp(0, height - 1), from_x.clamp(0, width - 1)]
    return moved * inside


def rotate(frames: Tensor, degrees: float) -> Tensor:
    """Counter-clockwise about the centre."""
    height, width = frames.shape[-2:]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    x, y = width / 2, height / 2
    # y runs downwards; the way back from a pixel of the result
    return affine(
        frames,
        (cosine, -sine, x - cosine * x + sine * y, sine, cosine, y - sine * x - cosine * y),
    )


def posterize(frames: Tensor, bits: int) -> Tensor:
    """Keep the highest ``bits`` of each byte."""
    kept: Tensor = frames & (256 - 2 ** (8 - bits))
    return kept


def solarize(frames: Tensor, threshold: float) -> Tensor:
    """Invert what is at least as bright."""
    return torch.where(frames >= threshold, 255 - frames, frames)


def autocontrast(frames: Tensor) -> Tensor:
    """Each channel of each frame from its own darkest and brightest to 0..255."""
    values = frames.float()
    low = values.amin(dim=(-2, -1), keepdim=True)
    spread = values.amax(dim=(-2, -1), keepdim=True) - low
    scale = 255 / torch.where(spread > 0, spread, torch.full_like(spread, 255))
    stretched = (values - low) * scale + 1e-3  # an exact number is not to fall below itself
    return torch.where(spread > 0, stretched.clamp(0, 255).to(torch.uint8), frames)


def equalize(frames: Tensor) -> Tensor:
    """Each channel of each frame so that its levels are equally many, as Pillow counts them."""
    planes = rearrange(frames, "t c h w -> (t c) (h w)").long()
    number = planes.shape[0]
    offsets = torch.arange(number)[:, None] * 256
    counts = torch.bincount((planes + offsets).flatten(), minlength=number * 256)
    histogram = rearrange(counts, "(n level) -> n level", level=256)
    levels = repeat(torch.arange(256), "level -> n level", n=number)
    last = torch.where(histogram > 0, levels, -1).amax(dim=1, keepdim=True)
    step = (histogram.sum(dim=1, keepdim=True) - histogram.gather(1, last)) // 255
    before = histogram.cumsum(dim=1) - histogram
    table = ((before + step // 2) // step.clamp(min=1)).clamp(0, 255)
    table = torch.where(step > 0, table, levels)
    height = frames.shape[-2]
    spread = table.gather(1, planes).to(torch.uint8)
    return rearrange(spread, "(t c) (h w) -> t c h w", c=frames.shape[1], h=height)


def operations(
    magnitude: int, sign: int, height: int, width: int
) -> dict[str, Callable[[Tensor], Tensor]]:
    """All fourteen at this magnitude of 0 to 30; ``sign`` 1 or -1 where there are two ways."""
    share = magnitude / (MAGNITUDES - 1)
    shear = sign * 0.3 * share
    across = int(sign * 150 / 331 * width * share)
    along = int(sign * 150 / 331 * height * share)
    factor = 1 + sign * 0.9 * share
    return {
        "identity": lambda frames: frames,
        "shear_x": partial(affine, matrix=(1, shear, 0, 0, 1, 0)),
        "shear_y": partial(affine, matrix=(1, 0, 0, shear, 1, 0)),
        "translate_x": partial(affine, matrix=(1, 0, -across, 0, 1, 0)),
        "translate_y": partial(affine, matrix=(1, 0, 0, 0, 1, -along)),
        "rotate": partial(rotate, degrees=sign * 30 * share),
        "brightness": partial(colour.brightness, factor=factor),
        "colour": partial(colour.saturation, factor=factor),
        "contrast": partial(colour.contrast, factor=factor),
        "sharpness": partial(colour.sharpness, factor=factor),
        "posterize": partial(posterize, bits=8 - round(4 * share)),
        "solarize": partial(solarize, threshold=255 * (1 - share)),
        "autocontrast": autocontrast,
        "equalize": equalize,
    }


def rand_augment(
    frames: Tensor, draw: np.random.Generator, count: int = 2, magnitude: int = 9
) -> Tensor:
    """``count`` operations one after another, each drawn evenly, with the same magnitude."""
    for _ in range(count):
        sign = 1 if draw.random() < 0.5 else -1
        able = operations(magnitude, sign, *frames.shape[-2:])
        frames = able[list(able)[int(draw.integers(len(able)))]](frames)
    return frames
