"""Video Swin: attention inside small windows of space and time, which shift from block to block.

Ze Liu et al., "Video Swin Transformer", 2021 (https://arxiv.org/abs/2106.13230). Patches of
2 x 4 x 4 pixels, windows of 8 x 7 x 7 patches, a learned bias for each difference of place; three
times the patches of a picture are merged two by two, time is left alone.

It knows the architecture; its key layouts are ``video_swin_layouts``'s. It knows no class names.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.layers.attention import Mlp
from scenewise.models.layers.drop_path import DropPath, linear_rates
from scenewise.models.layers.relative_bias import (
    BLOCKED,
    Window,
    across_the_seam,
    bias_table_length,
    fit_window,
    merge,
    pad_to,
    partition,
    relative_bias,
    relative_index,
)
from scenewise.models.weights.checkpoint import State
from scenewise.models.weights.inflate import inflate

PATCH: Window = (2, 4, 4)
WINDOW: Window = (8, 7, 7)


class WindowAttention(nn.Module):
    """Attention inside windows (B, D', H', W', N, C), with a bias for each difference of place."""

    def __init__(self, width: int, heads: int, window: Window) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be shared by {heads} heads")
        self.heads = heads
        table = torch.zeros(bias_table_length(window), heads)
        self.relative_position_bias_table = nn.Parameter(table)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, windows: Tensor, index: Tensor, window: Window, shift: Window) -> Tensor:
        """(B, D', H', W', N, C) to the same; ``index`` is the whole window's, (M, M).

        Windows at a seam of the shift have tokens that may not see each other. They are the last
        ones of an axis, so that a mask is needed for eight kinds of windows at most and not for
        each window.
        """
        bias = relative_bias(self.relative_position_bias_table, index, windows.shape[-2])
        seams = [axis for axis in range(3) if shift[axis]]
        apart = {axis: across_the_seam(window, axis, shift[axis], windows.device) for axis in seams}
        mixed = self._attend(self.qkv(windows), bias, seams, apart, None)
        output: Tensor = self.proj(mixed)
        return output

    def _attend(
        self,
        qkv: Tensor,
        bias: Tensor,
        seams: Sequence[int],
        apart: dict[int, Tensor],
        blocked: Tensor | None,
    ) -> Tensor:
        """(B, D', H', W', N, 3 C) to (B, D', H', W', N, C), one kind of windows at a time."""
        if not seams:
            mask = bias if blocked is None else bias + BLOCKED * blocked.to(bias.dtype)
            b, d, h, w = qkv.shape[:4]
            query, key, value = rearrange(
                qkv,
                "b d h w n (three heads c) -> three (b d h w) heads n c",
                three=3,
                heads=self.heads,
            )
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[None])
            return rearrange(
                mixed, "(b d h w) heads n c -> b d h w n (heads c)", b=b, d=d, h=h, w=w
            )
        axis, rest = seams[0], seams[1:]
        inner = qkv.narrow(1 + axis, 0, qkv.shape[1 + axis] - 1)
        last = qkv.narrow(1 + axis, qkv.shape[1 + axis] - 1, 1)
        at_seam = apart[axis] if blocked is None else apart[axis] | blocked
        return torch.cat(
            [
                self._attend(inner, bias, rest, apart, blocked),
                self._attend(last, bias, rest, apart, at_seam),
            ],
            dim=1 + axis,
        )


class SwinBlock(nn.Module):
    """Attention in windows and an MLP over (B, D, H, W, C), each behind a norm, beside a skip."""

    def __init__(
        self, width: int, heads: int, window: Window, shift: Window, *, drop_path: float = 0.0
    ) -> None:
        super().__init__()
        self.window = window
        self.shift = shift
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads, window)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, 4 * width)
        self.drop_path = DropPath(drop_path)

    def forward(self, grid: Tensor, index: Tensor) -> Tensor:
        """(B, D, H, W, C) to the same."""
        grid = grid + self.drop_path(self._attend(self.norm1(grid), index))
        output: Tensor = grid + self.drop_path(self.mlp(self.norm2(grid)))
        return output

    def _attend(self, grid: Tensor, index: Tensor) -> Tensor:
        depth, height, width = grid.shape[1:4]
        window, shift = fit_window((depth, height, width), self.window, self.shift)
        padded = pad_to(grid, window)  # after the norm: what is added is zero, and is attended to
        if any(shift):
            padded = padded.roll([-step for step in shift], dims=(1, 2, 3))
        windows = self.attn(partition(padded, window), index, window, shift)
        padded = merge(windows, window)
        if any(shift):
            padded = padded.roll(shift, dims=(1, 2, 3))
        return padded[:, :depth, :height, :width]


class PatchMerging(nn.Module):
    """Four neighbours of a picture become one token of twice the width: (B, D, H, W, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, grid: Tensor) -> Tensor:
        """(B, D, H, W, C) to (B, D, ceil(H / 2), ceil(W / 2), 2 C)."""
        grid = pad_to(grid, (1, 2, 2))
        joined = rearrange(grid, "b d (h h2) (w w2) c -> b d h w (w2 h2 c)", h2=2, w2=2)
        merged: Tensor = self.reduction(self.norm(joined))
        return merged


class Stage(nn.Module):
    """Blocks of one width, every second one shifted, and where wanted a merging behind them."""

    def __init__(
        self, width: int, heads: int, window: Window, rates: Sequence[float], *, merges: bool
    ) -> None:
        super().__init__()
        half: Window = (window[0] // 2, window[1] // 2, window[2] // 2)
        self.blocks = nn.ModuleList(
            SwinBlock(width, heads, window, half if number % 2 else (0, 0, 0), drop_path=rate)
            for number, rate in enumerate(rates)
        )
        self.downsample = PatchMerging(width) if merges else None

    def forward(self, grid: Tensor, index: Tensor) -> Tensor:
        """(B, D, H, W, C) to (B, D, H / 2, W / 2, 2 C), or to the same where nothing is merged."""
        for block in self.blocks:
            grid = block(grid, index)
        return grid if self.downsample is None else self.downsample(grid)


class PatchEmbed(nn.Module):
    """Clips (B, T, 3, H, W) to tokens (B, T / 2, H / 4, W / 4, C), normed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv3d(3, width, kernel_size=PATCH, stride=PATCH)
        self.norm = nn.LayerNorm(width)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, T, 3, H, W) to (B, D, H', W', C); odd sizes are filled up with zeros."""
        pixels = rearrange(clips, "b t c h w -> b c t h w")
        missing = [-size % side for size, side in zip(pixels.shape[2:], PATCH, strict=True)]
        if any(missing):
            pixels = F.pad(pixels, (0, missing[2], 0, missing[1], 0, missing[0]))
        grid: Tensor = self.proj(pixels)
        normed: Tensor = self.norm(rearrange(grid, "b c d h w -> b d h w c"))
        return normed


class VideoSwin(VideoBackbone):
    """Clips (B, T, 3, H, W) of any length and size to logits (B, K)."""

    relative_position_index: Tensor

    def __init__(
        self,
        *,
        num_classes: int = 400,
        width: int = 96,
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (3, 6, 12, 24),
        window: Sequence[int] = WINDOW,
        dropout: float = 0.5,
        drop_path: float = 0.1,
    ) -> None:
        super().__init__()
        if len(window) != 3 or min(window) < 1:
            raise UsageError(
                f"A window has three sides of 1 or more, such as [8, 7, 7], not {list(window)}."
            )
        self.window: Window = (window[0], window[1], window[2])
        self.num_classes = num_classes
        self.num_features = width * 2 ** (len(depths) - 1)
        self.patch_embed = PatchEmbed(width)
        rates = iter(linear_rates(drop_path, sum(depths)))
        self.layers = nn.ModuleList(
            Stage(
                width * 2**number,
                heads[number],
                self.window,
                [next(rates) for _ in range(depth)],
                merges=number < len(depths) - 1,
            )
            for number, depth in enumerate(depths)
        )
        self.norm = nn.LayerNorm(self.num_features)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.num_features, num_classes) if num_classes else nn.Identity()
        # one for all blocks, and no weight: published files hold a copy of it for each block
        self.register_buffer(
            "relative_position_index", relative_index(self.window), persistent=False
        )
        self._initialise()

    def feature_map(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, D, T / 2, H / 32, W / 32), after the last norm."""
        return rearrange(self._grid(clips), "b t h w d -> b d t h w")

    def features(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, D), the mean over time and place."""
        return self._grid(clips).mean(dim=(1, 2, 3))

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to logits (B, K), or to features (B, D) without classes."""
        features = self.features(clips)
        if not self.num_classes:
            return features
        logits: Tensor = self.head(self.dropout(features))
        return logits

    def adapt_state(self, state: State) -> State:
        """Weights of the picture network are inflated, as published.

        A filter is repeated over time and divided by its length; a table of biases is repeated
        for every difference of time, resized before that (bicubic) where its window is another.
        """
        if self.relative_position_index.is_meta:  # the weights come now: the index with them
            self.relative_position_index = relative_index(self.window, torch.device("cpu"))
        filters = state.get("patch_embed.proj.weight")
        if filters is None or filters.ndim != 4:
            return state
        made = dict(state)
        made["patch_embed.proj.weight"] = inflate(filters, PATCH[0])
        for key, tensor in state.items():
            if key.endswith("relative_position_bias_table"):
                made[key] = self._inflate_table(tensor)
        return made

    def _inflate_table(self, table: Tensor) -> Tensor:
        rows, columns = (2 * side - 1 for side in self.window[1:])
        if len(table) != rows * columns:
            side = round(len(table) ** 0.5)
            square = rearrange(table, "(h w) heads -> 1 heads h w", h=side)
            resized = F.interpolate(square, size=(rows, columns), mode="bicubic")
            table = rearrange(resized, "1 heads h w -> (h w) heads")
        return table.repeat(2 * self.window[0] - 1, 1)

    def _grid(self, clips: Tensor) -> Tensor:
        """Clips (B, T, 3, H, W) to (B, T / 2, H / 32, W / 32, D)."""
        if clips.ndim != 5 or clips.shape[2] != 3:
            raise ValueError(
                f"Video Swin takes clips (B, T, 3, H, W) of three colours, not {tuple(clips.shape)}"
            )
        grid = self.patch_embed(clips)
        for stage in self.layers:
            grid = stage(grid, self.relative_position_index)
        normed: Tensor = self.norm(grid)
        return normed

    def _initialise(self) -> None:
        """As in the official code; the classifier as its I3D head."""
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, WindowAttention):
                nn.init.trunc_normal_(layer.relative_position_bias_table, std=0.02)
        if isinstance(self.head, nn.Linear):
            nn.init.normal_(self.head.weight, std=0.01)


def video_swin_t(
    num_classes: int = 400,
    window: Sequence[int] = WINDOW,
    dropout: float = 0.5,
    drop_path: float = 0.1,
) -> VideoSwin:
    """Swin-T: the published "tiny", 28 million parameters."""
    return VideoSwin(num_classes=num_classes, window=window, dropout=dropout, drop_path=drop_path)


def video_swin_s(
    num_classes: int = 400,
    window: Sequence[int] = WINDOW,
    dropout: float = 0.5,
    drop_path: float = 0.1,
) -> VideoSwin:
    """Swin-S: three times the blocks in the third stage."""
    return VideoSwin(
        num_classes=num_classes,
        depths=(2, 2, 18, 2),
        window=window,
        dropout=dropout,
        drop_path=drop_path,
    )


def video_swin_b(
    num_classes: int = 400,
    window: Sequence[int] = WINDOW,
    dropout: float = 0.5,
    drop_path: float = 0.3,
) -> VideoSwin:
    """Swin-B: wider by a third; for Something-Something the window is [16, 7, 7]."""
    return VideoSwin(
        num_classes=num_classes,
        width=128,
        depths=(2, 2, 18, 2),
        heads=(4, 8, 16, 32),
        window=window,
        dropout=dropout,
        drop_path=drop_path,
    )


def video_swin_tiny(
    num_classes: int = 10,
    window: Sequence[int] = (2, 3, 3),
    dropout: float = 0.0,
    drop_path: float = 0.0,
) -> VideoSwin:
    """For tests and generated films, no published size: three stages of two blocks."""
    return VideoSwin(
        num_classes=num_classes,
        width=24,
        depths=(2, 2, 2),
        heads=(2, 4, 8),
        window=window,
        dropout=dropout,
        drop_path=drop_path,
    )
