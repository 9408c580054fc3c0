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

from scenewise.data.example import Example, ExpertVectors
from scenewise.data.feature_dataset import VectorDataset, vectors_of_row
from scenewise.data.feature_files import feature_path, read_features
from scenewise.data.row_targets import RowReader, RowTensors
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


class ExpertDataset(VectorDataset):
    """Examples with ``experts``: vectors (T, D) of each, their times, and the largest of all."""

    def __init__(self, rows: Sequence[Row], recipe: ExpertRecipe) -> None:
        """Raises DataError where there is no row."""
        super().__init__(rows, recipe.reader, recipe.training, recipe.seed)
        self.recipe = recipe

    def _example(self, number: int, row: Row, learnt: RowTensors) -> Example:
        folders = self.recipe.folders
        experts = {name: seen for name in folders if (seen := self._seen(name, row))}
        if not experts:
            raise DataError(
                f"none of the experts ({', '.join(folders)}) has vectors of this video; make them "
                "first."
            )
        return Example(row=number, experts=experts, learnt=learnt)

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
