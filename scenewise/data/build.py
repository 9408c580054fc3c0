"""From ``[data]`` and ``[augment]`` to datasets, batch samplers and loaders: what training calls.

It joins what the other modules make; rows and the places of videos come from outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

import torch

from scenewise.data.augment.mixing import Mixer
from scenewise.data.batch_samplers import (
    Balanced,
    BatchSampler,
    Bucketed,
    Distinct,
    InOrder,
    Order,
    Shuffled,
)
from scenewise.data.clip_cache import ClipCache
from scenewise.data.clip_dataset import ClipDataset
from scenewise.data.example import Recipe
from scenewise.data.expert_dataset import ExpertDataset, ExpertRecipe
from scenewise.data.feature_dataset import FeatureDataset, FeatureRecipe
from scenewise.data.loader import Loader
from scenewise.data.row_targets import RowReader, texts_of
from scenewise.data.rows import LabelRow, Row
from scenewise.data.settings import AugmentSettings, DataSettings
from scenewise.data.text_tokens import (
    FileTokens,
    Tokenize,
    write_byte_tokenizer,
    write_word_tokenizer,
)
from scenewise.encoders.network_folder import Pixels, pixels_of
from scenewise.errors import UsageError
from scenewise.models.cards.card import Card

Mode = Literal["train", "test"]
AnyDataset = ClipDataset | FeatureDataset | ExpertDataset


def hears_alone(card: Card) -> bool:
    """Whether the network takes sound and no pictures."""
    return card.input is not None and card.input.channels == "mel"


def pixels_for(card: Card, data: DataSettings) -> Pixels:
    """What the network takes, with the frames and size of the settings.

    Raises EncoderError for a network that takes no pictures.
    """
    return pixels_of(card, {"num_frames": data.frames, "size": data.size}, card.name)


def make_dataset(
    rows: Sequence[Row],
    videos: Mapping[str, Path],
    data: DataSettings,
    *,
    mode: Mode,
    split: str,
    pixels: Pixels | None = None,
    augment: AugmentSettings | None = None,
    classes: Sequence[str] = (),
    several: bool | None = None,
    tokenize: Tokenize | None = None,
    seed: int = 0,
) -> AnyDataset:
    """Clips of ``videos``, or kept vectors where ``[data]`` names features.

    ``split`` names the files of the cache. ``pixels`` is needed for clips: without it sound alone
    is read. ``augment`` None changes nothing by chance. ``several`` says that rows have any number
    of labels, so that targets are (B, K); None: where a row of this split has not exactly one.
    Raises DataError, StorageError, UsageError.
    """
    reader = RowReader.for_rows(rows, classes, tokenize, several)
    if data.experts is not None:
        training = mode == "train"
        seen = ExpertRecipe(data.experts, reader, data.feature_length, training, seed)
        return ExpertDataset(rows, seen)
    if data.features is not None:
        recipe = FeatureRecipe(data.features, reader, data.feature_length, mode == "train", seed)
        return FeatureDataset(rows, recipe)
    if pixels is None and data.sound_rate is None:
        raise UsageError(
            "This network takes no pictures; set sound_rate under [data], or name a folder of "
            "features."
        )
    made = Recipe(
        pixels=pixels,
        settings=data,
        reader=reader,
        mode=mode,
        augment=augment or AugmentSettings(),
        seed=seed,
    )
    if data.cache is None:
        return ClipDataset(rows, videos, made)
    cache = ClipCache(data.cache / split, data.cache_frames or data.frames)
    return ClipDataset(rows, videos, made.with_cache(cache))


def make_sampler(
    dataset: AnyDataset,
    data: DataSettings,
    batch_size: int,
    *,
    mode: Mode,
    seed: int = 0,
    rank: int = 0,
    world: int = 1,
) -> BatchSampler:
    """Batches as ``[data]`` wants them in training, in order for testing.

    Those of rows alike need a network: until ``take`` hands them in they are shuffled.
    """
    order = InOrder(len(dataset)) if mode == "test" else _order(dataset, data)
    return BatchSampler(order, batch_size, seed=seed, rank=rank, world=world, fill=mode == "train")


def make_loader(
    dataset: AnyDataset,
    sampler: BatchSampler,
    workers: int = 0,
    device: torch.device | str = "cpu",
    *,
    mixer: Mixer | None = None,
) -> Loader:
    """Batches on the device, made by ``workers`` processes; 0 is the calling one."""
    return Loader(dataset, sampler, workers=workers, device=device, mixer=mixer)


def make_tokens(
    data: DataSettings,
    folder: Path,
    rows: Sequence[Row],
    card_length: int | None = None,
    *,
    more: Sequence[str] = (),
    mask: bool = False,
) -> FileTokens | None:
    """The tokenizer of ``[data]``, and None where it names none.

    A made one (bytes, words of these rows) is written to ``folder``; one that lies there already
    is read, so that a run that goes on keeps its ids. One of words has those of ``more``, too, and
    with ``mask`` a [MASK]. ``save_pretrained`` takes its ``path`` as tokenizer and its
    ``text_settings()`` as text. ``card_length`` is the network's own. Raises
    EncoderError and DataError.
    """
    if data.tokenizer is None:
        return None
    if isinstance(data.tokenizer, Path):
        path = data.tokenizer
    else:
        path = folder / "tokenizer.json"
        if not path.is_file() and data.tokenizer == "bytes":
            write_byte_tokenizer(path)
        elif not path.is_file():
            said = (text for row in rows for text in texts_of(row))
            write_word_tokenizer(path, chain(said, more), mask=mask)
    return FileTokens(path, length=data.text_length or card_length, lower=data.lower)


def _order(dataset: AnyDataset, data: DataSettings) -> Order:
    rows = dataset.rows
    if data.batches == "distinct":
        return Distinct([row.video for row in rows])
    if data.batches == "balanced":
        labels = [row.labels[0] for row in rows if isinstance(row, LabelRow) and row.labels]
        if len(labels) != len(rows):
            raise UsageError("batches = 'balanced' needs a label for each row; take 'shuffled'.")
        number = {label: place for place, label in enumerate(sorted(set(labels)))}
        return Balanced([number[label] for label in labels])
    if isinstance(dataset, FeatureDataset):
        return Bucketed(dataset.lengths())
    return Shuffled(len(rows))
