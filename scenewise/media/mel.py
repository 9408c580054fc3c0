"""The log-mel spectrogram that Whisper and its family read.

Radford et al. 2022, "Robust Speech Recognition via Large-Scale Weak Supervision": 25 ms frames
every 10 ms, Slaney's mel scale, log10, the range cut to 8 decades. It knows arrays only.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

SAMPLE_RATE = 16_000  # Hz
FRAME = 400  # samples, 25 ms
HOP = 160  # samples, 10 ms
_FLOOR = 1e-10  # power below which the logarithm is not taken
_DECADES = 8.0  # kept below the loudest cell


def log_mel(
    samples: npt.NDArray[np.floating], bins: int = 80, *, pad_seconds: float | None = 30.0
) -> FloatArray:
    """Log-mel spectrogram of mono sound at 16 kHz: (n,) to (bins, frames), 100 frames a second.

    Sound is cut or filled with silence to ``pad_seconds``; None takes it as long as it is.
    ``bins`` is 80 for Whisper up to large-v2, 128 for large-v3. Equal to the feature extractor of
    transformers to 1e-4. Raises ValueError for sound that is not of shape (n,), n > 200.
    """
    sound = np.asarray(samples, dtype=np.float64)
    if sound.ndim != 1:
        raise ValueError(f"log_mel takes mono sound of shape (n,), got {sound.shape}")
    if pad_seconds is not None:
        wanted = round(pad_seconds * SAMPLE_RATE)
        sound = np.pad(sound[:wanted], (0, max(0, wanted - len(sound))))
    if len(sound) <= FRAME // 2:
        raise ValueError(f"log_mel needs more than {FRAME // 2} samples, got {len(sound)}")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)
    padded = np.pad(sound, FRAME // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    frames = frames[: len(sound) // HOP]  # the last centred frame is dropped, as Whisper does
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    mel = mel_filters(bins) @ power.T
    logarithm = np.log10(np.maximum(mel, _FLOOR))
    logarithm = np.maximum(logarithm, logarithm.max() - _DECADES)
    scaled: FloatArray = ((logarithm + 4.0) / 4.0).astype(np.float32)
    return scaled


@functools.cache
def mel_filters(
    bins: int,
    frame: int = FRAME,
    sample_rate: int = SAMPLE_RATE,
    *,
    low_hertz: float = 0.0,
    high_hertz: float | None = None,
) -> npt.NDArray[np.float64]:
    """Triangular filters of equal area on Slaney's mel scale, (bins, frame // 2 + 1).

    Slaney 1998, "Auditory Toolbox": the area of each filter in Hz is one. They lie between
    ``low_hertz`` and ``high_hertz`` (None: half the sample rate).
    """
    top = sample_rate / 2 if high_hertz is None else high_hertz
    centres = _mel_to_hertz(np.linspace(_hertz_to_mel(low_hertz), _hertz_to_mel(top), bins + 2))
    frequencies = np.linspace(0, sample_rate / 2, frame // 2 + 1)
    lower, middle, upper = centres[:-2, None], centres[1:-1, None], centres[2:, None]
    rising = (frequencies - lower) / (middle - lower)
    falling = (upper - frequencies) / (upper - middle)
    filters: npt.NDArray[np.float64] = np.maximum(0.0, np.minimum(rising, falling))
    filters *= 2.0 / (upper - lower)
    filters.flags.writeable = False  # shared by all callers
    return filters


# Slaney's scale: linear to 1000 Hz at 3 mel per 200 Hz, then 27 mel for each factor of 6.4
_LINEAR = 3.0 / 200.0
_BREAK_HERTZ = 1000.0
_BREAK_MEL = _BREAK_HERTZ * _LINEAR
_STEP = np.log(6.4) / 27.0


def _hertz_to_mel(hertz: float) -> float:
    if hertz < _BREAK_HERTZ:
        return hertz * _LINEAR
    return float(_BREAK_MEL + np.log(hertz / _BREAK_HERTZ) / _STEP)


def _mel_to_hertz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    above = _BREAK_HERTZ * np.exp(_STEP * np.maximum(mel - _BREAK_MEL, 0.0))
    return np.where(mel < _BREAK_MEL, mel / _LINEAR, above)
