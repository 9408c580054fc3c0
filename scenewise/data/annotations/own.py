"""One's own annotations: a folder for each label, or a CSV or JSON-lines file for any task.

    DIR/train/LABEL/*.mp4, DIR/val/LABEL/*.mp4   or, without splits, DIR/LABEL/*.mp4
    DIR/train.csv, DIR/val.csv                   or one file for all, with a column ``split``
    DIR/train.jsonl, DIR/val.jsonl               the same, one JSON object a line

Columns: ``video`` (an id, or a path below the folder of videos), and by task ``caption``;
``query``, ``start``, ``end``; ``question``, ``answer`` or ``choices`` and ``answer``; ``label``.
``start`` and ``end`` (seconds) also narrow a caption, question or label to a part of the video.
Several values in one cell of a CSV are separated by ``|``; in JSON they are a list. It knows files;
it opens no video.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from scenewise.data.annotations.files import (
    Oddities,
    Record,
    find_file,
    finite,
    look_for,
    read_csv,
    read_jsonl,
    read_list,
)
from scenewise.data.annotations.spans import mended, pair
from scenewise.data.rows import (
    Annotations,
    CaptionRow,
    LabelRow,
    MomentRow,
    QuestionRow,
    Row,
    Task,
)
from scenewise.errors import DataError
from scenewise.types import Segment

_SEPARATOR = "|"
SPLITS = ("train", "val", "test")


def read_folder(folder: Path, split: str, task: Task) -> Annotations[LabelRow]:
    """Every file below a subfolder, labelled by the subfolder's name.

    Classes are the names in the order of the alphabet, of all splits together, so that a class that
    has no video in one of them keeps its number.
    """
    roots = [folder / name for name in SPLITS if (folder / name).is_dir()] or [folder]
    root = folder / split if len(roots) > 1 or roots[0] != folder else folder
    labels = sorted({name for place in roots for name in _folders(place)})
    rows = tuple(
        LabelRow(path.relative_to(folder).as_posix(), (label,))
        for label in labels
        for path in sorted((root / label).rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    )
    if not rows:
        raise DataError(f"{root}: holds no file in a subfolder; make one subfolder for each label.")
    return Annotations("folder", split, task, rows, tuple(labels))


def _folders(root: Path) -> list[str]:
    return [place.name for place in root.iterdir() if place.is_dir()] if root.is_dir() else []


def read_own_csv(folder: Path, split: str, task: Task) -> Annotations[Any]:
    """``SPLIT.csv`` of the folder, or the file itself; columns as above."""
    return _read(folder, split, task, "csv")


def read_own_jsonl(folder: Path, split: str, task: Task) -> Annotations[Any]:
    """``SPLIT.jsonl`` of the folder, or the file itself; names as above."""
    return _read(folder, split, task, "jsonl")


def _read(folder: Path, split: str, task: Task, form: str) -> Annotations[Any]:
    path = folder if folder.is_file() else find_file(folder, (f"{split}.{form}",), "the file")
    odd = Oddities()
    make: Callable[[Iterator[Record], Oddities], Iterator[Row]] = _READERS[task]
    rows = tuple(make(_chosen(path, split, form), odd))
    if not rows:
        raise DataError(f"{path}: holds no row of {split}.")
    classes = _classes(path, form, rows) if task == "labels" else ()
    return Annotations(form, split, task, rows, classes, odd.notes())


def _chosen(path: Path, split: str, form: str) -> Iterator[Record]:
    """The rows of this split: all, or those that name it."""
    for record in _records(path, form):
        named = record.optional("split")
        if named and named not in SPLITS:
            raise record.error(f"'split' is {named!r}; allowed: {', '.join(SPLITS)}")
        if not named or named == split:
            yield record


def _records(path: Path, form: str) -> Iterator[Record]:
    return read_csv(path, ("video",)) if form == "csv" else read_jsonl(path)


def _values(record: Record, *names: str) -> tuple[str, ...]:
    """The first of the fields that is there, as a list: of JSON, or of texts between bars."""
    name = next((name for name in names if record.fields.get(name) not in (None, "")), names[-1])
    value = record.value(name)
    if isinstance(value, str):
        value = [part for part in value.split(_SEPARATOR) if part.strip()]
        if not value:
            raise record.error(f"{name!r} is empty; allowed: text")
    return Record(record.place, {name: value}).texts(name)


def _part(record: Record) -> Segment | None:
    """The part of the video that a row is about; None: all of it."""
    if not record.has("start") and not record.has("end"):
        return None
    return _span(record, record.value("start"), record.value("end"))


def _span(record: Record, start: object, end: object) -> Segment:
    first, last = finite(record, "start", start), finite(record, "end", end)
    if not 0 <= first < last:
        raise record.error(f"goes from {first:g} to {last:g} s; allowed: 0 <= start < end")
    return Segment(first, last)


def _captions(records: Iterator[Record], odd: Oddities) -> Iterator[Row]:
    """Rows of the same video and span become one, with all their sentences."""
    grouped: dict[tuple[str, Segment | None], list[str]] = {}
    ids: dict[tuple[str, Segment | None], str] = {}
    for record in records:
        key = record.text("video"), _part(record)
        known = grouped.setdefault(key, [])
        ids.setdefault(key, record.optional("id"))
        name = "captions" if record.has("captions") else "caption"
        # a sentence may hold a bar: only a list has several
        for caption in record.texts(name):
            odd.count("captions stand there twice; the first is kept", int(caption in known))
            if caption not in known:
                known.append(caption)
    for (video, span), captions in grouped.items():
        yield CaptionRow(video, tuple(captions), span, ids[video, span])


def _moments(records: Iterator[Record], odd: Oddities) -> Iterator[Row]:
    """Rows of the same video and query become one, with all their spans."""
    grouped: dict[tuple[str, str], list[Segment]] = {}
    about: dict[tuple[str, str], tuple[float | None, str]] = {}
    for record in records:
        duration = record.number("duration") if record.has("duration") else None
        key = record.text("video"), record.text("query")
        spans = grouped.setdefault(key, [])
        about.setdefault(key, (duration, record.optional("id")))
        ends = (
            [pair(record, "spans", span) for span in record.list_of("spans")]
            if record.has("spans")
            else [(record.value("start"), record.value("end"))]
        )
        for start, end in ends:
            _span(record, start, end)
            span = mended(record, start, end, duration, odd)
            if span is not None:
                spans.append(span)
    for key, spans in grouped.items():
        if spans:
            yield MomentRow(*key, tuple(spans), *about[key])


def _questions(records: Iterator[Record], _odd: Oddities) -> Iterator[Row]:
    for record in records:
        choices = _values(record, "choices") if record.has("choices") else ()
        answers = _values(record, "answers", "answer") if _answered(record) else ()
        right = None
        if choices and answers:
            if answers[0] not in choices:
                raise record.error(
                    f"answer {answers[0]!r} is none of the choices; "
                    f"allowed: {', '.join(map(repr, choices))}"
                )
            right = choices.index(answers[0])
        yield QuestionRow(
            record.text("video"),
            record.text("question"),
            answers,
            choices,
            record.optional("kind"),
            _part(record),
            record.optional("id"),
            right,
        )


def _answered(record: Record) -> bool:
    return record.has("answers") or record.has("answer")


def _labels(records: Iterator[Record], _odd: Oddities) -> Iterator[Row]:
    for record in records:
        labels = _values(record, "labels", "label")
        yield LabelRow(record.text("video"), labels, _part(record), record.optional("id"))


def _classes(path: Path, form: str, rows: tuple[Any, ...]) -> tuple[str, ...]:
    """Those of ``classes.txt`` beside the file, in its order.

    Without it, the labels of all splits by the alphabet, so that a class has one number in all.
    """
    used = {label for row in rows for label in row.labels}
    listed = look_for(path.parent, ("classes.txt",))
    if listed is None:
        others = (
            {path.with_name(f"{name}.{form}") for name in SPLITS} if path.stem in SPLITS else ()
        )
        for file in {path, *(other for other in others if other.is_file())}:
            for record in _records(file, form):
                used.update(_values(record, "labels", "label"))
        return tuple(sorted(used))
    classes = read_list(listed)
    unknown = sorted(used.difference(classes))
    if unknown:
        raise DataError(f"{listed}: has no class {unknown[0]!r}, which a row is labelled with.")
    return classes


_READERS: dict[Task, Callable[[Iterator[Record], Oddities], Iterator[Row]]] = {
    "captions": _captions,
    "moments": _moments,
    "questions": _questions,
    "labels": _labels,
}
