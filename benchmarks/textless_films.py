"""Films in which nothing is written: photographs, textures and noise, looked over by a camera.

The photographs are those inside scikit-image and scikit-learn that hold no letters (looked at one
by one): whatever is read in them is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from PIL import Image

from benchmarks.locate_films import photograph
from benchmarks.text_films import RATE
from scenewise.media.film import Picture, noise_picture

PHOTOGRAPHS = (
    "chelsea.png",
    "coffee.png",
    "camera.png",
    "hubble_deep_field.jpg",
    "moon.png",
    "retina.jpg",
    "ihc.png",
    "flower.jpg",
)
TEXTURES = ("brick.png", "grass.png", "gravel.png", "cell.png")
SECONDS = 12
SIZES = ((640, 360), (1280, 720))


def textless_films(seed: int) -> Iterator[tuple[str, Iterator[Picture]]]:
    """A name, and the pictures at ``text_films.RATE``, of each film."""
    random = np.random.default_rng(seed)
    for name in (*PHOTOGRAPHS, *TEXTURES):
        for size in SIZES:
            yield f"{name}, {size[0]} x {size[1]}", _looked_over(photograph(name), size, random)
    for sigma in (10.0, 40.0):
        yield f"noise of {sigma:g} grey levels", _noise(sigma, random)


def _looked_over(
    photo: Image.Image, size: tuple[int, int], random: np.random.Generator
) -> Iterator[Picture]:
    """A slow pan and zoom from one place of the photograph to another."""
    width, height = photo.size
    ends = [(random.uniform(0.3, 0.9), *random.uniform(0, 1, 2)) for _ in range(2)]
    count = round(SECONDS * RATE)
    for number in range(count):
        share = number / count
        wide, x, y = ((1 - share) * a + share * b for a, b in zip(*ends, strict=True))
        part_width = min(wide * width, wide * height * size[0] / size[1])
        part_height = part_width * size[1] / size[0]
        left, upper = x * (width - part_width), y * (height - part_height)
        part = photo.resize(
            size,
            Image.Resampling.BICUBIC,
            box=(left, upper, left + part_width, upper + part_height),
        )
        yield np.asarray(part)


def _noise(sigma: float, random: np.random.Generator) -> Iterator[Picture]:
    """A smooth picture under the noise of a camera, another in each picture."""
    still = noise_picture(int(random.integers(10**6)), *SIZES[0]).astype(np.float32)
    for _ in range(round(SECONDS * RATE)):
        noisy = still + random.normal(0, sigma, still.shape)
        yield np.asarray(np.clip(noisy, 0, 255), np.uint8)
