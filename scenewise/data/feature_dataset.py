"""Rows and kept vectors as a dataset: what a video shows was computed before.

It knows rows and ``feature_files``; it opens no video.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from scenewise.data.chance import stream_of
from scenewise.data.example import Example, Place
from scenewise.data.feature_files import Features, count_vectors, read_features
from scenewise.data.row_targets import RowReader, RowTensors
from scenewise.data.rows import MomentRow, Row
from scenewise.errors import DataError
from scenewise.media.sampling import uniform_of


@dataclass(frozen=True, slots=True)
class FeatureRecipe:
    """How rows become examples. ``length`` T at most: of more vectors, evenly chosen ones."""

    folder: Path
    reader: RowReader = field(default_factory=RowReader)
    length: int | None = None
    training: bool = True  # one of several captions by chance
    seed: int = 0


class VectorDataset(Dataset[Example], ABC):
    """Rows, what is to be learnt of each, and kept vectors of their videos."""

    def __init__(self, rows: Sequence[Row], reader: RowReader, training: bool, seed: int) -> None:
        """Raises DataError where there is no row."""
        self.rows = tuple(rows)
        self._reader, self._training, self._seed = reader, training, seed
        if not self.rows:
            raise DataError("The dataset has no row; take another split or dataset.")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: Place | int) -> Example:
        """Raises DataError, which names the row, where its vectors cannot be read."""
        place = place if isinstance(place, Place) else Place(0, place)
        row = self.rows[place.number]
        draw = stream_of(self._seed, place.epoch, place.number, "text")
        try:
            learnt = self._reader(row, draw if self._training else None)
            return self._example(place.number, row, learnt)
        except DataError as error:
            raise DataError(f"row {place.number} ({row.video}): {error}") from error

    @abstractmethod
    def _example(self, number: int, row: Row, learnt: RowTensors) -> Example:
        """What is kept of the row's video. Raises DataError."""


class FeatureDataset(VectorDataset):
    """Examples with ``features`` (T, D) float and their times; a row's span chooses among them."""

    def __init__(self, rows: Sequence[Row], recipe: FeatureRecipe) -> None:
        """Raises DataError where there is no row."""
        super().__init__(rows, recipe.reader, recipe.training, recipe.seed)
        self.recipe = recipe

    def lengths(self) -> list[int]:
        """How many vectors each row has at most, for batches of like length; opens every file."""
        found: dict[str, int] = {}
        for row in self.rows:
            if row.video not in found:
                found[row.video] = count_vectors(self.recipe.folder, row.video)
        limit = self.recipe.length
        return [min(found[row.video], limit or found[row.video]) for row in self.rows]

    def _example(self, number: int, row: Row, learnt: RowTensors) -> Example:
        kept = read_features(self.recipe.folder, row.video)
        chosen, duration = vectors_of_row(kept, row, self.recipe.length)
        return Example(
            row=number,
            features=torch.from_numpy(kept.vectors[chosen].astype(np.float32)),
            times=torch.from_numpy(kept.times[chosen].astype(np.float32)),
            duration=duration,
            learnt=learnt,
        )


def vectors_of_row(
    kept: Features, row: Row, length: int | None
) -> tuple[npt.NDArray[np.intp], float]:
    """Which vectors of its video a row is about, ``length`` at most, and of how many seconds."""
    chosen, duration = np.arange(len(kept.times)), kept.duration
    if not isinstance(row, MomentRow) and row.span is not None:
        inside = (kept.times >= row.span.start) & (kept.times < row.span.end)
        # a span between two vectors has the nearer one
        middle = (row.span.start + row.span.end) / 2
        nearest = np.abs(kept.times - middle).argsort(kind="stable")[:1]
        chosen = np.flatnonzero(inside) if inside.any() else nearest
        duration = min(row.span.end, duration) - min(row.span.start, duration)
    if length is not None and len(chosen) > length:
        chosen = np.array(uniform_of(chosen.tolist(), length), dtype=np.intp)
    return chosen, duration
