"""Sets that describe every part of a video: ActivityNet Captions, TACoS, YouCook2.

ActivityNet Captions (Krishna et al. 2017) and TACoS (Regneri et al. 2013, in 2D-TAN's split) share
one form: ``{video: {"duration", "timestamps": [[start, end], ...], "sentences": [...]}}``. TACoS is
in frames, with ``fps`` and ``num_frames`` in place of the duration. YouCook2 (Zhou et al. 2018) has
its own, and a csv of its validation clips from MIL-NCE. Each sentence becomes one row, as a moment
to be found or as a caption of its span; ``paragraphs`` joins the sentences of a video for
paragraph-to-video retrieval (Zhang et al. 2018), in the order of the file, as CLIP4Clip does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenewise.data.annotations.files import (
    Oddities,
    Record,
    find_file,
    keyed_records,
    read_csv,
    read_json,
)
from scenewise.data.annotations.spans import mended, pair
from scenewise.data.rows import Annotations, CaptionRow, MomentRow, Task
from scenewise.errors import DataError
from scenewise.types import Segment


@dataclass(frozen=True, slots=True)
class _Part:
    """One sentence; ``span`` None where nothing of it is left inside the video."""

    video: str
    sentence: str
    span: Segment | None
    duration: float | None
    id: str = ""


def read_activitynet(folder: Path, split: str, task: Task) -> Annotations[Any]:
    """``train``, ``val_1`` or ``val_2`` of ActivityNet Captions, whose videos are named v_ID."""
    odd = Oddities()
    path = find_file(folder, (f"{split}.json",), f"the file of {split}")
    return _annotations("activitynet_captions", split, task, _parts(path, odd), odd)


def read_activitynet_paragraphs(folder: Path, split: str, task: Task) -> Annotations[CaptionRow]:
    """One row a video: all its sentences as one text."""
    path = find_file(folder, (f"{split}.json",), f"the file of {split}")
    rows = paragraphs((part.video, part.sentence) for part in _parts(path, Oddities()))
    return Annotations("activitynet_paragraphs", split, task, rows)


def read_tacos(folder: Path, split: str, task: Task) -> Annotations[Any]:
    """A split of TACoS; its frames become seconds."""
    odd = Oddities()
    path = find_file(folder, (f"{split}.json",), f"the file of {split}")
    return _annotations("tacos", split, task, _parts(path, odd), odd)


def read_youcook2(folder: Path, split: str, task: Task) -> Annotations[Any]:
    """``train`` or ``val`` of YouCook2; its test set has no annotations that are public."""
    odd = Oddities()
    whole = "youcookii_annotations_trainval.json"
    wanted = (whole, "validation_youcook.csv") if split == "val" else (whole,)
    path = find_file(folder, wanted, f"the file of {split}")
    parts = _clips(path, odd) if path.suffix == ".csv" else _recipes(path, split, odd)
    return _annotations("youcook2", split, task, parts, odd)


def paragraphs(sentences: Iterator[tuple[str, str]]) -> tuple[CaptionRow, ...]:
    """Video and sentence, in order, to one row a video with one text."""
    whole: dict[str, list[str]] = {}
    for video, sentence in sentences:
        whole.setdefault(video, []).append(sentence)
    return tuple(CaptionRow(video, (" ".join(said),)) for video, said in whole.items())


def _annotations(
    name: str, split: str, task: Task, parts: Iterator[_Part], odd: Oddities
) -> Annotations[Any]:
    rows: tuple[Any, ...] = tuple(
        CaptionRow(part.video, (part.sentence,), part.span, part.id)
        if task == "captions"
        else MomentRow(part.video, part.sentence, (part.span,), part.duration, part.id)
        for part in parts
        if part.span is not None
    )
    return Annotations(name, split, task, rows, notes=odd.notes())


def _parts(path: Path, odd: Oddities) -> Iterator[_Part]:
    for video, record in keyed_records(path, read_json(path)):
        times, sentences = record.list_of("timestamps"), record.list_of("sentences")
        if len(times) != len(sentences):
            raise record.error(f"has {len(times)} timestamps and {len(sentences)} sentences")
        rate = record.number("fps") if record.has("fps") else 1.0
        if rate <= 0:
            raise record.error(f"'fps' is {rate:g}; allowed: above 0")
        duration = record.number("num_frames" if record.has("fps") else "duration") / rate
        for number, (time, sentence) in enumerate(zip(times, sentences, strict=True)):
            part = Record(f"{record.place}, sentence {number + 1}", {"sentence": sentence})
            start, end = _seconds(part, time, rate)
            if not part.optional("sentence"):
                odd.count("sentences are empty and left out")
                continue
            span = mended(part, start, end, duration, odd)
            yield _Part(video, part.text("sentence"), span, duration, f"{video}_{number}")


def _seconds(part: Record, time: object, rate: float) -> tuple[object, object]:
    start, end = pair(part, "timestamps", time)
    if rate == 1.0:
        return start, end
    at = Record(part.place, {"start": start, "end": end})
    return at.number("start") / rate, at.number("end") / rate


def _recipes(path: Path, split: str, odd: Oddities) -> Iterator[_Part]:
    whole = read_json(path)
    subset = {"train": "training", "val": "validation"}[split]
    database = whole.get("database") if isinstance(whole, dict) else None
    if not isinstance(database, dict):
        raise DataError(f"{path}: has no object 'database'.")
    for video, record in keyed_records(path, database):
        if record.text("subset") != subset:
            continue
        duration = record.number("duration")
        for entry in record.list_of("annotations"):
            part = Record(record.place, entry if isinstance(entry, dict) else {})
            start, end = pair(part, "segment", part.value("segment"))
            span = mended(part, start, end, duration, odd)
            yield _Part(video, part.text("sentence"), span, duration, f"{video}_{part.text('id')}")


def _clips(path: Path, odd: Oddities) -> Iterator[_Part]:
    for record in read_csv(path, ("start", "end", "text", "video_id")):
        span = mended(record, record.value("start"), record.value("end"), None, odd)
        yield _Part(record.text("video_id"), record.text("text"), span, None)
