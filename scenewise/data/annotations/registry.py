"""From the name of a dataset and a split to its rows: ``read_annotations``, ``list_datasets``.

It knows names; the files are read by the module of each dataset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from scenewise.data.rows import Annotations, Task
from scenewise.errors import UsageError

Reader = Callable[[Path, str, Task], Annotations[Any]]


@dataclass(frozen=True, slots=True)
class Source:
    """One dataset: which tasks and splits it has, and who reads it."""

    name: str
    summary: str  # one line
    tasks: tuple[Task, ...]  # the first is meant where none is named
    splits: tuple[str, ...]
    reader: str  # "module:function" of (folder, split, task)
    paper: str = ""
    url: str = ""


SOURCES: tuple[Source, ...] = (
    Source(
        name="folder",
        summary="a folder of one's own: one subfolder for each label",
        tasks=("labels",),
        splits=("train", "val", "test"),
        reader="scenewise.data.annotations.own:read_folder",
    ),
)


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
    """The rows of one split, read from the dataset's own files below ``folder``.

    ``task`` None is the dataset's first. Raises UsageError for a name, split or task that is not
    there, DataError for a file that is missing or is not what it should be.
    """
    source = dataset_source(name)
    task = task or source.tasks[0]
    if task not in source.tasks:
        raise UsageError(f"{name} has no {task}; allowed: {', '.join(source.tasks)}.")
    if split not in source.splits:
        raise UsageError(f"{name} has no split {split!r}; allowed: {', '.join(source.splits)}.")
    module, _, function = source.reader.partition(":")
    reader: Reader = getattr(import_module(module), function)
    return reader(Path(folder), split, task)
