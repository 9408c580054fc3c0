"""One layer of a vision transformer: attention and an MLP, each behind a norm and beside a skip.

Dosovitskiy et al. 2020 (https://arxiv.org/abs/2010.11929), with the names of timm and of the many
repositories that follow it: ``norm1``, ``attn``, ``norm2``, ``mlp``. It knows tokens; it knows
neither time nor space.
"""

from __future__ import annotations

from torch import Tensor, nn

from scenewise.models.layers.attention import Attention, Mlp
from scenewise.models.layers.drop_path import DropPath


class TransformerBlock(nn.Module):
    """Tokens (B, N, D) to (B, N, D)."""

    def __init__(
        self,
        width: int,
        heads: int,
        hidden: int,
        *,
        activation: type[nn.Module] = nn.GELU,
        eps: float = 1e-6,
        dropout: float = 0.0,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=eps)
        self.attn = Attention(width, heads, dropout=dropout)
        self.norm2 = nn.LayerNorm(width, eps=eps)
        self.mlp = Mlp(width, hidden, activation=activation, dropout=dropout)
        self.drop_path = DropPath(drop_path)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        tokens = tokens + self.drop_path(self.attn(self.norm1(tokens)))
        output: Tensor = tokens + self.drop_path(self.mlp(self.norm2(tokens)))
        return output
