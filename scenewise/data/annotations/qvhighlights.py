"""QVHighlights (Lei et al. 2021): moments and highlights in clips of at most 150 seconds.

One JSON object a line. ``saliency`` has the ratings of three people, from 0 (very bad) to 4, for
each clip of two seconds inside the moments. ``test`` reads ``highlight_test_with_gt.jsonl`` where
that lies in the folder, else the first release, which has no answers.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scenewise.data.annotations.files import Oddities, Record, find_file, read_jsonl, unique
from scenewise.data.annotations.spans import mended, pair
from scenewise.data.rows import Annotations, MomentRow, Task

CLIP_SECONDS = 2.0
_FILES = {
    "train": ("highlight_train_release.jsonl",),
    "val": ("highlight_val_release.jsonl",),
    "test": ("highlight_test_with_gt.jsonl", "highlight_test_release.jsonl"),
}
_RATINGS = 5  # 0 to 4


def read(folder: Path, split: str, task: Task) -> Annotations[MomentRow]:
    """One row a query; several spans where it is true more than once."""
    odd = Oddities()
    path = find_file(folder, _FILES[split], f"the file of {split}")
    rows = tuple(_rows(path, odd))
    return Annotations("qvhighlights", split, task, rows, notes=odd.notes())


def _rows(path: Path, odd: Oddities) -> Iterator[MomentRow]:
    for number, record in unique(read_jsonl(path), "qid"):
        duration = record.number("duration")
        has_answer = record.has("relevant_windows")
        windows = record.list_of("relevant_windows") if has_answer else []
        spans = (
            mended(record, *pair(record, "relevant_windows", window), duration, odd)
            for window in windows
        )
        kept = tuple(span for span in spans if span is not None)
        odd.count("of the queries have no answer in this file", int(not kept))
        yield MomentRow(
            record.text("vid"),
            record.text("query"),
            kept,
            duration,
            number,
            _saliency(record),
            CLIP_SECONDS if record.has("saliency_scores") else None,
        )


def _saliency(record: Record) -> dict[int, tuple[int, ...]]:
    if not record.has("saliency_scores"):
        return {}
    clips, scores = record.list_of("relevant_clip_ids"), record.list_of("saliency_scores")
    if len(clips) != len(scores):
        raise record.error(f"has {len(clips)} relevant_clip_ids and {len(scores)} saliency_scores")
    return {
        _whole(record, "relevant_clip_ids", clip): tuple(
            _whole(record, "saliency_scores", one, below=_RATINGS) for one in rated
        )
        for clip, rated in zip(clips, _lists(record, scores), strict=True)
    }


def _lists(record: Record, scores: list[object]) -> Iterator[list[object]]:
    for rated in scores:
        if not isinstance(rated, list) or not rated:
            raise record.error(f"'saliency_scores' holds {rated!r}; allowed: a list of ratings")
        yield rated


def _whole(record: Record, name: str, value: object, *, below: int | None = None) -> int:
    return Record(record.place, {name: value}).whole(name, below=below)
