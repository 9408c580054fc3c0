"""Fresh weights by the width of layers: signals of unit size through any width."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from scenewise.models import create_model
from scenewise.training.initialisation import EMBEDDING_STD, WORD_STD, scale_to_fan_in


@pytest.mark.parametrize("width", [16, 256])
def test_a_layer_keeps_the_size_of_its_signal(width: int) -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 512))
    assert scale_to_fan_in(layers) == 1
    with torch.no_grad():
        after = layers(torch.randn(256, width))
    assert float(after.std()) == pytest.approx(1.0, rel=0.15)


def test_a_branch_that_begins_closed_stays_closed() -> None:
    layer = nn.Linear(4, 4)
    nn.init.zeros_(layer.weight)
    assert scale_to_fan_in(nn.Sequential(layer)) == 0
    assert not layer.weight.any()


def test_words_are_not_hidden_by_their_positions() -> None:
    torch.manual_seed(0)
    network = create_model("dual_encoder_tiny")
    scale_to_fan_in(network)
    drawn = network.state_dict()
    assert float(drawn["text.token_embed.weight"].std()) == pytest.approx(WORD_STD, rel=0.1)
    assert float(drawn["text.pos_embed"].std()) == pytest.approx(EMBEDDING_STD, rel=0.1)


def test_padding_stays_nothing_and_a_tied_table_is_a_layer() -> None:
    torch.manual_seed(0)
    words, head = nn.Embedding(200, 64, padding_idx=0), nn.Linear(64, 200, bias=False)
    scale_to_fan_in(nn.Sequential(words))
    assert not words.weight[0].any()
    head.weight = words.weight
    scale_to_fan_in(nn.Sequential(words, nn.LayerNorm(64), head))
    assert float(words.weight.detach().std()) == pytest.approx(64**-0.5, rel=0.1)
