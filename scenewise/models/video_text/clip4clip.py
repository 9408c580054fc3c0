"""CLIP4Clip: CLIP on every frame, and four ways to compare the frames with a sentence.

Huaishao Luo et al., "CLIP4Clip: An Empirical Study of CLIP for End to End Video Clip Retrieval",
2021 (https://arxiv.org/abs/2104.08860). mean_pool has no weights of its own; seq_lstm and
seq_transformer let the frames see each other first; tight_transformer reads sentence and frames
together and is run for every pair.

It knows frames and token ids; it knows neither how frames are picked nor a tokenizer. The names
of the parameters are those of the official code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.layers.attention import QuickGELU
from scenewise.models.video_text.clip_towers import (
    CLIP,
    HEAD_WIDTH,
    SIZES,
    TINY,
    ClipSize,
    Encoded,
    Transformer,
    VisionTower,
)
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.losses import symmetric_info_nce
from scenewise.models.weights.inflate import inflate

Head = Literal["mean_pool", "seq_lstm", "seq_transformer", "tight_transformer"]
Visual = Literal["ViT-B/32", "ViT-B/16"]
LinearPatch = Literal["2d", "3d"]
LAYERS = 4  # of the transformer over frames, and of the one over sentence and frames
_EPS = 1e-12  # of the norms that the heads add
_MASKED = -1e6  # what the scores of frames that are none get


class TubeVisionTower(VisionTower):
    """A vision tower whose filters see three frames: linear_patch 3d.

    ``conv1`` stays, unused, because the published weights have it.
    """

    def __init__(self, size: ClipSize) -> None:
        super().__init__(size)
        patch = size.patch_size
        self.conv2 = nn.Conv3d(
            3,
            size.vision_width,
            (3, patch, patch),
            stride=(1, patch, patch),
            padding=(1, 0, 0),
            bias=False,
        )

    def embed_clips(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B * T, 1 + N, D)."""
        x = self.conv2(rearrange(clips, "b t c h w -> b c t h w"))
        return self.place(rearrange(x, "b d t h w -> (b t) (h w) d"))

    def encode_clips(self, clips: Tensor) -> Encoded:
        """Clips (B, T, 3, H, W) to (B * T, E) and tokens (B * T, 1 + N, D)."""
        hidden = self.ln_post(self.transformer(self.embed_clips(clips)))
        return Encoded(hidden[:, 0] @ self.proj, hidden)


class TubeCLIP(CLIP):
    """CLIP whose pictures come as clips."""

    visual: TubeVisionTower

    def _vision(self, size: ClipSize) -> VisionTower:
        return TubeVisionTower(size)


class CrossEmbeddings(nn.Module):
    """Adds a learned position to each token."""

    def __init__(self, length: int, width: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.position_embeddings = nn.Embedding(length, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        placed: Tensor = self.dropout(tokens + self.position_embeddings.weight[: tokens.shape[1]])
        return placed


class CrossPooler(nn.Module):
    """What the first token became, after a norm, a linear layer and QuickGELU."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.ln_pool = nn.LayerNorm(width, _EPS)
        self.dense = nn.Linear(width, width)
        self.activation = QuickGELU()

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to (B, D)."""
        pooled: Tensor = self.activation(self.dense(self.ln_pool(tokens[:, 0])))
        return pooled


class CrossEncoder(nn.Module):
    """Sentence and frames in one row (B, 1 + T, D) to (B, D)."""

    def __init__(self, length: int, width: int, layers: int) -> None:
        super().__init__()
        self.embeddings = CrossEmbeddings(length, width)
        self.transformer = Transformer(width, layers, width // HEAD_WIDTH, _EPS)
        self.pooler = CrossPooler(width)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """``mask`` (B, 1 + T) is True where a token is real; None: everywhere."""
        pooled: Tensor = self.pooler(
            self.transformer(self.embeddings(tokens), added_mask(mask, tokens))
        )
        return pooled


class CLIP4Clip(VideoTextModel):
    """Clips (B, T, 3, H, W) and ids (B, L) with one of four heads.

    ``normalise_frames`` False averages the frames' vectors as they are, as mmaction2 does; the
    official code gives them unit length first.
    """

    def __init__(
        self,
        size: ClipSize,
        head: Head,
        *,
        layers: int = LAYERS,
        linear_patch: LinearPatch = "2d",
        normalise_frames: bool = True,
    ) -> None:
        super().__init__()
        _allowed("head", head, get_args(Head))
        _allowed("linear_patch", linear_patch, get_args(LinearPatch))
        self.head = head
        self.normalise_frames = normalise_frames
        self.size = size.image_size
        self.embed_dim = size.embed_dim
        self.max_frames = size.context_length - (head == "tight_transformer")
        self.clip = TubeCLIP(size) if linear_patch == "3d" else CLIP(size)
        width = size.embed_dim
        if head in ("seq_lstm", "seq_transformer"):
            # the official seqLSTM has this table and never reads it
            self.frame_position_embeddings = nn.Embedding(size.context_length, width)
        if head == "seq_lstm":
            self.lstm_visual = nn.LSTM(width, width, batch_first=True)
        if head == "seq_transformer":
            self.transformerClip = Transformer(width, layers, width // HEAD_WIDTH, _EPS)
        if head == "tight_transformer":
            self.cross = CrossEncoder(size.context_length, width, layers)
            self.similarity_dense = nn.Linear(width, 1)
            self.pooled_ranks = False
            self.index_note = (
                "The model reads each sentence together with the frames; vectors alone compare "
                "CLIP's sentence with the mean of CLIP's frames, which its training never did."
            )
        self._initialise()

    def encode_video(self, clips: Tensor, mask: Tensor | None = None) -> Features:
        """Clips (B, T, 3, H, W) to the unit mean of frames (B, D) and frames (B, T, D).

        The frames are those that the head has worked on, not of unit length; frames that ``mask``
        (B, T) calls none must come behind the real ones.
        """
        frames = self.over_time(self.frames(clips), mask)
        return Features(self.mean_of(frames, mask), frames, mask)

    def encode_text(self, ids: Tensor, _mask: Tensor | None = None) -> Features:
        """Ids (B, L) to unit vectors (B, D); the one token (B, 1, D) has its own length.

        Texts end with the id that is the highest, so no mask is needed.
        """
        sentence = self.clip.encode_text(ids).pooled
        return Features(F.normalize(sentence, dim=-1), rearrange(sentence, "b d -> b 1 d"))

    def similarity(self, text: Features, video: Features) -> Tensor:
        """(texts, videos): cosines times CLIP's scale, or what the cross encoder says."""
        if self.head != "tight_transformer":
            cosines: Tensor = text.pooled @ video.pooled.T
            return self.clip.logit_scale.exp() * cosines
        if text.tokens is None or video.tokens is None:
            raise ValueError("this head compares tokens; encode both sides with this network")
        texts, videos = text.tokens.shape[0], video.tokens.shape[0]
        pairs = torch.cat(
            [
                repeat(text.tokens, "a one d -> (a b) one d", b=videos),
                repeat(video.tokens, "b t d -> (a b) t d", a=texts),
            ],
            dim=1,
        )
        mask = None
        if video.mask is not None:  # the sentence is always there
            mask = repeat(F.pad(video.mask, (1, 0), value=True), "b n -> (a b) n", a=texts)
        scores: Tensor = self.similarity_dense(self.cross(pairs, mask))
        return rearrange(scores, "(a b) 1 -> a b", b=videos)

    def loss(self, similarity: Tensor) -> Tensor:
        """Cross entropy from texts to videos and from videos to texts, halved."""
        return symmetric_info_nce(similarity)

    def frames(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to what CLIP makes of each frame (B, T, D)."""
        side = self.size
        if clips.ndim != 5 or clips.shape[2:] != (3, side, side) or not self._takes(clips.shape[1]):
            raise ValueError(
                f"this network takes clips of up to {self.max_frames} frames of 3 x {side} x "
                f"{side}, got {tuple(clips.shape[1:])}"
            )
        if isinstance(self.clip, TubeCLIP):
            flat = self.clip.visual.encode_clips(clips).pooled
        else:
            flat = self.clip.encode_image(rearrange(clips, "b t c h w -> (b t) c h w")).pooled
        return rearrange(flat, "(b t) d -> b t d", t=clips.shape[1])

    def over_time(self, frames: Tensor, mask: Tensor | None) -> Tensor:
        """Frames (B, T, D) after the head has let them see each other, (B, T, D)."""
        if self.head == "seq_lstm":
            # it looks back alone, so what frames behind the real ones give harms none of these
            remembered: Tensor = self.lstm_visual(frames)[0]
            return frames + remembered
        if self.head == "seq_transformer":
            placed = frames + self.frame_position_embeddings.weight[: frames.shape[1]]
            seen: Tensor = self.transformerClip(placed, added_mask(mask, placed))
            return frames + seen
        return frames

    def mean_of(self, frames: Tensor, mask: Tensor | None) -> Tensor:
        """Frames (B, T, D) to the unit mean over the real ones (B, D)."""
        if self.normalise_frames:
            frames = F.normalize(frames, dim=-1)
        if mask is None:
            return F.normalize(frames.mean(dim=1), dim=-1)
        real = rearrange(mask, "b t -> b t 1").to(frames.dtype)
        mean = (frames * real).sum(dim=1) / real.sum(dim=1).clamp(min=1.0)
        return F.normalize(mean, dim=-1)

    def _takes(self, frames: int) -> bool:
        return frames > 0 and (self.head == "mean_pool" or frames <= self.max_frames)

    def _initialise(self) -> None:
        """The heads' own normals, then what they take from CLIP."""
        for name, layer in self.named_modules():
            if name.startswith("clip.") or not isinstance(layer, nn.Linear | nn.Embedding):
                continue
            nn.init.normal_(layer.weight, std=0.02)
            if isinstance(layer, nn.Linear) and layer.bias is not None:
                nn.init.zeros_(layer.bias)
        self.initialise_from_clip()

    @torch.no_grad()
    def initialise_from_clip(self) -> None:
        """Give the head CLIP's own weights, as the published training begins.

        Positions and blocks are the first of CLIP's text tower; a filter of three frames has
        CLIP's filter at its middle. For use after plain CLIP weights were loaded.
        """
        if isinstance(self.clip, TubeCLIP):
            self.clip.visual.conv2.weight.copy_(inflate(self.clip.visual.conv1.weight, 3, "centre"))
        if self.head in ("seq_lstm", "seq_transformer"):
            self.frame_position_embeddings.weight.copy_(self.clip.positional_embedding)
        if self.head == "seq_transformer":
            _copy_blocks(self.clip.transformer, self.transformerClip)
        if self.head == "tight_transformer":
            positions = self.cross.embeddings.position_embeddings.weight
            positions.copy_(self.clip.positional_embedding)
            _copy_blocks(self.clip.transformer, self.cross.transformer)


def added_mask(mask: Tensor | None, tokens: Tensor) -> Tensor | None:
    """A mask (B, N), True where a token is real, as what is added to scores (B, 1, 1, N).

    Not minus infinity: where no token is real, all count alike instead of giving no number.
    """
    if mask is None:
        return None
    least = max(_MASKED, torch.finfo(tokens.dtype).min)
    scores = torch.zeros_like(mask, dtype=tokens.dtype).masked_fill(~mask.bool(), least)
    return rearrange(scores, "b n -> b 1 1 n")


def _copy_blocks(source: Transformer, target: Transformer) -> None:
    for mine, theirs in zip(target.resblocks, source.resblocks, strict=False):
        mine.load_state_dict(theirs.state_dict())


def _allowed(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UsageError(f"{option} is {value!r}; allowed: {', '.join(allowed)}.")


def clip_of(visual: str) -> ClipSize:
    """The towers of a published size. Raises UsageError for another name."""
    _allowed("visual", visual, get_args(Visual))
    return SIZES[visual]


def clip4clip_mean_pool(
    visual: Visual = "ViT-B/32",
    linear_patch: LinearPatch = "2d",
    normalise_frames: bool = True,
) -> CLIP4Clip:
    """meanP: no weights beside CLIP's."""
    return CLIP4Clip(
        clip_of(visual),
        "mean_pool",
        linear_patch=linear_patch,
        normalise_frames=normalise_frames,
    )


def clip4clip_seq_lstm(visual: Visual = "ViT-B/32", linear_patch: LinearPatch = "2d") -> CLIP4Clip:
    """seqLSTM: one layer that looks back, added to the frames."""
    return CLIP4Clip(clip_of(visual), "seq_lstm", linear_patch=linear_patch)


def clip4clip_seq_transformer(
    visual: Visual = "ViT-B/32", linear_patch: LinearPatch = "2d"
) -> CLIP4Clip:
    """seqTransf: four blocks over the frames, added to them."""
    return CLIP4Clip(clip_of(visual), "seq_transformer", linear_patch=linear_patch)


def clip4clip_tight_transformer(
    visual: Visual = "ViT-B/32", linear_patch: LinearPatch = "2d"
) -> CLIP4Clip:
    """tightTransf: four blocks over sentence and frames."""
    return CLIP4Clip(clip_of(visual), "tight_transformer", linear_patch=linear_patch)


def clip4clip_tiny(
    head: Head = "mean_pool",
    linear_patch: LinearPatch = "2d",
    normalise_frames: bool = True,
    vocab_size: int = 512,
) -> CLIP4Clip:
    """Towers and head of two layers; the highest id must be the end mark."""
    return CLIP4Clip(
        replace(TINY, vocab_size=vocab_size),
        head,
        layers=2,
        linear_patch=linear_patch,
        normalise_frames=normalise_frames,
    )
