"""Token merging: what holds of any tokens and weights, by the definitions of the paper."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from scenewise.errors import UsageError
from scenewise.models.backbones.timesformer import timesformer_tiny
from scenewise.models.compressors.token_merging import (
    MergingBlocks,
    match,
    merge,
    merges_of_blocks,
    most_merges,
    proportional_attention,
)
from scenewise.models.flops import multiply_adds
from scenewise.models.layers.attention import Attention
from scenewise.models.layers.transformer_block import TransformerBlock

WIDTH, HEADS = 24, 3


def tokens_of(count: int, *, batch: int = 2, seed: int = 0) -> Tensor:
    return torch.randn(batch, count, WIDTH, generator=torch.Generator().manual_seed(seed))


def blocks_of(depth: int) -> list[TransformerBlock]:
    torch.manual_seed(0)
    blocks = [TransformerBlock(WIDTH, HEADS, 2 * WIDTH) for _ in range(depth)]
    for block in blocks:  # far from uniform attention
        nn.init.normal_(block.attn.qkv.weight, std=0.5)
    return blocks


def by_hand(keys: Tensor, count: int) -> list[tuple[int, int]]:
    """The pairs of one example by numbers of tokens, looked for one by one."""
    pairs = []
    for one in range(2, len(keys), 2):  # token 0 is [CLS]
        scores = {
            other: float(torch.cosine_similarity(keys[one], keys[other], dim=0))
            for other in range(1, len(keys), 2)
        }
        best = max(scores, key=lambda other: scores[other])
        pairs.append((scores[best], one, best))
    return sorted((one, other) for _, one, other in sorted(pairs, reverse=True)[:count])


@pytest.mark.parametrize(("tokens", "count"), [(9, 1), (9, 4), (12, 3), (12, 5)])
def test_the_most_similar_pairs_are_found(tokens: int, count: int) -> None:
    keys = tokens_of(tokens)
    found = match(keys, count)
    for example in range(len(keys)):
        pairs = zip(found.merged[example].tolist(), found.into[example].tolist(), strict=True)
        assert sorted((2 * one, 2 * other + 1) for one, other in pairs) == by_hand(
            keys[example], count
        )
    assert found.kept[:, 0].tolist() == [0, 0]  # [CLS] stays, and in its place


def test_means_are_weighted_by_what_tokens_stand_for() -> None:
    tokens = tokens_of(9)
    sizes = torch.arange(1.0, 10.0).expand(2, -1)
    fewer, grown = merge(tokens, sizes, match(tokens, 3))
    assert fewer.shape == (2, 6, WIDTH)
    assert grown.sum(dim=1).tolist() == [45.0, 45.0]
    whole = (tokens * sizes[..., None]).sum(dim=1)
    torch.testing.assert_close((fewer * grown[..., None]).sum(dim=1), whole)
    torch.testing.assert_close(fewer[:, 0], tokens[:, 0])
    assert grown[:, 0].tolist() == [1.0, 1.0]


def test_several_tokens_may_join_one() -> None:
    tokens = tokens_of(7, batch=1)
    tokens[:, 2] = tokens[:, 4] = tokens[:, 6] = tokens[:, 3]  # all like the second set's middle
    fewer, sizes = merge(tokens, torch.ones(1, 7), match(tokens, 3))
    assert sizes.tolist() == [[1.0, 1.0, 4.0, 1.0]]  # [CLS], then tokens 1, 3 and 5
    torch.testing.assert_close(fewer[0], tokens[0, [0, 1, 3, 5]])


def test_attention_to_one_token_of_size_s_is_attention_to_s_equal_ones() -> None:
    attention = blocks_of(1)[0].attn
    tokens = tokens_of(4)
    counts = torch.tensor([1, 3, 2, 1])
    repeated = tokens.repeat_interleave(counts, dim=1)
    few, keys = proportional_attention(attention, tokens, counts.float().expand(2, -1))
    many = attention(repeated)
    torch.testing.assert_close(few.repeat_interleave(counts, dim=1), many)
    assert keys.shape == (2, 4, WIDTH // HEADS)


def test_merging_equal_tokens_loses_nothing() -> None:
    """[CLS] and five pairs of twins, one of each in either set: after two blocks that merge all
    five in the first, [CLS] and all five are what they are without merging.
    """
    half = tokens_of(6)
    tokens = torch.cat([half[:, :1], half[:, 1:].repeat_interleave(2, dim=1)], dim=1)
    blocks = blocks_of(2)
    merging = MergingBlocks(blocks, (5, 0)).eval()
    fewer, sizes = merging.merged(tokens)
    whole = tokens
    for block in blocks:
        whole = block(whole)
    assert sizes.tolist() == [[1.0, 2.0, 2.0, 2.0, 2.0, 2.0]] * 2
    torch.testing.assert_close(fewer, torch.cat([whole[:, :1], whole[:, 1::2]], dim=1))


def test_nothing_changes_where_nothing_is_merged() -> None:
    network = timesformer_tiny(attention="joint_space_time", size=32, num_frames=2).eval()
    clips = torch.randn(2, 2, 3, 32, 32)
    with torch.no_grad():
        before = network(clips)
        network.blocks = nn.ModuleList([MergingBlocks(network.blocks, (0, 0, 0, 0))])
        torch.testing.assert_close(network(clips), before)


def test_a_network_that_merges_costs_less_and_learns() -> None:
    def build() -> nn.Module:
        return timesformer_tiny(attention="joint_space_time")

    def merging() -> nn.Module:
        network = timesformer_tiny(attention="joint_space_time")
        merges = merges_of_blocks(129, 17, 4)
        network.blocks = nn.ModuleList([MergingBlocks(network.blocks, merges)])
        return network

    shape = (1, 8, 3, 64, 64)
    assert multiply_adds(merging, shape) < 0.65 * multiply_adds(build, shape)
    network = merging()
    torch.autograd.backward(network(torch.randn(2, 8, 3, 64, 64)).square().sum())
    # of keys, too: attention reads them, the matching does not need their gradient
    assert all(value.grad is not None and bool(value.grad.any()) for value in network.parameters())


@pytest.mark.parametrize(
    ("tokens", "left", "depth", "merges"),
    [
        (197, 197, 12, (0,) * 12),
        # a ViT-B/16 at the paper's r = 16: of 21 tokens in the last block ten can be merged
        (197, 11, 12, (*(16,) * 11, 10)),
        (289, 145, 4, (36, 36, 36, 36)),
        (289, 37, 4, (72, 72, 72, 36)),
        (11, 8, 2, (2, 1)),
    ],
)
def test_merges_are_shared_out_evenly(
    tokens: int, left: int, depth: int, merges: tuple[int, ...]
) -> None:
    assert merges_of_blocks(tokens, left, depth) == merges
    there = tokens
    for count in merges:
        assert count <= most_merges(there)
        there -= count
    assert there == left


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot make 2 of 100"):
        merges_of_blocks(100, 2, 3)
    with pytest.raises(UsageError, match="cannot make 9 of 8"):
        merges_of_blocks(8, 9, 3)
    with pytest.raises(ValueError, match="at most 4 can be merged in one block, not 5"):
        match(tokens_of(9), 5)
    with pytest.raises(ValueError, match="protected is 0, or 1"):
        match(tokens_of(9), 1, protected=2)
    with pytest.raises(UsageError, match="2 blocks need 2 numbers"):
        MergingBlocks(blocks_of(2), (1,))
    divided = timesformer_tiny().blocks
    with pytest.raises(UsageError, match="not in DividedBlock"):
        MergingBlocks(divided, (1, 1, 1, 1))


@pytest.mark.parametrize(("count", "protected"), [(1, 0), (1, 1), (2, 1), (3, 1), (2, 0)])
def test_the_smallest_rows(count: int, protected: int) -> None:
    tokens = tokens_of(count)
    most = most_merges(count, protected=protected)
    found = match(tokens, most, protected=protected)
    fewer, sizes = merge(tokens, torch.ones(2, count), found)
    assert fewer.shape[1] == count - most
    assert sizes.sum().item() == 2 * count


def test_without_a_cls_the_first_token_merges_as_others_do() -> None:
    tokens = tokens_of(6)
    tokens[:, 0] = tokens[:, 5]
    found = match(tokens, 1, protected=0)
    assert found.merged.tolist() == [[0], [0]]
    assert found.into.tolist() == [[2], [2]]


def test_keys_are_averaged_over_heads() -> None:
    torch.manual_seed(0)
    attention = Attention(WIDTH, HEADS)
    tokens = tokens_of(5)
    _, keys = proportional_attention(attention, tokens, torch.ones(2, 5))
    every = attention.qkv(tokens)[..., WIDTH : 2 * WIDTH]
    width = WIDTH // HEADS
    heads = [every[..., head * width : (head + 1) * width] for head in range(HEADS)]
    torch.testing.assert_close(keys, torch.stack(heads).mean(dim=0))
