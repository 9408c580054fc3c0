"""Colours changed on bytes, alike in all frames: brightness, contrast, saturation, hue.

The formulas are those of Pillow's ImageEnhance, as torchvision has them for tensors: a blend of
the picture with a plainer one, cut to 0..255. It knows pixels (T, 3, H, W) uint8, no settings.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor

_GREY = (0.2989, 0.587, 0.114)  # ITU-R 601-2, as torchvision rounds it


def blend(plain: Tensor, frames: Tensor, factor: float) -> Tensor:
    """``plain`` + factor * (``frames`` - ``plain``) as bytes."""
    mixed = plain.float() * (1 - factor) + frames.float() * factor
    return mixed.clamp_(0, 255).to(torch.uint8)


def grey(frames: Tensor) -> Tensor:
    """(T, 3, H, W) to (T, 1, H, W) uint8."""
    red, green, blue = frames.float().unbind(1)
    level = _GREY[0] * red + _GREY[1] * green + _GREY[2] * blue
    return rearrange(level.to(torch.uint8), "t h w -> t 1 h w")


def grayscale(frames: Tensor) -> Tensor:
    """Without colour, still three channels."""
    return grey(frames).expand_as(frames)


def brightness(frames: Tensor, factor: float) -> Tensor:
    """0 is black."""
    if factor == 1:
        return frames
    return blend(torch.zeros_like(frames), frames, factor)


def contrast(frames: Tensor, factor: float) -> Tensor:
    """0 is each frame's mean grey."""
    if factor == 1:
        return frames
    mean = reduce(grey(frames).float(), "t 1 h w -> t 1 1 1", "mean")
    return blend(mean, frames, factor)


def saturation(frames: Tensor, factor: float) -> Tensor:
    """0 is without colour."""
    if factor == 1:
        return frames
    return blend(grey(frames), frames, factor)


def sharpness(frames: Tensor, factor: float) -> Tensor:
    """0 is Pillow's SMOOTH: a 3 x 3 mean in which the middle weighs 5 of 13; the edge stays."""
    if factor == 1 or min(frames.shape[-2:]) < 3:
        return frames
    kernel = torch.ones(3, 3)
    kernel[1, 1] = 5
    kernel = (kernel / 13).expand(frames.shape[1], 1, 3, 3)
    smooth = frames.clone()
    inner = F.conv2d(frames.float(), kernel, groups=frames.shape[1])
    smooth[:, :, 1:-1, 1:-1] = (inner + 0.5).clamp_(0, 255).to(torch.uint8)
    return blend(smooth, frames, factor)


def hue(frames: Tensor, shift: float) -> Tensor:
    """Turns the circle of hues by ``shift`` of it, -0.5 to 0.5; 1/3 makes red green."""
    if shift == 0:
        return frames
    red, green, blue = (frames.float() / 255).unbind(1)
    high = torch.maximum(torch.maximum(red, green), blue)
    spread = high - torch.minimum(torch.minimum(red, green), blue)
    safe = torch.where(spread > 0, spread, torch.ones_like(spread))
    sector = torch.where(
        high == red,
        ((green - blue) / safe) % 6,
        torch.where(high == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    turned = (sector + 6 * shift) % 6
    # each channel falls from its own hue to a third of the circle away
    channels = [
        high - spread * (1 - ((turned + offset) % 6 - 3).abs().sub(1).clamp(0, 1))
        for offset in (0, 4, 2)
    ]
    mixed = torch.stack(channels, dim=1)
    return (mixed * 255 + 0.5).clamp_(0, 255).to(torch.uint8)


def jitter(
    frames: Tensor,
    draw: np.random.Generator,
    *,
    brightness_by: float,
    contrast_by: float,
    saturation_by: float,
    hue_by: float,
) -> Tensor:
    """Torchvision's ColorJitter: each by a factor of 1 - x to 1 + x, in an order that is drawn.

    The factors are drawn once for all frames.
    """
    steps: list[tuple[Callable[[Tensor, float], Tensor], float]] = [
        (brightness, draw.uniform(max(0.0, 1 - brightness_by), 1 + brightness_by)),
        (contrast, draw.uniform(max(0.0, 1 - contrast_by), 1 + contrast_by)),
        (saturation, draw.uniform(max(0.0, 1 - saturation_by), 1 + saturation_by)),
        (hue, draw.uniform(-hue_by, hue_by)),
    ]
    for place in draw.permutation(len(steps)):
        change, amount = steps[int(place)]
        frames = change(frames, float(amount))
    return frames
