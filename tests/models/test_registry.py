"""Facts about the registry: every card is true where we can count, and names lead to networks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from scenewise.errors import NetworkError, UnknownNetworkError, UsageError
from scenewise.models import create_model, list_models, model_card, registry
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.cards.card import Card
from scenewise.models.flops import parameters
from scenewise.models.registry import created_as, list_model_cards, options_of, resolve

CARDS = list_model_cards()
FAMILY_NAMES = sorted({card.family for card in CARDS})
FREE_TO_SAY = {"none published", "unknown"}


@pytest.fixture(autouse=True)
def _plugins_are_looked_for_anew() -> Iterator[None]:
    registry._plugins.cache_clear()
    yield
    registry._plugins.cache_clear()


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_is_complete(card: Card) -> None:
    assert card.name.isidentifier()
    assert card.name == card.name.lower()
    assert card.summary
    assert not card.summary.endswith(".")
    assert card.url.startswith("https://")
    assert 2010 <= card.year <= 2026
    assert card.licence
    assert card.proof
    for result in card.results:
        assert result.source
        assert result.setting
    json.dumps(card.to_dict())


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_parameters_of_a_card_are_counted(card: Card) -> None:
    with torch.device("meta"):
        network = create_model(card.name)
    assert parameters(network) == card.parameters
    assert created_as(network).name == card.name


@pytest.mark.parametrize(
    "card",
    [card for card in CARDS if card.kind == "backbone" and card.input and not card.tiny],
    ids=lambda card: card.name,
)
def test_a_backbone_takes_what_its_card_says(card: Card) -> None:
    assert card.input is not None
    channels = {"flow": 2, "rgb": 3, "bgr": 3}.get(card.input.channels, len(card.input.mean))
    if card.input.channels != "mel" and len(card.input.mean) > 1:
        channels = len(card.input.mean)
    with torch.device("meta"), torch.no_grad():
        network = create_model(card.name).eval()
        clips = torch.zeros(1, card.input.frames, channels, card.input.size, card.input.size)
        assert isinstance(network, VideoBackbone)
        assert network.features(clips).shape == (1, network.num_features)
        logits = network(clips)
    assert logits.shape == (1, network.num_classes or network.num_features)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_layouts_exist_and_have_names_of_their_own(card: Card) -> None:
    if card.layouts is not None:
        names = [layout.name for layout in resolve(card.layouts)]
        assert names
        assert len(names) == len(set(names))


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_every_family_has_a_tiny_size(family: str) -> None:
    assert [card.name for card in CARDS if card.family == family and card.tiny]


def test_names_are_unique_and_can_be_picked() -> None:
    names = list_models()
    assert len(names) == len(set(names)) == len(CARDS)
    assert list_models("c3d*") == ["c3d", "c3d_tiny"]
    assert set(list_models(kind="backbone")) | set(list_models(kind="video-text")) | set(
        list_models(kind="audio")
    ) == set(names)


def test_options_are_those_of_the_builder() -> None:
    assert options_of("c3d")["num_classes"] == 487
    made = created_as(create_model("c3d_tiny", num_classes=3))
    assert (made.name, made.options) == ("c3d_tiny", {"num_classes": 3})


def test_an_unknown_name_leads_to_the_nearest() -> None:
    with pytest.raises(UnknownNetworkError, match=r"no network 'c3d_tinny'; did you mean c3d_tiny"):
        create_model("c3d_tinny")
    with pytest.raises(UnknownNetworkError, match="see scenewise models list"):
        model_card("zzzzzzzz")


def test_an_unknown_option_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"c3d has no option 'frames'; allowed: num_classes, num_"):
        create_model("c3d", frames=8)


@pytest.mark.parametrize(
    "options", [{"num_frames": "eight"}, {"dropout": 2.0}, {"num_classes": 1.5}]
)
def test_a_wrong_value_is_refused_with_the_defaults(options: dict[str, Any]) -> None:
    (value,) = options.values()
    with pytest.raises(UsageError, match=rf"cannot be built with \w+={value!r}: .*num_frames=8"):
        create_model("timesformer_tiny", **options)


def test_a_network_that_was_made_by_hand_cannot_be_made_again() -> None:
    with pytest.raises(NetworkError, match="Linear was not made by create_model"):
        created_as(nn.Linear(1, 1))


def test_listing_imports_no_torch() -> None:
    code = (
        "import sys\n"
        "from scenewise.models import list_models\n"
        "assert list_models()\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "False"


class Entry:
    """An entry point of an installed package."""

    name = "theirs"

    def __init__(self, content: Any) -> None:
        self.content = content

    def load(self) -> Any:
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


def install(monkeypatch: pytest.MonkeyPatch, content: Any) -> None:
    def entry_points(*, group: str) -> list[Entry]:
        assert group == "scenewise.models"
        return [Entry(content)]

    monkeypatch.setattr(registry, "entry_points", entry_points)


def their_card(**changes: Any) -> Card:
    card = next(card for card in CARDS if card.name == "c3d_tiny")
    return replace(card, **{"name": "theirs_tiny", **changes})


def test_a_plugin_brings_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, (their_card(),))
    assert list_models()[-1] == "theirs_tiny"
    assert parameters(create_model("theirs_tiny")) == model_card("c3d_tiny").parameters


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ValueError("no GPU"), r"plugin theirs cannot be loaded: no GPU\. Mend or uninstall"),
        (("c3d",), r"plugin theirs does not lead to a tuple of cards"),
        ("card", r"A plugin brings a network 'c3d_tiny', which is there already"),
    ],
    ids=["raises", "no cards", "a name that is there"],
)
def test_a_bad_plugin_is_named(monkeypatch: pytest.MonkeyPatch, content: Any, message: str) -> None:
    install(monkeypatch, (their_card(name="c3d_tiny"),) if content == "card" else content)
    with pytest.raises(NetworkError, match=message):
        list_models()


def test_a_builder_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, (their_card(builder="scenewise.models.backbones.c3d:c4d"),))
    with pytest.raises(NetworkError, match="c3d:c4d cannot be loaded"):
        create_model("theirs_tiny")
