"""Rows of a config, the files of their videos, and batches of both splits.

What is missing on the disk is counted and named, never passed over in silence. It knows datasets
and folders; it knows no network beside its card, and no objective.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from scenewise.data.annotations.registry import read_annotations
from scenewise.data.augment.mixing import Mixer
from scenewise.data.batch import Batch
from scenewise.data.batch_samplers import BatchSampler, InOrder
from scenewise.data.build import (
    Mode,
    hears_alone,
    make_dataset,
    make_loader,
    make_sampler,
    make_tokens,
    pixels_for,
)
from scenewise.data.clip_dataset import TextDataset
from scenewise.data.loader import Loader
from scenewise.data.rows import Annotations, Task
from scenewise.data.text_tokens import FileTokens
from scenewise.data.videos import Found as Videos
from scenewise.data.videos import find_videos
from scenewise.encoders.network_folder import (
    TOKENIZER,
    TextSettings,
    is_network_folder,
    read_network_folder,
)
from scenewise.errors import DataError, TrainingError
from scenewise.models.cards.card import Card
from scenewise.models.registry import options_of
from scenewise.training.alike import Looks
from scenewise.training.config import Config
from scenewise.training.config_checks import NONE
from scenewise.training.distributed import Place
from scenewise.training.objective_settings import (
    AnsweringSettings,
    ClassTextsSettings,
    learns_several,
)
from scenewise.training.outputs import ClassTokens
from scenewise.training.questions import ask

_NAMED = 3  # missing videos that a note names


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of both splits whose videos are there."""

    train: Annotations[Any]
    val: Annotations[Any] | None  # None: the config names no validation split, or it has no rows
    files: Mapping[str, Path]
    missing: tuple[str, ...]  # videos, by the names that the annotations give them
    dropped: int = 0  # rows of these videos, of both splits
    ambiguous: tuple[str, ...] = ()  # videos that lie in several places; the first was taken

    @property
    def task(self) -> Task:
        """What the rows are for."""
        return self.train.task

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, a sentence each."""
        said = [note for split in (self.train, self.val) if split for note in split.notes]
        if self.missing:
            said.append(
                f"{len(self.missing)} videos are missing, and {self.dropped} rows with them: "
                f"{_some(self.missing)}"
            )
        if self.ambiguous:
            said.append(
                f"{len(self.ambiguous)} videos lie in several places, and the first was taken: "
                f"{_some(self.ambiguous)}"
            )
        if self.val is None:
            said.append("there is no validation split: nothing is measured")
        return tuple(said)


@dataclass(frozen=True, slots=True)
class Batches:
    """What is trained on, and what is measured on."""

    train: Iterable[Batch]
    val: Iterable[Batch] | None
    texts: Iterable[Batch] | None  # all texts of the validation split, without clips
    steps: int  # batches of an epoch
    looks: Looks | None = None  # the training videos as they are compared for batches alike

    def close(self) -> None:
        """End the processes that decode."""
        looks = None if self.looks is None else self.looks.loader
        for loader in (self.train, self.val, self.texts, looks):
            if isinstance(loader, Loader):
                loader.close()


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_NAMED])}{', …' if len(names) > _NAMED else ''}"


def find_rows(config: Config) -> Found:
    """Read both splits and look for their videos. Raises DataError where none is there.

    With ``[data] features`` or ``experts`` vectors are read in place of the videos, which need not
    be there.
    """
    data = config.data
    train = read_annotations(data.dataset, data.annotations, data.train_split, task=data.task)
    val = None
    if data.val_split != NONE:
        val = read_annotations(data.dataset, data.annotations, data.val_split, task=data.task)
    if isinstance(config.objective, AnsweringSettings):
        train, val = ask(train, val, config.objective)
    if data.reads_vectors:
        return Found(train, val, {}, ())
    beside = data.annotations if data.annotations.is_dir() else data.annotations.parent
    names = (*train.videos, *(() if val is None else val.videos))
    there = find_videos(names, data.videos or beside)
    kept, kept_val = _present(train, there), None if val is None else _present(val, there)
    if not kept.rows:
        raise DataError(
            f"None of the {len(train.videos)} videos of {data.train_split} lies in {there.folder} "
            f"(the first is {train.videos[0]}); correct data.videos."
        )
    dropped = len(train) - len(kept)
    if val is not None and kept_val is not None:
        dropped += len(val) - len(kept_val)
        kept_val = kept_val if kept_val.rows else None
    return Found(kept, kept_val, there.paths, there.missing, dropped, tuple(there.ambiguous))


def make_words(config: Config, card: Card, found: Found, folder: Path) -> FileTokens | None:
    """How texts become token ids; None where the network reads none, or no text of these rows.

    The tokenizer that ``[data]`` names, else that of the weights' folder. One that is made is
    written to ``folder``. Raises TrainingError where there is none.
    """
    by_names = isinstance(config.objective, ClassTextsSettings)
    if card.kind != "video-text" or (found.task == "labels" and not by_names):
        return None
    data = config.data
    allowed = options_of(card.name)
    length = config.model.options.get("text_length", allowed.get("text_length", card.text_length))
    if data.tokenizer is not None:
        asks = isinstance(config.objective, AnsweringSettings)
        more = found.train.classes if asks else ()
        return make_tokens(data, folder, found.train.rows, length, more=more, mask=asks)
    weights = config.model.weights
    if weights is None or not (weights / TOKENIZER).is_file():
        raise TrainingError(
            "The network's text side needs a tokenizer: name a tokenizer.json, bytes or words as "
            "data.tokenizer."
        )
    settings = TextSettings(lower=data.lower)
    if is_network_folder(weights):
        settings = read_network_folder(weights).text
    return FileTokens(
        weights / TOKENIZER,
        length=data.text_length or settings.length or length,
        lower=settings.lower,
        pad_id=settings.pad_id,
    )


def make_class_tokens(config: Config, found: Found, words: FileTokens | None) -> ClassTokens | None:
    """The texts of the classes, where ``[objective]`` learns from their names; else None.

    Raises TrainingError for two classes that the tokenizer cannot tell apart.
    """
    objective, classes = config.objective, found.train.classes
    if words is None or not isinstance(objective, ClassTextsSettings) or not classes:
        return None
    tokens = ClassTokens(*words([objective.template.replace("{}", name) for name in classes]))
    first: dict[tuple[int, ...], str] = {}
    for name, ids in zip(classes, tokens.ids.tolist(), strict=True):
        other = first.setdefault(tuple(ids), name)
        if other != name:
            raise TrainingError(
                f"The classes {other!r} and {name!r} are the same {words.length} tokens, so that "
                "nothing can tell them apart; take another data.tokenizer, or raise "
                "data.text_length."
            )
    return tokens


def make_batches(
    config: Config,
    card: Card,
    found: Found,
    words: FileTokens | None,
    device: torch.device,
    place: Place,
) -> Batches:
    """Batches of both splits on the device, as the network's card wants its pixels or its sound.

    Raises EncoderError for a network that takes neither, UsageError where ``[data]`` does not say
    how sound is read that a network takes alone, TrainingError where there are fewer
    rows than a batch has.
    """
    loader = _loader(config, card, found, words, "train", device, place)
    if not len(loader):
        raise TrainingError(
            f"{len(found.train)} rows of {config.data.train_split} do not fill a batch of "
            f"{config.train.batch_size}; make train.batch_size smaller."
        )
    looks = None
    if config.data.batches == "alike":
        looks = _looks(config, card, found, words, device, place)
    if found.val is None:
        return Batches(loader, None, None, len(loader), looks)
    texts = None
    if words is not None and found.task == "captions":
        dataset = TextDataset(found.val.rows, words)
        sampler = BatchSampler(InOrder(len(dataset)), _measured_at_once(config))
        texts = Loader(dataset, sampler, device=device)
    val = _loader(config, card, found, words, "test", device, Place())
    return Batches(loader, val, texts, len(loader), looks)


def video_numbers(rows: Sequence[Any]) -> list[int]:
    """Which video, or span of one, each row shows: equal ones have the same number."""
    numbers: dict[Any, int] = {}
    return [numbers.setdefault((row.video, row.span), len(numbers)) for row in rows]


def _looks(
    config: Config,
    card: Card,
    found: Found,
    words: FileTokens | None,
    device: torch.device,
    place: Place,
) -> Looks:
    """Some rows of each training video, as testing shows them, one clip each."""
    data, rows = config.data, found.train.rows
    video_of_row, looked = Looks.chosen([row.video for row in rows], data.alike_clips)
    dataset = make_dataset(
        [rows[number] for number in looked],
        found.files,
        data.model_copy(update={"views": 1, "crops": 1}),
        mode="test",
        split=data.train_split,
        pixels=None if data.reads_vectors else pixels_for(card, data),
        tokenize=words,
        seed=config.seed,
    )
    if config.distributed.strategy == "fsdp":
        place = Place()  # all take the same steps: each has a part of the network
    sampler = BatchSampler(
        InOrder(len(dataset)), _measured_at_once(config), rank=place.rank, world=place.world_size
    )
    loader = make_loader(dataset, sampler, data.workers, device)
    video_of_look = [video_of_row[number] for number in looked]
    return Looks(loader, video_of_look, video_of_row, data.alike_pool, data.alike_clips)


def _loader(
    config: Config,
    card: Card,
    found: Found,
    words: FileTokens | None,
    mode: Mode,
    device: torch.device,
    place: Place,
) -> Loader:
    data, training = config.data, mode == "train"
    annotations = found.train if training else found.val
    assert annotations is not None  # the caller looked
    dataset = make_dataset(
        annotations.rows,
        found.files,
        data,
        mode=mode,
        split=data.train_split if training else str(data.val_split),
        pixels=None if data.reads_vectors or hears_alone(card) else pixels_for(card, data),
        augment=config.augment if training else None,
        classes=found.train.classes,
        several=True if learns_several(config.objective) else None,
        tokenize=words,
        seed=config.seed,
    )
    size = config.train.batch_size if training else _measured_at_once(config)
    sampler = make_sampler(
        dataset,
        data,
        size,
        mode=mode,
        seed=config.seed,
        rank=place.rank,
        world=place.world_size,
    )
    mixer = Mixer(config.augment, len(found.train.classes), config.seed) if training else None
    return make_loader(dataset, sampler, data.workers, device, mixer=mixer)


def _measured_at_once(config: Config) -> int:
    return config.evaluation.batch_size or config.train.batch_size


def _present(annotations: Annotations[Any], there: Videos) -> Annotations[Any]:
    rows = tuple(row for row in annotations.rows if row.video in there.paths)
    return replace(annotations, rows=rows)
