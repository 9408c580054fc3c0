"""From the name of a dataset and a split to its rows: ``read_annotations``, ``list_datasets``.

``iter_annotations`` gives them one by one, for sets that do not fit into memory. It knows names;
the files are read by the module of each dataset, and ``sources`` lists these.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from scenewise.data.annotations.files import Oddities
from scenewise.data.annotations.sources import SOURCES, Source
from scenewise.data.rows import Annotations, Row, Task
from scenewise.errors import UsageError

__all__ = [
    "SOURCES",
    "Reader",
    "Source",
    "dataset_source",
    "iter_annotations",
    "list_datasets",
    "read_annotations",
]

Reader = Callable[[Path, str, Task], Annotations[Any]]
Stream = Callable[[Path, str, Oddities], Iterator[Row]]
logger = logging.getLogger(__name__)


def list_datasets(task: Task | None = None) -> list[str]:
    """Names of datasets, in the order of this list; of one task where it is named."""
    return [source.name for source in SOURCES if task is None or task in source.tasks]


def dataset_source(name: str) -> Source:
    """What is known of a dataset. Raises UsageError for a name that is not there."""
    for source in SOURCES:
        if source.name == name:
            return source
    raise UsageError(f"There is no dataset {name!r}; allowed: {', '.join(list_datasets())}.")


def read_annotations(
    name: str, folder: str | Path, split: str = "train", *, task: Task | None = None
) -> Annotations[Any]:
    """The rows of one split, read from the dataset's own files in ``folder``.

    ``task`` None is the dataset's first. What was odd in the files is in the ``notes`` of the
    answer, and logged. Raises UsageError for a name, split or task that is not there, DataError
    for a file that is missing or is not what it should be.
    """
    source, task = _checked(name, split, task)
    reader: Reader = _load(source.reader)
    annotations = reader(Path(folder).expanduser(), split, task)
    _say(source, split, annotations.notes)
    return annotations


def iter_annotations(
    name: str, folder: str | Path, split: str = "train", *, task: Task | None = None
) -> Iterator[Row]:
    """The same rows one by one; of WebVid, HowTo100M and YT-Temporal without holding them all.

    What was odd is logged at the end. Raises as ``read_annotations``, some of it on the way.
    """
    source, task = _checked(name, split, task)
    if not source.stream:
        return iter(read_annotations(name, folder, split, task=task).rows)
    return _streamed(source, Path(folder).expanduser(), split)


def _streamed(source: Source, folder: Path, split: str) -> Iterator[Row]:
    stream: Stream = _load(source.stream)
    odd = Oddities()
    yield from stream(folder, split, odd)
    _say(source, split, odd.notes())


def _checked(name: str, split: str, task: Task | None) -> tuple[Source, Task]:
    source = dataset_source(name)
    task = task or source.tasks[0]
    if task not in source.tasks:
        raise UsageError(f"{name} has no {task}; allowed: {', '.join(source.tasks)}.")
    if split not in source.splits:
        raise UsageError(f"{name} has no split {split!r}; allowed: {', '.join(source.splits)}.")
    return source, task


def _load(place: str) -> Any:
    module, _, function = place.partition(":")
    return getattr(import_module(module), function)


def _say(source: Source, split: str, notes: tuple[str, ...]) -> None:
    for note in notes:
        logger.warning("%s, %s: %s", source.name, split, note)
