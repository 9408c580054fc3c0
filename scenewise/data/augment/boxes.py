"""Which part of a picture is shown, and how it becomes a square: one box for all frames.

It draws boxes and cuts them out; it knows sizes, not what is in the picture. All ways are of one
kind, a box that is scaled to the network's size, so that a picture is resampled once.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch.nn.functional as F
from torch import Tensor

_TRIES = 10
CORNER_SCALES = (1.0, 0.875, 0.75, 0.66)
_CLOSE = 3  # pixels by which a box may miss the network's size and yet be taken for it


class Box(NamedTuple):
    """Pixels."""

    top: int
    left: int
    height: int
    width: int


def centre_box(height: int, width: int, side: int, place: int = 1, places: int = 1) -> Box:
    """A square of ``side``: in the middle, or at one of ``places`` along the longer edge.

    Of three places 0 is left (or upper), 1 the centre and 2 right (or lower). The offset is
    rounded half to even, as in the published centre crop.
    """
    share = 0.5 if places == 1 else place / (places - 1)
    down, right = height - side, width - side
    if down > right:
        return Box(round(down * share), round(right / 2), side, side)
    return Box(round(down / 2), round(right * share), side, side)


def resized_box(
    height: int,
    width: int,
    draw: np.random.Generator,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
) -> Box:
    """Random resized crop: a share of the area, and a ratio whose logarithm is drawn evenly.

    Szegedy et al., "Going Deeper with Convolutions", 2014 (https://arxiv.org/abs/1409.4842), in
    torchvision's form: ten tries, then the largest middle box whose ratio is allowed.
    """
    for _ in range(_TRIES):
        area = height * width * draw.uniform(*scale)
        aspect = math.exp(draw.uniform(math.log(ratio[0]), math.log(ratio[1])))
        wide, high = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if 0 < wide <= width and 0 < high <= height:
            top = int(draw.integers(0, height - high + 1))
            return Box(top, int(draw.integers(0, width - wide + 1)), high, wide)
    wide, high = width, height
    if width / height < ratio[0]:
        high = round(width / ratio[0])
    elif width / height > ratio[1]:
        wide = round(height * ratio[1])
    return Box((height - high) // 2, (width - wide) // 2, high, wide)


def corner_box(height: int, width: int, size: int, draw: np.random.Generator) -> Box:
    """Multi-scale corner crop: sides of four scales, at one of thirteen places.

    Wang et al., "Temporal Segment Networks", 2016 (https://arxiv.org/abs/1608.00859), as their
    code and TSM's have it: both sides by scales of the short edge that are at most one step
    apart; the places are corners, centre, middles of the edges and of the quarters.
    """
    short = min(height, width)
    sides = [int(short * scale) for scale in CORNER_SCALES]
    sides = [size if abs(side - size) < _CLOSE else side for side in sides]
    pairs = [
        (high, wide)
        for first, high in enumerate(sides)
        for second, wide in enumerate(sides)
        if abs(first - second) <= 1
    ]
    high, wide = pairs[int(draw.integers(len(pairs)))]
    high, wide = min(high, height), min(wide, width)
    places = [(0, 0), (0, 4), (4, 0), (4, 4), (2, 2)]
    places += [(2, 0), (2, 4), (4, 2), (0, 2), (1, 1), (1, 3), (3, 1), (3, 3)]
    down, right = places[int(draw.integers(len(places)))]
    return Box(down * ((height - high) // 4), right * ((width - wide) // 4), high, wide)


def jitter_box(
    height: int, width: int, size: int, short_sides: tuple[int, int], draw: np.random.Generator
) -> Box:
    """Short-side jitter: the short edge becomes one of a range, then a square of ``size`` is cut.

    Simonyan and Zisserman 2014 (https://arxiv.org/abs/1409.1556); SlowFast and TimeSformer take
    256 to 320 for 224. Here as the box of the unscaled picture that shows the same.
    """
    wanted = round(draw.uniform(*short_sides))
    side = min(height, width, max(1, round(size * min(height, width) / max(wanted, size))))
    top = int(draw.integers(0, height - side + 1))
    return Box(top, int(draw.integers(0, width - side + 1)), side, side)


def cut(frames: Tensor, box: Box, size: int, mode: str = "bilinear") -> Tensor:
    """The box of frames (T, C, H, W) uint8, scaled to ``size`` x ``size`` with antialiasing.

    A box that has the size already is cut out and no pixel is changed.
    """
    part = frames[:, :, box.top : box.top + box.height, box.left : box.left + box.width]
    if (box.height, box.width) == (size, size):
        return part
    return F.interpolate(part, (size, size), mode=mode, antialias=True)
