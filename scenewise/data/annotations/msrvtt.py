"""MSR-VTT (Xu et al. 2016): 10,000 clips with 20 sentences each.

The splits are those of the field: ``train``, ``val``, ``test`` are the full ones (6,513, 497 and
2,990 clips); ``test-1k-A`` is the 1,000 pairs of JSFusion (Yu et al. 2018), one sentence a clip,
and ``train-9k`` and ``train-7k`` are what is trained on before it. Files as CLIP4Clip lays them
out: ``MSRVTT_data.json`` has the sentences, one csv names the clips of each split. It knows those
files, and the two of the dataset's own makers in place of the first.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scenewise.data.annotations.files import (
    Oddities,
    Record,
    find_file,
    keyed_records,
    look_for,
    read_csv,
    read_json,
    records_of,
    unique,
)
from scenewise.data.rows import Annotations, CaptionRow, Task
from scenewise.errors import DataError
from scenewise.media.video_names import without_suffix

SPLITS = ("train", "val", "test", "train-9k", "train-7k", "test-1k-A")
_LISTS = {
    "train": ("MSRVTT_train.full.csv",),
    "val": ("MSRVTT_val.full.csv",),
    "test": ("MSRVTT_test.full.csv",),
    "train-9k": ("MSRVTT_train.9k.csv",),
    "train-7k": ("MSRVTT_train.7k.csv",),
    "test-1k-A": ("MSRVTT_JSFUSION_test.csv", "msrvtt_test.csv"),
}
_SENTENCES = ("MSRVTT_data.json",)
_OF_THE_MAKERS = ("train_val_videodatainfo.json", "test_videodatainfo.json")
_TEST_CAPTIONS = ("msrvtt_caption_test.json",)
_SPLIT_NAMES = {"train": "train", "val": "validate", "test": "test"}  # inside the JSON


def read(folder: Path, split: str, task: Task) -> Annotations[CaptionRow]:
    """One row a clip; of ``test-1k-A`` with one sentence, of all others with all that it has."""
    odd = Oddities()
    if split == "test-1k-A":
        rows = tuple(_pairs(find_file(folder, _LISTS[split], "the list of test-1k-A")))
    else:
        rows = tuple(_rows(folder, split, odd))
    return Annotations("msrvtt", split, task, rows, notes=odd.notes())


def _pairs(path: Path) -> Iterator[CaptionRow]:
    for video, record in unique(read_csv(path, ("key", "video_id", "sentence")), "video_id"):
        yield CaptionRow(video, (record.text("sentence"),), id=record.text("key"))


def _rows(folder: Path, split: str, odd: Oddities) -> Iterator[CaptionRow]:
    listed = look_for(folder, _LISTS[split])
    whole = look_for(folder, _SENTENCES)
    files = [whole] if whole else [p for n in _OF_THE_MAKERS if (p := look_for(folder, (n,)))]
    if not files and split == "test" and (path := look_for(folder, _TEST_CAPTIONS)):
        yield from caption_lists(path)
        return
    if not files:
        find_file(folder, (*_SENTENCES, *_OF_THE_MAKERS), "the file of sentences")
    captions: dict[str, list[str]] = {}
    splits: dict[str, str] = {}
    for path in files:
        _add_sentences(path, captions, splits, odd)
    if listed is not None:
        videos = [video for video, _ in unique(read_csv(listed, ("video_id",)), "video_id")]
    elif split in _SPLIT_NAMES:
        videos = [video for video, name in splits.items() if name == _SPLIT_NAMES[split]]
    else:
        find_file(folder, _LISTS[split], f"the list of {split}")
        return
    for video in videos:
        if video not in captions:
            raise DataError(f"{files[-1]}: has no sentence of {video}, which is in {split}.")
        yield CaptionRow(video, tuple(captions[video]))


def _add_sentences(
    path: Path, captions: dict[str, list[str]], splits: dict[str, str], odd: Oddities
) -> None:
    whole = read_json(path)
    if not isinstance(whole, dict):
        raise DataError(f"{path}: is no object; one with videos and sentences is needed.")
    for record in records_of(path, whole.get("videos"), "videos"):
        splits[record.text("video_id")] = record.optional("split")
    for record in records_of(path, whole.get("sentences"), "sentences"):
        caption = record.optional("caption")
        odd.count("sentences are empty and left out", int(not caption))
        if caption:
            captions.setdefault(record.text("video_id"), []).append(caption)


def caption_lists(path: Path) -> Iterator[CaptionRow]:
    """A list of ``{"video": "video7010.mp4", "caption": [...]}``, or an object of lists."""
    whole = read_json(path)
    if isinstance(whole, dict):
        lifted = {key: {"video": key, "caption": value} for key, value in whole.items()}
        records: Iterator[Record] = (record for _, record in keyed_records(path, lifted))
    else:
        records = records_of(path, whole)
    for video, record in unique(records, "video"):
        yield CaptionRow(without_suffix(video), record.texts("caption"))
