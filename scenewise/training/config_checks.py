"""Mistakes beyond types: names that nobody has, files that are not there, parts that contradict.

Each check looks at what was given without a mistake of its own, so that all are found at once. It
knows cards, datasets and objectives by name; a network is built on torch's device "meta" alone,
where nothing is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from scenewise.data.annotations.registry import SOURCES, Source
from scenewise.errors import NetworkError, ScenewiseError, first_line
from scenewise.models.cards.card import Card
from scenewise.models.registry import list_model_cards, options_of
from scenewise.training.config_chain import Chain, Keys, Mistake, nearest
from scenewise.training.config_mistakes import key_and_value
from scenewise.training.objective_choice import CHOICES, choice_of

Known = Mapping[Keys, Any]  # None: not given, or given with a mistake
SIZE_OPTIONS = ("size", "image_size", "img_size")


def check_meaning(known: Known, chain: Chain) -> list[Mistake]:
    """Every mistake that types do not show, a line each."""
    card, source = _card(known), _source(known)
    found = [
        *_names(known, card, source),
        *_files(known),
        *_splits(known, source),
        *_options(known, card),
        *_objective(known, card, source),
    ]
    return [
        Mistake(chain.place(keys), key_and_value(keys, _shown(known, keys)), said)
        for keys, said in found
    ]


def filled_options(card: Card, known: Known) -> dict[str, Any]:
    """Options of ``[model]``, and what ``[data]`` says of frames and size where they do not."""
    allowed = options_of(card.name)
    options = dict(known.get(("model", "options")) or {})
    for option, key in wanted_by_data(allowed):
        if option not in options and known.get(key) is not None:
            options[option] = known[key]
    return options


def wanted_by_data(allowed: Mapping[str, Any]) -> Iterator[tuple[str, Keys]]:
    """Options of a network that must agree with a key of ``[data]``."""
    if "num_frames" in allowed:
        yield "num_frames", ("data", "frames")
    if "text_length" in allowed:
        yield "text_length", ("data", "text_length")
    for name in SIZE_OPTIONS:
        if name in allowed:
            yield name, ("data", "size")
            return


def _card(known: Known) -> Card | None:
    name = known.get(("model", "name"))
    return next((card for card in list_model_cards() if card.name == name), None)


def _source(known: Known) -> Source | None:
    name = known.get(("data", "dataset"))
    return next((source for source in SOURCES if source.name == name), None)


def _names(known: Known, card: Card | None, source: Source | None) -> Iterator[tuple[Keys, str]]:
    name = known.get(("model", "name"))
    if name is not None and card is None:
        near = nearest(name, [card.name for card in list_model_cards()])
        hint = near if near.startswith("did") else "scenewise models list names them"
        yield ("model", "name"), f"there is no such network; {hint}"
    dataset = known.get(("data", "dataset"))
    if dataset is not None and source is None:
        near = nearest(dataset, [source.name for source in SOURCES])
        yield ("data", "dataset"), f"there is no such dataset; {near}"


def _files(known: Known) -> Iterator[tuple[Keys, str]]:
    for keys in (("data", "annotations"), ("data", "videos"), ("data", "tokenizer")):
        path = known.get(keys)
        if isinstance(path, Path) and not path.exists():
            yield keys, "is not there; give a path that exists, relative to this file"
    weights = known.get(("model", "weights"))
    # a hub name is left as it was written; every path has become absolute
    if isinstance(weights, Path) and weights.is_absolute() and not weights.exists():
        yield ("model", "weights"), "is not there; give a file, a folder, or a hub name"


def _splits(known: Known, source: Source | None) -> Iterator[tuple[Keys, str]]:
    if source is None:
        return
    for keys in (("data", "train_split"), ("data", "val_split")):
        split = known.get(keys)
        if split is not None and split not in source.splits:
            near = nearest(split, source.splits)
            yield keys, f"{source.name} has no such split; {near}"
    task = known.get(("data", "task"))
    if task is not None and task not in source.tasks:
        yield ("data", "task"), f"{source.name} has {', '.join(source.tasks)}"


def _options(known: Known, card: Card | None) -> Iterator[tuple[Keys, str]]:
    if card is None:
        return
    allowed = options_of(card.name)
    given = known.get(("model", "options")) or {}
    unknown = [name for name in given if name not in allowed]
    for name in unknown:
        said = f"{card.name} has no such option; {nearest(name, allowed)}"
        yield ("model", "options", name), said
    contradictions = 0
    for option, keys in wanted_by_data(allowed):
        wanted = known.get(keys)
        if option in given and wanted is not None and given[option] != wanted:
            contradictions += 1
            said = f"contradicts {'.'.join(keys)} = {wanted}; give one of them, or both alike"
            yield ("model", "options", option), said
    if not unknown and not contradictions:
        yield from _does_not_build(known, card)


def _does_not_build(known: Known, card: Card) -> Iterator[tuple[Keys, str]]:
    """What the network itself refuses: of its options, or of frames and size."""
    # counted on "meta": a network of a billion parameters takes no memory there
    from scenewise.models.flops import count_modules, example_inputs
    from scenewise.models.registry import create_model

    options = filled_options(card, known)
    if isinstance(options.get("text"), str) and options["text"] != "small":
        return  # a folder with a text model: building reads its weights
    frames, size = known.get(("data", "frames")), known.get(("data", "size"))
    try:
        if card.input is None or card.input.channels not in ("rgb", "bgr"):
            if options:
                import torch

                with torch.device("meta"), warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of layers without weights
                    create_model(card.name, **options)
            return
        # the text is one id: how long a text may be, the network's options say
        count_modules(
            lambda: create_model(card.name, **options),
            lambda: example_inputs(card, frames, size)[:1] + _one_word(card),
        )
    except NetworkError as error:
        yield ("model", "name"), str(error)
    except ScenewiseError as error:
        yield ("model", "options"), str(error)
    except (ValueError, RuntimeError) as error:
        said = f"{card.name} does not take {frames} frames of {size} pixels: {first_line(error)}"
        yield ("data", "frames"), said


def _one_word(card: Card) -> list[Any]:
    import torch

    return [] if card.text_length is None else [torch.zeros(1, 1, dtype=torch.long)]


def _objective(
    known: Known, card: Card | None, source: Source | None
) -> Iterator[tuple[Keys, str]]:
    name = known.get(("objective", "name"))
    choice = choice_of(name) if name is not None else None
    if name is not None and choice is None:
        near = nearest(name, [choice.name for choice in CHOICES])
        yield ("objective", "name"), f"there is no such objective; {near}"
    if card is None or source is None:
        return
    task = known.get(("data", "task")) or source.tasks[0]
    fitting = [
        one
        for one in CHOICES
        if card.kind in one.kinds
        and task in one.tasks
        and (not one.families or any(fnmatchcase(card.family, f) for f in one.families))
    ]
    allowed = ", ".join(one.name for one in fitting)
    what = f"{card.name} ({card.kind}) and {task} of {source.name}"
    if name is None and not fitting:
        yield ("model", "name"), f"there is no objective for {what}; take another network or task"
    elif choice is not None and choice not in fitting:
        yield ("objective", "name"), f"does not fit {what}; allowed: {allowed or 'none'}"


def _shown(known: Known, keys: Keys) -> Any:
    """The value that a mistake is about; of an option, that of its table."""
    if keys in known:
        value = known[keys]
    else:
        table = known.get(keys[:-1]) or {}
        value = table.get(keys[-1]) if isinstance(table, Mapping) else None
    return str(value) if isinstance(value, Path) else value
