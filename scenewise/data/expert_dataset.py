"""Rows and what several networks saw and heard of each video: a folder of kept vectors for each.

A video that a folder does not have was seen by the others alone: no face, no speech. It knows rows
and ``feature_files``; it knows no expert and opens no video.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import Dataset

from scenewise.data.chance import stream_of
from scenewise.data.example import Example, ExpertVectors, Place
from scenewise.data.feature_dataset import vectors_of_row
from scenewise.data.feature_files import feature_path, read_features
from scenewise.data.row_targets import RowReader
from scenewise.data.rows import Row
from scenewise.errors import DataError


@dataclass(frozen=True, slots=True)
class ExpertRecipe:
    """How rows become examples. ``length`` T of each expert at most: evenly chosen ones of more."""

    folders: Mapping[str, Path]  # by the expert's name
    reader: RowReader = field(default_factory=RowReader)
    length: int | None = None
    training: bool = True  # one of several captions by chance
    seed: int = 0


class ExpertDataset(Dataset[Example]):
    """Examples with ``experts``: vectors (T, D) of each, their times, and the largest of all."""

    def __init__(self, rows: Sequence[Row], recipe: ExpertRecipe) -> None:
        """Raises DataError where there is no row."""
        self.rows = tuple(rows)
        self.recipe = recipe
        if not self.rows:
            raise DataError("The dataset has no row; take another split or dataset.")

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: Place | int) -> Example:
        """Raises DataError where no expert has the row's video, or vectors cannot be read."""
        place = place if isinstance(place, Place) else Place(0, place)
        row, recipe = self.rows[place.number], self.recipe
        draw = stream_of(recipe.seed, place.epoch, place.number, "text")
        try:
            learnt = recipe.reader(row, draw if recipe.training else None)
            experts = {name: seen for name in recipe.folders if (seen := self._seen(name, row))}
        except DataError as error:
            raise DataError(f"row {place.number} ({row.video}): {error}") from error
        if not experts:
            raise DataError(
                f"row {place.number} ({row.video}): none of the experts "
                f"({', '.join(recipe.folders)}) has vectors of this video; make them first."
            )
        return Example(row=place.number, experts=experts, learnt=learnt)

    def _seen(self, name: str, row: Row) -> ExpertVectors | None:
        """None: this expert saw nothing."""
        folder = self.recipe.folders[name]
        if not feature_path(folder, row.video).is_file():
            return None
        kept = read_features(folder, row.video)
        inside, _ = vectors_of_row(kept, row, None)
        chosen, _ = vectors_of_row(kept, row, self.recipe.length)
        return ExpertVectors(
            torch.from_numpy(kept.vectors[chosen].astype(np.float32)),
            torch.from_numpy(kept.times[chosen].astype(np.float32)),
            torch.from_numpy(kept.vectors[inside].astype(np.float32).max(axis=0)),
        )
