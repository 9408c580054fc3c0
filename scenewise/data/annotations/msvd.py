"""MSVD (Chen and Dolan 2011): 1,970 clips, about 41 sentences each; 1,200, 100 and 670 by split.

``train_list.txt``, ``val_list.txt`` and ``test_list.txt`` name the clips, as CLIP4Clip lays them
out. The sentences come from the first of: ``AllVideoDescriptions.txt`` (the makers' own: a line is
a clip and a sentence), ``raw-captions.pkl`` of CLIP4Clip (read by an unpickler that knows texts,
lists and objects of them and runs nothing), or a file of one split alone:
``msvd_caption_test.json``, ``sents_val_lc_nopunc.txt`` and so on, whose lines are
``vid1201<TAB>sentence``. Such names become those of the lists where ``youtube_mapping.txt`` lies
there.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from scenewise.data.annotations.files import (
    find_file,
    look_for,
    read_lines,
    read_list,
)
from scenewise.data.annotations.msrvtt import caption_lists
from scenewise.data.rows import Annotations, CaptionRow, Task
from scenewise.errors import DataError, first_line

SPLITS = ("train", "val", "test")
_TEXT, _PICKLE = "AllVideoDescriptions.txt", "raw-captions.pkl"
_TEST_LISTS = "msvd_caption_test.json"
_OF_ONE_SPLIT = {
    "train": ("sents_train_lc_nopunc.txt",),
    "val": ("sents_val_lc_nopunc.txt", "references.txt"),
    "test": (_TEST_LISTS, "sents_test_lc_nopunc.txt"),
}


def read(folder: Path, split: str, task: Task) -> Annotations[CaptionRow]:
    """One row a clip, with all its sentences."""
    return Annotations("msvd", split, task, tuple(_rows(folder, split)))


def _rows(folder: Path, split: str) -> Iterator[CaptionRow]:
    path = find_file(folder, (_TEXT, _PICKLE, *_OF_ONE_SPLIT[split]), "the file of sentences")
    if path.name == _TEST_LISTS:
        yield from caption_lists(path)
        return
    if path.name in _OF_ONE_SPLIT[split]:
        names = _names(folder)
        for short, captions in _lines(path, "\t").items():
            yield CaptionRow(names.get(short, short), tuple(captions))
        return
    known = _lines(path, " ") if path.name == _TEXT else _unpickled(path)
    for video in read_list(find_file(folder, (f"{split}_list.txt",), f"the list of {split}")):
        if not known.get(video):
            raise DataError(f"{path}: has no sentence of {video}, which is in {split}.")
        yield CaptionRow(video, tuple(known[video]))


def _names(folder: Path) -> dict[str, str]:
    path = look_for(folder, ("youtube_mapping.txt",))
    return short_names(path) if path else {}


def short_names(path: Path) -> dict[str, str]:
    """From ``vid1`` to the name, by lines ``NAME vid1``."""
    names: dict[str, str] = {}
    for place, line in read_lines(path):
        name, _, short = line.rpartition(" ")
        if not name:
            raise DataError(f"{place}: {line[:60]!r} is not a name and its short one.")
        names[short] = name.strip()
    return names


def _lines(path: Path, separator: str) -> dict[str, list[str]]:
    captions: dict[str, list[str]] = {}
    for place, line in read_lines(path):
        if line.startswith("#"):
            continue
        video, found, caption = line.partition(separator)
        if not found or not caption.strip():
            raise DataError(f"{place}: {line[:60]!r} is not a video and a sentence.")
        captions.setdefault(video, []).append(caption.strip())
    if not captions:
        raise DataError(f"{path}: holds no sentence.")
    return captions


class _PlainUnpickler(pickle.Unpickler):
    """Texts, numbers, lists, tuples and dicts; anything else in the file is refused."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file, encoding="utf-8")

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}, and only plain text is read")


def _unpickled(path: Path) -> dict[str, list[str]]:
    """``{video: [[word, ...], ...]}``, or with whole sentences in place of the words."""
    try:
        with path.open("rb") as file:
            whole = _PlainUnpickler(file).load()
    except Exception as error:  # noqa: BLE001 # a damaged pickle can raise whatever it likes
        raise DataError(
            f"{path}: cannot be read as a pickle of plain text ({first_line(error)}); write it as "
            f"{_TEXT} with lines 'video sentence'."
        ) from None
    if not isinstance(whole, dict):
        raise DataError(f"{path}: holds no dict of videos and their sentences.")
    return {
        str(video): [_sentence(path, video, one) for one in said] for video, said in whole.items()
    }


def _sentence(path: Path, video: object, said: object) -> str:
    words = [said] if isinstance(said, str) else said
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise DataError(f"{path}, entry {video}: holds {said!r:.60}; allowed: a list of words.")
    return " ".join(words).strip()
