"""A video encoder and a text encoder, trained to agree: the plain contrastive model.

In the form of Radford et al., "Learning Transferable Visual Models From Natural Language
Supervision", 2021 (https://arxiv.org/abs/2103.00020): a linear projection of each side without
bias, unit length, a learned scale that begins at 1 / 0.07 and stays at or below 100, InfoNCE both
ways. Any network of the registry can be the video side, any model of transformers the text side.
There is no published network of this name: weights are one's own. It knows sides and how they are
compared; the sides are in ``dual_encoder_sides``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scenewise.models.video_text.dual_encoder_sides import (
    TextSide,
    VideoSide,
    text_side,
    video_side,
)
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.losses import symmetric_info_nce

FIRST_SCALE = math.log(1 / 0.07)
LARGEST_SCALE = math.log(100.0)


class DualEncoder(VideoTextModel):
    """Clips (B, T, C, H, W) and token ids (B, L) to scaled cosines (texts, videos)."""

    def __init__(self, video: VideoSide, text: TextSide, *, embed_dim: int = 512) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self.video = video
        self.text = text
        self.video_projection = nn.Linear(video.num_features, embed_dim, bias=False)
        self.text_projection = nn.Linear(text.num_features, embed_dim, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(FIRST_SCALE))
        for side in (self.video_projection, self.text_projection):
            nn.init.normal_(side.weight, std=side.in_features**-0.5)

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        """Clips (B, T, C, H, W) to unit vectors (B, E); ``mask`` (B, T) True: a real frame.

        What masked frames hold changes nothing.
        """
        return Features(F.normalize(self.video_projection(self.video(clips, mask)), dim=-1))

    def encode_text(self, ids: Tensor, mask: Tensor | None = None) -> Features:
        """Token ids (B, L) to unit vectors (B, E); ``mask`` None: all that is no padding."""
        return Features(F.normalize(self.text_projection(self.text(ids, mask)), dim=-1))

    def similarity(self, text: Features, video: Features) -> Tensor:
        """Cosines (texts, videos), times the scale."""
        return self.logit_scale.clamp(max=LARGEST_SCALE).exp() * text.pooled @ video.pooled.T

    def loss(self, similarity: Tensor) -> Tensor:
        """InfoNCE both ways, halved."""
        return symmetric_info_nce(similarity)

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """After a step: a scale above 100 would get no gradient that brings it back."""
        self.logit_scale.clamp_(max=LARGEST_SCALE)


def dual_encoder(
    video: str = "efficientnet_lite0",
    text: str | Mapping[str, Any] = "small",
    embed_dim: int = 512,
    num_frames: int = 8,
    size: int = 224,
    text_length: int = 77,
    vocab_size: int = 30_522,
) -> DualEncoder:
    """Frames of EfficientNet-Lite0, averaged, and a transformer over BERT's vocabulary.

    ``video`` is small, efficientnet_lite0 to efficientnet_lite4 (frame by frame) or a backbone of
    the registry. ``text`` is small, settings of transformers such as ``{"model_type": "bert",
    "hidden_size": 256}``, or a folder with a text model, whose weights it begins with.
    """
    return DualEncoder(
        video_side(video, num_frames=num_frames, size=size),
        text_side(text, vocab_size=vocab_size, length=text_length, width=512, depth=6, heads=8),
        embed_dim=embed_dim,
    )


def dual_encoder_tiny(
    video: str = "small",
    text: str | Mapping[str, Any] = "small",
    embed_dim: int = 64,
    num_frames: int = 8,
    size: int = 64,
    text_length: int = 16,
    vocab_size: int = 256,
) -> DualEncoder:
    """Four small convolutions frame by frame, and two layers of width 64 over bytes."""
    return DualEncoder(
        video_side(video, num_frames=num_frames, size=size),
        text_side(text, vocab_size=vocab_size, length=text_length, width=64, depth=2, heads=4),
        embed_dim=embed_dim,
    )
