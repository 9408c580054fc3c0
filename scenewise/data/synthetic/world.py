"""The world as a sequence of scenes with splits, drawn when they are asked for: ``World``.

It knows seeds and splits; it writes no file. A scene follows from the settings, the split and its
number; scenes of val and test stories also from those before, from which they must differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

import numpy as np
import numpy.typing as npt

from scenewise.data.rows import Split
from scenewise.data.synthetic.action_scenes import LOOKS, draw_action
from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.drawing import render
from scenewise.data.synthetic.scene import COLOURS, SHAPES, Scene
from scenewise.data.synthetic.settings import WorldSettings
from scenewise.data.synthetic.sound_scenes import draw_sounding
from scenewise.data.synthetic.soundtrack import soundtrack
from scenewise.data.synthetic.staging import COMMON
from scenewise.data.synthetic.statements import ToldApart
from scenewise.data.synthetic.story_scenes import draw_story
from scenewise.errors import UsageError

_ONE_IN = 5  # combinations of colour, shape and action that are held out
_TRIES = 1000


class World:
    """Scenes by split and number; in every split the classes take turns, so all are as frequent.

    Of val and test stories no two fit one sentence: what is told of one film is true of no other.
    """

    def __init__(self, settings: WorldSettings | None = None) -> None:
        self.settings = settings or WorldSettings()
        self._apart: dict[Split, tuple[ToldApart, list[Scene]]] = {}

    def scene(self, split: Split, number: int) -> Scene:
        """One scene. Raises UsageError where there are no more that differ."""
        if self.settings.kind == "stories" and split != "train":
            return self._told_apart(split, number)
        return self._draw(split, number)

    def scenes(self, split: Split, count: int) -> Iterator[Scene]:
        """The first ``count`` scenes of a split."""
        return (self.scene(split, number) for number in range(count))

    def frames(self, scene: Scene) -> npt.NDArray[np.uint8]:
        """Its film (T, H, W, 3), RGB."""
        return render(scene, size=self.settings.size, frame_rate=self.settings.frame_rate)

    def sound(self, scene: Scene) -> npt.NDArray[np.float32] | None:
        """Its sound (n,), mono at 16 kHz; None where it has none."""
        return soundtrack(scene)

    def films(self, split: Split, count: int) -> Iterator[tuple[npt.NDArray[np.uint8], Scene]]:
        """The first ``count`` films (T, H, W, 3) of a split, each with its truth."""
        for scene in self.scenes(split, count):
            yield self.frames(scene), scene

    def lots(self, split: Split, number: int, what: str = "scene") -> Random:
        """Lots of their own for everything that is drawn about a scene."""
        wanted = self.settings
        return Random(f"{wanted.seed}/{wanted.kind}/{split}/{number}/{what}")

    def _draw(self, split: Split, number: int, attempt: int = 0) -> Scene:
        wanted = self.settings
        lots = self.lots(split, number, f"scene {attempt}" if attempt else "scene")
        seconds, behind = wanted.seconds, wanted.backgrounds
        if wanted.kind == "stories":
            return draw_story(lots, seconds=seconds, events=wanted.events, backgrounds=behind)
        name = wanted.classes[number % len(wanted.classes)]
        if wanted.kind == "sounds":
            return draw_sounding(name, lots, seconds=seconds, backgrounds=behind)
        looks = LOOKS
        if wanted.compositional:
            looks = [look for look in LOOKS if held_out(*look, name) == (split == "test")]
        radius = wanted.radius or COMMON
        return draw_action(
            name, lots, seconds=seconds, looks=looks, backgrounds=behind, radius=radius
        )

    def _told_apart(self, split: Split, number: int) -> Scene:
        """Scenes in their order, each drawn again until it differs from all before."""
        apart, scenes = self._apart.setdefault(split, (ToldApart(), []))
        while len(scenes) <= number:
            for attempt in range(_TRIES):
                scene = self._draw(split, len(scenes), attempt)
                if apart.accept(scene):
                    scenes.append(scene)
                    break
            else:
                raise UsageError(
                    f"There are no more than {len(scenes)} stories of {split} of which no two fit "
                    "one sentence; ask for fewer, or for longer films or more events."
                )
        return scenes[number]


def held_out(colour: str, shape: str, action: str) -> bool:
    """Whether a compositional world keeps this combination for test.

    A Latin square: each colour with each shape, each with each action is in train all the same.
    """
    numbers = (list(COLOURS).index(colour), SHAPES.index(shape), list(ACTIONS).index(action))
    return sum(numbers) % _ONE_IN == 0
