"""Scenes that are told apart by sight, by sound or by both together: ``draw_sounding``.

It knows the classes and what eye and ear alone can reach; how a sound is made it does not know.

Of the eight classes, four are two motions with two sounds each (both are needed), two look alike
and sound different, two sound alike and look different. So the best that sight alone can do is 5 of
8 films right, sound alone the same, both together all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from scenewise.data.synthetic.action_scenes import draw_action
from scenewise.data.synthetic.scene import BACKGROUNDS, BackgroundKind, Scene, SoundCue


@dataclass(frozen=True, slots=True)
class SoundClass:
    """What is seen and what is heard with it; None is nothing."""

    action: str
    sound: str | None

    @property
    def name(self) -> str:
        """``move left, low tone``."""
        return f"{self.action}, {self.sound or 'silence'}"


SOUND_CLASSES: dict[str, SoundClass] = {
    one.name: one
    for one in (
        SoundClass("move left", "low tone"),
        SoundClass("move left", "high tone"),
        SoundClass("move right", "low tone"),
        SoundClass("move right", "high tone"),
        SoundClass("rest", "bell"),
        SoundClass("rest", "hiss"),
        SoundClass("grow", None),
        SoundClass("shrink", None),
    )
}
ONE_SENSE_BEST = 5 / 8  # share of films that the better guess by one sense alone gets right
_DISTRACTED = 0.5  # share of films with sounds that mean nothing
_TICK_SECONDS = 0.1


def draw_sounding(
    name: str,
    lots: Random,
    *,
    seconds: float = 2.0,
    backgrounds: tuple[BackgroundKind, ...] = BACKGROUNDS,
) -> Scene:
    """A scene of one class of SOUND_CLASSES, with sound; in half of them there is other noise."""
    wanted = SOUND_CLASSES[name]
    scene = draw_action(wanted.action, lots, seconds=seconds, backgrounds=backgrounds)
    cues = []
    if wanted.sound is not None:
        (event,) = scene.events
        cues.append(SoundCue(wanted.sound, event.start, event.end, 0))
    if lots.random() < _DISTRACTED:
        cues.append(SoundCue("murmur", 0.0, seconds))
        start = lots.randint(0, round((seconds - _TICK_SECONDS) * 20)) / 20
        cues.append(SoundCue("tick", start, start + _TICK_SECONDS))
    return replace(scene, label=name, sounds=tuple(sorted(cues, key=lambda cue: cue.start)))
