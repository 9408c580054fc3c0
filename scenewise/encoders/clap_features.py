"""What a CLAP checkpoint's settings say, and sound as its network reads it.

CLAP (Wu et al. 2023, "Large-Scale Contrastive Language-Audio Pretraining with Feature Fusion and
Keyword-to-Caption Augmentation") reads a log-mel spectrogram of ten seconds at 48 kHz. This module
knows JSON, samples and spectra; it loads no weights and imports neither torch nor transformers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from scenewise.encoders.huggingface_config import read_json
from scenewise.encoders.spec import FloatArray
from scenewise.errors import EncoderError
from scenewise.media.mel import mel_filters

Padding = Literal["repeatpad", "repeat", "pad"]
_PADDINGS = ("repeatpad", "repeat", "pad")
_FLOOR = 1e-10  # power; -100 dB


@dataclass(frozen=True, slots=True)
class ClapConfig:
    """The parts of a checkpoint's settings that embedding depends on."""

    dimension: int
    sample_rate: int  # Hz
    window_samples: int
    frame: int  # samples of one spectrum
    hop: int  # samples from one spectrum to the next
    mel_bins: int
    low_hertz: float
    high_hertz: float
    padding: Padding  # of sound that is shorter than a window
    text_length: int  # tokens at most, marks included
    vocabulary_size: int
    pad_id: int

    @property
    def frames(self) -> int:
        """Spectra of one window."""
        return self.window_samples // self.hop + 1


def read_clap_config(folder: Path) -> ClapConfig:
    """Read ``config.json`` and the feature extractor's settings.

    Raises EncoderError, one sentence, for another kind of network, for one with feature fusion,
    for a missing file, and for settings that cannot be followed exactly.
    """
    config = read_json(folder / "config.json")
    if config.get("model_type") != "clap":
        raise EncoderError(
            f"{folder}: config.json says model_type {config.get('model_type')!r}; an audio encoder "
            "is a CLAP checkpoint (model_type 'clap'), such as laion/clap-htsat-unfused."
        )
    audio = _section(config, "audio_config")
    text = _section(config, "text_config")
    extractor = _extractor(folder)
    if audio.get("enable_fusion", False) or extractor.get("truncation", "fusion") != "rand_trunc":
        raise EncoderError(
            f"{folder}: this CLAP fuses crops of long sound (enable_fusion, or a truncation other "
            "than 'rand_trunc'), which is not supported; choose one without, such as "
            "laion/clap-htsat-unfused."
        )
    rate = _whole(folder, "sampling_rate", extractor.get("sampling_rate", 48_000))
    bins = _whole(folder, "feature_size", extractor.get("feature_size", 64))
    if bins != audio.get("num_mel_bins", 64):
        raise _refused(folder, "feature_size", bins, f"{audio.get('num_mel_bins', 64)}")
    if extractor.get("top_db") is not None:
        raise _refused(folder, "top_db", extractor["top_db"], "null")
    padding = extractor.get("padding", "repeatpad")
    if padding not in _PADDINGS:
        raise _refused(folder, "padding", padding, ", ".join(_PADDINGS))
    seconds = _whole(folder, "max_length_s", extractor.get("max_length_s", 10))
    pad_id = int(text.get("pad_token_id", 1))
    positions = _whole(folder, "max_position_embeddings", text.get("max_position_embeddings", 514))
    return ClapConfig(
        dimension=_whole(folder, "projection_dim", config.get("projection_dim", 512)),
        sample_rate=rate,
        window_samples=seconds * rate,
        frame=_whole(folder, "fft_window_size", extractor.get("fft_window_size", 1024)),
        hop=_whole(folder, "hop_length", extractor.get("hop_length", 480)),
        mel_bins=bins,
        low_hertz=float(extractor.get("frequency_min", 0)),
        high_hertz=float(extractor.get("frequency_max", 14_000)),
        padding=cast(Padding, padding),
        # RoBERTa counts its positions from the one after the pad token's id
        text_length=positions - pad_id - 1,
        vocabulary_size=_whole(folder, "vocab_size", text.get("vocab_size", 50_265)),
        pad_id=pad_id,
    )


def log_mel_window(samples: npt.NDArray[np.floating], config: ClapConfig) -> FloatArray:
    """Mono sound (n,) of at most a window to (frames, mel bins) in dB, as the network reads it.

    Shorter sound is repeated or filled with silence, as the checkpoint says. Spectra are centred,
    the edges mirrored; Slaney's mel filters; power in dB, not below -100. Raises ValueError for
    sound that is not of shape (n,), 0 < n <= window.
    """
    sound = np.asarray(samples, np.float64)
    if sound.ndim != 1 or not 0 < len(sound) <= config.window_samples:
        raise ValueError(
            f"a window of sound has the shape (n,), 0 < n <= {config.window_samples}; "
            f"got {sound.shape}"
        )
    lacking = config.window_samples - len(sound)
    if lacking and config.padding != "pad":
        whole = config.window_samples // len(sound) + (config.padding == "repeat")
        sound = np.tile(sound, whole)[: config.window_samples]
    sound = np.pad(sound, (0, config.window_samples - len(sound)))
    padded = np.pad(sound, config.frame // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, config.frame)[:: config.hop]
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(config.frame) / config.frame)
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    filters = mel_filters(
        config.mel_bins,
        config.frame,
        config.sample_rate,
        low_hertz=config.low_hertz,
        high_hertz=config.high_hertz,
    )
    return (10 * np.log10(np.maximum(_FLOOR, power @ filters.T))).astype(np.float32)


def _extractor(folder: Path) -> dict[str, Any]:
    """Settings of the feature extractor; transformers 5 nests them in one file."""
    newer, older = folder / "processor_config.json", folder / "preprocessor_config.json"
    if newer.is_file():
        nested = read_json(newer).get("feature_extractor")
        if isinstance(nested, dict):
            return dict(nested)
    if older.is_file():
        return read_json(older)
    raise EncoderError(
        f"{folder} holds neither preprocessor_config.json nor processor_config.json with a feature "
        "extractor: without them rate and spectra are not known; copy the file from where the "
        "checkpoint comes from."
    )


def _section(config: dict[str, Any], name: str) -> dict[str, Any]:
    section = config.get(name)
    return dict(section) if isinstance(section, dict) else {}


def _whole(folder: Path, key: str, value: Any) -> int:
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 1 or value % 1:
        raise _refused(folder, key, value, "a whole number above zero")
    return int(value)


def _refused(folder: Path, key: str, value: Any, allowed: str) -> EncoderError:
    return EncoderError(
        f"{folder}: the settings say {key} = {value!r}, which cannot be followed; allowed: "
        f"{allowed}. Choose another checkpoint."
    )
