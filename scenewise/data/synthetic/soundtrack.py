"""The sound of a scene: ``soundtrack``, from cues to samples.

It knows how each sound is made; what makes it in a scene is said by the scene's cues.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from scenewise.data.synthetic.scene import Event, Scene, SoundCue

Samples = npt.NDArray[np.float32]  # (n,) in [-1, 1]

SAMPLE_RATE = 16_000  # Hz
LOW_HERTZ, HIGH_HERTZ = 260.0, 1040.0
_FADE_SECONDS = 0.01  # so that a tone does not click
_PEAK = 0.9
_SHORT_SECONDS = 0.4  # of a sound that dies away

# what an event of a story sounds like, and where in its span the sound begins
EVENT_SOUNDS: dict[str, tuple[str, float]] = {
    "hit": ("bang", 1.0),
    "collide": ("bang", 0.5),
    "appear": ("bell", 0.0),
    "vanish": ("hiss", 0.0),
    "blink": ("beep", 0.0),
}


def soundtrack(scene: Scene) -> Samples | None:
    """What is heard (n,), mono at SAMPLE_RATE; None for a film without sound."""
    if scene.sounds is None:
        return None
    heard = np.zeros(round(scene.seconds * SAMPLE_RATE), np.float32)
    for number, cue in enumerate(scene.sounds):
        first, last = (round(at * SAMPLE_RATE) for at in (cue.start, cue.end))
        noise = np.random.default_rng([number, first, last])
        sound = SOUNDS[cue.sound](last - first, noise)[: len(heard) - first]
        heard[first : first + len(sound)] += sound
    return np.clip(heard, -_PEAK, _PEAK)


def event_cues(events: tuple[Event, ...], seconds: float) -> tuple[SoundCue, ...]:
    """The sounds that the events of a story make, in time's order."""
    cues = []
    for number, event in enumerate(events):
        if event.action in EVENT_SOUNDS:
            sound, share = EVENT_SOUNDS[event.action]
            start = event.start + share * (event.end - event.start)
            cues.append(SoundCue(sound, start, min(start + _SHORT_SECONDS, seconds), number))
    return tuple(sorted(cues, key=lambda cue: cue.start))


Maker = Callable[[int, np.random.Generator], Samples]


def _times(count: int) -> npt.NDArray[np.float64]:
    return np.arange(count) / SAMPLE_RATE


def _held(samples: npt.NDArray[np.float64], level: float) -> Samples:
    """As loud all the time, with a short rise and fall."""
    ramp = np.minimum(np.arange(len(samples)) / (_FADE_SECONDS * SAMPLE_RATE), 1)
    return (samples * ramp * ramp[::-1] * level).astype(np.float32)


def _dying(samples: npt.NDArray[np.float64], half_seconds: float, level: float) -> Samples:
    """Loud at once, then half as loud every ``half_seconds``."""
    return (samples * 0.5 ** (_times(len(samples)) / half_seconds) * level).astype(np.float32)


def _tone(hertz: float) -> Maker:
    return lambda count, _: _held(np.sin(2 * np.pi * hertz * _times(count)), 0.4)


def _hiss(count: int, noise: np.random.Generator) -> Samples:
    return _held(noise.uniform(-1, 1, count), 0.3)


def _murmur(count: int, noise: np.random.Generator) -> Samples:
    """Low noise behind all else."""
    rough = noise.uniform(-1, 1, count)
    smooth = np.convolve(rough, np.ones(24) / 24, "same")
    return _held(smooth, 0.15)


def _bang(count: int, noise: np.random.Generator) -> Samples:
    return _dying(noise.uniform(-1, 1, count), 0.03, 0.8)


def _tick(count: int, noise: np.random.Generator) -> Samples:
    return _dying(noise.uniform(-1, 1, count), 0.004, 0.5)


def _bell(count: int, _: np.random.Generator) -> Samples:
    times = _times(count)
    partials = sum(np.sin(2 * np.pi * 700 * ratio * times) / 3 for ratio in (1, 2.4, 3.8))
    return _dying(np.asarray(partials), 0.12, 0.6)


SOUNDS: dict[str, Maker] = {
    "low tone": _tone(LOW_HERTZ),
    "high tone": _tone(HIGH_HERTZ),
    "beep": _tone(2000.0),
    "hiss": _hiss,
    "bang": _bang,
    "bell": _bell,
    "tick": _tick,  # that nothing seen makes
    "murmur": _murmur,  # likewise
}
