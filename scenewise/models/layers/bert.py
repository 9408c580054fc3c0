"""BERT's encoder: embeddings, post-norm blocks, the head that names masked words.

Jacob Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", 2018 (https://arxiv.org/abs/1810.04805). Parameters have the names of the Hugging
Face checkpoints, so that those load without renaming. The pooler of [CLS] is left out: networks
that build on BERT here read the tokens themselves.

It knows tokens and words; it knows no tokenizer, and nothing of video.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

DEVIATION = 0.02  # of fresh weights


@dataclass(frozen=True, slots=True)
class BertSize:
    """The published base size by default. ``vocabulary`` None: no words, tokens come as vectors."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    vocabulary: int | None = 30_522
    positions: int = 512
    types: int = 2
    dropout: float = 0.1
    attention_dropout: float = 0.1
    eps: float = 1e-12

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise ValueError(f"a width of {self.width} cannot be shared by {self.heads} heads")


class BertEmbeddings(nn.Module):
    """Words, positions and types, summed and normalised."""

    def __init__(self, size: BertSize) -> None:
        super().__init__()
        self.word_embeddings = (
            None
            if size.vocabulary is None
            else nn.Embedding(size.vocabulary, size.width, padding_idx=0)
        )
        self.position_embeddings = nn.Embedding(size.positions, size.width)
        self.token_type_embeddings = nn.Embedding(size.types, size.width)
        self.LayerNorm = nn.LayerNorm(size.width, eps=size.eps)
        self.dropout = nn.Dropout(size.dropout)

    def forward(
        self, words: Tensor, positions: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """Vectors (B, N, D), with ``positions`` and ``types`` (1 or B, N) int64, to (B, N, D).

        None: positions from 0, and the first type throughout.
        """
        if positions is None:
            length, longest = words.shape[1], self.position_embeddings.num_embeddings
            if length > longest:
                raise ValueError(f"{length} tokens are more than the {longest} positions there are")
            positions = torch.arange(length, device=words.device)[None]
        if types is None:
            types = torch.zeros_like(positions)
        places: Tensor = self.position_embeddings(positions)
        kinds: Tensor = self.token_type_embeddings(types)
        output: Tensor = self.dropout(self.LayerNorm(words + places + kinds))
        return output


class BertSelfAttention(nn.Module):
    """Queries, keys and values of one layer."""

    def __init__(self, size: BertSize) -> None:
        super().__init__()
        self.heads = size.heads
        self.dropout = size.attention_dropout
        self.query = nn.Linear(size.width, size.width)
        self.key = nn.Linear(size.width, size.width)
        self.value = nn.Linear(size.width, size.width)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """(B, N, D) to (B, N, D); ``mask`` (B, 1, 1 or N, N) is True where a key is seen."""
        query, key, value = (
            rearrange(layer(tokens), "b n (h d) -> b h n d", h=self.heads)
            for layer in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, dropout_p=self.dropout if self.training else 0.0
        )
        return rearrange(mixed, "b h n d -> b n (h d)")


class BertResidual(nn.Module):
    """A linear layer, the sum with what went in, and the norm behind it."""

    def __init__(self, inputs: int, size: BertSize) -> None:
        super().__init__()
        self.dense = nn.Linear(inputs, size.width)
        self.LayerNorm = nn.LayerNorm(size.width, eps=size.eps)
        self.dropout = nn.Dropout(size.dropout)

    def forward(self, inner: Tensor, residual: Tensor) -> Tensor:
        """``inner`` (B, N, H) and ``residual`` (B, N, D) to (B, N, D)."""
        output: Tensor = self.LayerNorm(self.dropout(self.dense(inner)) + residual)
        return output


class BertAttention(nn.Module):
    """Self-attention with its residual."""

    def __init__(self, size: BertSize) -> None:
        super().__init__()
        self.self = BertSelfAttention(size)
        self.output = BertResidual(size.width, size)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        output: Tensor = self.output(self.self(tokens, mask), tokens)
        return output


class BertIntermediate(nn.Module):
    """The wide layer of the MLP."""

    def __init__(self, size: BertSize) -> None:
        super().__init__()
        self.dense = nn.Linear(size.width, size.hidden)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to (B, N, H)."""
        return F.gelu(self.dense(tokens))


class BertLayer(nn.Module):
    """Attention, then the MLP; each with a norm behind its sum."""

    def __init__(self, size: BertSize) -> None:
        super().__init__()
        self.attention = BertAttention(size)
        self.intermediate = BertIntermediate(size)
        self.output = BertResidual(size.hidden, size)

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """(B, N, D) to (B, N, D)."""
        mixed = self.attention(tokens, mask)
        output: Tensor = self.output(self.intermediate(mixed), mixed)
        return output


class BertEncoder(nn.Module):
    """The layers, one after another."""

    def __init__(self, size: BertSize) -> None:
        super().__init__()
        self.layer = nn.ModuleList(BertLayer(size) for _ in range(size.layers))

    def forward(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """(B, N, D) to (B, N, D); ``mask`` (B, N) is True where a token may be looked at."""
        keys = None if mask is None else rearrange(mask.bool(), "b n -> b 1 1 n")
        for layer in self.layer:
            tokens = layer(tokens, keys)
        return tokens


class Bert(nn.Module):
    """Token ids, or vectors in their place, to one state for each token."""

    def __init__(self, size: BertSize) -> None:
        super().__init__()
        self.embeddings = BertEmbeddings(size)
        self.encoder = BertEncoder(size)

    def words(self, ids: Tensor) -> Tensor:
        """Ids (B, N) int64 to their embeddings (B, N, D), before positions and norm."""
        if self.embeddings.word_embeddings is None:
            raise ValueError("this BERT has no words; give it vectors")
        vectors: Tensor = self.embeddings.word_embeddings(ids)
        return vectors

    def encode(
        self,
        words: Tensor,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        types: Tensor | None = None,
    ) -> Tensor:
        """Vectors (B, N, D) to states (B, N, D); ``mask`` (B, N) True: a real token."""
        states: Tensor = self.encoder(self.embeddings(words, positions, types), mask)
        return states

    def forward(
        self,
        ids: Tensor,
        mask: Tensor | None = None,
        positions: Tensor | None = None,
        types: Tensor | None = None,
    ) -> Tensor:
        """Ids (B, N) int64 to states (B, N, D)."""
        return self.encode(self.words(ids), mask, positions, types)


class BertPredictionTransform(nn.Module):
    """What stands between a state and the words that it is compared with."""

    def __init__(self, size: BertSize) -> None:
        super().__init__()
        self.dense = nn.Linear(size.width, size.width)
        self.LayerNorm = nn.LayerNorm(size.width, eps=size.eps)

    def forward(self, states: Tensor) -> Tensor:
        """(…, D) to (…, D)."""
        output: Tensor = self.LayerNorm(F.gelu(self.dense(states)))
        return output


def initialise(module: nn.Module, deviation: float = DEVIATION) -> None:
    """As published: narrow normals, biases 0, norms 1, and nothing for padding."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Embedding):
            nn.init.normal_(layer.weight, std=deviation)
        if isinstance(layer, nn.Linear) and layer.bias is not None:
            nn.init.zeros_(layer.bias)
        if isinstance(layer, nn.Embedding) and layer.padding_idx is not None:
            with torch.no_grad():
                layer.weight[layer.padding_idx].zero_()
        if isinstance(layer, nn.LayerNorm):
            nn.init.ones_(layer.weight)
            nn.init.zeros_(layer.bias)
