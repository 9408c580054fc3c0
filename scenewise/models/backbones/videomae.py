"""VideoMAE: a plain vision transformer over cubes of two frames, and its masked training.

Zhan Tong et al., "VideoMAE: Masked Autoencoders are Data-Efficient Learners for Self-Supervised
Video Pre-Training", 2022 (https://arxiv.org/abs/2203.12602); the masked branch of InternVideo
(https://arxiv.org/abs/2212.03191) is one. For training, nine tenths of the patches are hidden in
tubes; the encoder sees the others alone, and a small decoder restores the pixels of each hidden
cube, normalised cube by cube.

The layers are those of transformers, whose names the parameters keep. Their norms have epsilons
of 1e-12 and 1e-5, the official code 1e-6 everywhere; the numbers agree to about 1e-5. The table of
positions is a fixed sine over all cubes in a row, so other frames or sizes are other networks.
It knows encoder, classifier and decoder; checkpoints are in ``videomae_layouts.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn
from transformers import VideoMAEConfig, VideoMAEForPreTraining, VideoMAEModel

from scenewise.models.backbones.backbone import VideoBackbone

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class VideoMAEOptions:
    """What the sizes differ in."""

    width: int = 768
    depth: int = 12
    heads: int = 12
    decoder_width: int = 384
    decoder_depth: int = 4
    decoder_heads: int = 6
    num_frames: int = 16
    size: int = 224  # pixels, a square
    patch: int = 16
    tubelet: int = 2  # frames in a cube

    @property
    def grid(self) -> tuple[int, int, int]:
        """Cubes in time, height and width."""
        side = self.size // self.patch
        return self.num_frames // self.tubelet, side, side

    def config(self, *, mean_pooling: bool) -> VideoMAEConfig:
        """As transformers takes them; ``mean_pooling`` leaves the encoder's last norm away."""
        return VideoMAEConfig(
            image_size=self.size,
            patch_size=self.patch,
            num_frames=self.num_frames,
            tubelet_size=self.tubelet,
            hidden_size=self.width,
            num_hidden_layers=self.depth,
            num_attention_heads=self.heads,
            intermediate_size=4 * self.width,
            use_mean_pooling=mean_pooling,
            decoder_hidden_size=self.decoder_width,
            decoder_num_hidden_layers=self.decoder_depth,
            decoder_num_attention_heads=self.decoder_heads,
            decoder_intermediate_size=4 * self.decoder_width,
            attn_implementation="sdpa",
        )


class VideoMAE(VideoBackbone):
    """Clips (B, T, 3, H, W) to logits (B, K), from the mean of all tokens."""

    def __init__(self, options: VideoMAEOptions, *, num_classes: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.options = options
        self.num_classes = num_classes
        self.num_features = options.width
        self.videomae: Any = VideoMAEModel(options.config(mean_pooling=True))
        self.fc_norm = nn.LayerNorm(options.width)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(options.width, num_classes) if num_classes else nn.Identity()
        if isinstance(self.classifier, nn.Linear):
            nn.init.trunc_normal_(self.classifier.weight, std=0.02)
            nn.init.zeros_(self.classifier.bias)

    def tokens(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, T / 2 * H / 16 * W / 16, D), ahead of any last norm."""
        _check(clips, self.options)
        embedded = self.videomae.embeddings(clips, None)
        tokens: Tensor = self.videomae.encoder(embedded).last_hidden_state
        return tokens

    def feature_map(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, D, T / 2, H / 16, W / 16)."""
        time, height, width = self.options.grid
        return rearrange(self.tokens(clips), "b (t h w) d -> b d t h w", t=time, h=height, w=width)

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, D): the mean of all tokens, normed."""
        normed: Tensor = self.fc_norm(self.tokens(clips).mean(dim=1))
        return normed

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to logits (B, K), or to (B, D) without classes."""
        logits: Tensor = self.classifier(self.dropout(self.features(clips)))
        return logits


class VideoMAEPretraining(nn.Module):
    """The masked autoencoder: clips and a mask to the pixels of hidden cubes.

    Its names are those of transformers' VideoMAEForPreTraining; ``videomae`` is the encoder that
    is fine-tuned afterwards.
    """

    def __init__(self, options: VideoMAEOptions) -> None:
        super().__init__()
        self.options = options
        whole: Any = VideoMAEForPreTraining(options.config(mean_pooling=False))
        self.videomae: Any = whole.videomae
        self.encoder_to_decoder: nn.Module = whole.encoder_to_decoder
        self.mask_token: nn.Parameter = whole.mask_token
        self.decoder: Any = whole.decoder
        self.register_buffer("places", whole.position_embeddings, persistent=False)

    def forward(self, clips: Tensor, hidden: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W), ``hidden`` (B, N) True: not seen, to (B, hidden, 2 * 16 * 16 * 3).

        Every clip hides equally many cubes, at least one. Raises ValueError otherwise.
        """
        _check(clips, self.options)
        encoder = self.videomae
        return self.restore(encoder.layernorm(seen_tokens(encoder, clips, hidden)), hidden)

    def restore(self, seen: Tensor, hidden: Tensor) -> Tensor:
        """What the encoder made of the cubes that are seen (B, N - hidden, D), after its norm, to
        the pixels of the hidden ones.
        """
        places = self.get_buffer("places").to(seen.dtype).expand(len(seen), -1, -1)
        shown = self.encoder_to_decoder(seen) + _chosen(places, ~hidden)
        masked = self.mask_token + _chosen(places, hidden)
        tokens = torch.cat([shown, masked], dim=1)
        pixels: Tensor = self.decoder(tokens, masked.shape[1]).logits
        return pixels

    def loss(self, pixels: Tensor, clips: Tensor, hidden: Tensor) -> Tensor:
        """Mean squared error of what ``forward`` gave, against normalised cubes."""
        return F.mse_loss(pixels, _chosen(normalised_cubes(clips, self.options), hidden))


def seen_tokens(encoder: Any, clips: Tensor, hidden: Tensor) -> Tensor:
    """Clips (B, T, 3, H, W) through transformers' encoder, ``hidden`` (B, N) left out, ahead of
    its norm: (B, N - hidden, D). Raises ValueError unless all hide equally many, and show some.
    """
    counts = hidden.sum(dim=1)
    if bool((counts != counts[0]).any()) or int(counts[0]) in (0, hidden.shape[1]):
        raise ValueError("every clip must hide equally many cubes, and show some")
    tokens: Tensor = encoder.encoder(encoder.embeddings(clips, hidden)).last_hidden_state
    return tokens


def normalised_cubes(clips: Tensor, options: VideoMAEOptions) -> Tensor:
    """Clips (B, T, 3, H, W), as the card normalises them, to targets (B, N, cube).

    Pixels of 0..1 again, then each cube less its mean over its deviation, channel by channel.
    """
    mean, std = (rearrange(clips.new_tensor(values), "c -> c 1 1") for values in (_MEAN, _STD))
    cubes = rearrange(
        clips * std + mean,
        "b (t q) c (h p) (w r) -> b (t h w) (q p r) c",
        q=options.tubelet,
        p=options.patch,
        r=options.patch,
    )
    centred = cubes - cubes.mean(dim=2, keepdim=True)
    return rearrange(centred / (cubes.std(dim=2, keepdim=True) + 1e-6), "b n p c -> b n (p c)")


def _chosen(rows: Tensor, mask: Tensor) -> Tensor:
    """Of (B, N, D) those where the mask (B, N) is True, equally many in each."""
    return rearrange(rows[mask], "(b n) d -> b n d", b=len(rows))


def _check(clips: Tensor, options: VideoMAEOptions) -> None:
    wanted = (options.num_frames, 3, options.size, options.size)
    if clips.ndim != 5 or clips.shape[1:] != wanted:
        raise ValueError(f"this VideoMAE takes clips (B, {wanted}), got {tuple(clips.shape)}")


BASE = VideoMAEOptions()
LARGE = VideoMAEOptions(
    width=1024, depth=24, heads=16, decoder_width=512, decoder_depth=12, decoder_heads=8
)
TINY = VideoMAEOptions(
    width=64,
    depth=3,
    heads=4,
    decoder_width=32,
    decoder_depth=2,
    decoder_heads=2,
    num_frames=8,
    size=64,
)


def videomae_base(
    num_classes: int = 400, num_frames: int = 16, size: int = 224, dropout: float = 0.0
) -> VideoMAE:
    """ViT-B; 400 classes of Kinetics."""
    options = replace(BASE, num_frames=num_frames, size=size)
    return VideoMAE(options, num_classes=num_classes, dropout=dropout)


def videomae_large(
    num_classes: int = 400, num_frames: int = 16, size: int = 224, dropout: float = 0.0
) -> VideoMAE:
    """ViT-L; 400 classes of Kinetics."""
    options = replace(LARGE, num_frames=num_frames, size=size)
    return VideoMAE(options, num_classes=num_classes, dropout=dropout)


def videomae_tiny(
    num_classes: int = 10, num_frames: int = 8, size: int = 64, dropout: float = 0.0
) -> VideoMAE:
    """Three narrow blocks."""
    options = replace(TINY, num_frames=num_frames, size=size)
    return VideoMAE(options, num_classes=num_classes, dropout=dropout)
