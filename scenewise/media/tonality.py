"""How much a stretch of sound is like music: tones that hold, and that change.

It knows samples at 16 kHz; it knows no file, and neither melody nor style.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]  # (n,) mono at 16 kHz
FloatArray = npt.NDArray[np.float64]

FRAME, HOP = 2048, 512  # samples of one spectrum (128 ms), and from one to the next
FRAMES = 80  # spectra of one judgement, 2.7 s
STEP = 16  # spectra from one judgement to the next, 0.512 s
_LOW_BIN, _HIGH_BIN = 6, 640  # 47 Hz to 5 kHz
_REACH = 10  # bins on either side that a peak is compared with, 78 Hz
_PEAK_DB = 6.0  # above their mean
_QUIET_DB = -60.0  # of full scale: spectra below hold no tone
_HELD = 10  # spectra for which a tone must stand, 0.32 s; those of speech glide away sooner
_NEIGHBOURS = 12  # bins within which a held tone must stand out
_TONES = 5  # the strongest that are counted


class MusicDetector:
    """A judgement each 0.512 s, over the 2.7 s of sound that began then.

    Continuous frequency activation (Seyerlehner, Pohle, Schedl & Widmer 2007, "Automatic Music
    Detection in Television Productions"): local peaks of each spectrum are marked, and a
    frequency that stays marked is a held tone. The five that stand out most are summed. Besides,
    the level of speech swings deeply, which takes from the sum; and a hum never changes: a tone
    whose own level stands still does not count as music. Drums alone are not found; a siren, an
    engine with a clear tone or a whistle may be.
    """

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.float32)
        self._decibels = np.zeros((0, _HIGH_BIN - _LOW_BIN))
        self._levels = np.zeros(0)

    def add(self, samples: Samples) -> FloatArray:
        """(n,) samples that follow those before, to the judgements that are complete.

        (k, 2): the evidence of held tones, 0 to 5, and how much they change, 0 to 1.
        """
        self._samples = np.concatenate([self._samples, samples])
        count = (len(self._samples) - FRAME) // HOP + 1
        if count > 0:
            decibels, levels = _spectra(self._samples[: (count - 1) * HOP + FRAME])
            self._samples = self._samples[count * HOP :]
            self._decibels = np.concatenate([self._decibels, decibels])
            self._levels = np.concatenate([self._levels, levels])
        judged = []
        while len(self._levels) >= FRAMES:
            judged.append(_judge(self._decibels[:FRAMES], self._levels[:FRAMES]))
            self._decibels, self._levels = self._decibels[STEP:], self._levels[STEP:]
        return np.array(judged).reshape(-1, 2)


def _spectra(samples: Samples) -> tuple[FloatArray, FloatArray]:
    """Levels of the bins, (frames, bins), and of the whole, (frames,), in dB of full scale."""
    window = np.hanning(FRAME)
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2 / (window.sum() / 2) ** 2
    power = power[:, _LOW_BIN:_HIGH_BIN]
    return 10 * np.log10(power + 1e-9), 10 * np.log10(power.sum(axis=1) + 1e-12)


def strength(evidence: float, change: float, speech: float) -> float:
    """How surely it is music, 0 to 1; ``speech`` is the mean chance of it over the stretch.

    Voices hold tones too, above all synthetic ones; under speech more is asked for.
    """
    return change / (1 + math.exp(-(evidence - 0.8 * speech - 2.0) / 0.3))


def _judge(decibels: FloatArray, levels: FloatArray) -> tuple[float, float]:
    """Evidence and change from (FRAMES, bins) and (FRAMES,)."""
    is_held = _held(_peaks(decibels) & (levels > _QUIET_DB)[:, None])
    activation = is_held.mean(axis=0)
    tones = _standing_out(activation)[:_TONES]
    if not tones:
        return 0.0, 0.0
    sounding = levels[levels > _QUIET_DB]
    swing = max(0.0, float(sounding.std()) - 5.0)
    evidence = sum(height for height, _ in tones) - 0.12 * swing
    # the level of a hum in noise 40 dB below it moves by less than 1 dB
    change = float(np.mean([min(1.0, decibels[:, bin_].std() / 3.0) for _, bin_ in tones]))
    return evidence, change


def _peaks(decibels: FloatArray) -> npt.NDArray[np.bool_]:
    """Cells well above the mean of their neighbours in frequency."""
    padded = np.pad(decibels, ((0, 0), (_REACH + 1, _REACH)), mode="edge")
    total = np.cumsum(padded, axis=1)
    size = 2 * _REACH + 1
    near = (total[:, size:] - total[:, :-size]) / size
    return np.asarray((decibels - near > _PEAK_DB) & (decibels > -70.0))


def _held(cells: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Runs in time of at least ``_HELD`` cells: a morphological opening."""
    windows = np.lib.stride_tricks.sliding_window_view(cells, _HELD, axis=0)
    whole = np.pad(windows.all(axis=-1), ((_HELD - 1, _HELD - 1), (0, 0)))
    return np.asarray(np.lib.stride_tricks.sliding_window_view(whole, _HELD, axis=0).any(axis=-1))


def _standing_out(activation: FloatArray) -> list[tuple[float, int]]:
    """Local maxima as (height over the higher of the two lowlands beside it, bin), best first."""
    inner = activation[1:-1]
    is_top = (inner >= activation[:-2]) & (inner > activation[2:])
    tones = []
    for bin_ in (int(place) + 1 for place in np.flatnonzero(is_top)):
        left = activation[max(0, bin_ - _NEIGHBOURS) : bin_].min()
        right = activation[bin_ + 1 : bin_ + 1 + _NEIGHBOURS].min()
        tones.append((float(activation[bin_] - max(left, right)), bin_))
    return sorted(tones, reverse=True)
