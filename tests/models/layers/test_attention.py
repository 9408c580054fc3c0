"""Facts about attention: the written-out softmax, masks, gradients, and what cannot be built."""

from __future__ import annotations

import pytest
import torch
from einops import rearrange
from network_checks import assert_gradients_are_right
from seeded import seeded_input
from torch import Tensor

from scenewise.models.layers.attention import Attention, Mlp, QuickGELU
from scenewise.models.layers.drop_path import DropPath, linear_rates


def by_hand(layer: Attention, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
    """The product of Vaswani et al. 2017, head by head."""
    query, key, value = layer.qkv(tokens).chunk(3, dim=-1)
    heads = []
    for part in range(layer.heads):
        width = query.shape[-1] // layer.heads
        cut = slice(part * width, (part + 1) * width)
        scores = query[..., cut] @ rearrange(key[..., cut], "b n d -> b d n") / width**0.5
        if mask is not None:
            scores = scores + mask
        heads.append(scores.softmax(-1) @ value[..., cut])
    made: Tensor = layer.proj(torch.cat(heads, dim=-1))
    return made


@pytest.mark.parametrize("masked", [False, True])
def test_attention_is_the_written_out_softmax(masked: bool) -> None:
    torch.manual_seed(0)
    layer = Attention(12, 3).eval()
    tokens = seeded_input("tokens", (2, 7, 12)) * 3
    mask = None
    if masked:
        mask = torch.zeros(7, 7)
        mask[:, 5:] = -100.0
    made = layer(tokens, None if mask is None else mask[None, None])
    assert torch.allclose(made, by_hand(layer, tokens, mask), atol=1e-5)


def test_a_masked_token_changes_nothing() -> None:
    layer = Attention(8, 2).eval()
    tokens = seeded_input("tokens", (1, 5, 8))
    mask = torch.zeros(1, 1, 5, 5)
    mask[..., 4] = float("-inf")
    other = tokens.clone()
    other[:, 4] += 10.0
    assert torch.equal(layer(tokens, mask)[:, :4], layer(other, mask)[:, :4])


def test_heads_must_share_the_width() -> None:
    with pytest.raises(ValueError, match="a width of 10 cannot be shared by 3 heads"):
        Attention(10, 3)


def test_gradients_are_right() -> None:
    assert_gradients_are_right(Attention(6, 2), seeded_input("tokens", (1, 3, 6)))
    assert_gradients_are_right(Mlp(4, 6, activation=QuickGELU), seeded_input("tokens", (2, 3, 4)))


def test_quick_gelu_is_its_formula() -> None:
    x = torch.tensor([-2.0, 0.0, 1.5])
    assert torch.allclose(QuickGELU()(x), x / (1 + torch.exp(-1.702 * x)))


def test_drop_path_keeps_the_mean_and_drops_whole_examples() -> None:
    torch.manual_seed(0)
    layer = DropPath(0.25)
    x = torch.ones(4000, 3)
    made = layer(x)
    assert made.unique().tolist() == pytest.approx([0.0, 1 / 0.75])
    assert bool((made == made[:, :1]).all())
    assert float(made.mean()) == pytest.approx(1.0, abs=0.05)
    assert torch.equal(layer.eval()(x), x)


def test_rates_grow_from_the_first_block_to_the_last() -> None:
    assert linear_rates(0.3, 4) == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert linear_rates(0.3, 1) == [0.0]
    with pytest.raises(ValueError, match=r"lies in \[0, 1\), got 1"):
        DropPath(1.0)
