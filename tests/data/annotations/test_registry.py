"""The list of datasets is true, and what is not there is told."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from scenewise.data.annotations.registry import (
    SOURCES,
    Source,
    dataset_source,
    iter_annotations,
    list_datasets,
    read_annotations,
)
from scenewise.data.rows import ROW_TYPES
from scenewise.errors import DataError, UsageError


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_a_source_is_complete_and_its_reader_exists(source: Source, tmp_path: Path) -> None:
    own = source.name in ("folder", "csv", "jsonl")
    assert own or (source.paper and source.url.startswith("http"))
    assert source.files
    assert set(source.tasks) <= set(ROW_TYPES)
    for place in filter(None, (source.reader, source.stream)):
        module, _, function = place.partition(":")
        assert callable(getattr(import_module(module), function))
    for split in source.splits:
        for task in source.tasks:
            # an empty folder: one sentence about what is missing, in every split and task
            with pytest.raises(DataError, match=str(tmp_path)):
                read_annotations(source.name, tmp_path, split, task=task)


def test_names_are_unique_and_listed_by_task() -> None:
    names = list_datasets()
    assert len(names) == len(set(names)) == len(SOURCES)
    assert "qvhighlights" in list_datasets("moments")
    assert "qvhighlights" not in list_datasets("labels")
    assert dataset_source("tacos").tasks[0] == "moments"


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no dataset 'mnist'; allowed: folder, csv"):
        read_annotations("mnist", tmp_path)
    with pytest.raises(UsageError, match="charades_sta has no split 'val'; allowed: train, test"):
        read_annotations("charades_sta", tmp_path, "val")
    with pytest.raises(UsageError, match="nextqa has no labels; allowed: questions"):
        iter_annotations("nextqa", tmp_path, task="labels")


def test_every_dataset_is_on_the_page() -> None:
    page = Path(__file__).parents[3] / "docs" / "datasets.md"
    text = page.read_text("utf-8")
    assert [name for name in list_datasets() if f"`{name}`" not in text] == []
    splits = {split for source in SOURCES for split in source.splits}
    assert [split for split in sorted(splits) if f"`{split}`" not in text] == []


def test_readers_load_neither_torch_nor_numpy() -> None:
    modules = {place.reader.partition(":")[0] for place in SOURCES}
    code = (
        f"import sys, {', '.join(sorted(modules))}, scenewise.data.videos, scenewise.data.shards\n"
        "print(sorted({'torch', 'numpy', 'av'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
