"""From the name of a network to the network: ``create_model``, ``list_models``, ``model_card``.

It knows names, cards and how a builder is called; the networks are imported when one is built.
A package of somebody else adds its own by an entry point of the group ``scenewise.models`` that
leads to a tuple of cards; our own families are found in the same way, through ``FAMILIES``.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from scenewise.errors import NetworkError, UnknownNetworkError, UsageError, first_line
from scenewise.models.cards.card import Card, Kind

if TYPE_CHECKING:  # torch is loaded with the network that is built, not with this module
    from torch import nn

PLUGINS = "scenewise.models"  # the group of entry points
FAMILIES = (  # "module:CARDS", a line each
    "scenewise.models.cards.c3d:CARDS",
    "scenewise.models.cards.i3d:CARDS",
    "scenewise.models.cards.s3d:CARDS",
    "scenewise.models.cards.resnet3d:CARDS",
    "scenewise.models.cards.x3d:CARDS",
    "scenewise.models.cards.tsm:CARDS",
    "scenewise.models.cards.cnn_rnn:CARDS",
    "scenewise.models.cards.two_branch:CARDS",
    "scenewise.models.cards.timesformer:CARDS",
    "scenewise.models.cards.vivit:CARDS",
    "scenewise.models.cards.video_swin:CARDS",
    "scenewise.models.cards.videomae:CARDS",
    "scenewise.models.cards.dual_encoder:CARDS",
    "scenewise.models.cards.videoclip:CARDS",
    "scenewise.models.cards.clip4clip:CARDS",
    "scenewise.models.cards.xclip:CARDS",
    "scenewise.models.cards.xclip_retrieval:CARDS",
    "scenewise.models.cards.viclip:CARDS",
    "scenewise.models.cards.internvideo2:CARDS",
    "scenewise.models.cards.frozen_bilm:CARDS",
    "scenewise.models.cards.mmt:CARDS",
    "scenewise.models.cards.videobert:CARDS",
    "scenewise.models.cards.audio_cnn:CARDS",
    "scenewise.models.cards.ast:CARDS",
    "scenewise.models.cards.clap_audio:CARDS",
)


@dataclass(frozen=True, slots=True)
class CreatedAs:
    """How a network was made: enough to make it again. ``options`` are values of JSON."""

    name: str
    options: Mapping[str, Any]


def create_model(name: str, **options: Any) -> nn.Module:
    """A network with fresh weights, by the name of its card.

    ``options`` are those of its builder, such as ``num_frames`` and ``num_classes``; what they
    are, ``scenewise models show NAME`` says. Raises UnknownNetworkError for a name that no card
    has, UsageError for an option or value that the network does not take.
    """
    builder = builder_of(model_card(name))
    allowed = options_of(name)
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise UsageError(
            f"{name} has no option {unknown[0]!r}; allowed: {', '.join(allowed) or 'none'}."
        )
    try:
        network = builder(**options)
    except (TypeError, ValueError, RuntimeError) as error:  # how the layers meet a wrong value
        given = ", ".join(f"{key}={value!r}" for key, value in options.items())
        raise UsageError(
            f"{name} cannot be built with {given or 'its defaults'}: {first_line(error)}; its "
            f"defaults are {', '.join(f'{key}={value!r}' for key, value in allowed.items())}."
        ) from error
    network.__dict__["created_as"] = CreatedAs(name, dict(options))
    return network


def created_as(network: nn.Module) -> CreatedAs:
    """How it was made; raises NetworkError for a network that ``create_model`` did not make."""
    made = network.__dict__.get("created_as")
    if not isinstance(made, CreatedAs):
        raise NetworkError(
            f"{type(network).__name__} was not made by create_model, so nobody knows how to make "
            "it again; build it with create_model."
        )
    return made


def list_models(pattern: str = "*", *, kind: Kind | None = None) -> list[str]:
    """Names of networks, in order of their cards; ``pattern`` as in file names (``i3d_*``)."""
    return [
        card.name
        for card in list_model_cards()
        if fnmatchcase(card.name, pattern) and kind in (None, card.kind)
    ]


def list_model_cards() -> tuple[Card, ...]:
    """All cards: our own, then those of installed plugins. Raises NetworkError for a bad plugin."""
    cards = {card.name: card for place in FAMILIES for card in _cards(place)}
    for plugin in _plugins():
        for card in plugin:
            if card.name in cards:
                raise NetworkError(
                    f"A plugin brings a network {card.name!r}, which is there already; "
                    "uninstall it or have it renamed."
                )
            cards[card.name] = card
    return tuple(cards.values())


def model_card(name: str) -> Card:
    """The card of this name. Raises UnknownNetworkError, which names the nearest."""
    cards = {card.name: card for card in list_model_cards()}
    if name in cards:
        return cards[name]
    near = difflib.get_close_matches(name, cards, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "see scenewise models list."
    raise UnknownNetworkError(f"There is no network {name!r}; {hint}")


def options_of(name: str) -> dict[str, Any]:
    """The options of a network and their defaults, by name."""
    parameters = inspect.signature(builder_of(model_card(name))).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters}


def builder_of(card: Card) -> Callable[..., nn.Module]:
    """The function that builds it; imports torch. Raises NetworkError where it cannot be found."""
    builder: Callable[..., nn.Module] = resolve(card.builder)
    return builder


def resolve(place: str) -> Any:
    """What ``module:name`` stands for; raises NetworkError where there is no such thing."""
    module, _, name = place.partition(":")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise NetworkError(f"{place} cannot be loaded: {first_line(error)}.") from error


@functools.cache
def _cards(place: str) -> tuple[Card, ...]:
    cards: tuple[Card, ...] = resolve(place)
    return cards


@functools.cache
def _plugins() -> tuple[tuple[Card, ...], ...]:
    found = []
    for entry in entry_points(group=PLUGINS):
        try:
            cards = tuple(entry.load())
        except Exception as error:  # a plugin may raise anything while it is imported
            raise NetworkError(
                f"The plugin {entry.name} cannot be loaded: {first_line(error)}. "
                "Mend or uninstall it."
            ) from error
        if not all(isinstance(card, Card) for card in cards):
            raise NetworkError(
                f"The plugin {entry.name} does not lead to a tuple of cards. Mend or uninstall it."
            )
        found.append(cards)
    return tuple(found)
