"""Pictures with moving squares and a moving camera: where everything is, is known by construction.

A scene is a smooth random texture larger than the picture. The camera looks at a place of it; a
square stands somewhere in the picture, with a texture of its own, at a place of any fraction of a
pixel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Place = Callable[[float], tuple[float, float]]  # seconds to x, y

WIDTH, HEIGHT = 320, 180


def texture(seed: int, width: int, height: int, grain: int = 8, contrast: float = 1.0) -> Picture:
    """A smooth random picture (height, width, 3) with details of about ``grain`` pixels."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (max(2, height // grain), max(2, width // grain), 3))
    toned = (128 + (coarse - 128) * contrast).astype(np.float32)
    fine = cv2.resize(toned, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(np.round(fine), 0, 255), np.uint8)


_SCENE = texture(0, 1600, 1200, contrast=0.7)


def look(
    x: float = 0.0, y: float = 0.0, scale: float = 1.0, turn: float = 0.0, scene: Picture = _SCENE
) -> Picture:
    """What the camera sees (HEIGHT, WIDTH, 3) when it looks x, y pixels beside the scene's middle.

    ``scale`` 2 shows everything twice as large; ``turn`` in degrees turns the picture clockwise.
    """
    angle = np.radians(turn)
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    linear = np.array([[cos, sin], [-sin, cos]])
    middle = np.array([(scene.shape[1] - 1) / 2 + x, (scene.shape[0] - 1) / 2 + y])
    offset = middle - linear @ np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    matrix = np.column_stack([linear, offset])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(scene, matrix, (WIDTH, HEIGHT), flags=flags), np.uint8)


@dataclass(frozen=True)
class Square:
    """A square with its left upper corner at ``place(seconds)``, pixels."""

    place: Place
    side: int = 36
    seed: int = 1

    def box(self, time: float) -> tuple[float, float, float, float]:
        """Left, top, width and height of what of it is in the picture, as fractions of it."""
        x, y = self.place(time)
        left, top = max(0.0, x), max(0.0, y)
        right, low = min(float(WIDTH), x + self.side), min(float(HEIGHT), y + self.side)
        return left / WIDTH, top / HEIGHT, max(0, right - left) / WIDTH, max(0, low - top) / HEIGHT


def draw(background: Picture, squares: Sequence[Square], time: float) -> Picture:
    """The squares at ``time`` over the background; later ones stand in front."""
    shown = background.astype(np.float32)
    for square in squares:
        x, y = square.place(time)
        shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
        body = texture(square.seed, square.side, square.side, grain=9).astype(np.float32)
        size = (background.shape[1], background.shape[0])
        cover = cv2.warpAffine(np.ones((square.side, square.side), np.float32), shift, size)
        drawn = cv2.warpAffine(body, shift, size, borderMode=cv2.BORDER_REPLICATE)
        shown = shown * (1 - cover[:, :, None]) + drawn * cover[:, :, None]
    return np.clip(np.round(shown), 0, 255).astype(np.uint8)


def iou(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes: left, top, width, height."""
    wide = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    high = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    shared = max(0.0, wide) * max(0.0, high)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)
