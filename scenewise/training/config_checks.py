"""Mistakes beyond types: names that nobody has, files that are not there, parts that contradict.

Each check looks at what was given without a mistake of its own, so that all are found at once. It
knows cards, datasets and objectives by name; a network is built on torch's device "meta" alone,
where nothing is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from scenewise.data.annotations.registry import SOURCES, Source
from scenewise.data.rows import Task
from scenewise.errors import ScenewiseError, first_line
from scenewise.models.cards.card import Card
from scenewise.models.registry import list_model_cards, options_of
from scenewise.training.config_chain import Chain, Keys, Mistake, nearest
from scenewise.training.config_mistakes import key_and_value
from scenewise.training.figures import figures_of


class Known(dict[Keys, Any]):
    """Values by their keys; None where nothing is given, or something ``wrong``."""

    def __init__(self, values: Mapping[Keys, Any], wrong: Collection[Keys] = ()) -> None:
        super().__init__(values)
        self.wrong = frozenset(wrong)


# from which rows an objective learns; one that is not here learns from any
TASKS: dict[str, tuple[Task, ...]] = {
    "classification": ("labels",),
    "class_texts": ("labels",),
    "contrastive": ("captions",),
    "masked_words": ("captions",),
    "videobert": ("captions",),
    "answering": ("questions",),
}
NONE = "none"  # in place of the name of a split: there is none
SIZE_OPTIONS = ("size", "image_size", "img_size")


def check_meaning(known: Known, chain: Chain) -> list[Mistake]:
    """Every mistake that types do not show, a line each."""
    card, source = _card(known), _source(known)
    options = list(_options(known, card))
    found = [
        *_names(known, card, source),
        *_files(known),
        *_splits(known, source),
        *options,
        *_words(known, card, source),
        *_task(known, source),
        *_alike(known, card, source),
    ]
    if card is not None and not options:  # a network with other options says nothing of this one
        found += _network(known, card, source)
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
    for name in ("annotations", "videos", "features", "tokenizer"):
        keys = ("data", name)
        path = known.get(keys)
        if isinstance(path, Path) and not path.exists():
            yield keys, "is not there; give a path that exists, relative to this file"
    for name, path in (known.get(("data", "experts")) or {}).items():
        if isinstance(path, Path) and not path.exists():
            said = "is not there; give a path that exists, relative to this file"
            yield ("data", "experts", name), said
    weights = known.get(("model", "weights"))
    # a hub name is left as it was written; every path has become absolute
    if isinstance(weights, Path) and weights.is_absolute() and not weights.exists():
        yield ("model", "weights"), "is not there; give a file, a folder, or a hub name"


def _splits(known: Known, source: Source | None) -> Iterator[tuple[Keys, str]]:
    if source is None:
        return
    for keys in (("data", "train_split"), ("data", "val_split")):
        split = known.get(keys)
        if split == NONE and "val_split" in keys:
            continue  # nothing is measured
        if split is not None and split not in source.splits:
            near = nearest(split, source.splits)
            yield keys, f"{source.name} has no such split; {near}"
    task = known.get(("data", "task"))
    if task is not None and task not in source.tasks:
        yield ("data", "task"), f"{source.name} has {', '.join(source.tasks)}"


def _options(known: Known, card: Card | None) -> Iterator[tuple[Keys, str]]:
    """Options of the network by name, and against ``[data]``."""
    if card is None:
        return
    allowed = options_of(card.name)
    given = known.get(("model", "options")) or {}
    for name in given:
        if name not in allowed:
            said = f"{card.name} has no such option; {nearest(name, allowed)}"
            yield ("model", "options", name), said
    for option, keys in wanted_by_data(allowed):
        wanted = known.get(keys)
        if option in given and wanted is not None and given[option] != wanted:
            said = f"contradicts {'.'.join(keys)} = {wanted}; give one of them, or both alike"
            yield ("model", "options", option), said


def _words(known: Known, card: Card | None, source: Source | None) -> Iterator[tuple[Keys, str]]:
    """Whether anything says how the text side reads words."""
    if card is None or source is None or card.kind != "video-text":
        return
    weights = known.get(("model", "weights"))
    has = isinstance(weights, Path) and (weights / "tokenizer.json").is_file()
    task = known.get(("data", "task")) or source.tasks[0]
    given = known.get(("data", "tokenizer")) is not None or ("data", "tokenizer") in known.wrong
    reads = task != "labels" or known.get(("objective", "name")) == "class_texts"
    if reads and not given and not has:
        said = f"{card.name} reads words: give a tokenizer.json, bytes or words"
        yield ("data", "tokenizer"), said


def _task(known: Known, source: Source | None) -> Iterator[tuple[Keys, str]]:
    """Whether rows of the dataset are what the objective learns from."""
    if source is None:
        return
    task = known.get(("data", "task")) or source.tasks[0]
    name = known.get(("objective", "name"))
    learns = TASKS.get(name) if name is not None else None
    if learns is not None and task not in learns:
        said = f"learns from {' or '.join(learns)}, and data.task is {task}"
        yield ("objective", "name"), said
    figure = known.get(("train", "best_figure"))
    if figure is not None and known.get(("data", "val_split")) != NONE:
        several = bool(known.get(("objective", "several")))
        measured = figures_of(task, several=several)
        if figure not in measured:
            said = f"is not measured on {task}; {nearest(figure, measured)}"
            yield ("train", "best_figure"), said


def _alike(known: Known, card: Card | None, source: Source | None) -> Iterator[tuple[Keys, str]]:
    """Whether there are vectors of videos, and a contrast, for batches of videos alike."""
    if known.get(("data", "batches")) != "alike":
        return
    keys = ("data", "batches")
    task = known.get(("data", "task")) or (None if source is None else source.tasks[0])
    name = known.get(("objective", "name"))
    if card is not None and card.kind != "video-text":
        yield keys, f"needs vectors of a video-text network, and {card.name} is none"
    elif task not in (None, "captions"):
        yield keys, f"is for captions, and data.task is {task}"
    elif name not in (None, "contrastive"):
        yield keys, f"is for objective.name = 'contrastive', and that is {name}"


def _network(known: Known, card: Card, source: Source | None) -> Iterator[tuple[Keys, str]]:
    """What the network itself refuses: its options, frames and size, and the objective."""
    from scenewise.training.objectives.registry import OBJECTIVES, default_objective

    options = filled_options(card, known)
    if isinstance(options.get("text"), str) and options["text"] != "small":
        return  # a folder with a text model: building reads its weights
    settings = _objective_settings(known)
    without = settings is not None and not OBJECTIVES[settings.name].classes
    if without and "num_classes" in options_of(card.name):
        options["num_classes"] = 0
    try:
        network = _on_meta(card, options)
    except ScenewiseError as error:
        yield ("model", "options" if known.get(("model", "options")) else "name"), str(error)
        return
    yield from _input(known, card, options)
    if settings is not None and not OBJECTIVES[settings.name].fits(network, settings):
        needs = OBJECTIVES[settings.name].accepts
        yield ("objective", "name"), f"does not fit {card.name}: it needs {needs}"
    elif settings is None and known.get(("objective", "name")) is None and source is not None:
        task = known.get(("data", "task")) or source.tasks[0]
        try:
            chosen = default_objective(network).name
        except ScenewiseError as error:
            yield ("model", "name"), str(error)
            return
        alike = known.get(("data", "batches")) == "alike" and card.kind == "video-text"
        if alike and chosen != "contrastive":
            said = f"is for objective.name = 'contrastive', and {card.name} learns {chosen}"
            yield ("data", "batches"), said
        if task not in TASKS.get(chosen, (task,)):
            said = (
                f"would learn {chosen} from {' or '.join(TASKS[chosen])}, and {source.name} gives "
                f"{task}; take another network, or name an objective"
            )
            yield ("model", "name"), said


def _input(known: Known, card: Card, options: dict[str, Any]) -> Iterator[tuple[Keys, str]]:
    """Whether a clip of ``[data]`` goes through."""
    if card.input is None or card.input.channels not in ("rgb", "bgr"):
        return
    if known.get(("data", "features")) is not None or known.get(("data", "experts")) is not None:
        return  # it reads these, and no clip
    frames, size = known.get(("data", "frames")), known.get(("data", "size"))
    refused = _refused(card, options, frames, size)
    if refused is not None:
        others = {name: value for name, value in options.items() if name not in SIZE_OPTIONS}
        blamed = "frames" if size is None or _refused(card, others, frames, None) else "size"
        said = f"{card.name} does not take {frames} frames of {size} pixels: {refused}"
        yield ("data", blamed), said


def _refused(
    card: Card, options: dict[str, Any], frames: int | None, size: int | None
) -> str | None:
    """What the network says of a clip of these; None: it takes it."""
    from scenewise.models.flops import count_modules, example_inputs
    from scenewise.models.registry import create_model

    try:
        count_modules(
            lambda: create_model(card.name, **options),
            lambda: example_inputs(card, frames, size)[:1] + _few_words(card, options),
        )
    except (ValueError, RuntimeError, ScenewiseError) as error:
        return first_line(error)
    return None


def _on_meta(card: Card, options: dict[str, Any]) -> Any:
    import torch

    from scenewise.models.registry import create_model

    with torch.device("meta"), warnings.catch_warnings():
        # a layer for too small a clip has no weights, and torch warns before the network refuses
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        return create_model(card.name, **options)


def _objective_settings(known: Known) -> Any:
    """``[objective]`` as far as it is without mistakes; None where it is not given."""
    from scenewise.training import objective_settings

    name = known.get(("objective", "name"))
    adapter: TypeAdapter[Any] = TypeAdapter(objective_settings.ObjectiveSettings)
    if name is None:
        return None
    try:
        return adapter.validate_python({"name": name})
    except ValidationError:
        return None


def _few_words(card: Card, options: Mapping[str, Any]) -> list[Any]:
    """One word, as how long a text may be is another question; or the only number that goes."""
    import torch

    if card.text_length is None:
        return []
    count = options.get("num_words", options_of(card.name).get("num_words", 1))
    return [torch.zeros(1, count, dtype=torch.long)]


def _shown(known: Known, keys: Keys) -> Any:
    """The value that a mistake is about; of an option, that of its table."""
    if keys in known:
        value = known[keys]
    else:
        table = known.get(keys[:-1]) or {}
        value = table.get(keys[-1]) if isinstance(table, Mapping) else None
    return str(value) if isinstance(value, Path) else value
