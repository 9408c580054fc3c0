"""The text side of InternVideo2's small sizes: the text transformer of MobileCLIP-B.

Pavan Kumar Anasosalu Vasu et al., "MobileCLIP: Fast Image-Text Models through Multi-Modal
Reinforced Training", 2023 (https://arxiv.org/abs/2311.17049). Twelve causal blocks of width 512
over CLIP's byte-pair ids; the vector of the last mark, the highest id of a row, is the text's.

It knows ids; it knows no tokenizer and no video.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class TextAttention(nn.Module):
    """Causal self-attention, with the keys ``qkv_proj.*`` and ``out_proj.*``."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv_proj = nn.Linear(width, 3 * width)
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D); a token sees itself and those before it."""
        query, key, value = rearrange(
            self.qkv_proj(tokens), "b l (three h d) -> three b h l d", three=3, h=self.heads
        )
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        output: Tensor = self.out_proj(rearrange(mixed, "b h l d -> b l (h d)"))
        return output


class TextBlock(nn.Module):
    """Attention and MLP, each behind its norm; the numbers of the keys are those published."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.pre_norm_mha = nn.Sequential(nn.LayerNorm(width), TextAttention(width, heads))
        self.pre_norm_ffn = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 4 * width),
            nn.GELU(),
            nn.Identity(),  # dropout in the official code, of rate 0
            nn.Linear(4 * width, width),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, L, D) to (B, L, D)."""
        tokens = tokens + self.pre_norm_mha(tokens)
        output: Tensor = tokens + self.pre_norm_ffn(tokens)
        return output


class MobileCLIPText(nn.Module):
    """Ids (B, L) int64 to (B, E). Rows shorter than 77 give what their padded rows give.

    Attention is causal, so what follows the last mark changes nothing. The official module would
    stretch its table of positions over a shorter row; the published program never gives it one.
    """

    def __init__(
        self,
        *,
        width: int = 512,
        depth: int = 12,
        heads: int = 8,
        vocabulary: int = 49_408,
        length: int = 77,
        embed_dim: int = 512,
    ) -> None:
        super().__init__()
        self.length = length
        self.embedding_layer = nn.Embedding(vocabulary, width)
        self.positional_embedding = nn.Parameter(torch.empty(1, 1, length, width))
        self.transformer = nn.ModuleList(TextBlock(width, heads) for _ in range(depth))
        self.final_layer_norm = nn.LayerNorm(width)
        self.projection_layer = nn.Parameter(torch.empty(width, embed_dim))
        nn.init.trunc_normal_(self.positional_embedding, std=width**-0.5)
        # CLIP's; the official module leaves these to its checkpoint
        nn.init.normal_(self.embedding_layer.weight, std=0.02)
        nn.init.normal_(self.projection_layer, std=width**-0.5)

    def forward(self, ids: Tensor) -> Tensor:
        """Ids (B, L) to vectors (B, E), not normalised."""
        if ids.ndim != 2 or ids.shape[1] > self.length:
            raise ValueError(f"ids are (B, up to {self.length}), got {tuple(ids.shape)}")
        tokens = self.embedding_layer(ids) + self.positional_embedding[0, :, : ids.shape[1]]
        for block in self.transformer:
            tokens = block(tokens)
        rows = torch.arange(ids.shape[0], device=ids.device)
        last = self.final_layer_norm(tokens)[rows, ids.argmax(dim=-1)]
        output: Tensor = last @ self.projection_layer
        return output
