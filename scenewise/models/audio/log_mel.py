"""The log-mel spectrogram as a layer: sound goes in as samples, on whatever device it lies.

Four published settings: Whisper's (Radford et al. 2022), those of PANNs at 32 and 16 kHz (Kong et
al. 2020, https://arxiv.org/abs/1912.10211) and CLAP's (Wu et al. 2023). Centred frames, edges
mirrored, Hann's window, the power of the Fourier transform, Slaney's mel filters of equal area.

It knows samples and spectra; it knows no files and resamples nothing. It computes in float32 even
inside mixed precision: a power spectrum has more decades than bfloat16 has digits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.media.mel import mel_filters

Scale = Literal["decibel", "whisper"]


@dataclass(frozen=True, slots=True)
class LogMelSettings:
    """What a spectrogram depends on."""

    sample_rate: int  # Hz
    frame: int  # samples of one spectrum
    hop: int  # samples from one spectrum to the next
    bins: int
    low_hertz: float = 0.0
    high_hertz: float | None = None  # None: half the sample rate
    scale: Scale = "decibel"  # 10 log10; whisper: 8 decades below the loudest, about -1 to 1
    floor: float = 1e-10  # power below which the logarithm is not taken

    def frames(self, samples: int) -> int:
        """Spectra of so many samples."""
        return samples // self.hop + (0 if self.scale == "whisper" else 1)


PANNS = LogMelSettings(32_000, 1024, 320, 64, 50.0, 14_000.0)
SETTINGS = {
    "panns": PANNS,
    "panns_16k": LogMelSettings(16_000, 512, 160, 64, 50.0, 8_000.0),
    "clap": LogMelSettings(48_000, 1024, 480, 64, 50.0, 14_000.0),
    "whisper": LogMelSettings(16_000, 400, 160, 80, scale="whisper"),
}


class LogMel(nn.Module):
    """Mono sound (B, samples) in [-1, 1] to spectrograms (B, bins, frames)."""

    window: Tensor
    filters: Tensor

    def __init__(self, settings: LogMelSettings | str = "panns") -> None:
        super().__init__()
        if isinstance(settings, str):
            if settings not in SETTINGS:
                raise UsageError(
                    f"a spectrogram is one of {', '.join(SETTINGS)}, got {settings!r}; or give "
                    "LogMelSettings."
                )
            settings = SETTINGS[settings]
        self.settings = settings
        window = torch.hann_window(settings.frame, periodic=True, dtype=torch.float64)
        filters = mel_filters(
            settings.bins,
            settings.frame,
            settings.sample_rate,
            low_hertz=settings.low_hertz,
            high_hertz=settings.high_hertz,
        )
        # no weights: they follow from the settings, and no file holds them
        self.register_buffer("window", window.float(), persistent=False)
        self.register_buffer("filters", torch.tensor(filters).float(), persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        """(B, samples) to (B, bins, frames), in float32, or in float64 of such sound."""
        half = self.settings.frame // 2
        if waveforms.ndim != 2 or waveforms.shape[1] <= half:
            raise ValueError(
                f"sound is (B, samples) with more than {half} samples, got {tuple(waveforms.shape)}"
            )
        with torch.autocast(waveforms.device.type, enabled=False):
            return self._spectrogram(
                waveforms.to(torch.promote_types(waveforms.dtype, torch.float32))
            )

    def _spectrogram(self, waveforms: Tensor) -> Tensor:
        settings = self.settings
        half = settings.frame // 2
        padded = F.pad(waveforms[:, None], (half, half), mode="reflect")[:, 0]
        frames = padded.unfold(1, settings.frame, settings.hop)
        if settings.scale == "whisper":
            frames = frames[:, :-1]  # Whisper drops the last centred frame
        spectrum = torch.fft.rfft(frames * self.window.to(frames.dtype), dim=-1)
        power = spectrum.real.square() + spectrum.imag.square()
        mel = torch.einsum("mf,btf->bmt", self.filters.to(power.dtype), power)
        logarithm = mel.clamp(min=settings.floor).log10()
        if settings.scale == "decibel":
            return 10.0 * logarithm
        loudest = logarithm.amax(dim=(1, 2), keepdim=True)
        return (torch.maximum(logarithm, loudest - 8.0) + 4.0) / 4.0
