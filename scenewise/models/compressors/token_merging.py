"""Token merging: in every block of a transformer the most similar tokens become one.

Daniel Bolya et al., "Token Merging: Your ViT But Faster", 2023 (https://arxiv.org/abs/2210.09461).
Between attention and MLP tokens are dealt into two sets by turns; each of the first set picks the
one of the second whose key, averaged over the heads, is most similar by cosine, and the r most
similar pairs are merged, the mean weighted by how many patches each token stands for already.
Attention is proportional: the logarithm of that number is added to the scores, so that a token
that stands for s equal ones is looked at as s tokens are. [CLS] is never merged.

A trained network takes it as it is, without training. It knows tokens and blocks of
``layers.transformer_block``; it knows neither time nor space, nor what is done with the tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.layers.attention import Attention
from scenewise.models.layers.transformer_block import TransformerBlock


@dataclass(frozen=True, slots=True)
class Matching:
    """What becomes of the first set, the tokens 0, 2, 4…; the second set, 1, 3, 5…, stays.

    Numbers count within their set: 1 of the second set is token 3.
    """

    kept: Tensor  # (B, K) of the first set, rising
    merged: Tensor  # (B, r) of the first set
    into: Tensor  # (B, r) of the second set: which each of ``merged`` joins


def match(keys: Tensor, count: int, *, protected: int = 1) -> Matching:
    """The ``count`` most similar pairs, by keys (B, N, D), of which no two share a first token.

    The first ``protected`` tokens are not merged: 1 where there is a [CLS], 0 where there is none.
    Raises ValueError where ``count`` is more than ``most_merges``.
    """
    tokens = keys.shape[1]
    if protected not in (0, 1):
        raise ValueError(f"protected is 0, or 1 for a [CLS], not {protected}")
    if not 0 <= count <= most_merges(tokens, protected=protected):
        raise ValueError(
            f"of {tokens} tokens at most {most_merges(tokens, protected=protected)} can be merged "
            f"in one block, not {count}"
        )
    unit = F.normalize(keys.detach().float(), dim=-1)
    alike = unit[:, ::2] @ unit[:, 1::2].transpose(1, 2)  # (B, first, second)
    if not alike.shape[2]:  # a single token
        nothing = keys.new_zeros(keys.shape[0], 0, dtype=torch.long)
        return Matching(
            repeat(torch.arange(alike.shape[1]), "k -> b k", b=len(keys)), *[nothing] * 2
        )
    best, partner = alike.max(dim=-1)
    best[:, :protected] = -torch.inf
    order = best.argsort(dim=-1, descending=True, stable=True)
    merged, kept = order[:, :count], order[:, count:].sort(dim=-1).values
    return Matching(kept, merged, partner.gather(1, merged))


def merge(tokens: Tensor, sizes: Tensor, matching: Matching) -> tuple[Tensor, Tensor]:
    """Tokens (B, N, D) of ``sizes`` (B, N) to (B, N - r, D) and (B, N - r).

    Those of the first set that are kept come first, [CLS] foremost, then the second set.
    """
    weighted = tokens * sizes[..., None]
    joined = _joined(weighted, matching)
    made = _joined(sizes[..., None], matching)
    return joined / made, made[..., 0]


def most_merges(tokens: int, *, protected: int = 1) -> int:
    """How many of so many tokens one block can merge: all of the first set but the protected."""
    return max(0, (tokens + 1) // 2 - protected) if tokens > 1 else 0


def merges_of_blocks(tokens: int, left: int, depth: int, *, protected: int = 1) -> tuple[int, ...]:
    """How many tokens each of ``depth`` blocks merges so that ``left`` of ``tokens`` are left.

    As evenly as a block can: the paper's constant r, less where no more can be merged, and in
    the last blocks what remains. Both numbers count the protected tokens. Raises UsageError where
    that many cannot be reached.
    """
    for most in range(max(0, tokens - left) + 1):
        counts, there = [], tokens
        for _ in range(depth):
            count = min(most, most_merges(there, protected=protected), max(0, there - left))
            counts.append(count)
            there -= count
        if there == left <= tokens:
            return tuple(counts)
    raise UsageError(
        f"{depth} blocks that merge up to half of their tokens cannot make {left} of {tokens}."
    )


class MergingBlocks(nn.Module):
    """A network's blocks in a row, each of which merges: tokens (B, N, D) to fewer (B, N', D).

    Weights are the blocks' own. In a network that calls its ``blocks`` one after the other, as
    TimeSformer with joint attention:

        network.blocks = nn.ModuleList([MergingBlocks(network.blocks, merges)])

    ``merges`` says how many tokens each block merges; see ``merges_of_blocks``. A head that reads
    [CLS] needs nothing more; one that takes the mean of all tokens wants it weighted by the sizes
    that ``merged`` gives. Raises UsageError where blocks and merges do not go together.
    """

    def __init__(
        self, blocks: Iterable[nn.Module], merges: Sequence[int], *, protected: int = 1
    ) -> None:
        super().__init__()
        rows = list(blocks)
        strange = next((one for one in rows if not isinstance(one, TransformerBlock)), None)
        if strange is not None:
            raise UsageError(
                f"Tokens are merged in blocks of joint attention, not in {type(strange).__name__}."
            )
        if len(merges) != len(rows) or min(merges, default=0) < 0:
            raise UsageError(
                f"{len(rows)} blocks need {len(rows)} numbers of merges of 0 and more, "
                f"not {list(merges)}."
            )
        self.blocks = nn.ModuleList(rows)
        self.merges = tuple(merges)
        self.protected = protected

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, N, D) to (B, N', D)."""
        return self.merged(tokens)[0]

    def merged(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Tokens (B, N', D) and for how many of the given ones each stands (B, N')."""
        sizes = tokens.new_ones(tokens.shape[:2])
        for number, block in enumerate(self.blocks):
            assert isinstance(block, TransformerBlock)
            mixed, keys = proportional_attention(block.attn, block.norm1(tokens), sizes)
            tokens = tokens + block.drop_path(mixed)
            tokens, sizes = self.fewer(number, tokens, sizes, keys)
            tokens = tokens + block.drop_path(block.mlp(block.norm2(tokens)))
        return tokens, sizes

    def fewer(
        self, number: int, tokens: Tensor, sizes: Tensor, keys: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What happens to the tokens between attention and MLP of a block."""
        count = self.merges[number]
        if not count:
            return tokens, sizes
        return merge(tokens, sizes, match(keys, count, protected=self.protected))

    def extra_repr(self) -> str:
        """Shown when the network is printed."""
        return f"merges={self.merges}, protected={self.protected}"


def proportional_attention(
    attention: Attention, tokens: Tensor, sizes: Tensor
) -> tuple[Tensor, Tensor]:
    """What a layer of attention gives (B, N, D) where tokens stand for ``sizes`` (B, N) of them.

    Also the keys (B, N, D / heads), averaged over the heads.
    """
    query, key, value = rearrange(
        attention.qkv(tokens), "b n (three h d) -> three b h n d", three=3, h=attention.heads
    )
    mixed = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=rearrange(sizes.log(), "b n -> b 1 1 n"),
        dropout_p=attention.attention_dropout if attention.training else 0.0,
    )
    output: Tensor = attention.proj_drop(attention.proj(rearrange(mixed, "b h n d -> b n (h d)")))
    return output, key.mean(dim=1)


def _joined(values: Tensor, matching: Matching) -> Tensor:
    """Sums of values (B, N, D) over what is merged (B, N - r, D)."""
    first, second = values[:, ::2], values[:, 1::2]
    kept = first.gather(1, _for_all(matching.kept, values))
    moved = first.gather(1, _for_all(matching.merged, values))
    return torch.cat([kept, second.scatter_add(1, _for_all(matching.into, values), moved)], dim=1)


def _for_all(numbers: Tensor, values: Tensor) -> Tensor:
    """Numbers (B, K) for every entry of values' last axis (B, K, D)."""
    return repeat(numbers, "b k -> b k d", d=values.shape[2])
