"""Random erasing: a box of each frame, in the same place, becomes noise or the mean colour.

Zhong et al., "Random Erasing Data Augmentation", 2017 (https://arxiv.org/abs/1708.04896), with
timm's numbers: 2 % to a third of the area, ratios of 0.3 to 1 / 0.3, ten tries; a cube as in
SlowFast's code for video. It knows normalised pixels (T, C, H, W), where 0 is the mean colour.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

_AREA = (0.02, 1 / 3)
_RATIO = 0.3
_TRIES = 10


def erase(clip: Tensor, draw: np.random.Generator, fill: Literal["pixel", "const"]) -> Tensor:
    """``pixel``: noise of its own for each pixel; ``const``: 0. Where no box fits, the same."""
    height, width = clip.shape[-2:]
    for _ in range(_TRIES):
        area = draw.uniform(*_AREA) * height * width
        aspect = math.exp(draw.uniform(math.log(_RATIO), -math.log(_RATIO)))
        high, wide = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
        if not (0 < high < height and 0 < wide < width):
            continue
        top = int(draw.integers(0, height - high + 1))
        left = int(draw.integers(0, width - wide + 1))
        clip = clip.clone()
        part = clip[:, :, top : top + high, left : left + wide]
        noise = draw.standard_normal(tuple(part.shape), dtype=np.float32)
        part.copy_(torch.from_numpy(noise) if fill == "pixel" else torch.zeros(()))
        return clip
    return clip
