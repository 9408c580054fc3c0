"""Sounds come when and as the scene says, and some classes need eye and ear together."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import numpy.typing as npt
import pytest

from scenewise.data.synthetic.action_scenes import draw_action
from scenewise.data.synthetic.drawing import render
from scenewise.data.synthetic.scene import Scene, SoundCue
from scenewise.data.synthetic.sound_scenes import ONE_SENSE_BEST, SOUND_CLASSES, draw_sounding
from scenewise.data.synthetic.soundtrack import (
    HIGH_HERTZ,
    LOW_HERTZ,
    SAMPLE_RATE,
    SOUNDS,
    soundtrack,
)
from scenewise.data.synthetic.story_scenes import draw_story


def heard(scene: Scene) -> npt.NDArray[np.float32]:
    samples = soundtrack(scene)
    assert samples is not None
    return samples


def strongest_hertz(samples: npt.NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(samples))
    return float(np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE)[spectrum.argmax()])


def quiet(name: str) -> Scene:
    """A scene of a class without other noise."""
    draws = (draw_sounding(name, Random(seed), seconds=2.0) for seed in range(100))
    return next(s for s in draws if all(c.event is not None for c in s.sounds or ()))


@pytest.mark.parametrize("name", [name for name in SOUND_CLASSES if "tone" in name])
def test_a_tone_sounds_while_the_thing_moves(name: str) -> None:
    scene = quiet(name)
    (event,) = scene.events
    samples = heard(scene)
    loud = np.nonzero(np.abs(samples) > 0.02)[0] / SAMPLE_RATE
    assert loud[0] == pytest.approx(event.start, abs=0.01)
    assert loud[-1] == pytest.approx(event.end, abs=0.01)
    wanted = LOW_HERTZ if "low" in name else HIGH_HERTZ
    assert strongest_hertz(samples) == pytest.approx(wanted, abs=2)


@pytest.mark.parametrize("name", ["grow, silence", "shrink, silence"])
def test_silence_is_silent(name: str) -> None:
    samples = heard(quiet(name))
    assert len(samples) == 2 * SAMPLE_RATE
    assert not samples.any()


def test_a_bang_comes_at_the_contact() -> None:
    stories = [draw_story(Random(seed)) for seed in range(60)]
    hits = [story for story in stories if story.events[0].action == "hit"]
    assert len(hits) > 5
    for story in hits:
        contact = story.events[0].end
        samples = np.abs(heard(story))
        at = round(contact * SAMPLE_RATE)
        before = samples[max(0, at - 800) : at]
        assert samples[at : at + 800].max() > 0.4
        assert before.max(initial=0) < 0.3


@pytest.mark.parametrize("sound", SOUNDS)
def test_every_sound_is_heard_where_it_is_and_nowhere_else(sound: str) -> None:
    scene = draw_action("rest", Random(0))
    samples = heard(replace(scene, sounds=(SoundCue(sound, 0.25, 0.75),)))
    first, last = SAMPLE_RATE // 4, SAMPLE_RATE * 3 // 4
    assert not samples[:first].any()
    assert not samples[last:].any()
    assert np.abs(samples[first:last]).max() > 0.05
    assert np.abs(samples).max() <= 0.9


def test_sounds_differ_from_one_another() -> None:
    noise = np.random.default_rng(0)
    spectra = {}
    for name, make in SOUNDS.items():
        samples = make(SAMPLE_RATE // 2, noise)
        power = np.abs(np.fft.rfft(samples)) ** 2
        bands = np.add.reduceat(power, [0, 60, 200, 400, 700, 1200, 2500])
        spectra[name] = np.append(bands / bands.sum(), np.mean(samples**2) / np.max(samples**2))
    names = list(spectra)
    for number, one in enumerate(names):
        for other in names[:number]:
            assert np.abs(spectra[one] - spectra[other]).sum() > 0.05, (one, other)


def test_a_film_without_sound_has_none() -> None:
    assert soundtrack(draw_action("grow", Random(0))) is None


# ---- what eye and ear can tell


def test_the_same_lots_look_alike_whatever_sounds() -> None:
    """Sight tells nothing of the sound."""
    for action in ("move left", "move right"):
        for seed in range(5):
            low, high = (
                draw_sounding(f"{action}, {pitch} tone", Random(seed)) for pitch in ("low", "high")
            )
            assert (render(low) == render(high)).all()
            assert (heard(low) != heard(high)).any()


def test_the_same_lots_sound_alike_whichever_way_it_goes() -> None:
    """Sound tells nothing of the motion: of twins, the one's cues are the other's, mirrored."""
    spans: dict[str, Counter[tuple[float, float]]] = {"left": Counter(), "right": Counter()}
    for seed in range(200):
        for way, counted in spans.items():
            scene = draw_sounding(f"move {way}, low tone", Random(seed), seconds=1.0)
            (cue,) = (cue for cue in scene.sounds or () if cue.event is not None)
            start, end = (cue.start, cue.end) if way == "right" else (1 - cue.end, 1 - cue.start)
            counted[round(start, 6), round(end, 6)] += 1
    assert spans["left"] == spans["right"]


def test_one_sense_alone_cannot_tell_all() -> None:
    """Each class is guessed by what of it is seen, or heard: the most frequent one is right."""
    for sense in ("action", "sound"):
        groups = Counter(getattr(one, sense) for one in SOUND_CLASSES.values())
        assert len(groups) / len(SOUND_CLASSES) == ONE_SENSE_BEST
    both = {(one.action, one.sound) for one in SOUND_CLASSES.values()}
    assert len(both) == len(SOUND_CLASSES)


def test_half_of_the_films_have_noise_that_means_nothing() -> None:
    for name in ("rest, bell", "grow, silence"):
        noisy = sum(
            any(cue.event is None for cue in draw_sounding(name, Random(seed)).sounds or ())
            for seed in range(200)
        )
        assert 70 < noisy < 130
