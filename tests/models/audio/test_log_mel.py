"""Facts about the spectrogram as a layer: the numbers of three others' front ends."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from network_checks import assert_exports, assert_gradients_are_right
from seeded import seeded_input
from torch import Tensor
from transformers import ClapFeatureExtractor

from scenewise.errors import UsageError
from scenewise.media.mel import log_mel
from scenewise.models.audio.log_mel import SETTINGS, LogMel, LogMelSettings


def sound(rate: int, seconds: float = 0.5) -> Tensor:
    """A rising tone over noise, louder and louder, (2, samples)."""
    noise = seeded_input("noise", (2, int(rate * seconds)))
    time = torch.arange(noise.shape[1]) / rate
    tones = torch.sin(2 * torch.pi * torch.tensor([[300.0], [900.0]]) * (time + 2 * time**2))
    return (0.3 * tones + 0.02 * noise) * (time / seconds)


def test_parity_with_whispers_spectrogram() -> None:
    waveforms = sound(16_000)
    ours = LogMel("whisper")(waveforms)
    theirs = np.stack([log_mel(one.numpy(), pad_seconds=None) for one in waveforms])
    assert ours.shape == (2, 80, 50)
    assert np.abs(ours.numpy() - theirs).max() < 1e-4
    assert theirs.std() > 0.1


@pytest.mark.parametrize("name", ["panns", "panns_16k", "clap"])
def test_parity_with_transformers(name: str) -> None:
    """CLAP's extractor has all of these settings; in decibels, so 1e-3 is a 0.02 % of power."""
    settings = SETTINGS[name]
    extractor = ClapFeatureExtractor(
        feature_size=settings.bins,
        sampling_rate=settings.sample_rate,
        hop_length=settings.hop,
        fft_window_size=settings.frame,
        frequency_min=settings.low_hertz,
        frequency_max=settings.high_hertz,
        max_length_s=1,
        truncation="rand_trunc",
        padding="pad",
    )
    waveforms = sound(settings.sample_rate, 1.0)
    found = extractor(
        [one.double().numpy() for one in waveforms],
        sampling_rate=settings.sample_rate,
        return_tensors="pt",
    )
    theirs = found["input_features"][:, 0].transpose(1, 2)
    ours = LogMel(settings)(waveforms)
    assert ours.shape == theirs.shape
    assert ours.shape[2] == settings.frames(waveforms.shape[1])
    assert (ours - theirs).abs().max() < 1e-3
    assert theirs.std() > 5.0


def test_a_tone_lights_the_bin_of_its_pitch() -> None:
    """1000 Hz: Slaney's scale is linear to there, 66.7 Hz a mel, so the bin follows by hand."""
    settings = LogMelSettings(16_000, 1024, 512, 40, high_hertz=1_000.0 * 6.4)
    time = torch.arange(16_000) / 16_000
    spectrum = LogMel(settings)(torch.sin(2 * torch.pi * 1000.0 * time)[None])
    top = 15 + 27  # mel of 6400 Hz: 15 below 1000 Hz, 27 for a factor of 6.4
    expected = round(15 / (top / 41)) - 1
    assert bool((spectrum[0].argmax(dim=0)[1:-1] == expected).all())


def test_silence_is_the_floor() -> None:
    assert torch.allclose(LogMel("panns")(torch.zeros(1, 3200)), torch.tensor(-100.0))


def test_short_sound_and_unknown_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 512 samples"):
        LogMel("panns")(torch.zeros(1, 512))
    with pytest.raises(ValueError, match="more than 512 samples"):
        LogMel("panns")(torch.zeros(3200))
    with pytest.raises(UsageError, match="panns, panns_16k, clap, whisper"):
        LogMel("vggish")


def test_mixed_precision_leaves_it_exact() -> None:
    layer, waveforms = LogMel("panns"), sound(32_000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = layer(waveforms)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, layer(waveforms))


def test_it_has_no_weights_and_gradients_pass_through() -> None:
    layer = LogMel(LogMelSettings(800, 16, 8, 3))
    assert layer.state_dict() == {}
    assert_gradients_are_right(layer, seeded_input("sound", (1, 24)))


def test_it_exports() -> None:
    assert_exports(LogMel("whisper").eval(), sound(16_000, 0.1), tolerance=1e-3)
