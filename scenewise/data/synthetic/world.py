"""The world as a sequence of scenes with splits, drawn when they are asked for: ``World``.

It knows seeds and splits; it writes no file. A scene follows from the settings, the split and its
number; where scenes of val and test must differ, also from those before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random

import numpy as np
import numpy.typing as npt

from scenewise.data.rows import Split
from scenewise.data.synthetic.action_scenes import FIRST_OF_TWINS, LOOKS, draw_action
from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.drawing import render
from scenewise.data.synthetic.scene import COLOURS, SHAPES, Scene
from scenewise.data.synthetic.settings import WorldSettings
from scenewise.data.synthetic.sound_scenes import draw_sounding
from scenewise.data.synthetic.soundtrack import soundtrack
from scenewise.data.synthetic.statements import ToldApart
from scenewise.data.synthetic.story_scenes import draw_story
from scenewise.errors import UsageError

_ONE_IN = 5  # combinations of colour, shape and action that are held out
_UNITS = [name for name in ACTIONS if name not in FIRST_OF_TWINS]  # a pair of twins is one
_TRIES = 1000


class World:
    """Scenes by split and number; in every split the classes take turns, so all are as frequent.

    Of val and test stories no two fit one sentence: what is told of one film is true of no other.
    So it is of actions that are ``told_apart``. There a film and the next, which is of its twin,
    are of one thing alike, so that whoever sees frames without their order has two to choose from.
    """

    def __init__(self, settings: WorldSettings | None = None) -> None:
        self.settings = settings or WorldSettings()
        self._apart: dict[Split, tuple[ToldApart, list[Scene]]] = {}

    def scene(self, split: Split, number: int) -> Scene:
        """One scene. Raises UsageError where there are no more that differ."""
        wanted = self.settings
        if split != "train" and (wanted.kind == "stories" or wanted.told_apart):
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

    def _draw(
        self, split: Split, number: int, attempt: int = 0, before: Scene | None = None
    ) -> Scene:
        wanted = self.settings
        lots = self.lots(split, number, f"scene {attempt}" if attempt else "scene")
        seconds, behind = wanted.seconds, wanted.backgrounds
        if wanted.kind == "stories":
            return draw_story(lots, seconds=seconds, events=wanted.events, backgrounds=behind)
        name = wanted.classes[number % len(wanted.classes)]
        if wanted.kind == "sounds":
            return draw_sounding(name, lots, seconds=seconds, backgrounds=behind)
        looks, textures = LOOKS, wanted.textures
        if wanted.compositional:
            looks = tuple(look for look in LOOKS if held_out(*look, name) == (split == "test"))
        if before is not None and FIRST_OF_TWINS.get(name) == before.label:
            (thing,) = before.things
            looks, textures = ((thing.colour, thing.shape),), (thing.texture,)
        scene = draw_action(
            name,
            lots,
            seconds=seconds,
            looks=looks,
            backgrounds=behind,
            textures=textures,
            radius=wanted.radius,
            turning=wanted.turning,
        )
        return replace(scene, textured=True) if wanted.told_apart else scene

    def _told_apart(self, split: Split, number: int) -> Scene:
        """Scenes in their order, each drawn again until it differs from all before."""
        apart, scenes = self._apart.setdefault(split, (ToldApart(), []))
        while len(scenes) <= number:
            for attempt in range(_TRIES):
                scene = self._draw(split, len(scenes), attempt, scenes[-1] if scenes else None)
                if apart.accept(scene):
                    scenes.append(scene)
                    break
            else:
                raise UsageError(
                    f"There are no more than {len(scenes)} films of {split} of which no two fit "
                    f"one sentence; ask for fewer, or for {self._more}."
                )
        return scenes[number]

    @property
    def _more(self) -> str:
        """Of what there must be more for more films that differ."""
        stories = self.settings.kind == "stories"
        return "longer films or more events" if stories else "more textures or classes"


def held_out(colour: str, shape: str, action: str) -> bool:
    """Whether a compositional world keeps this combination for test.

    A Latin square: each colour with each shape, each with each action is in train all the same.
    Twins are held out together: if train had one of them with this look, it would tell by frames
    alone which of the two a film of test is.
    """
    first = FIRST_OF_TWINS.get(action, action)
    numbers = (list(COLOURS).index(colour), SHAPES.index(shape), _UNITS.index(first))
    return sum(numbers) % _ONE_IN == 0
