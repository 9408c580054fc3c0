"""The picture that is wanted: its size, and what happens to the aspect.

It knows numbers alone, so that who only names a target (an encoder's spec, a search) loads no
decoder; how a frame becomes the target is ``scale``'s.
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

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(
                f"a picture needs a size of at least 1, got {self.width}x{self.height}"
            )
        if self.resize_shortest is not None and self.resize_shortest < 1:
            raise ValueError(f"resize_shortest is at least 1, got {self.resize_shortest}")
