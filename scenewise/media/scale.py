"""From a decoded picture in YUV to RGB of the wanted size, upright, in one swscale pass.

It knows pixels, rotation, pixel aspect and colour spaces; it knows nothing of time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ScaleMode = Literal["squash", "crop", "fit", "original"]


@dataclass(frozen=True, slots=True)
class Target:
    """The wanted picture.

    squash: exactly ``width`` x ``height``, the aspect is not kept.
    crop: the short edge is scaled to ``resize_shortest`` (None: to just cover the target), then
    ``width`` x ``height`` is cut from the centre.
    fit: scaled to fit inside ``width`` x ``height``, no bars, even sizes.
    original: display size (upright, square pixels).
    """

    width: int = 224
    height: int = 224
    mode: ScaleMode = "squash"
    resize_shortest: int | None = None
    interpolation: Literal["bicubic", "bilinear", "area"] = "bicubic"
