"""Attention as the vision transformers write it: one projection for queries, keys and values.

Vaswani et al. 2017 (https://arxiv.org/abs/1706.03762), in the form of Dosovitskiy et al. 2020
(https://arxiv.org/abs/2010.11929). The product is torch's fused one. It knows tokens; it knows
neither time nor space.
"""

from __future__ import annotations

import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class Attention(nn.Module):
    """Self-attention over tokens (B, N, D), with the keys ``qkv.*`` and ``proj.*``."""

    def __init__(
        self,
        width: int,
        heads: int,
        *,
        qkv_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be shared by {heads} heads")
        self.heads = heads
        self.attention_dropout = attention_dropout
        self.qkv = nn.Linear(width, 3 * width, bias=qkv_bias)
        self.proj = nn.Linear(width, width)
        self.proj_drop = nn.Dropout(dropout)

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, N, D) to (B, N, D); ``mask`` is added to the scores, (B or 1, heads or 1, N, N)."""
        query, key, value = rearrange(
            self.qkv(tokens), "b n (three h d) -> three b h n d", three=3, h=self.heads
        )
        mixed = F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=mask,
            dropout_p=self.attention_dropout if self.training else 0.0,
        )
        output: Tensor = self.proj_drop(self.proj(rearrange(mixed, "b h n d -> b n (h d)")))
        return output


class Mlp(nn.Module):
    """Two linear layers with an activation between, with the keys ``fc1.*`` and ``fc2.*``."""

    def __init__(
        self,
        width: int,
        hidden: int,
        *,
        activation: type[nn.Module] = nn.GELU,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.act = activation()
        self.drop = nn.Dropout(dropout)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """(…, D) to (…, D)."""
        output: Tensor = self.drop(self.fc2(self.drop(self.act(self.fc1(tokens)))))
        return output


class QuickGELU(nn.Module):
    """``x * sigmoid(1.702 x)``, the activation of OpenAI's CLIP weights, and of no others."""

    def forward(self, x: Tensor) -> Tensor:
        """Elementwise."""
        return x * (1.702 * x).sigmoid()
