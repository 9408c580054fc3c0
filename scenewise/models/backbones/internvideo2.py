"""InternVideo2's video encoder: a plain vision transformer over all patches of all frames.

Yi Wang et al., "InternVideo2: Scaling Foundation Models for Multimodal Video Understanding", 2024
(https://arxiv.org/abs/2403.15377). One token for each 14 x 14 patch of each frame and [CLS] see
one another in every block. Blocks have RMS norm, no bias of queries, keys and values, queries and
keys that are normed over the whole width, and layer scale. Attention pooling, whose query is the
mean of the tokens, ends in the vector that video and text share.

It knows the encoder and its classifier; its key layouts are in ``internvideo2_layouts.py``, the
teachers' alignment in ``internvideo2_align.py``, the text in ``video_text/internvideo2.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.layers.attention import Attention, Mlp
from scenewise.models.layers.drop_path import DropPath, linear_rates

_EPS = 1e-6  # of the RMS norms
_STD = 0.02  # of the initial weights


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """What the sizes of the encoder differ in."""

    width: int
    depth: int
    heads: int
    hidden: int  # of the MLP
    patch: int = 14
    size: int = 224  # pixels, a square
    num_frames: int = 8
    pool_heads: int = 16
    embed_dim: int = 768  # what attention pooling ends in
    layer_scale: float = 1e-5  # at the start
    drop_path: float = 0.0  # of the last block


class RMSNorm(nn.Module):
    """A vector over the root of its mean square, computed in float32 or wider."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """(…, D) to (…, D)."""
        wide = torch.promote_types(tokens.dtype, torch.float32)
        normed = F.rms_norm(tokens.to(wide), self.weight.shape, self.weight.to(wide), _EPS)
        return normed.to(tokens.dtype)


class NormedAttention(Attention):
    """Self-attention whose queries and keys are normed over the whole width, ahead of the heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads, qkv_bias=False)
        self.q_norm = RMSNorm(width)
        self.k_norm = RMSNorm(width)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, N, D) to (B, N, D); ``mask`` is added to the scores."""
        parts = rearrange(self.qkv(tokens), "b n (three d) -> three b n d", three=3)
        query, key, value = (
            rearrange(part, "b n (h d) -> b h n d", h=self.heads)
            for part in (self.q_norm(parts[0]), self.k_norm(parts[1]), parts[2])
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        output: Tensor = self.proj(rearrange(mixed, "b h n d -> b n (h d)"))
        return output


class LayerScale(nn.Module):
    """A learned factor for each channel, small at the start."""

    def __init__(self, width: int, initial: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), initial))

    def forward(self, tokens: Tensor) -> Tensor:
        """(…, D) to (…, D)."""
        return tokens * self.gamma


class Block(nn.Module):
    """Attention and MLP, each behind an RMS norm and ahead of its layer scale."""

    def __init__(self, options: EncoderOptions, drop_path: float) -> None:
        super().__init__()
        width = options.width
        self.norm1 = RMSNorm(width)
        self.attn = NormedAttention(width, options.heads)
        self.ls1 = LayerScale(width, options.layer_scale)
        self.norm2 = RMSNorm(width)
        self.mlp = Mlp(width, options.hidden)
        self.ls2 = LayerScale(width, options.layer_scale)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        tokens = tokens + self.drop_path(self.ls1(self.attn(self.norm1(tokens))))
        output: Tensor = tokens + self.drop_path(self.ls2(self.mlp(self.norm2(tokens))))
        return output


class CrossAttention(nn.Module):
    """Attention of some tokens to others; biases lie beside the projections, as published."""

    def __init__(self, width: int, heads: int, outputs: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be shared by {heads} heads")
        self.heads = heads
        self.q = nn.Linear(width, width, bias=False)
        self.k = nn.Linear(width, width, bias=False)
        self.v = nn.Linear(width, width, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.k_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.proj = nn.Linear(width, outputs)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """(B, M, D), (B, N, D), (B, N, D) to (B, M, E)."""
        parts = (
            self.q(query) + self.q_bias,
            self.k(key) + self.k_bias,
            self.v(value) + self.v_bias,
        )
        asked, keys, values = (
            rearrange(part, "b n (h d) -> b h n d", h=self.heads) for part in parts
        )
        mixed = F.scaled_dot_product_attention(asked, keys, values)
        output: Tensor = self.proj(rearrange(mixed, "b h n d -> b n (h d)"))
        return output


class AttentionPool(nn.Module):
    """One vector of all tokens: their mean asks, they answer."""

    def __init__(self, width: int, heads: int, outputs: int) -> None:
        super().__init__()
        self.norm1_q = nn.LayerNorm(width)
        self.norm1_k = nn.LayerNorm(width)
        self.norm1_v = nn.LayerNorm(width)
        self.cross_attn = CrossAttention(width, heads, outputs)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to (B, E)."""
        query = self.norm1_q(tokens.mean(dim=1, keepdim=True))
        pooled: Tensor = self.cross_attn(query, self.norm1_k(tokens), self.norm1_v(tokens))
        return rearrange(pooled, "b 1 e -> b e")


class PatchEmbedding(nn.Module):
    """A token for each patch of each frame, with the keys ``proj.*``."""

    def __init__(self, patch: int, width: int) -> None:
        super().__init__()
        self.patch = patch
        self.proj = nn.Conv3d(3, width, (1, patch, patch), stride=(1, patch, patch))

    def forward(self, clips: Tensor) -> Tensor:
        """(B, T, 3, H, W) to (B, D, T, H / patch, W / patch). Raises ValueError for odd sizes."""
        if clips.ndim != 5 or clips.shape[2] != 3:
            raise ValueError(f"clips are (B, T, 3, H, W), got {tuple(clips.shape)}")
        if clips.shape[3] % self.patch or clips.shape[4] % self.patch:
            raise ValueError(
                f"height and width must be multiples of {self.patch}, got {tuple(clips.shape)}"
            )
        patches: Tensor = self.proj(rearrange(clips, "b t c h w -> b c t h w"))
        return patches


class InternVideo2(VideoBackbone):
    """Clips (B, T, 3, H, W) to logits (B, K), or to the pooled vector (B, 768) without classes.

    ``num_frames`` and ``size`` are those of the learned table of positions. Other numbers of
    frames get the table by linear interpolation and other sizes by bicubic, as the official code
    does for its checkpoints; a single frame gets its mean over time.
    """

    def __init__(
        self, options: EncoderOptions, *, num_classes: int = 400, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.options = options
        self.num_classes = num_classes
        self.num_features = options.embed_dim
        width, side = options.width, options.size // options.patch
        self.patch_embed = PatchEmbedding(options.patch, width)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(sine_cosine_grid(options.num_frames, side, width))
        rates = linear_rates(options.drop_path, options.depth)
        self.blocks = nn.ModuleList([Block(options, rate) for rate in rates])
        self.clip_projector = AttentionPool(width, options.pool_heads, options.embed_dim)
        # of the classifier alone: what is compared with text has no norm of its own
        self.fc_norm = nn.LayerNorm(options.embed_dim) if num_classes else nn.Identity()
        self.fc_dropout = nn.Dropout(dropout)
        self.head = nn.Linear(options.embed_dim, num_classes) if num_classes else nn.Identity()
        self._initialise()

    def embed(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to [CLS] and patches with their positions, (B, 1 + N, D)."""
        patches = self.patch_embed(clips)
        table = self.positions(patches.shape[2], (patches.shape[3], patches.shape[4]))
        tokens = rearrange(patches, "b d t h w -> b (t h w) d")
        marks = self.cls_token.expand(tokens.shape[0], -1, -1)
        return torch.cat([marks, tokens], dim=1) + table

    def tokens(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 1 + T * H / 14 * W / 14, D); there is no last norm."""
        tokens = self.embed(clips)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 768), after the classifier's norm where there is one."""
        normed: Tensor = self.fc_norm(self.clip_projector(self.tokens(clips)))
        return normed

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to logits (B, K), or to (B, 768) without classes."""
        logits: Tensor = self.head(self.fc_dropout(self.features(clips)))
        return logits

    def positions(self, time: int, grid: tuple[int, int]) -> Tensor:
        """The table (1, 1 + T * H * W, D) for this many frames and patches."""
        own_time, side = self.options.num_frames, self.options.size // self.options.patch
        if time == own_time and grid == (side, side):
            return self.pos_embed
        places = rearrange(
            self.pos_embed[:, 1:], "1 (t h w) d -> t d h w", t=own_time, h=side, w=side
        )
        if time == 1:
            places = places.mean(dim=0, keepdim=True)
        elif time != own_time:
            line = rearrange(places, "t d h w -> (h w) d t")
            line = F.interpolate(line, size=time, mode="linear", align_corners=False)
            places = rearrange(line, "(h w) d t -> t d h w", h=side)
        if grid != (side, side):
            places = F.interpolate(places, size=grid, mode="bicubic", align_corners=False)
        return torch.cat(
            [self.pos_embed[:, :1], rearrange(places, "t d h w -> 1 (t h w) d")], dim=1
        )

    def _initialise(self) -> None:
        """Narrow normals; the last layer of each branch smaller the deeper it lies."""
        nn.init.trunc_normal_(self.cls_token, std=_STD)
        initialise_linears(self)
        with torch.no_grad():
            for number, block in enumerate(self.blocks, start=1):
                for path in ("attn.proj", "mlp.fc2"):
                    block.get_parameter(f"{path}.weight").div_(math.sqrt(2.0 * number))
            if isinstance(self.head, nn.Linear):
                self.head.weight.mul_(0.001)


def initialise_linears(network: nn.Module) -> None:
    """Every linear layer below: weights of a narrow normal, biases 0."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.trunc_normal_(layer.weight, std=_STD)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def sine_cosine_grid(time: int, side: int, width: int) -> Tensor:
    """The table that training starts from, (1, 1 + T * side * side, D); zeros for [CLS].

    A quarter of the channels says when, the rest where: half of it the column, half the row; each
    is sines, then cosines.
    """
    if width % 16:
        raise ValueError(f"positions in time, column and row need a width of 16 n, got {width}")
    axis = _sine_cosine(side, width // 8 * 3)
    columns, rows = repeat(axis, "w d -> h w d", h=side), repeat(axis, "h d -> h w d", w=side)
    places = repeat(torch.cat([columns, rows], dim=-1), "h w d -> t h w d", t=time)
    instants = repeat(_sine_cosine(time, width // 4), "t d -> t h w d", h=side, w=side)
    table = rearrange(torch.cat([instants, places], dim=-1), "t h w d -> 1 (t h w) d")
    return torch.cat([torch.zeros(1, 1, width), table.float()], dim=1)


def _sine_cosine(length: int, width: int) -> Tensor:
    rates = 10_000.0 ** -(torch.arange(width // 2, dtype=torch.float64) / (width / 2))
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=-1)


SIZES = {
    "s14": EncoderOptions(width=384, depth=12, heads=6, hidden=1536),
    "b14": EncoderOptions(width=768, depth=12, heads=12, hidden=3072),
    "l14": EncoderOptions(width=1024, depth=24, heads=16, hidden=4096),
    "1b": EncoderOptions(width=1408, depth=40, heads=16, hidden=6144),
    "tiny": EncoderOptions(
        width=64, depth=3, heads=4, hidden=256, patch=16, size=64, pool_heads=4, embed_dim=64
    ),
}


def _encoder(
    key: str, num_classes: int, num_frames: int, size: int, drop_path: float, dropout: float
) -> InternVideo2:
    options = replace(SIZES[key], num_frames=num_frames, size=size, drop_path=drop_path)
    return InternVideo2(options, num_classes=num_classes, dropout=dropout)


def internvideo2_encoder_s14(
    num_classes: int = 400,
    num_frames: int = 8,
    size: int = 224,
    drop_path: float = 0.0,
    dropout: float = 0.0,
) -> InternVideo2:
    """Small, distilled from 1B; 400 classes of Kinetics."""
    return _encoder("s14", num_classes, num_frames, size, drop_path, dropout)


def internvideo2_encoder_b14(
    num_classes: int = 400,
    num_frames: int = 8,
    size: int = 224,
    drop_path: float = 0.0,
    dropout: float = 0.0,
) -> InternVideo2:
    """Base, distilled from 1B; 400 classes of Kinetics."""
    return _encoder("b14", num_classes, num_frames, size, drop_path, dropout)


def internvideo2_encoder_l14(
    num_classes: int = 400,
    num_frames: int = 8,
    size: int = 224,
    drop_path: float = 0.0,
    dropout: float = 0.0,
) -> InternVideo2:
    """Large, distilled from 1B; 400 classes of Kinetics."""
    return _encoder("l14", num_classes, num_frames, size, drop_path, dropout)


def internvideo2_encoder_1b(
    num_classes: int = 400,
    num_frames: int = 8,
    size: int = 224,
    drop_path: float = 0.0,
    dropout: float = 0.0,
) -> InternVideo2:
    """The encoder of a billion parameters that the smaller ones learned from."""
    return _encoder("1b", num_classes, num_frames, size, drop_path, dropout)


def internvideo2_encoder_tiny(
    num_classes: int = 10,
    num_frames: int = 8,
    size: int = 64,
    drop_path: float = 0.0,
    dropout: float = 0.0,
) -> InternVideo2:
    """Three narrow blocks over patches of 16 pixels."""
    return _encoder("tiny", num_classes, num_frames, size, drop_path, dropout)
