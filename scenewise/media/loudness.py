"""Silences and loud onsets: what the level of sound tells, 10 ms by 10 ms.

It knows samples at 16 kHz; it knows no file, and not what makes the noise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenewise.media.mel import mel_filters

Samples = npt.NDArray[np.float32]  # (n,) mono at 16 kHz
FloatArray = npt.NDArray[np.float64]

FRAME, HOP = 320, 160  # samples of one spectrum (20 ms), and from one to the next (10 ms)
_RATE = 16_000  # Hz
_MEL_BINS = 24
_FLOOR_DB = -70.0  # of full scale, a band: what is below is not told apart


@dataclass(frozen=True, slots=True)
class Levels:
    """The spectra of n frames; frame k is centred at (k + 1) * HOP samples."""

    decibels: FloatArray  # (n,) level of the whole, dB of full scale (a square wave: 0)
    bands: FloatArray  # (n, mel bands) dB, not below _FLOOR_DB


class LevelMeter:
    """Samples in, levels out; what does not fill a frame waits for the next samples."""

    def __init__(self) -> None:
        self._samples = np.zeros(0, np.float32)

    def add(self, samples: Samples) -> Levels:
        """(n,) samples that follow those before."""
        self._samples = np.concatenate([self._samples, samples])
        count = max(0, (len(self._samples) - FRAME) // HOP + 1)
        if count == 0:
            return Levels(np.zeros(0), np.zeros((0, _MEL_BINS)))
        used = self._samples[: (count - 1) * HOP + FRAME].astype(np.float64)
        self._samples = self._samples[count * HOP :]
        frames = np.lib.stride_tricks.sliding_window_view(used, FRAME)[::HOP]
        window = np.hanning(FRAME)
        power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
        power *= 2.0 / (FRAME * (window**2).sum())
        filters = mel_filters(_MEL_BINS, FRAME, _RATE)
        filters = filters / filters.sum(axis=1, keepdims=True).clip(1e-9)
        bands = 10 * np.log10((power @ filters.T).clip(10 ** (_FLOOR_DB / 10)))
        return Levels(10 * np.log10(power.sum(axis=1) + 1e-10), bands)


class SilenceMeter:
    """How sure each frame is silent: 0, or 0.5 at the threshold to 1.0 at 20 dB below it.

    The threshold stands 35 dB under the loud parts, but never above -40 dB of full scale (then
    something is audible, however loud the rest) nor below -60 dB (then nothing is). The loud
    parts are followed upwards at once and downwards by 1 dB in two seconds.
    """

    _UNDER_DB, _HIGHEST_DB, _LOWEST_DB = 35.0, -40.0, -60.0
    _FALL_DB = 0.005  # a frame
    _START_DB = -20.0  # speech in most recordings

    def __init__(self) -> None:
        self._loud = self._START_DB

    def add(self, levels: Levels) -> FloatArray:
        """(n,)."""
        count = len(levels.decibels)
        fall = self._FALL_DB * np.arange(1, count + 1)
        # the highest of all levels so far, each lowered by its age
        loud = np.maximum.accumulate(np.maximum(levels.decibels + fall, self._loud)) - fall
        if count:
            self._loud = float(loud[-1])
        threshold = np.clip(loud - self._UNDER_DB, self._LOWEST_DB, self._HIGHEST_DB)
        below = threshold - levels.decibels
        return np.where(below > 0, 0.5 + 0.5 * np.clip(below / 20, 0, 1), 0.0)


@dataclass(frozen=True, slots=True)
class Onset:
    """Something loud that begins all at once, in frames."""

    first: int
    last: int  # after the end
    strength: float


class OnsetMeter:
    """Peaks of the spectral flux that lift the level well above the two seconds before.

    Flux as in Bello et al. 2005 ("A Tutorial on Onset Detection in Music Signals"): the mean rise
    of the bands in dB over 30 ms. A peak of it counts where the level of the 60 ms that follow is
    at least 15 dB above the running level (what three quarters of those two seconds stay under,
    so that one bang does not hide the next) and -30 dB of full scale. Its strength grows with that
    distance, up to 36 dB, and by half with how noise-like the burst is: a bang is, a vowel is
    not. It ends where the level has fallen by 20 dB, or after half a second.
    """

    _LEAST_DB, _FULL_DB = 15.0, 36.0
    _LOUD_DB, _QUIET_DB = -30.0, -50.0  # least level of an onset; lowest running level
    _FLUX_DB = 4.0
    _OVER = 3  # frames that a rise is measured over
    _AFTER = 6  # frames that tell how loud it became
    _LONGEST, _APART = 50, 50  # frames
    _RUNNING = 200  # frames

    def __init__(self) -> None:
        self._decibels = np.zeros(0)
        self._bands = np.zeros((0, _MEL_BINS))
        self._dropped = 0  # frames before the first that is kept
        self._next = 0  # the first frame that is not judged yet
        self._latest = -self._APART

    def add(self, levels: Levels, *, final: bool = False) -> list[Onset]:
        """Onsets that are complete; with ``final``, also those cut off by the end."""
        self._decibels = np.concatenate([self._decibels, levels.decibels])
        self._bands = np.concatenate([self._bands, levels.bands])
        heard = self._dropped + len(self._decibels)
        last = heard if final else heard - self._LONGEST - self._OVER - self._AFTER
        found = [onset for onset in self._search(last) if onset is not None]
        self._next = max(self._next, last)
        spare = max(0, self._next - self._RUNNING - 2 * self._OVER - self._dropped)
        self._decibels, self._bands = self._decibels[spare:], self._bands[spare:]
        self._dropped += spare
        return found

    def _search(self, last: int) -> list[Onset | None]:
        count = len(self._decibels)
        if count <= 2 * self._OVER or last <= self._next:
            return []
        rise = np.maximum(0.0, self._bands[self._OVER :] - self._bands[: -self._OVER])
        # rise r lies between the frames r and r + _OVER: it belongs to the second
        flux = np.concatenate([np.zeros(self._OVER), rise.mean(axis=1)])
        near = np.lib.stride_tricks.sliding_window_view(np.pad(flux, 5), 11).max(axis=1)
        is_peak = (flux >= self._FLUX_DB) & (flux >= near)
        places = np.flatnonzero(is_peak)
        return [
            self._judge(int(place))
            for place in places
            if self._next <= place + self._dropped < last
        ]

    def _judge(self, place: int) -> Onset | None:
        """The onset whose flux is highest at a kept frame, or None."""
        if place + self._dropped - self._latest < self._APART:
            return None
        # the peak of the flux lies where the rise is complete: it began up to _OVER before
        begin = max(0, place - self._OVER + 1)
        before = self._decibels[max(0, begin - self._RUNNING) : begin]
        running = float(np.quantile(before, 0.75)) if len(before) else self._QUIET_DB
        after = self._decibels[begin : begin + self._AFTER + self._OVER]
        loud = float(after.max())
        above = loud - max(running, self._QUIET_DB)
        if above < self._LEAST_DB or loud < self._LOUD_DB:
            return None
        ringing = self._decibels[begin + self._OVER : begin + self._LONGEST] < loud - 20.0
        length = self._OVER + (int(np.argmax(ringing)) if ringing.any() else len(ringing))
        peak = begin + int(np.argmax(after))
        share = np.clip((above - self._LEAST_DB) / (self._FULL_DB - self._LEAST_DB), 0, 1)
        strength = (0.4 + 0.6 * share) * (0.5 + 0.5 * _noisiness(self._bands[peak : peak + 3]))
        self._latest = place + self._dropped
        first = begin + self._dropped
        return Onset(first, first + length, float(strength))


def _noisiness(bands: FloatArray) -> float:
    """0 for a few bands alone to 1 for all alike: spectral flatness of (n, bands) in dB."""
    power = 10 ** (bands / 10)
    flatness = 10 ** (bands.mean() / 10) / power.mean()
    return float(np.clip(flatness / 0.4, 0, 1))
