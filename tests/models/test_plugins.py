"""Networks of somebody else's package, found by its entry point; and packages that are broken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import toy_networks

from scenewise.errors import NetworkError
from scenewise.models import create_model, list_models, registry


@dataclass(frozen=True)
class Entry:
    """As much of an entry point as is asked of one."""

    name: str
    load: Callable[[], Any]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[], Any]], None]]:
    def installed(load: Callable[[], Any]) -> None:
        def found(*, group: str) -> list[Entry]:
            assert group == "scenewise.models"
            return [Entry("mine", load)]

        monkeypatch.setattr(registry, "entry_points", found)

    registry._plugins.cache_clear()
    yield installed
    registry._plugins.cache_clear()


def test_a_plugins_networks_stand_beside_ours(install: Callable[[Any], None]) -> None:
    ours = list_models()
    registry._plugins.cache_clear()
    install(lambda: toy_networks.CARDS)
    assert list_models() == [*ours, *(card.name for card in toy_networks.CARDS)]
    network = create_model("toy_backbone", num_classes=7)
    assert isinstance(network, toy_networks.ToyBackbone)
    assert registry.created_as(network).options == {"num_classes": 7}


def broken() -> Any:
    raise ImportError("No module named 'half'\nand more")


@pytest.mark.parametrize(
    ("load", "words"),
    [
        (broken, r"The plugin mine cannot be loaded: No module named 'half'\. Mend"),
        (lambda: ("c3d",), "The plugin mine does not lead to a tuple of cards"),
        (lambda: registry.list_model_cards, "The plugin mine cannot be loaded"),
    ],
)
def test_a_plugin_that_is_broken_is_named(
    install: Callable[[Any], None], load: Callable[[], Any], words: str
) -> None:
    install(load)
    with pytest.raises(NetworkError, match=words):
        list_models()


def test_a_plugin_may_not_take_a_name(install: Callable[[Any], None]) -> None:
    install(lambda: registry._cards("scenewise.models.cards.c3d:CARDS"))
    with pytest.raises(NetworkError, match="brings a network 'c3d', which is there already"):
        list_models()
