"""Rows of a config, the files of their videos, and batches of both splits.

What is missing on the disk is counted and named, never passed over in silence. It knows datasets
and folders; it knows no network beside its card, and no objective.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from scenewise.data.annotations.registry import dataset_source, read_annotations
from scenewise.data.batch import Batch
from scenewise.data.clip_dataset import ClipDataset, collate
from scenewise.data.rows import Annotations, Task
from scenewise.errors import DataError, TrainingError
from scenewise.models.cards.card import Card
from scenewise.training.config import Config

_NAMED = 3  # missing videos that a note names


@dataclass(frozen=True, slots=True)
class Found:
    """The rows of both splits whose videos are there."""

    train: Annotations[Any]
    val: Annotations[Any] | None  # None: the config names no validation split, or it has no rows
    files: Mapping[str, Path]
    missing: tuple[str, ...]  # videos, by the names that the annotations give them
    dropped: int = 0  # rows of these videos, of both splits

    @property
    def task(self) -> Task:
        """What the rows are for."""
        return self.train.task

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, a sentence each."""
        said = []
        if self.missing:
            more = ", …" if len(self.missing) > _NAMED else ""
            said.append(
                f"{len(self.missing)} videos are missing, and {self.dropped} rows with them: "
                f"{', '.join(self.missing[:_NAMED])}{more}"
            )
        if self.val is None:
            said.append("there is no validation split: nothing is measured")
        return tuple(said)


@dataclass(frozen=True, slots=True)
class Batches:
    """What is trained on, and what is measured on."""

    train: Iterable[Batch]
    val: Iterable[Batch] | None
    steps: int  # batches of an epoch


def task_of(config: Config) -> Task:
    """The task that the config names, or its dataset's first."""
    return config.data.task or dataset_source(config.data.dataset).tasks[0]


def find_rows(config: Config) -> Found:
    """Read both splits and look for their videos. Raises DataError where none is there."""
    data = config.data
    train = read_annotations(data.dataset, data.annotations, data.train_split, task=data.task)
    val = read_annotations(data.dataset, data.annotations, data.val_split, task=data.task)
    root = data.videos or data.annotations
    names = dict.fromkeys((*train.videos, *val.videos))
    files = {name: root / name for name in names if (root / name).is_file()}
    missing = tuple(name for name in names if name not in files)
    kept, kept_val = _present(train, files), _present(val, files)
    if not kept.rows:
        raise DataError(
            f"None of the {len(train.videos)} videos of {data.train_split} lies in {root} (the "
            f"first would be {root / train.videos[0]}); correct data.videos."
        )
    dropped = len(train) + len(val) - len(kept) - len(kept_val)
    return Found(kept, kept_val if kept_val.rows else None, files, missing, dropped)


def make_batches(config: Config, card: Card, found: Found) -> Batches:
    """Batches of both splits, as the network's card wants its pixels.

    Raises TrainingError for a network or a task that cannot be given batches.
    """
    if card.input is None:
        raise TrainingError(f"{card.name} takes no pixels, so there is nothing to decode for it.")
    if found.task != "labels":
        raise TrainingError(f"rows of {found.task} cannot be made into batches.")
    size = config.train.batch_size
    draw = torch.Generator().manual_seed(config.seed)
    train = DataLoader(
        _dataset(config, card, found, found.train),
        batch_size=size,
        shuffle=True,
        generator=draw,
        num_workers=config.data.workers,
        collate_fn=collate,
    )
    val = found.val and DataLoader(
        _dataset(config, card, found, found.val),
        batch_size=config.evaluation.batch_size or size,
        num_workers=config.data.workers,
        collate_fn=collate,
    )
    return Batches(train, val, len(train))


def _dataset(
    config: Config, card: Card, found: Found, annotations: Annotations[Any]
) -> ClipDataset:
    assert card.input is not None  # looked at by the caller
    return ClipDataset(
        annotations.rows,
        found.files,
        annotations.classes,
        frames=config.data.frames,
        size=config.data.size,
        mean=card.input.mean,
        std=card.input.std,
    )


def _present(annotations: Annotations[Any], files: Mapping[str, Path]) -> Annotations[Any]:
    rows = tuple(row for row in annotations.rows if row.video in files)
    return replace(annotations, rows=rows)
