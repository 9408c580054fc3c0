"""What an annotation file says, as one row type per task, whatever the dataset.

It knows nouns; it knows no file format and no video file. ``video`` is the name by which the
dataset calls a video (its id, or a path below the folder of the videos); where it lies on the disk
is found by ``videos``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Generic, Literal, TypeVar

from scenewise.types import Segment

Task = Literal["captions", "moments", "questions", "labels"]
Split = Literal["train", "val", "test"]


@dataclass(frozen=True, slots=True)
class CaptionRow:
    """Sentences that say the same of one video, or of ``span`` of it: retrieval and captioning.

    In retrieval by paragraph a row has one text: the sentences of the video, in the order in which
    the dataset has them.
    """

    video: str
    captions: tuple[str, ...]
    span: Segment | None = None  # None: the whole video
    id: str = ""  # the dataset's own, where it has one

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class MomentRow:
    """Where in a video a sentence is true.

    ``spans`` are the right ones: several where several people said differently (DiDeMo) or where
    it happens more than once (QVHighlights). ``saliency`` has one tuple of ratings for each clip
    of ``clip_seconds``, by the clip's number, where highlights were rated.
    """

    video: str
    query: str
    spans: tuple[Segment, ...]
    duration: float | None = None  # seconds, of the video
    id: str = ""
    saliency: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    clip_seconds: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class QuestionRow:
    """A question about a video, or about ``span`` of it, and what counts as right.

    ``answers`` are all right ones: one, or one per person. With ``choices`` the first of
    ``answers`` is one of them. A set whose answers are withheld has none.
    """

    video: str
    question: str
    answers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    kind: str = ""  # the dataset's own type of question, such as CH or TN of NExT-QA
    span: Segment | None = None
    id: str = ""
    choice: int | None = None  # number of the right one of ``choices``, from 0: texts may be equal
    group: str = ""  # of videos that are counted together, such as short or long of Video-MME

    @property
    def usual_answer(self) -> str | None:
        """The answer that most people gave; the first of equally frequent ones."""
        usual = Counter(self.answers).most_common(1)
        return usual[0][0] if usual else None

    @property
    def right_choice(self) -> int | None:
        """The number of the right one of ``choices``; None where it is withheld."""
        if self.choice is not None:
            return self.choice
        right = self.answers[0] if self.answers else None
        return self.choices.index(right) if right in self.choices else None

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class LabelRow:
    """What a video, or ``span`` of it, shows: one class, or several at once."""

    video: str
    labels: tuple[str, ...]
    span: Segment | None = None
    id: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


Row = CaptionRow | MomentRow | QuestionRow | LabelRow
AnyRow = TypeVar("AnyRow", CaptionRow, MomentRow, QuestionRow, LabelRow)


@dataclass(frozen=True, slots=True)
class Annotations(Generic[AnyRow]):
    """The rows of one split of one dataset."""

    dataset: str
    split: str
    task: Task
    rows: tuple[AnyRow, ...]
    classes: tuple[str, ...] = ()  # of labels, in the order of the dataset's own numbers
    notes: tuple[str, ...] = ()  # what was odd in the files, and what was done: a sentence each

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def videos(self) -> tuple[str, ...]:
        """Names of the videos, each once, in order of their first row."""
        return tuple(Counter(row.video for row in self.rows))


ROW_TYPES: dict[Task, type[Row]] = {
    "captions": CaptionRow,
    "moments": MomentRow,
    "questions": QuestionRow,
    "labels": LabelRow,
}


def row_from_dict(task: Task, shape: Mapping[str, Any]) -> Row:
    """The inverse of ``to_dict``, also after JSON. Raises KeyError, TypeError or ValueError."""
    values: dict[str, Any] = {}
    for name, value in shape.items():
        if name == "span" and value is not None:
            values[name] = Segment(**value)
        elif name == "spans":
            values[name] = tuple(Segment(**span) for span in value)
        elif name == "saliency":
            values[name] = {int(clip): tuple(rated) for clip, rated in value.items()}
        else:
            values[name] = tuple(value) if isinstance(value, list) else value
    return ROW_TYPES[task](**values)
