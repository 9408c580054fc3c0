"""CLAP's sound side: a Swin transformer over a log-mel spectrogram, and a projection.

Yusong Wu et al., "Large-scale Contrastive Language-Audio Pretraining with Feature Fusion and
Keyword-to-Caption Augmentation", 2023 (https://arxiv.org/abs/2211.06687); the network is HTS-AT of
Ke Chen et al., 2022 (https://arxiv.org/abs/2202.00874). It is transformers' own implementation,
whose names its published files have, without feature fusion. ``scenewise.encoders`` runs whole
CLAP checkpoints for searching; this is for training and for fusion with other streams.

It knows spectra; it makes none: published weights want those of 48 kHz with 64 bins (``log_mel``
with the setting clap), in decibel, up to ten seconds.
"""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.layout import Config, Identified, Layout


class ClapAudio(nn.Module):
    """Spectra (B, bins, frames) to unit vectors (B, D) in the space of CLAP's texts."""

    num_classes = 0

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        import transformers

        config = transformers.ClapAudioConfig(**settings)
        network = transformers.ClapAudioModelWithProjection(config)
        self.audio_model = network.audio_model
        self.audio_projection = network.audio_projection
        self.num_features = int(config.projection_dim)
        self.bins = int(config.num_mel_bins)
        # the picture that the spectrum is folded into
        self.longest = int(config.spec_size * (config.spec_size // config.num_mel_bins))

    def features(self, mel: Tensor) -> Tensor:
        """Spectra (B, bins, frames) to (B, D) of length 1; shorter ones are stretched."""
        if mel.ndim != 3 or mel.shape[1] != self.bins or mel.shape[2] > self.longest:
            raise ValueError(
                f"CLAP takes spectra (B, {self.bins}, frames) of at most {self.longest} frames, "
                f"got {tuple(mel.shape)}"
            )
        spectra = rearrange(mel, "b m t -> b 1 t m")
        pooled = self.audio_model(input_features=spectra).pooler_output
        return F.normalize(self.audio_projection(pooled), dim=-1)

    def forward(self, mel: Tensor) -> Tensor:
        """Spectra (B, bins, frames) to (B, D) of length 1."""
        return self.features(mel)


def clap_audio(drop_path: float = 0.0) -> ClapAudio:
    """The published network: HTS-AT tiny, 512 numbers."""
    return ClapAudio(drop_path_rate=drop_path)


def clap_audio_tiny(drop_path: float = 0.0) -> ClapAudio:
    """Two stages of one block each, over spectra of 16 bins."""
    return ClapAudio(
        num_mel_bins=16,
        spec_size=64,
        window_size=4,
        patch_embeds_hidden_size=16,
        hidden_size=32,
        depths=[1, 1],
        num_attention_heads=[2, 4],
        num_hidden_layers=2,
        projection_dim=64,
        drop_path_rate=drop_path,
    )


def _identify(state: State, _config: Config) -> Identified | None:
    patches = state["audio_model.audio_encoder.patch_embed.proj.weight"]
    projection = state["audio_projection.linear2.weight"]
    depth = sum(key.endswith("blocks.5.layernorm_before.weight") for key in state)
    if patches.shape[0] != 96 or projection.shape[0] != 512 or depth != 1:
        return None
    return Identified("clap_audio", {})


LAYOUTS = (
    Layout(
        name="huggingface",
        signature=(
            r"audio_model\.audio_encoder\.patch_embed\.proj\.weight",
            r"audio_projection\.linear1\.weight",
        ),
        # feature fusion is another network
        absent=(r"audio_model\.audio_encoder\.patch_embed\.fusion_model\..*",),
        ignore=(r"text_model\..*", r"text_projection\..*", r"logit_scale_[at]"),
        identify=_identify,
    ),
)
