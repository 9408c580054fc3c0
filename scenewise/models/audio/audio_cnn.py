"""The convolutional networks of PANNs, which tag sound by its log-mel spectrogram.

Qiuqiang Kong et al., "PANNs: Large-Scale Pretrained Audio Neural Networks for Audio Pattern
Recognition", 2020 (https://arxiv.org/abs/1912.10211). CNN6 has one 5 x 5 filter in each of four
blocks, CNN10 two of 3 x 3, CNN14 six blocks; maximum plus mean over time, and one hidden layer.

Names are those of the official code. It knows spectrograms, by ``log_mel`` also samples; it knows
no class names. The masks that the official training lays over spectrograms are left to training.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from einops import rearrange, reduce
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.audio.log_mel import PANNS, LogMel, LogMelSettings
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout

Variant = Literal["cnn6", "cnn10", "cnn14"]

_WIDTHS = (64, 128, 256, 512)
_DEEP_WIDTHS = (64, 128, 256, 512, 1024, 2048)
_BLOCK_DROPOUT = 0.2


class ConvBlock(nn.Module):
    """One 5 x 5 filter or two of 3 x 3, each with batch norm and ReLU, then a mean of 2 x 2."""

    def __init__(self, inputs: int, outputs: int, kernel: int, pool: int) -> None:
        super().__init__()
        self.pool = pool
        self.conv1 = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.has_second = kernel == 3
        if self.has_second:
            self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, M) to (B, C', T / pool, M / pool), time and mel bins."""
        x = F.relu(self.bn1(self.conv1(x)))
        if self.has_second:
            x = F.relu(self.bn2(self.conv2(x)))
        return F.avg_pool2d(x, self.pool) if self.pool > 1 else x


class AudioCnn(nn.Module):
    """Spectrograms (B, bins, frames), or sound (B, samples), to logits (B, K).

    The published networks tag: several classes may be there, so their sigmoid is the probability.
    """

    def __init__(
        self,
        *,
        num_classes: int = 527,
        widths: Sequence[int] = _WIDTHS,
        kernel: Literal[3, 5] = 3,
        last_pool: int = 2,
        dropout: float = 0.5,
        settings: LogMelSettings = PANNS,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.num_features = widths[-1]
        self.log_mel = LogMel(settings)
        self.bn0 = nn.BatchNorm2d(settings.bins)
        self.block_names = [f"conv_block{number}" for number in range(1, len(widths) + 1)]
        self.shortest = 2 ** (len(widths) - 1) * last_pool  # spectra that leave one place
        for name, inputs, outputs in zip(self.block_names, (1, *widths), widths, strict=False):
            pool = last_pool if name == self.block_names[-1] else 2
            self.add_module(name, ConvBlock(inputs, outputs, kernel, pool))
        self.fc1 = nn.Linear(self.num_features, self.num_features)
        self.fc_audioset = (
            nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        )
        self.block_dropout = nn.Dropout(_BLOCK_DROPOUT if dropout else 0.0)
        self.dropout = nn.Dropout(dropout)
        self._initialise()

    def feature_map(self, sound: Tensor) -> Tensor:
        """Spectrograms (B, bins, frames) or sound (B, samples) to (B, D, T', M')."""
        spectra = self.log_mel(sound) if sound.ndim == 2 else sound
        bins = self.log_mel.settings.bins
        if spectra.ndim != 3 or spectra.shape[1] != bins or spectra.shape[2] < self.shortest:
            raise ValueError(
                f"this network takes spectrograms (B, {bins}, frames) of {self.shortest} frames or "
                f"more, or sound (B, samples), got {tuple(sound.shape)}"
            )
        spectra = spectra.to(self.fc1.weight.dtype)
        # each mel bin has a norm of its own
        x: Tensor = self.bn0(rearrange(spectra, "b m t -> b m t 1"))
        x = rearrange(x, "b m t 1 -> b 1 t m")
        for name in self.block_names:
            x = self.block_dropout(self.get_submodule(name)(x))
        return x

    def features(self, sound: Tensor) -> Tensor:
        """Spectrograms (B, bins, frames) or sound (B, samples) to the embedding (B, D)."""
        each: Tensor = reduce(self.feature_map(sound), "b d t m -> b d t", "mean")
        pooled = each.amax(dim=2) + each.mean(dim=2)
        return F.relu(self.fc1(self.dropout(pooled)))

    def forward(self, sound: Tensor) -> Tensor:
        """To logits (B, K), or to the embedding (B, D) without classes."""
        logits: Tensor = self.fc_audioset(self.features(sound))
        return logits

    def _initialise(self) -> None:
        """As published: Xavier's uniform, biases 0."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)


def audio_cnn(num_classes: int = 527, variant: Variant = "cnn10", dropout: float = 0.5) -> AudioCnn:
    """The published networks: 527 classes of AudioSet, sound at 32 kHz."""
    if variant == "cnn6":
        return AudioCnn(num_classes=num_classes, kernel=5, dropout=dropout)
    if variant == "cnn10":
        return AudioCnn(num_classes=num_classes, dropout=dropout)
    if variant == "cnn14":
        return AudioCnn(num_classes=num_classes, widths=_DEEP_WIDTHS, last_pool=1, dropout=dropout)
    raise UsageError(f"variant is cnn6, cnn10 or cnn14, got {variant!r}.")


def audio_cnn_tiny(num_classes: int = 10, dropout: float = 0.0) -> AudioCnn:
    """CNN10 with an eighth of the channels."""
    return AudioCnn(
        num_classes=num_classes, widths=[width // 8 for width in _WIDTHS], dropout=dropout
    )


def _identify(state: State, _config: Config) -> Identified | None:
    blocks = {match[1] for key in state if (match := re.match(r"conv_block(\d+)\.", key))}
    shapes = {
        (4, True): "cnn10",
        (4, False): "cnn6",
        (6, True): "cnn14",
    }
    variant = shapes.get((len(blocks), "conv_block1.conv2.weight" in state))
    head = state["fc_audioset.weight"]
    if variant is None or head.shape[1] != (2048 if variant == "cnn14" else 512):
        return None
    return Identified("audio_cnn", {"num_classes": head.shape[0], "variant": variant})


LAYOUTS = (
    Layout(
        name="official",
        signature=(r"conv_block1\.conv1\.weight", r"fc_audioset\.weight"),
        ignore=(r"spectrogram_extractor\..*", r"logmel_extractor\..*"),
        identify=_identify,
    ),
)
