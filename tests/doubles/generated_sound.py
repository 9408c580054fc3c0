"""Sounds whose truth is known by construction, as (n,) float32 at 16 kHz unless said otherwise."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
RATE = 16_000


def _even(wave: npt.NDArray[np.float64], peak: float) -> Samples:
    scaled: Samples = (peak * wave / np.abs(wave).max()).astype(np.float32)
    return scaled


def times(seconds: float, rate: int = RATE) -> npt.NDArray[np.float64]:
    return np.arange(round(seconds * rate)) / rate


def quiet(seconds: float, seed: int = 0, rate: int = RATE) -> Samples:
    """A room in which nothing happens: noise at -70 dB."""
    noise = np.random.default_rng(seed).normal(0, 10 ** (-70 / 20), len(times(seconds, rate)))
    return noise.astype(np.float32)


def noise(seconds: float, level_db: float = -20.0, seed: int = 0) -> Samples:
    wave = np.random.default_rng(seed).normal(0, 10 ** (level_db / 20), len(times(seconds)))
    return wave.astype(np.float32)


def bang(seconds: float = 0.3, peak: float = 0.7, rate: int = RATE) -> Samples:
    """A burst of noise that begins at once and dies away with a time constant of 50 ms."""
    at = times(seconds, rate)
    burst = np.random.default_rng(7).normal(0, 1, len(at)) * np.exp(-at / 0.05)
    return _even(burst, peak)


def music(seconds: float, beat_seconds: float = 0.25, seed: int = 3, rate: int = RATE) -> Samples:
    """Chords of struck strings: triads with six partials, a new one on each beat."""
    random = np.random.default_rng(seed)
    at = times(1.5, rate)
    wave = np.zeros(len(times(seconds, rate)) + len(at))
    for beat in range(int(seconds / beat_seconds)):
        first = round(beat * beat_seconds * rate)
        root = 196.0 * 2 ** (random.integers(0, 8) / 12)
        for step in (0, 4, 7):
            tone = root * 2 ** (step / 12)
            partials = sum(np.sin(2 * np.pi * tone * k * at) / k for k in range(1, 7))
            wave[first : first + len(at)] += partials * np.exp(-3 * at)
    return _even(wave[: len(times(seconds, rate))], 0.4)


def hum(seconds: float) -> Samples:
    """A mains hum with three partials: tones that hold and never change."""
    at = times(seconds)
    wave = sum(np.sin(2 * np.pi * 50 * k * at) / k for k in (2, 4, 6))
    return _even(np.asarray(wave), 0.2) + noise(seconds, -55.0)


def vowels(seconds: float, seed: int = 5) -> Samples:
    """Like speech, without words: a gliding voice through two resonances, four syllables a second.

    After each seven syllables comes a pause as long as one, as between phrases.
    """
    random = np.random.default_rng(seed)
    at = times(seconds)
    syllable = 0.25
    count = int(np.ceil(seconds / syllable)) + 1
    place = np.minimum((at / syllable).astype(int), count - 1)
    share = at / syllable - place
    low = random.uniform(95, 150, count)
    pitch = low[place] * (1.15 - 0.3 * share)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    first, second = random.uniform(350, 800, count)[place], random.uniform(900, 2200, count)[place]
    wave = np.zeros(len(at))
    for k in range(1, 30):
        tone = pitch * k
        gain = 1 / (1 + ((tone - first) / 90) ** 2) + 0.6 / (1 + ((tone - second) / 120) ** 2)
        wave += np.where(tone < 4000, gain * np.sin(k * phase), 0)
    strength = np.where(place % 8 == 7, 0.0, np.sin(np.pi * np.clip(share / 0.8, 0, 1)) ** 2)
    return _even(wave * strength, 0.4)


def spoken(text: str, voice: str = "slt") -> Samples | None:
    """Synthetic speech by the ffmpeg program with flite inside; None where there is none."""
    program = shutil.which("ffmpeg")
    if program is None or not text.replace(" ", "").isalpha():
        return None
    source = f"flite=text='{text}':voice={voice}"
    command = [program, "-v", "error", "-f", "lavfi", "-i", source]
    command += ["-ar", str(RATE), "-ac", "1", "-f", "s16le", "-"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        return None
    samples: Samples = (np.frombuffer(done.stdout, np.int16) / np.float32(32768)).astype(np.float32)
    return samples
