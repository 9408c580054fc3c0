"""Facts about BERT's parts: transformers' numbers and names, masks, gradients."""

from __future__ import annotations

import pytest
import torch
from golden import largest_difference, perturb, perturbed_groups
from network_checks import assert_gradients_are_right
from seeded import seeded_ids, seeded_input, seeded_state
from torch import Tensor, nn

from scenewise.models.layers.bert import (
    Bert,
    BertEmbeddings,
    BertLayer,
    BertPredictionTransform,
    BertSize,
    initialise,
)

SIZE = BertSize(width=48, layers=2, heads=4, hidden=80, vocabulary=60, positions=16)
SMALL = BertSize(width=4, layers=1, heads=2, hidden=6, vocabulary=5, positions=6, dropout=0.0)


@pytest.fixture(scope="module")
def pair() -> tuple[nn.Module, Bert]:
    """transformers' and ours with the same weights."""
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=SIZE.vocabulary,
        hidden_size=SIZE.width,
        num_hidden_layers=SIZE.layers,
        num_attention_heads=SIZE.heads,
        intermediate_size=SIZE.hidden,
        max_position_embeddings=SIZE.positions,
    )
    theirs = BertModel(config, add_pooling_layer=False).eval()
    ours = Bert(SIZE).eval()
    shapes = {key: tuple(value.shape) for key, value in ours.state_dict().items()}
    state = seeded_state(shapes)
    theirs.load_state_dict(state)
    ours.load_state_dict(state)
    return theirs, ours


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    ids = seeded_ids("ids", (3, 9), 60)
    mask = torch.arange(9)[None] < torch.tensor([[9], [6], [2]])
    types = (torch.arange(9)[None] > torch.tensor([[4], [3], [9]])).long()
    return ids, mask, types


def test_parity_with_transformers(pair: tuple[nn.Module, Bert]) -> None:
    theirs, ours = pair
    ids, mask, types = inputs()
    with torch.no_grad():
        wanted = theirs(ids, attention_mask=mask.long(), token_type_ids=types).last_hidden_state
        assert (
            largest_difference(
                ours(ids, mask, types=types) * mask[..., None], wanted * mask[..., None]
            )
            < 1e-5
        )
        for name in perturbed_groups(ours):
            kept = ours.get_parameter(name).detach().clone()
            perturb(ours, name)
            changed = ours(ids, mask, types=types)
            ours.get_parameter(name).copy_(kept)
            if not name.endswith("self.key.bias"):  # softmax takes it out
                assert largest_difference(changed, wanted) > 1e-4, name


def test_vectors_may_stand_in_place_of_words_at_any_position(pair: tuple[nn.Module, Bert]) -> None:
    _, ours = pair
    ids, mask, _ = inputs()
    order = torch.tensor([[4, 0, 8, 1, 2, 3, 7, 6, 5]])
    with torch.no_grad():
        plain = ours(ids, mask)
        moved = ours.encode(ours.words(ids[:, order[0]]), mask[:, order[0]], order)
    torch.testing.assert_close(moved, plain[:, order[0]], atol=1e-5, rtol=0)


def test_what_the_mask_hides_has_no_say(pair: tuple[nn.Module, Bert]) -> None:
    _, ours = pair
    ids, mask, _ = inputs()
    with torch.no_grad():
        kept = ours(ids, mask)[1, :6]
        assert torch.allclose(ours(ids[1:2, :6])[0], kept, atol=1e-5)
        assert not torch.allclose(ours(ids)[1, :6], kept, atol=1e-2)


def test_a_bert_without_words_takes_vectors_alone() -> None:
    wordless = Bert(BertSize(width=8, layers=1, heads=2, hidden=8, vocabulary=None))
    assert wordless.encode(torch.zeros(1, 3, 8)).shape == (1, 3, 8)
    with pytest.raises(ValueError, match="has no words; give it vectors"):
        wordless(torch.ones(1, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match="17 tokens are more than the 16 positions"):
        Bert(SIZE)(torch.ones(1, 17, dtype=torch.int64))
    with pytest.raises(ValueError, match="a width of 10 cannot be shared by 3 heads"):
        BertSize(width=10, heads=3)


def test_fresh_weights_are_narrow_and_padding_is_nothing() -> None:
    torch.manual_seed(0)
    network = Bert(BertSize(layers=1, vocabulary=2000))
    initialise(network)
    words = network.embeddings.word_embeddings
    assert words is not None
    assert not words.weight[0].any()
    for name, parameter in network.named_parameters():
        if name.endswith("LayerNorm.weight"):
            assert bool((parameter == 1).all())
        elif name.endswith("bias"):
            assert not parameter.any(), name
        else:
            assert float(parameter.detach()[1:].std()) == pytest.approx(0.02, rel=0.05), name


def test_gradients_are_right() -> None:
    torch.manual_seed(0)
    mask = torch.tensor([[[[True, True, False]]], [[[True, True, True]]]])

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = BertLayer(BertSize(width=4, heads=2, hidden=6, attention_dropout=0.0))

        def forward(self, tokens: Tensor) -> Tensor:
            output: Tensor = self.layer(tokens, mask)
            return output

    tokens = seeded_input("tokens", (2, 3, 4))
    assert_gradients_are_right(Masked().eval(), tokens)
    assert_gradients_are_right(BertEmbeddings(SMALL).eval(), tokens)
    assert_gradients_are_right(BertPredictionTransform(SMALL), tokens)
