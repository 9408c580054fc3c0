"""VATEX (Wang et al. 2019): 34,991 clips of ten seconds with ten English sentences each.

``train``, ``val``, ``test`` and ``test-1k5-sec`` are the lists of HGR (Chen et al. 2020) and later
retrieval work: 25,991 for training, and the public validation set of 3,000 in two halves, cut in
two ways (``test-1k5-sec`` is another half of the same 3,000). ``validation`` and ``public-test``
are the makers' own (3,000 and 6,000). The sentences come from ``vatex_data.json`` or the makers'
files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scenewise.data.annotations.files import (
    Record,
    find_file,
    keyed_records,
    look_for,
    read_json,
    read_list,
    records_of,
    unique,
)
from scenewise.data.rows import Annotations, CaptionRow, Task
from scenewise.errors import DataError

SPLITS = ("train", "val", "test", "test-1k5-sec", "validation", "public-test")
_LISTS = {
    "train": "train_list.txt",
    "val": "val_list.txt",
    "test": "test_list.txt",
    "test-1k5-sec": "test1k5_sec_list.txt",
}
_TRAINING, _VALIDATION = ("vatex_training_v1.0.json",), ("vatex_validation_v1.0.json",)
_PUBLIC_TEST = ("vatex_public_test_english_v1.1.json", "vatex_public_test_english_v1.0.json")
_OWN = {
    "train": _TRAINING,
    "val": _VALIDATION,
    "test": _VALIDATION,
    "test-1k5-sec": _VALIDATION,
    "validation": _VALIDATION,
    "public-test": _PUBLIC_TEST,
}
_ALL = ("vatex_data.json",)


def read(folder: Path, split: str, task: Task) -> Annotations[CaptionRow]:
    """One row a clip, named by its video and the seconds of its start and end."""
    names = _OWN[split] if split in ("validation", "public-test") else (*_ALL, *_OWN[split])
    path = find_file(folder, names, f"the sentences of {split}")
    captions = {video: record.texts("enCap") for video, record in _entries(path)}
    listed = look_for(folder, (_LISTS[split],)) if split in _LISTS else None
    if listed is not None:
        videos = read_list(listed)
    elif split in ("train", "validation", "public-test") and path.name in _OWN[split]:
        videos = tuple(captions)
    else:
        videos = read_list(find_file(folder, (_LISTS[split],), f"the list of {split}"))
    missing = [video for video in videos if video not in captions]
    if missing:
        raise DataError(f"{path}: has no sentence of {missing[0]}, which is in {split}.")
    rows = tuple(CaptionRow(video, captions[video]) for video in videos)
    return Annotations("vatex", split, task, rows)


def _entries(path: Path) -> Iterator[tuple[str, Record]]:
    whole = read_json(path)
    if isinstance(whole, dict):
        return keyed_records(path, whole)
    return unique(records_of(path, whole), "videoID")
