"""Facts about the cards: complete, true where we can count, and pointing at what exists."""

from __future__ import annotations

import importlib
import json

import pytest
import torch
import transformers

from scenewise.encoders.cards import Card, card, list_cards
from scenewise.encoders.load import FAMILIES
from scenewise.errors import UnknownEncoderError
from scenewise.models.backbones.efficientnet_lite import EfficientNetLite
from scenewise.models.language.sentence_encoder import load_sentence_encoder
from scenewise.models.weights.packaged import MINILM_L6_V2

CARDS = list_cards()


def test_the_default_comes_first_and_needs_no_download() -> None:
    assert CARDS[0].name == "concept"
    assert [known.name for known in CARDS if known.embedded] == ["concept"]
    assert card("concept") is CARDS[0]


@pytest.mark.parametrize("known", CARDS, ids=lambda known: known.name)
def test_a_card_is_complete(known: Card) -> None:
    assert known.builder in FAMILIES.values()
    module, _, name = known.builder.partition(":")
    assert hasattr(importlib.import_module(module), name)
    assert known.summary
    assert known.languages
    assert set(known.licences) <= {"Apache-2.0", "MIT"}
    for network in known.networks:
        assert network.url.startswith("https://arxiv.org/abs/")
        assert network.licence_note
    shape = json.loads(json.dumps(known.to_dict()))
    assert shape["networks"][0]["parameters"] == known.networks[0].parameters


def count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_the_parameters_of_the_embedded_networks_are_counted() -> None:
    classifier, sentences = card("concept").networks
    assert classifier.parameters == count(EfficientNetLite("lite0"))
    assert sentences.parameters == count(load_sentence_encoder(MINILM_L6_V2.locate().parent))


@pytest.mark.parametrize(
    ("name", "build"),
    [
        (
            "openai/clip-vit-base-patch32",
            lambda: transformers.CLIPModel(transformers.CLIPConfig()),
        ),
        (
            "google/siglip-base-patch16-224",
            lambda: transformers.SiglipModel(transformers.SiglipConfig()),
        ),
        (
            "google/siglip2-base-patch16-224",
            lambda: transformers.SiglipModel(
                transformers.SiglipConfig(text_config={"vocab_size": 256000})
            ),
        ),
        (
            "microsoft/xclip-base-patch32",
            lambda: transformers.XCLIPModel(transformers.XCLIPConfig()),
        ),
    ],
)
def test_the_parameters_of_hub_networks_are_those_of_their_layout(name: str, build: object) -> None:
    assert callable(build)
    with torch.device("meta"):
        assert card(name).networks[0].parameters == count(build())


def test_a_name_without_a_card() -> None:
    with pytest.raises(UnknownEncoderError, match=r"no card for 'x/y'; there are: concept, .*work"):
        card("x/y")
