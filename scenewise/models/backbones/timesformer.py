"""TimeSformer: a vision transformer that attends over time, then over space.

Gedas Bertasius, Heng Wang, Lorenzo Torresani, "Is Space-Time Attention All You Need for Video
Understanding?", 2021 (https://arxiv.org/abs/2102.05095). Divided attention: in every block each
patch attends to the patches at its own place in all frames, then the patches of a frame attend to
each other and to [CLS], whose answers are averaged over the frames. Joint attention lets all
tokens attend to all; space-only attention is a picture network, averaged over frames.

It knows the architecture; its key layouts are ``timesformer_layouts``'s. It knows no class names.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.layers.attention import Attention, Mlp
from scenewise.models.layers.drop_path import DropPath, linear_rates
from scenewise.models.layers.positions import resize_grid, resize_line
from scenewise.models.layers.transformer_block import TransformerBlock
from scenewise.models.weights.checkpoint import State

AttentionKind = Literal["divided_space_time", "joint_space_time", "space_only"]
_EPS = 1e-6
_FROM_SPACE = ((".attn.", ".temporal_attn."), (".norm1.", ".temporal_norm1."))


class TemporalAttention(Attention):
    """Each place attends over time: tokens (B, T, N, D) to (B, T, N, D).

    Queries, keys and values are projected one by one: then places and heads are one axis of each
    without a copy.
    """

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, T, N, D) to (B, T, N, D); ``mask`` is added to the scores, (…, T, T)."""
        bias = self.qkv.bias
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        query, key, value = (
            rearrange(F.linear(tokens, weight, one), "b t n (h d) -> b (n h) t d", h=self.heads)
            for weight, one in zip(self.qkv.weight.chunk(3), biases, strict=True)
        )
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=self.attention_dropout if self.training else 0.0,
        )
        joined = rearrange(mixed, "b (n h) t d -> b t n (h d)", h=self.heads)
        output: Tensor = self.proj_drop(self.proj(joined))
        return output


class DividedBlock(nn.Module):
    """Attention over time, attention over space, MLP; each behind a norm and beside a skip."""

    def __init__(
        self, width: int, heads: int, hidden: int, *, dropout: float = 0.0, drop_path: float = 0.0
    ) -> None:
        super().__init__()
        self.temporal_norm1 = nn.LayerNorm(width, eps=_EPS)
        self.temporal_attn = TemporalAttention(width, heads, dropout=dropout)
        self.temporal_fc = nn.Linear(width, width)
        self.norm1 = nn.LayerNorm(width, eps=_EPS)
        self.attn = Attention(width, heads, dropout=dropout)
        self.norm2 = nn.LayerNorm(width, eps=_EPS)
        self.mlp = Mlp(width, hidden, dropout=dropout)
        # the published code drops time's branch place by place, and space's frame by frame
        self.temporal_drop_path = DropPath(drop_path, axes=(0, 2))
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor, frames: int) -> Tensor:
        """Tokens (B, 1 + T * N, D), [CLS] first and then frame by frame, to the same."""
        cls, patches = tokens[:, :1], rearrange(tokens[:, 1:], "b (t n) d -> b t n d", t=frames)
        over_time = self.temporal_attn(self.temporal_norm1(patches))
        patches = patches + self.temporal_fc(self.temporal_drop_path(over_time))

        cls_of_frames = repeat(cls, "b one d -> b t one d", t=frames)
        in_frames = torch.cat([cls_of_frames, patches], dim=2)
        in_frames = rearrange(in_frames, "b t n d -> (b t) n d")
        over_space = self.drop_path(self.attn(self.norm1(in_frames)))
        over_space = rearrange(over_space, "(b t) n d -> b t n d", t=frames)
        cls = cls + over_space[:, :, 0].mean(dim=1, keepdim=True)
        patches = patches + over_space[:, :, 1:]

        tokens = torch.cat([cls, rearrange(patches, "b t n d -> b (t n) d")], dim=1)
        output: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return output


class PatchEmbed(nn.Module):
    """Pictures (B, 3, H, W) to one token a patch (B, N, D), row by row."""

    def __init__(self, width: int, patch: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, width, kernel_size=patch, stride=patch)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, H / P * W / P, D)."""
        maps: Tensor = self.proj(pictures)
        return rearrange(maps, "b d h w -> b (h w) d")


class TimeSformer(VideoBackbone):
    """Clips (B, T, 3, H, W) to logits (B, K).

    Clips of other lengths and sizes than ``num_frames`` and ``size`` are taken as well, with
    tables of places and instants that are resized to the nearest entry, as published.
    """

    def __init__(
        self,
        *,
        num_classes: int = 400,
        num_frames: int = 8,
        size: int = 224,
        patch: int = 16,
        attention: AttentionKind = "divided_space_time",
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        dropout: float = 0.0,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        if attention not in get_args(AttentionKind):
            raise UsageError(
                f"TimeSformer has no attention {attention!r}; allowed: "
                f"{', '.join(get_args(AttentionKind))}."
            )
        if size % patch:
            raise UsageError(
                f"A side of {size} pixels cannot be cut into patches of {patch}; give a multiple."
            )
        self.num_classes = num_classes
        self.num_features = width
        self.patch = patch
        self.attention = attention
        self.grid = (size // patch, size // patch)
        self.patch_embed = PatchEmbed(width, patch)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + self.grid[0] * self.grid[1], width))
        self.pos_drop = nn.Dropout(dropout)
        if attention != "space_only":
            self.time_embed = nn.Parameter(torch.zeros(1, num_frames, width))
            self.time_drop = nn.Dropout(dropout)
        block = DividedBlock if attention == "divided_space_time" else TransformerBlock
        self.blocks = nn.ModuleList(
            block(width, heads, 4 * width, dropout=dropout, drop_path=rate)
            for rate in linear_rates(drop_path, depth)
        )
        self.norm = nn.LayerNorm(width, eps=_EPS)
        self.head = nn.Linear(width, num_classes) if num_classes else nn.Identity()
        self._initialise()

    def tokens(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, 1 + T * N, D): [CLS], then the patches frame by frame.

        Space-only attention gives (B, 1 + N, D), the mean of the frames.
        """
        tokens: Tensor = self.norm(self._encode(clips))
        return tokens

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to [CLS] (B, D)."""
        cls: Tensor = self.norm(self._encode(clips)[:, 0])
        return cls

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to logits (B, K), or to [CLS] (B, D) without classes."""
        logits: Tensor = self.head(self.features(clips))
        return logits

    def adapt_state(self, state: State) -> State:
        """Tables of another size are resized, and what time lacks is copied from space.

        The official code resizes the places of a checkpoint along their rows laid end to end,
        which mixes the rows up; here they are resized as the grid that they are, as the official
        code itself does when it meets a clip of another size.
        """
        made = dict(state)
        if self.attention == "divided_space_time":
            for key, tensor in state.items():
                for space, time in _FROM_SPACE:
                    if space in key:
                        made.setdefault(key.replace(space, time), tensor)
        if "pos_embed" in made:
            made["pos_embed"] = resize_grid(made["pos_embed"], self.grid, marks=1, mode="nearest")
        if "time_embed" in made and self.attention != "space_only":
            made["time_embed"] = resize_line(made["time_embed"], self.time_embed.shape[1])
        return made

    def _encode(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to tokens (B, N, D) ahead of the last norm."""
        frames, channels, height, width = clips.shape[1:]
        if channels != 3 or height % self.patch or width % self.patch:
            raise ValueError(
                f"TimeSformer takes clips (B, T, 3, H, W) whose sides are multiples of "
                f"{self.patch}, not {tuple(clips.shape)}"
            )
        patches = self.patch_embed(rearrange(clips, "b t c h w -> (b t) c h w"))
        grid = (height // self.patch, width // self.patch)
        places = resize_grid(self.pos_embed, grid, marks=1, mode="nearest")
        patches = self.pos_drop(patches + places[:, 1:])
        cls = self.pos_drop(self.cls_token + places[:, :1])
        if self.attention == "space_only":
            tokens = torch.cat([cls.expand(patches.shape[0], -1, -1), patches], dim=1)
            for block in self.blocks:
                tokens = block(tokens)
            return rearrange(tokens, "(b t) n d -> b t n d", t=frames).mean(dim=1)
        instants = resize_line(self.time_embed, frames)[:, :, None]
        patches = rearrange(patches, "(b t) n d -> b t n d", t=frames) + instants
        patches = self.time_drop(rearrange(patches, "b t n d -> b (t n) d"))
        tokens = torch.cat([cls.expand(patches.shape[0], -1, -1), patches], dim=1)
        for block in self.blocks:
            divided = isinstance(block, DividedBlock)
            tokens = block(tokens, frames) if divided else block(tokens)
        return tokens

    def _initialise(self) -> None:
        """As the official code does; its zeros of ``temporal_fc`` let a picture network begin."""
        nn.init.trunc_normal_(self.pos_embed, std=0.02)
        nn.init.trunc_normal_(self.cls_token, std=0.02)
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                nn.init.zeros_(layer.bias)
        for block in self.blocks:
            if isinstance(block, DividedBlock):
                nn.init.zeros_(block.temporal_fc.weight)
                nn.init.zeros_(block.temporal_fc.bias)


def timesformer_base(
    num_classes: int = 400,
    num_frames: int = 8,
    size: int = 224,
    attention: AttentionKind = "divided_space_time",
    dropout: float = 0.0,
    drop_path: float = 0.1,
) -> TimeSformer:
    """The default network: ViT-B/16 over 8 frames of 224 pixels."""
    return TimeSformer(
        num_classes=num_classes,
        num_frames=num_frames,
        size=size,
        attention=attention,
        dropout=dropout,
        drop_path=drop_path,
    )


def timesformer_hr(
    num_classes: int = 400,
    num_frames: int = 16,
    size: int = 448,
    attention: AttentionKind = "divided_space_time",
    dropout: float = 0.0,
    drop_path: float = 0.1,
) -> TimeSformer:
    """TimeSformer-HR: 16 frames of 448 pixels."""
    return timesformer_base(num_classes, num_frames, size, attention, dropout, drop_path)


def timesformer_large(
    num_classes: int = 400,
    num_frames: int = 96,
    size: int = 224,
    attention: AttentionKind = "divided_space_time",
    dropout: float = 0.0,
    drop_path: float = 0.1,
) -> TimeSformer:
    """TimeSformer-L: 96 frames of 224 pixels; the width is that of the default network."""
    return timesformer_base(num_classes, num_frames, size, attention, dropout, drop_path)


def timesformer_tiny(
    num_classes: int = 10,
    num_frames: int = 8,
    size: int = 64,
    attention: AttentionKind = "divided_space_time",
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> TimeSformer:
    """Four blocks of width 96."""
    return TimeSformer(
        num_classes=num_classes,
        num_frames=num_frames,
        size=size,
        attention=attention,
        width=96,
        depth=4,
        heads=3,
        dropout=dropout,
        drop_path=drop_path,
    )
