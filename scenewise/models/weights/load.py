"""From a published checkpoint to a network with its weights.

It knows how a layout is recognised and what is said where tensors and network do not agree; the
layouts themselves are their families'.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from scenewise.errors import NetworkError
from scenewise.models.cards.card import Card
from scenewise.models.registry import (
    create_model,
    created_as,
    list_model_cards,
    model_card,
    resolve,
)
from scenewise.models.weights.checkpoint import Checkpoint, State, read_checkpoint
from scenewise.models.weights.layout import AdaptsState, Identified, Layout
from scenewise.models.weights.own import OWN, own_identity

_NAMED = 3  # keys that a message quotes
_ALIKE = 0.5  # a network of which fewer names than this share occur in a file is another network


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of a checkpoint's tensors; names are the network's own."""

    layout: str
    loaded: int
    missing: tuple[str, ...]  # the network's, that the file lacks
    unexpected: tuple[str, ...]  # the file's, that the network has no place for
    mismatched: tuple[str, ...]  # in both, with different shapes

    @property
    def complete(self) -> bool:
        """Whether file and network agree in every name and shape."""
        return not (self.missing or self.unexpected or self.mismatched)


def load_pretrained(
    source: str | Path, network: str | None = None, *, strict: bool = True, **options: Any
) -> nn.Module:
    """The network that a checkpoint belongs to, with its weights, in eval mode.

    ``source`` is a file (.pth, .pyth, .pt, .bin, .safetensors), a folder with config.json, or a
    hub name, which is downloaded. ``network`` and ``options`` overrule what the checkpoint says of
    itself. ``strict`` False leaves tensors without counterpart as they were made, such as a
    classifier's head for other classes; ``load_weights`` reports them.

    Raises UsageError where there is no such source, NetworkError where it cannot be read or does
    not belong to the network.
    """
    return load_reported(source, network, strict=strict, **options)[0]


def load_reported(
    source: str | Path, network: str | None = None, *, strict: bool = True, **options: Any
) -> tuple[nn.Module, LoadReport]:
    """``load_pretrained`` with the report of what became of the tensors."""
    checkpoint = read_checkpoint(source)
    identified = _identify(checkpoint, network)
    name = network or identified.name
    merged = {**(identified.options if identified.name == name else {}), **options}
    made = create_model(name, **merged)
    report = _load(made, checkpoint, strict=strict)
    return made.eval(), report


def load_weights(network: nn.Module, source: str | Path, *, strict: bool = True) -> LoadReport:
    """Put a checkpoint's weights into a network that ``create_model`` made; the report says all.

    Raises as ``load_pretrained`` does; not ``strict``, only a checkpoint of another network is
    refused.
    """
    return _load(network, read_checkpoint(source), strict=strict)


def convert_state(card: Card, state: State) -> tuple[str, State] | None:
    """The layout of these tensors and they by our names; None where no layout of the card fits."""
    for layout in _layouts(card):
        if layout.fits(state):
            return layout.name, layout.convert(state)
    return None


def _load(network: nn.Module, checkpoint: Checkpoint, *, strict: bool) -> LoadReport:
    name = created_as(network).name
    own = own_identity(checkpoint.config) is not None
    converted = (
        (OWN, checkpoint.state) if own else convert_state(model_card(name), checkpoint.state)
    )
    if converted is None:
        # our own names without a config.json are a layout as well
        converted = (OWN, checkpoint.state)
    layout, state = converted
    if isinstance(network, AdaptsState):
        state = network.adapt_state(state)
    wanted = network.state_dict()
    mismatched = sorted(
        key for key in wanted.keys() & state.keys() if wanted[key].shape != state[key].shape
    )
    report = LoadReport(
        layout=layout,
        loaded=len(wanted.keys() & state.keys()) - len(mismatched),
        missing=tuple(key for key in wanted if key not in state),
        unexpected=tuple(sorted(state.keys() - wanted.keys())),
        mismatched=tuple(mismatched),
    )
    if report.loaded < _ALIKE * len(wanted):
        raise NetworkError(
            f"{checkpoint.source} does not belong to {name}: of its {len(wanted)} tensors the "
            f"file has {report.loaded}{_example(checkpoint)}. Name the network that it was made "
            "for, with its options."
        )
    if strict and not report.complete:
        raise NetworkError(
            f"{checkpoint.source} does not fit {name}: {_differences(report)}. Give the options "
            "that it was made with, or strict=False to leave these as they are."
        )
    network.load_state_dict(
        {key: state[key] for key in wanted if key in state and key not in report.mismatched},
        strict=False,
        assign=any(tensor.is_meta for tensor in wanted.values()),
    )
    return report


def _identify(checkpoint: Checkpoint, network: str | None) -> Identified:
    """Which network the checkpoint is of; a name that was given need not be recognised."""
    own = own_identity(checkpoint.config)
    if own is not None:
        return own
    cards: Iterable[Card] = (model_card(network),) if network else list_model_cards()
    begins: list[str] = []
    for layout in dict.fromkeys(layout for card in cards for layout in _layouts(card)):
        if layout.fits(checkpoint.state):
            found = layout.identify(checkpoint.state, checkpoint.config)
            if found is not None and found.begins and network is None:
                begins.append(found.name)
            elif found is not None:
                return found
    if network is not None:
        return Identified(network, {})
    if begins:
        raise NetworkError(
            f"{checkpoint.source} holds weights for pictures, from which {' or '.join(begins)} "
            "can begin; name the network that is meant."
        )
    raise NetworkError(
        f"{checkpoint.source} is of no layout that is known{_example(checkpoint)}; name its "
        "network (scenewise models list)."
    )


def _layouts(card: Card) -> tuple[Layout, ...]:
    return () if card.layouts is None else resolve(card.layouts)


def _example(checkpoint: Checkpoint) -> str:
    return f" (it has, for one, {next(iter(checkpoint.state))})"


def _differences(report: LoadReport) -> str:
    parts = []
    for what, keys in (
        ("missing", report.missing),
        ("unexpected", report.unexpected),
        ("of another shape", report.mismatched),
    ):
        if keys:
            more = ", …" if len(keys) > _NAMED else ""
            parts.append(f"{len(keys)} {what} ({', '.join(keys[:_NAMED])}{more})")
    return ", ".join(parts)
