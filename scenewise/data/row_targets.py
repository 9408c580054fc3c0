"""What is to be learnt of a row, as tensors: its text, its class, its moments.

It knows the four kinds of rows; it knows no video.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from scenewise.data.rows import CaptionRow, LabelRow, MomentRow, QuestionRow, Row
from scenewise.data.text_tokens import Tokenize
from scenewise.errors import DataError

NO_CLASS = -100  # cross-entropy passes over it: the answer is withheld, or not in the vocabulary


@dataclass(frozen=True, slots=True)
class RowTensors:
    """The part of an example that needs no video."""

    ids: Tensor | None = None  # (L,) int64
    text_mask: Tensor | None = None  # (L,) bool
    choices: Tensor | None = None  # (K, L) int64
    choice_text_mask: Tensor | None = None  # (K, L) bool
    target: Tensor | None = None  # () int64, or (K,) float
    spans: Tensor | None = None  # (S, 2) float seconds
    saliency: Tensor | None = None  # (N,) float, nan where a clip was not rated


@dataclass(frozen=True, slots=True)
class RowReader:
    """Rows to tensors. ``classes`` are labels, or answers, in the order of their numbers.

    ``several`` says that a row has any number of labels, so that its target is (K,) of 0 and 1.
    """

    classes: tuple[str, ...] = ()
    several: bool = False
    tokenize: Tokenize | None = None
    _number: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbers = {name: number for number, name in enumerate(self.classes)}
        object.__setattr__(self, "_number", numbers)

    @classmethod
    def for_rows(
        cls,
        rows: Sequence[Row],
        classes: Sequence[str] = (),
        tokenize: Tokenize | None = None,
        several: bool | None = None,
    ) -> RowReader:
        """A reader for these rows; ``several`` None: where any row has not exactly one label."""
        if several is None:
            several = any(isinstance(row, LabelRow) and len(row.labels) != 1 for row in rows)
        return cls(tuple(classes), several, tokenize)

    def __call__(self, row: Row, draw: np.random.Generator | None = None) -> RowTensors:
        """``draw`` chooses one of several captions; None takes the first.

        Raises DataError for a label that no class has, or a row without a text.
        """
        tokens: dict[str, Tensor] = {}
        text = text_of(row, draw)
        if self.tokenize is not None and text is not None:
            ids, mask = self.tokenize([text])
            tokens = {"ids": ids[0], "text_mask": mask[0]}
            if isinstance(row, QuestionRow) and row.choices:
                ids, mask = self.tokenize(list(row.choices))
                tokens |= {"choices": ids, "choice_text_mask": mask}
        spans = saliency = None
        if isinstance(row, MomentRow):
            spans = torch.tensor([[span.start, span.end] for span in row.spans]).reshape(-1, 2)
            saliency = _saliency(row)
        return RowTensors(**tokens, target=self._target(row), spans=spans, saliency=saliency)

    def _target(self, row: Row) -> Tensor | None:
        match row:
            case LabelRow():
                numbers = [self._class(label, row) for label in row.labels]
                if not self.several:
                    return torch.tensor(numbers[0])
                target = torch.zeros(len(self.classes))
                target[numbers] = 1
                return target
            case QuestionRow() if row.choices:
                right = row.right_choice
                return torch.tensor(NO_CLASS if right is None else right)
            case QuestionRow() if self.classes:
                usual = row.usual_answer
                known = None if usual is None else self._number.get(usual)
                return torch.tensor(NO_CLASS if known is None else known)
            case _:
                return None

    def _class(self, label: str, row: Row) -> int:
        if label not in self._number:
            raise DataError(
                f"{row.video}: its label {label!r} is none of the {len(self.classes)} classes; "
                "take annotations and classes from one dataset."
            )
        return self._number[label]


def text_of(row: Row, draw: np.random.Generator | None = None) -> str | None:
    """The sentence of a row: a caption of several by chance, or the first. None: it has none."""
    match row:
        case CaptionRow():
            if not row.captions:
                raise DataError(f"{row.video}: a row of captions holds none; leave it out.")
            return row.captions[0 if draw is None else int(draw.integers(len(row.captions)))]
        case MomentRow():
            return row.query
        case QuestionRow():
            return row.question
        case LabelRow():
            return None


def texts_of(row: Row) -> tuple[str, ...]:
    """All that is said of a row: captions, labels, a query, a question."""
    match row:
        case CaptionRow():
            return row.captions
        case MomentRow():
            return (row.query,)
        case QuestionRow():
            return (row.question, *row.choices)
        case LabelRow():
            return row.labels


def _saliency(row: MomentRow) -> Tensor | None:
    """Mean over who rated, for each clip of the video up to the last that was rated."""
    if not row.saliency:
        return None
    count = max(row.saliency) + 1
    if row.duration is not None and row.clip_seconds:
        count = max(count, round(row.duration / row.clip_seconds))
    ratings = torch.full((count,), float("nan"))
    for number, given in row.saliency.items():
        ratings[number] = fmean(given)
    return ratings
