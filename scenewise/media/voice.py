"""Voice activity: how likely somebody speaks in each 32 ms of sound at 16 kHz.

Two detectors behind one face. Silero's network, whose file lies inside the wheel of
faster-whisper (extra ``asr``), is run directly; where it is not installed, energy, voicing and
the rhythm of syllables decide, which is weaker in noise and over music. It knows samples; it knows
no file of the user's, and not what is said.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from scenewise.errors import MissingExtraError, UnreadableMediaError, UsageError, first_line

Samples = npt.NDArray[np.float32]  # (n,) mono at 16 kHz
FloatArray = npt.NDArray[np.float64]
VoiceName = Literal["silero", "energy"]

BLOCK = 512  # samples, 32 ms: what the network takes at a time
_MODEL = "silero_vad_v6.onnx"
_CONTEXT = 64  # samples of the block before, which the network sees again
_STATE = 128  # size of its memory


class VoiceDetector(Protocol):
    """Takes blocks of 512 samples in order; may answer later than asked."""

    def add(self, samples: Samples) -> FloatArray:
        """Samples (k * 512,) to the probabilities that are known now, in order of the blocks."""
        ...

    def finish(self) -> FloatArray:
        """Probabilities of the blocks that are still owed."""
        ...


def available() -> VoiceName:
    """The detector that ``open_voice`` takes by itself; opens no network."""
    return "energy" if _model_path() is None else "silero"


def open_voice(name: VoiceName | None = None) -> VoiceDetector:
    """A fresh detector; None takes the network where it is installed.

    Raises UsageError for another name, MissingExtraError where the network is asked for and not
    there.
    """
    name = name or available()
    if name == "energy":
        return EnergyVoice()
    if name != "silero":
        raise UsageError(f"voice detector {name!r} is unknown; allowed: silero, energy.")
    path = _model_path()
    if path is None:
        raise MissingExtraError(
            f"Silero's voice detector ({_MODEL}) comes with faster-whisper: "
            'pip install "scenewise[asr]", or choose the detector "energy".'
        )
    return SileroVoice(path)


@functools.cache
def _model_path() -> Path | None:
    """The network's file, without importing the package that carries it (it loads much)."""
    package = importlib.util.find_spec("faster_whisper")
    for folder in (package.submodule_search_locations or ()) if package else ():
        path = Path(folder) / "assets" / _MODEL
        if path.is_file():
            return path
    return None


class SileroVoice:
    """Silero VAD, version 6 (snakers4/silero-vad): a recurrent network over blocks."""

    def __init__(self, path: Path) -> None:
        """Raises UnreadableMediaError where the file is not the network that is expected."""
        self._session = _session(path)
        self._hidden = np.zeros((1, 1, _STATE), np.float32)
        self._cell = np.zeros((1, 1, _STATE), np.float32)
        self._tail = np.zeros(_CONTEXT, np.float32)

    def add(self, samples: Samples) -> FloatArray:
        """(k * 512,) to (k,)."""
        if len(samples) == 0:
            return np.zeros(0)
        blocks = samples.reshape(-1, BLOCK).astype(np.float32)
        before = np.concatenate([self._tail[None], blocks[:-1, -_CONTEXT:]])
        self._tail = blocks[-1, -_CONTEXT:].copy()
        feeds = {
            "input": np.concatenate([before, blocks], axis=1),  # (k, 576): k steps in time
            "h": self._hidden,
            "c": self._cell,
        }
        speech, self._hidden, self._cell = self._session.run(None, feeds)
        return np.asarray(speech, np.float64).reshape(-1)

    def finish(self) -> FloatArray:
        """Nothing is owed."""
        return np.zeros(0)


@functools.cache
def _session(path: Path) -> Any:
    """The network, opened once for a process: its memory between blocks is its caller's."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises classes of its own, without a common base
        raise UnreadableMediaError(
            f"{path}: the voice detector cannot be loaded ({first_line(error)}); "
            "install faster-whisper again."
        ) from error
    ends = [item.name for item in session.get_inputs()], len(session.get_outputs())
    if ends != (["input", "h", "c"], 3) or session.get_inputs()[0].shape[-1] != BLOCK + _CONTEXT:
        raise UnreadableMediaError(
            f"{path}: is not the voice detector that this scenewise knows; "
            "install faster-whisper 1.2 again."
        )
    return session


class EnergyVoice:
    """Speech by its energy, its voiced share and its rhythm of syllables.

    The envelope of speech swings 2 to 8 times a second, and deeply (Scheirer & Slaney 1997,
    "Construction and Evaluation of a Robust Multifeature Speech/Music Discriminator": 4 Hz
    modulation energy); about half of it has a pitch between 70 and 400 Hz. The answer for a block
    rests on the two seconds around it and is never above 0.85.
    """

    _AHEAD, _STEP, _BEHIND = 24, 16, 24  # blocks: after, answered together, before
    _CEILING = 0.85

    def __init__(self) -> None:
        self._tail = np.zeros(BLOCK, np.float32)
        self._levels: list[float] = []  # dB of 300 to 3400 Hz, one a block
        self._voiced: list[bool] = []
        self._dropped = 0  # blocks before the first that is kept
        self._answered = 0  # blocks

    def add(self, samples: Samples) -> FloatArray:
        """(k * 512,) to the (j,) answers that are known now."""
        for block in samples.reshape(-1, BLOCK):
            wide = np.concatenate([self._tail, block]).astype(np.float64)
            self._tail = block
            self._levels.append(_speech_band_level(wide))
            self._voiced.append(_is_voiced(wide))
        return self._answer(final=False)

    def finish(self) -> FloatArray:
        """The last blocks, judged by what came before them."""
        return self._answer(final=True)

    def _answer(self, *, final: bool) -> FloatArray:
        answers = []
        heard = self._dropped + len(self._levels)
        while heard - self._answered >= (1 if final else self._STEP + self._AHEAD):
            count = min(self._STEP, heard - self._answered)
            first = max(0, self._answered - self._BEHIND - self._dropped)
            last = self._answered + count + self._AHEAD - self._dropped
            at = self._answered - self._dropped
            chances = _speech_chance(
                np.array(self._levels[first:last]), np.array(self._voiced[first:last])
            )
            answers.append(self._CEILING * chances[at - first : at - first + count])
            self._answered += count
        spare = max(0, self._answered - self._BEHIND - self._dropped)
        del self._levels[:spare], self._voiced[:spare]
        self._dropped += spare
        return np.concatenate(answers) if answers else np.zeros(0)


def _speech_band_level(samples: FloatArray) -> float:
    """Power between 300 and 3400 Hz of the last block, in dB of full scale."""
    power = np.abs(np.fft.rfft(samples[-BLOCK:] * np.hanning(BLOCK))) ** 2
    low, high = round(300 * BLOCK / 16_000), round(3400 * BLOCK / 16_000)
    return float(10 * np.log10(power[low:high].sum() / (BLOCK * BLOCK / 8) + 1e-12))


def _is_voiced(samples: FloatArray) -> bool:
    """Whether two blocks have a pitch between 70 and 400 Hz, by autocorrelation."""
    size = len(samples)
    windowed = (samples - samples.mean()) * np.hanning(size)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(windowed, 2 * size)) ** 2)[: size // 2]
    bias = np.fft.irfft(np.abs(np.fft.rfft(np.hanning(size), 2 * size)) ** 2)[: size // 2]
    if correlation[0] < 1e-7:
        return False
    normal = (correlation / correlation[0]) / (bias / bias[0])
    # a tone far above speech has peaks at every lag: what counts is that the dip before is deep
    peak = normal[40:229].max()
    return bool(peak > 0.6 and normal[10:229].min() < 0.5)


def _speech_chance(levels: FloatArray, voiced: npt.NDArray[np.bool_]) -> FloatArray:
    """Chance of speech in each of (n,) blocks, from their levels and voicing together."""
    if len(levels) < 8:  # a quarter of a second says nothing of rhythm
        return np.zeros(len(levels))
    floor = np.quantile(levels, 0.1)
    is_active = levels > max(floor + 9.0, -50.0)
    if not is_active.any():
        return np.zeros(len(levels))
    envelope = 10 ** (levels / 20)
    swing = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(len(levels)), 128)) ** 2
    rate = np.fft.rfftfreq(128, BLOCK / 16_000)  # Hz
    syllabic = swing[(rate >= 2) & (rate <= 8)].sum() / max(swing[rate >= 0.5].sum(), 1e-20)
    rhythm = 1 / (1 + np.exp(-(syllabic - 0.40) / 0.06))
    depth = np.clip((np.maximum(levels, -60).std() - 3.0) / 3.0, 0, 1)
    pitched = np.clip(voiced[is_active].mean() / 0.3, 0, 1)
    return np.asarray(is_active * rhythm * depth * pitched, np.float64)
