"""ViViT: a vision transformer whose tokens are tubelets, small boxes of space and time.

Anurag Arnab et al., "ViViT: A Video Vision Transformer", 2021 (https://arxiv.org/abs/2103.15691).
Model 1 lets all tubelets attend to all. Model 2, the factorised encoder, sends the tubelets of
each instant through a spatial encoder, and its [CLS] of all instants through a temporal one.

The official code is JAX (google-research/scenic): its GELU is the one by tanh, its classifier
begins at zero. It knows the architecture; its key layouts are ``vivit_layouts``'s. It knows no
class names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args

import torch
from einops import rearrange, repeat
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.layers.attention import Attention, Mlp
from scenewise.models.layers.drop_path import linear_rates
from scenewise.models.layers.positions import resize_grid, resize_line
from scenewise.models.layers.transformer_block import TransformerBlock
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.inflate import Inflation, inflate

TUBELET = (2, 16, 16)
_EPS = 1e-6


class TanhGELU(nn.GELU):
    """GELU by tanh, which is JAX's own."""

    def __init__(self) -> None:
        super().__init__(approximate="tanh")


class TubeletEmbed(nn.Module):
    """Clips (B, T, 3, H, W) to tubelets (B, T', N, D), instant by instant and row by row."""

    def __init__(self, width: int, tubelet: tuple[int, int, int]) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, width, kernel_size=tubelet, stride=tubelet)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, T, 3, H, W) to (B, T', H' * W', D)."""
        tubelets: Tensor = self.proj(rearrange(clips, "b t c h w -> b c t h w"))
        return rearrange(tubelets, "b d t h w -> b t (h w) d")


class Encoder(nn.Module):
    """[CLS] in front, places added, and transformer blocks: (B, N, D) to (B, 1 + N, D).

    The norm at the end is the caller's to apply: most callers want [CLS] alone.
    """

    def __init__(
        self, tokens: int, width: int, depth: int, heads: int, *, dropout: float, drop_path: float
    ) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + tokens, width))
        self.drop = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(
            TransformerBlock(
                width,
                heads,
                4 * width,
                activation=TanhGELU,
                eps=_EPS,
                dropout=dropout,
                drop_path=rate,
            )
            for rate in linear_rates(drop_path, depth)
        )
        self.norm = nn.LayerNorm(width, eps=_EPS)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to (B, 1 + N, D), ahead of the norm."""
        cls = self.cls_token.expand(tokens.shape[0], -1, -1)
        tokens = self.drop(torch.cat([cls, tokens], dim=1) + self.pos_embed)
        for block in self.blocks:
            tokens = block(tokens)
        return tokens


class ViViT(VideoBackbone):
    """Clips (B, T, 3, H, W) to logits (B, K).

    ``temporal_depth`` 0 is model 1, one encoder over all tubelets (``encoder``); above 0 it is
    model 2, ``spatial`` and ``temporal``. ``inflation`` is how a filter of pictures becomes one
    of tubelets, in weights that are loaded and in fresh ones: centre is the paper's choice.
    """

    def __init__(
        self,
        *,
        num_classes: int = 400,
        num_frames: int = 32,
        size: int = 224,
        tubelet: Sequence[int] = TUBELET,
        width: int = 768,
        depth: int = 12,
        heads: int = 12,
        temporal_depth: int = 0,
        inflation: Inflation = "centre",
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        _check(num_frames, size, tubelet, inflation)
        self.num_classes = num_classes
        self.num_features = width
        self.num_frames = num_frames
        self.size = size
        self.tubelet = (tubelet[0], tubelet[1], tubelet[2])
        self.instants = num_frames // tubelet[0]
        self.grid = (size // tubelet[1], size // tubelet[2])
        self.inflation: Inflation = inflation
        self.factorised = temporal_depth > 0
        places = self.grid[0] * self.grid[1]
        rates = {"dropout": dropout, "drop_path": drop_path}
        self.patch_embed = TubeletEmbed(width, self.tubelet)
        if self.factorised:
            self.spatial = Encoder(places, width, depth, heads, **rates)
            self.temporal = Encoder(self.instants, width, temporal_depth, heads, **rates)
        else:
            self.encoder = Encoder(self.instants * places, width, depth, heads, **rates)
        self.head = nn.Linear(width, num_classes) if num_classes else nn.Identity()
        self._initialise()

    def tokens(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to [CLS] and all tubelets (B, 1 + T' * N, D).

        The factorised encoder gives [CLS] and one token an instant, (B, 1 + T', D).
        """
        last = self.temporal if self.factorised else self.encoder
        tokens: Tensor = last.norm(self._encode(clips))
        return tokens

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to [CLS] (B, D)."""
        last = self.temporal if self.factorised else self.encoder
        cls: Tensor = last.norm(self._encode(clips)[:, 0])
        return cls

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to logits (B, K), or to [CLS] (B, D) without classes."""
        logits: Tensor = self.head(self.features(clips))
        return logits

    def spatial_features(self, clips: Tensor) -> Tensor:
        """The factorised encoder's halfway: clips (B, T, 3, H, W) to one vector an instant."""
        tubelets = self.patch_embed(clips)
        seen = self.spatial(rearrange(tubelets, "b t n d -> (b t) n d"))
        cls: Tensor = self.spatial.norm(seen[:, 0])
        return rearrange(cls, "(b t) d -> b t d", t=tubelets.shape[1])

    def adapt_state(self, state: State) -> State:
        """Weights of a picture network become those of the first encoder, as published.

        Its filter is inflated, its places are repeated for every instant. Tables of another
        number of frames or size are resized, linearly.
        """
        made = dict(state)
        first = "spatial" if self.factorised else "encoder"
        filters = made.get("patch_embed.proj.weight")
        pictures = filters is not None and filters.ndim == 4
        if filters is not None and pictures:
            made["patch_embed.proj.weight"] = inflate(filters, self.tubelet[0], self.inflation)
        for key in state:
            if key.startswith(("blocks.", "norm.", "cls_token", "pos_embed")):
                made[f"{first}.{key}"] = made.pop(key)
        if "spatial.pos_embed" in made:
            made["spatial.pos_embed"] = self._resize_places(made["spatial.pos_embed"])
        if "temporal.pos_embed" in made:
            made["temporal.pos_embed"] = _resize_instants(
                made["temporal.pos_embed"], self.instants, places=1
            )
        if "encoder.pos_embed" in made:
            table = made["encoder.pos_embed"]
            made["encoder.pos_embed"] = (
                self._tile(self._resize_places(table))
                if pictures
                else _resize_instants(table, self.instants, places=math.prod(self.grid))
            )
        return made

    def _resize_places(self, table: Tensor) -> Tensor:
        return resize_grid(table, self.grid, marks=1, mode="bilinear")

    def _tile(self, table: Tensor) -> Tensor:
        places = repeat(table[:, 1:], "one n d -> one (t n) d", t=self.instants)
        return torch.cat([table[:, :1], places], dim=1)

    def _encode(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to the last encoder's tokens, ahead of its norm."""
        wanted = (self.num_frames, 3, self.size, self.size)
        if tuple(clips.shape[1:]) != wanted:
            raise ValueError(
                f"this ViViT takes clips (B, {', '.join(map(str, wanted))}), not "
                f"{tuple(clips.shape)}"
            )
        if self.factorised:
            tokens: Tensor = self.temporal(self.spatial_features(clips))
        else:
            tokens = self.encoder(rearrange(self.patch_embed(clips), "b t n d -> b (t n) d"))
        return tokens

    def _initialise(self) -> None:
        """As in scenic: Xavier inside the encoders, zeros for [CLS] and classifier."""
        for module in self.modules():
            if isinstance(module, Encoder):
                nn.init.normal_(module.pos_embed, std=0.02)
            elif isinstance(module, Attention):
                for part in module.qkv.weight.chunk(3):
                    nn.init.xavier_uniform_(part)
                nn.init.zeros_(module.qkv.bias)
                nn.init.xavier_uniform_(module.proj.weight)
                nn.init.zeros_(module.proj.bias)
            elif isinstance(module, Mlp):
                for layer in (module.fc1, module.fc2):
                    nn.init.xavier_uniform_(layer.weight)
                    nn.init.normal_(layer.bias, std=1e-6)
        if isinstance(self.head, nn.Linear):
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)
        filters, instants = self.patch_embed.proj.weight, self.tubelet[0]
        picture = torch.empty_like(filters[:, :, 0])
        nn.init.trunc_normal_(picture, std=filters[0].numel() ** -0.5)
        # repeated filters are not divided here: the deviation is that of the whole tubelet's
        scale = instants if self.inflation == "repeat" else 1
        with torch.no_grad():
            filters.copy_(inflate(picture, instants, self.inflation) * scale)
        bias = self.patch_embed.proj.bias
        assert bias is not None
        nn.init.zeros_(bias)


def _check(num_frames: int, size: int, tubelet: Sequence[int], inflation: str) -> None:
    """Raises UsageError for options of no network."""
    if num_frames % tubelet[0] or size % tubelet[1] or size % tubelet[2]:
        raise UsageError(
            f"{num_frames} frames of {size} pixels cannot be cut into tubelets of "
            f"{' x '.join(map(str, tubelet))}; give multiples of these."
        )
    if inflation not in get_args(Inflation):
        raise UsageError(
            f"There is no inflation {inflation!r}; allowed: {', '.join(get_args(Inflation))}."
        )


def _resize_instants(table: Tensor, instants: int, *, places: int) -> Tensor:
    """A table (1, 1 + T * N, D) of N ``places`` for another number of instants."""
    if (table.shape[1] - 1) % places:
        return table  # another size: its shape tells
    grid = rearrange(table[:, 1:], "one (t n) d -> one t (n d)", n=places)
    resized = rearrange(
        resize_line(grid, instants, mode="linear"), "one t (n d) -> one (t n) d", n=places
    )
    return torch.cat([table[:, :1], resized], dim=1)


def vivit_base(
    num_classes: int = 400,
    num_frames: int = 32,
    size: int = 224,
    inflation: Inflation = "centre",
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> ViViT:
    """ViViT-B/16x2, model 1: all tubelets attend to all."""
    return ViViT(
        num_classes=num_classes,
        num_frames=num_frames,
        size=size,
        inflation=inflation,
        dropout=dropout,
        drop_path=drop_path,
    )


def vivit_factorised_base(
    num_classes: int = 400,
    num_frames: int = 32,
    size: int = 224,
    inflation: Inflation = "centre",
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> ViViT:
    """ViViT-B/16x2 FE, model 2: twelve blocks over space, then four over time."""
    return ViViT(
        num_classes=num_classes,
        num_frames=num_frames,
        size=size,
        temporal_depth=4,
        inflation=inflation,
        dropout=dropout,
        drop_path=drop_path,
    )


def vivit_tiny(
    num_classes: int = 10,
    num_frames: int = 8,
    size: int = 64,
    temporal_depth: int = 0,
    inflation: Inflation = "centre",
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> ViViT:
    """Four blocks of width 96; model 2 with a ``temporal_depth`` above 0."""
    return ViViT(
        num_classes=num_classes,
        num_frames=num_frames,
        size=size,
        width=96,
        depth=4,
        heads=3,
        temporal_depth=temporal_depth,
        inflation=inflation,
        dropout=dropout,
        drop_path=drop_path,
    )
