"""The world as a sequence of scenes with splits, drawn when they are asked for: ``World``.

It knows seeds and splits; it writes no file. A scene follows from the seed, the split and its
number alone, so any one can be had without the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from random import Random

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from scenewise.data.rows import Split
from scenewise.data.synthetic.action_scenes import draw_action
from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.drawing import render
from scenewise.data.synthetic.scene import BACKGROUNDS, BackgroundKind, Scene

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class WorldSettings(BaseModel):
    """What a world is: the same settings give the same films to the pixel."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    size: int = Field(default=64, ge=16, le=1024, multiple_of=2)  # pixels, a square
    frame_rate: Fraction = Fraction(8)
    seconds: float = Field(default=1.0, ge=0.5)
    classes: tuple[str, ...] = tuple(ACTIONS)
    backgrounds: tuple[BackgroundKind, ...] = BACKGROUNDS


class World:
    """Scenes by split and number; in every split the classes take turns, so all are as frequent."""

    def __init__(self, settings: WorldSettings | None = None) -> None:
        self.settings = settings or WorldSettings()

    def scene(self, split: Split, number: int) -> Scene:
        """One scene."""
        wanted = self.settings
        lots = Random(f"{wanted.seed}/{split}/{number}")
        return draw_action(
            wanted.classes[number % len(wanted.classes)],
            lots,
            seconds=wanted.seconds,
            backgrounds=wanted.backgrounds,
        )

    def frames(self, scene: Scene) -> npt.NDArray[np.uint8]:
        """Its film (T, H, W, 3), RGB."""
        return render(scene, size=self.settings.size, frame_rate=self.settings.frame_rate)

    def films(self, split: Split, count: int) -> Iterator[tuple[npt.NDArray[np.uint8], Scene]]:
        """The first ``count`` films of a split, each with its truth."""
        for number in range(count):
            scene = self.scene(split, number)
            yield self.frames(scene), scene
