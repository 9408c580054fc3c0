"""Sound as spectra: noise reduction, energy of bands, onsets, silence.

It knows arrays of samples and their rate. It knows no file and no network.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scenewise.media.mel import mel_filters
from scenewise.types import Segment

Samples = npt.NDArray[np.float32]  # (n,), mono
FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

_FRAME = 512  # samples of one short-time spectrum
_HOP = 128
_SILENT_POWER = 1e-12  # of a cell of the spectrum: digital silence, no evidence of noise
# The power of noise in one cell of a spectrum is exponentially distributed; its 20 % quantile
# is this share of its mean.
_QUANTILE = 0.2
_QUANTILE_SHARE = -np.log(1 - _QUANTILE)
_SMOOTH_BINS, _SMOOTH_FRAMES = 3, 7  # cells that are averaged before they are compared


def spectrum(samples: Samples, frame: int = _FRAME, hop: int = _HOP) -> ComplexArray:
    """Short-time Fourier transform, (frames, frame // 2 + 1); frame k is centred at k * hop.

    Hann window, scaled so that a sine of amplitude a shows as a / 2 at its own frequency.
    """
    window = _hann(frame)
    padded = np.pad(np.asarray(samples, np.float64), (frame // 2, frame // 2 + hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop]
    frames = frames[: len(samples) // hop + 1]
    cells: ComplexArray = np.fft.rfft(frames * window, axis=1) / window.sum()
    return cells


def reduce_noise(
    samples: Samples,
    *,
    noise: Samples | None = None,
    reduction_db: float = 24.0,
    threshold_db: float = 6.0,
) -> Samples:
    """Spectral gating: cells of the spectrum near the noise floor are turned down.

    The floor of each frequency comes from ``noise``, a stretch that holds noise alone. Without
    it, from the quietest fifth of the cells at each frequency (minimum statistics, Martin 2001,
    with the bias of exponentially distributed power removed), and then the median over
    neighbouring frequencies, so that a steady tone is not taken for noise; hum, which is a
    steady tone, therefore needs ``noise``. A cell whose power, averaged over its neighbours, is
    ``threshold_db`` above the floor passes whole; one at the floor is turned down by
    ``reduction_db``; between the two the gain rises linearly in dB. The gains are smoothed in
    time and frequency and the sound is put together by overlap and add: (n,) to (n,).
    """
    if len(samples) == 0:
        return samples.astype(np.float32)
    cells = spectrum(samples)
    power = np.abs(cells) ** 2
    if noise is not None:
        floor = (np.abs(spectrum(noise)) ** 2).mean(axis=0)
    else:
        floor = _noise_floor(power)
    smooth = _box(power, _SMOOTH_FRAMES, _SMOOTH_BINS)
    with np.errstate(divide="ignore", invalid="ignore"):
        above_db = 10 * np.log10(smooth / floor)
    above_db = np.where(floor > _SILENT_POWER, above_db, np.inf)  # no noise: everything passes
    share = np.clip(above_db / threshold_db, 0.0, 1.0)
    gain = 10 ** ((share - 1) * reduction_db / 20)
    gain = _box(gain, 3, _SMOOTH_BINS)
    return _inverse(cells * gain, len(samples))


def band_energy(
    samples: Samples,
    bands: Sequence[tuple[float, float]],
    sample_rate: int = 16_000,
    *,
    frame: int = 512,
    hop: int = 160,
) -> FloatArray:
    """Mean power of each band over time, (bands, frames); frame k is centred at k * hop.

    ``bands`` are (low, high) in Hz, half-open. Bands that cover 0 to half the rate add up to the
    mean square of the sound under the window: a sine of amplitude a has a * a / 2.
    """
    window = _hann(frame)
    power = np.abs(spectrum(samples, frame, hop) * window.sum()) ** 2
    power *= 2.0 / (frame * (window**2).sum())
    power[:, [0, -1]] /= 2.0  # these two frequencies have no mirror image
    frequencies = np.fft.rfftfreq(frame, 1 / sample_rate)
    rows = []
    for low, high in bands:
        if not 0 <= low < high:
            raise ValueError(f"a band needs 0 <= low < high in Hz, got {low} to {high}")
        is_last = high >= sample_rate / 2
        inside = (frequencies >= low) & ((frequencies < high) | is_last)
        rows.append(power[:, inside].sum(axis=1))
    return np.array(rows).reshape(len(bands), len(power))


def onsets(
    samples: Samples,
    sample_rate: int = 16_000,
    *,
    sensitivity: float = 1.0,
    gap_seconds: float = 0.05,
) -> FloatArray:
    """Instants in seconds at which something begins to sound, to about 20 ms.

    Spectral flux on 40 mel bands with logarithmic compression, half-wave rectified; a peak
    counts where it exceeds an offset plus a multiple of the median of its neighbourhood (Bello
    et al. 2005, "A Tutorial on Onset Detection in Music Signals"). A higher ``sensitivity``
    finds fainter onsets; two onsets are at least ``gap_seconds`` apart.
    """
    frame, hop = 512, 80
    if len(samples) < frame:
        return np.zeros(0)
    magnitude = np.abs(spectrum(samples, frame, hop))
    filters = mel_filters(40, frame, sample_rate)
    filters = filters / filters.sum(axis=1, keepdims=True).clip(1e-9)
    loudness = np.log1p(1000.0 * (magnitude @ filters.T))
    # over two hops: a rise is spread over the length of a frame
    rise = np.maximum(0.0, loudness[2:] - loudness[:-2]).mean(axis=1)
    flux = np.concatenate([np.zeros(1), rise, np.zeros(1)])
    near = max(1, round(gap_seconds * sample_rate / hop))
    median = _running(flux, round(0.25 * sample_rate / hop), np.median)
    threshold = (0.15 + 2.0 * median) / sensitivity
    is_peak = (flux >= _running(flux, near, np.max)) & (flux > threshold)
    times: list[float] = []
    for index in np.flatnonzero(is_peak):
        at = float(index * hop / sample_rate)
        if not times or at - times[-1] >= gap_seconds:
            times.append(at)
    return np.array(times)


def silences(
    samples: Samples,
    sample_rate: int = 16_000,
    *,
    threshold_db: float = -45.0,
    least_seconds: float = 0.5,
) -> tuple[Segment, ...]:
    """Spans of at least ``least_seconds`` whose level stays under ``threshold_db``.

    The level is the root mean square of each 20 ms in dB of full scale (a square wave of
    amplitude 1 is 0 dB). Times in seconds from the first sample, to 20 ms.
    """
    size = sample_rate // 50
    count = -(-len(samples) // size)
    if count == 0:
        return ()
    squares = np.zeros(count * size)
    squares[: len(samples)] = np.asarray(samples, np.float64) ** 2
    lengths = np.full(count, size)
    lengths[-1] = len(samples) - size * (count - 1)
    mean = squares.reshape(count, size).sum(axis=1) / lengths
    is_quiet = np.concatenate([[False], mean < 10 ** (threshold_db / 10), [False]])
    edges = np.flatnonzero(np.diff(is_quiet.astype(np.int8)))
    total = len(samples) / sample_rate
    spans = (
        Segment(float(first * size / sample_rate), min(total, float(last * size / sample_rate)))
        for first, last in edges.reshape(-1, 2)
    )
    return tuple(span for span in spans if span.duration >= least_seconds)


def _hann(size: int) -> FloatArray:
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)


def _noise_floor(power: FloatArray) -> FloatArray:
    """Mean power of the noise at each frequency, (bins,)."""
    sounding = power[power.sum(axis=1) > _SILENT_POWER]
    if len(sounding) == 0:
        return np.zeros(power.shape[1])
    quiet = np.quantile(sounding, _QUANTILE, axis=0) / _QUANTILE_SHARE
    return _running(quiet, 8, np.median)


def _running(values: FloatArray, reach: int, statistic: np.ufunc | object) -> FloatArray:
    """A statistic over 2 * reach + 1 neighbours, edges repeated."""
    padded = np.pad(values, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    assert callable(statistic)
    return np.asarray(statistic(windows, axis=1), dtype=np.float64)


def _box(cells: FloatArray, frames: int, bins: int) -> FloatArray:
    """Mean over ``frames`` x ``bins`` neighbours, edges repeated."""
    for axis, size in ((0, frames), (1, bins)):
        reach = size // 2
        width = [(0, 0), (0, 0)]
        width[axis] = (reach + 1, reach)
        total = np.cumsum(np.pad(cells, width, mode="edge"), axis=axis)
        upper = np.take(total, np.arange(2 * reach + 1, total.shape[axis]), axis=axis)
        lower = np.take(total, np.arange(0, total.shape[axis] - 2 * reach - 1), axis=axis)
        cells = (upper - lower) / (2 * reach + 1)
    return cells


def _inverse(cells: ComplexArray, length: int) -> Samples:
    """Overlap and add: the inverse of ``spectrum`` with its default sizes, (n,)."""
    window = _hann(_FRAME)
    pieces = np.fft.irfft(cells * window.sum(), _FRAME, axis=1) * window
    total = np.zeros((len(cells) - 1) * _HOP + _FRAME)
    weight = np.zeros_like(total)
    square = window**2
    for number, piece in enumerate(pieces):
        total[number * _HOP : number * _HOP + _FRAME] += piece
        weight[number * _HOP : number * _HOP + _FRAME] += square
    whole = total / np.maximum(weight, 1e-9)
    whole = whole[_FRAME // 2 :]
    padded = np.zeros(length)
    padded[: min(length, len(whole))] = whole[:length]
    return padded.astype(np.float32)
