"""Sound as the spectra that AST was published with: Kaldi's filter banks, as transformers has them.

Yuan Gong et al. 2021 (https://arxiv.org/abs/2104.01778): windows of 25 ms that begin every 10 ms,
cut or filled up to the network's length, with the mean and deviation of AudioSet. They are made on
the processor, one sound after the other. It knows sound and AST's shape; it knows no batch.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from scenewise.models.audio.ast import AudioSpectrogramTransformer

AST_RATE = 16_000  # samples a second


def spectra_of(network: AudioSpectrogramTransformer, sound: Tensor) -> Tensor:
    """Sound (B, samples) at 16 kHz to spectra (B, bins, frames), on the same device."""
    bins, frames = network.shape
    if sound.is_meta:  # a dry run: there is no sound
        return sound.new_empty(len(sound), bins, frames)
    heard = [one.numpy() for one in sound.detach().float().cpu()]
    made = _extractor(bins, frames)(heard, sampling_rate=AST_RATE, return_tensors="pt")
    spectra: Tensor = made["input_values"]
    return spectra.transpose(1, 2).to(sound.device, torch.float32)


@lru_cache
def _extractor(bins: int, frames: int) -> Any:
    from transformers import ASTFeatureExtractor

    return ASTFeatureExtractor(num_mel_bins=bins, max_length=frames, sampling_rate=AST_RATE)
