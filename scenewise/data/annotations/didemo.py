"""DiDeMo (Hendricks et al. 2017): moments in videos of Flickr, marked in pieces of five seconds.

Four people or more marked each sentence, as first and last piece; a row has the span of each of
them. The last piece of a video may be shorter than five seconds: that the file does not tell, so
no duration is given. Videos are named as in the file but without the suffix: the files name some
of them twice, as .mov and as .mp4, and the published counts (1,065 and 1,004 of validation and
test) are those without.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from scenewise.data.annotations.dense import paragraphs
from scenewise.data.annotations.files import Record, find_file, read_json, records_of, unique
from scenewise.data.annotations.spans import pair
from scenewise.data.rows import Annotations, CaptionRow, MomentRow, Task
from scenewise.types import Segment

PIECE_SECONDS = 5.0
_PIECES = 6  # videos were cut to 30 seconds


def read(folder: Path, split: str, task: Task) -> Annotations[MomentRow]:
    """One row a sentence."""
    rows = tuple(
        MomentRow(
            _video(record),
            record.text("description"),
            tuple(_span(record, time) for time in record.list_of("times")),
            id=number,
        )
        for number, record in _records(folder, split)
    )
    return Annotations("didemo", split, task, rows)


def read_paragraphs(folder: Path, split: str, task: Task) -> Annotations[CaptionRow]:
    """One row a video: all its sentences as one text, in the order of the file."""
    sentences = (
        (_video(record), record.text("description")) for _, record in _records(folder, split)
    )
    return Annotations("didemo_paragraphs", split, task, paragraphs(sentences))


def _records(folder: Path, split: str) -> Iterator[tuple[str, Record]]:
    path = find_file(folder, (f"{split}_data.json",), f"the file of {split}")
    return unique(records_of(path, read_json(path)), "annotation_id")


def _video(record: Record) -> str:
    """Without the suffix, which some names lack though they end with its dot."""
    name = record.text("video")
    return name.rpartition(".")[0] or name


def _span(record: Record, time: object) -> Segment:
    first, last = pair(record, "times", time)
    pieces = record.whole("num_segments") if record.has("num_segments") else _PIECES
    ends = Record(record.place, {"times": first}), Record(record.place, {"times": last})
    start, end = (end.whole("times", below=pieces) for end in ends)
    if end < start:
        raise record.error(f"'times' holds {time!r}; allowed: first and last piece, in this order")
    return Segment(start * PIECE_SECONDS, (end + 1) * PIECE_SECONDS)
