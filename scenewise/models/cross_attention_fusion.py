"""Fusion by attention: the tokens of one stream look at those of all others.

A block of a transformer's decoder without its self-attention (Vaswani et al., "Attention Is All
You Need", 2017, https://arxiv.org/abs/1706.03762), norms first, as used between modalities by Tsai
et al., "Multimodal Transformer for Unaligned Multimodal Language Sequences", 2019
(https://arxiv.org/abs/1906.00295): no alignment in time is needed, since attention finds it. A
learned vector tells the streams apart. It knows features; it knows no stream's network.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.fusion import Streams, check_names, check_stream, checked_dims, token_mask
from scenewise.models.layers.attention import Mlp
from scenewise.models.pooling import masked_mean


class CrossAttentionFusion(nn.Module):
    """Streams ``{name: (B, D_s) or (B, N_s, D_s)}`` to tokens of ``query``, (B, N_query, width).

    ``query`` must be there; others may be absent, whole or token by token. Where nothing is there
    to look at, the stream stays as it is. ``forward`` gives the mean (B, width) of the tokens.
    """

    def __init__(
        self,
        dims: Mapping[str, int],
        *,
        query: str,
        width: int,
        heads: int = 8,
        depth: int = 1,
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dims = checked_dims(dims)
        if query not in self.dims or len(self.dims) < 2:
            raise UsageError(
                f"one stream of at least two looks at the others, got {query!r} of "
                f"{', '.join(self.dims)}."
            )
        self.query = query
        self.others = tuple(name for name in self.dims if name != query)
        self.num_features = width
        self.query_projection = nn.Linear(self.dims[query], width)
        self.projections = nn.ModuleList(nn.Linear(self.dims[name], width) for name in self.others)
        self.stream_embed = nn.Parameter(torch.empty(len(self.others), width))
        nn.init.trunc_normal_(self.stream_embed, std=0.02)
        self.blocks = nn.ModuleList(
            CrossBlock(width, heads, mlp_ratio=mlp_ratio, dropout=dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)

    def tokens(self, streams: Streams, masks: Streams | None = None) -> Tensor:
        """To (B, N_query, width); masks as of ``Fusion``."""
        masks = masks or {}
        check_names(tuple(self.dims), streams, masks)
        if self.query not in streams:
            raise ValueError(f"the stream {self.query!r} looks at the others and must be there")
        for name, value in streams.items():
            check_stream(name, value, self.dims[name], masks.get(name))
        tokens: Tensor = self.query_projection(_as_tokens(streams[self.query]))
        seen, real = [], []
        for number, (name, layer) in enumerate(zip(self.others, self.projections, strict=True)):
            if name in streams:
                there = token_mask(streams[name], masks.get(name))
                # what is not there may be nan, and 0 * nan is nan
                value = _as_tokens(streams[name]).masked_fill(~there[:, :, None], 0.0)
                seen.append(layer(value) + self.stream_embed[number])
                real.append(there)
        if seen:
            memory, mask = torch.cat(seen, dim=1), torch.cat(real, dim=1)
            for block in self.blocks:
                tokens = block(tokens, memory, mask)
        output: Tensor = self.norm(tokens)
        return output

    def forward(self, streams: Streams, masks: Streams | None = None) -> Tensor:
        """To (B, width): the mean of the query's real tokens."""
        tokens = self.tokens(streams, masks)
        return masked_mean(tokens, token_mask(streams[self.query], (masks or {}).get(self.query)))


class CrossBlock(nn.Module):
    """Attention from tokens to a memory, then an MLP; both behind a norm and around a residual."""

    def __init__(self, width: int, heads: int, *, mlp_ratio: float, dropout: float) -> None:
        super().__init__()
        if width % heads:
            raise UsageError(f"a width of {width} cannot be shared by {heads} heads.")
        self.heads = heads
        self.dropout = dropout
        self.norm1 = nn.LayerNorm(width)
        self.norm_memory = nn.LayerNorm(width)
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Mlp(width, round(mlp_ratio * width), dropout=dropout)

    def forward(self, tokens: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        """(B, N, D) and memory (B, M, D) to (B, N, D); ``mask`` (B, M) True: may be seen."""
        query = rearrange(self.q(self.norm1(tokens)), "b n (h d) -> b h n d", h=self.heads)
        key, value = rearrange(
            self.kv(self.norm_memory(memory)), "b m (two h d) -> two b h m d", two=2, h=self.heads
        )
        any_seen = mask.any(dim=1, keepdim=True)
        visible = rearrange(mask | ~any_seen, "b m -> b 1 1 m")  # softmax of nothing is nan
        mixed = F.scaled_dot_product_attention(
            query, key, value, visible, dropout_p=self.dropout if self.training else 0.0
        )
        added = self.proj(rearrange(mixed, "b h n d -> b n (h d)"))
        tokens = tokens + torch.where(any_seen[:, :, None], added, torch.zeros_like(added))
        output: Tensor = tokens + self.mlp(self.norm2(tokens))
        return output


def _as_tokens(value: Tensor) -> Tensor:
    return rearrange(value, "b ... d -> b (...) d")
