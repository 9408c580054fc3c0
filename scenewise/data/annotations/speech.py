"""Large sets of videos and what is said in them or written below: HowTo100M, YT-Temporal, WebVid.

Read one entry at a time, as the whole may not fit into memory. It knows files; it neither cleans
speech nor chooses among its sentences.

HowTo100M (Miech et al. 2019): the csv names 1.2 million videos; their sentences lie in one large
object, ``caption.json``, or in one ``VIDEO.json`` a video, each as lists of start, end and text.
YT-Temporal-1B (Zellers et al. 2022): a JSON line a video, with a time for each word. WebVid (Bain
et al. 2021): a csv with one text a clip.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from scenewise.data.annotations.files import (
    Oddities,
    Record,
    find_file,
    look_for,
    read_csv,
    read_json,
    read_jsonl,
    stream_object,
)
from scenewise.data.annotations.spans import mended
from scenewise.data.rows import Annotations, CaptionRow, Task
from scenewise.errors import DataError
from scenewise.media.video_names import without_suffix
from scenewise.types import Segment

_HOWTO_LISTS = ("HowTo100M_v1.csv", "howto100m_videos.csv", "howto100m.csv")
_HOWTO_SENTENCES = ("caption.json", "raw_caption_superclean.json", "raw_caption.json")
_WEBVID = {
    "train": ("results_2M_train.csv", "webvid_train.csv"),
    "val": ("results_2M_val.csv", "webvid_val.csv"),
    "train-10M": ("results_10M_train.csv",),
    "val-10M": ("results_10M_val.csv",),
}
WORDS_OF_A_SPAN = 32  # MERLOT cuts at 32 tokens
_LAST_WORD_SECONDS = 1.0  # how long the last word of a video lasts, which no time tells
EMPTY_TEXT = "of the texts are empty and left out"


def stream_webvid(folder: Path, split: str, odd: Oddities) -> Iterator[CaptionRow]:
    """One row a clip, named PAGE_DIR/VIDEOID as its file is."""
    path = find_file(folder, _WEBVID[split], f"the file of {split}")
    for record in read_csv(path, ("videoid", "name")):
        number, page = record.text("videoid"), record.optional("page_dir")
        name = record.optional("name")
        if not name:
            odd.count(EMPTY_TEXT)
            continue
        yield CaptionRow(f"{page}/{number}" if page else number, (name,), id=number)


def read_webvid(folder: Path, split: str, task: Task) -> Annotations[CaptionRow]:
    """All rows at once; of the ten million of WebVid-10M that takes about 4 GB."""
    odd = Oddities()
    rows = tuple(stream_webvid(folder, split, odd))
    return Annotations("webvid", split, task, rows, notes=odd.notes())


def stream_howto100m(folder: Path, _split: str, odd: Oddities) -> Iterator[CaptionRow]:
    """One row a sentence, in the order of its file; ``candidates`` of ``pairs`` joins neighbours.

    Without the csv every video of ``caption.json`` counts.
    """
    listed = look_for(folder, _HOWTO_LISTS)
    videos = list(_howto_videos(listed)) if listed else []
    whole = look_for(folder, _HOWTO_SENTENCES)
    if whole is not None:
        wanted = set(videos)
        for video, record in stream_object(whole):
            if not wanted or video in wanted:
                yield from _sentences(video, record, odd)
        return
    if listed is None:
        find_file(folder, (*_HOWTO_LISTS, *_HOWTO_SENTENCES), "the list or the sentences")
    root = folder if folder.is_dir() else folder.parent
    for video in videos:
        path = next((p for p in _places(root, video) if p.is_file()), None)
        if path is None:
            odd.count("of the videos have no file of sentences and are left out")
            continue
        entry = read_json(path)
        if not isinstance(entry, dict):
            raise DataError(f"{path}: is no object with start, end and text.")
        yield from _sentences(video, Record(str(path), entry), odd)


def _places(root: Path, video: str) -> tuple[Path, ...]:
    return root / f"{video}.json", root / "captions" / f"{video}.json"


def read_howto100m(folder: Path, split: str, task: Task) -> Annotations[CaptionRow]:
    """All rows at once: for a part of the set. The whole, 136 million, is for the stream."""
    odd = Oddities()
    rows = tuple(stream_howto100m(folder, split, odd))
    return Annotations("howto100m", split, task, rows, notes=odd.notes())


def _howto_videos(path: Path) -> Iterator[str]:
    for record in read_csv(path):
        if "video_path" in record.fields:
            yield without_suffix(record.text("video_path"))
        else:
            yield record.text("video_id")


def _sentences(video: str, record: Record, odd: Oddities) -> Iterator[CaptionRow]:
    starts, ends, texts = (record.list_of(name) for name in ("start", "end", "text"))
    if not len(starts) == len(ends) == len(texts):
        raise record.error(f"has {len(starts)} starts, {len(ends)} ends and {len(texts)} texts")
    for start, end, text in zip(starts, ends, texts, strict=True):
        said = Record(record.place, {"text": text}).optional("text")
        if not said:
            odd.count(EMPTY_TEXT)
            continue
        span = mended(record, start, end, None, odd)
        if span is not None:
            yield CaptionRow(video, (said,), span)


def stream_yttemporal(folder: Path, split: str, odd: Oddities) -> Iterator[CaptionRow]:
    """One row for each 32 words, or for each sentence where a line has start, end and text.

    All files ``*SPLIT*.jsonl`` or ``.jsonl.gz`` of the folder, by name.
    """
    files = [folder] if folder.is_file() else sorted(folder.glob(f"*{split}*.jsonl*"))
    if not files:
        raise DataError(f"{folder}: the file of {split} is missing; looked for *{split}*.jsonl.")
    for path in files:
        for record in read_jsonl(path):
            if record.has("text") and record.has("start"):
                video = record.optional("video_id") or record.text("video")
                yield from _sentences(video, record, odd)
            else:
                yield from _spoken(record, odd)


def read_yttemporal(folder: Path, split: str, task: Task) -> Annotations[CaptionRow]:
    """All rows at once: for a part of the set."""
    odd = Oddities()
    rows = tuple(stream_yttemporal(folder, split, odd))
    return Annotations("yttemporal", split, task, rows, notes=odd.notes())


def _spoken(record: Record, odd: Oddities) -> Iterator[CaptionRow]:
    info = record.value("info")
    about = Record(record.place, info if isinstance(info, dict) else {})
    video = about.text("id" if about.has("id") else "display_id")
    words = [
        (entry.number("time"), re.sub(r"\s+", " ", entry.text("word")))
        for entry in (
            Record(record.place, word if isinstance(word, dict) else {})
            for word in record.list_of("subtitles")
        )
        if entry.optional("word")
    ]
    for first in range(0, len(words), WORDS_OF_A_SPAN):
        part = words[first : first + WORDS_OF_A_SPAN]
        after = words[first + len(part) : first + len(part) + 1]
        start = max(0.0, part[0][0])
        end = after[0][0] if after else part[-1][0] + _LAST_WORD_SECONDS
        if end <= start:
            odd.count("of the spans of speech have no length and are left out")
            continue
        yield CaptionRow(video, (" ".join(word for _, word in part),), Segment(start, end))
