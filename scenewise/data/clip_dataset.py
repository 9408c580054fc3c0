"""Rows and video files as a dataset of clips; what is not readable is named, never passed over.

It knows rows, files and what follows on a broken one; an example is made by ``example``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from torch.utils.data import Dataset

from scenewise.data.chance import stream_of
from scenewise.data.example import Example, Place, Recipe, make_example
from scenewise.data.row_targets import RowTensors
from scenewise.data.rows import CaptionRow, Row
from scenewise.data.text_tokens import Tokenize
from scenewise.errors import DataError

_REPLACEMENTS = 10  # rows that are tried in place of a broken one


class ClipDataset(Dataset[Example]):
    """``videos`` says where the video of each row lies; an example is asked for by its place.

    In testing there are ``recipe.views`` examples for each row, one after another.
    """

    def __init__(self, rows: Sequence[Row], videos: Mapping[str, Path], recipe: Recipe) -> None:
        """Raises DataError where there is no row, or no file is known for a row."""
        self.rows = tuple(rows)
        self.recipe = recipe
        self._videos = {row.video: _file_of(row, videos) for row in self.rows}
        if not self.rows:
            raise DataError("The dataset has no row; take another split or dataset.")

    def __len__(self) -> int:
        return len(self.rows) * self.recipe.views

    def __getitem__(self, place: Place | int) -> Example:
        """The example; DataError where its video is not readable and settings say raise.

        With "replace", another row of the same epoch takes its place in training. In testing
        nothing is replaced: the error says so, and ``try_example`` leaves it out.
        """
        example = self.try_example(place)
        if not example.readable:
            raise DataError(example.notes[0])
        return example

    def try_example(self, place: Place | int) -> Example:
        """As by index, but where settings say replace and testing finds a broken video, an example
        without a clip, whose note says why."""
        place = place if isinstance(place, Place) else Place(0, place)
        notes: list[str] = []
        draw = stream_of(self.recipe.seed, place.epoch, place.number, "replacement")
        wanted = place
        for _ in range(_REPLACEMENTS + 1):
            row = self.rows[wanted.number // self.recipe.views]
            try:
                example = make_example(self.recipe, row, self._videos[row.video], wanted)
            except DataError as error:
                if self.recipe.settings.broken == "raise":
                    raise DataError(
                        f"{error} Leave it out, or set broken = 'replace' under [data]."
                    ) from error
                notes.append(str(error))
                if self.recipe.mode == "test":
                    number = place.number // self.recipe.views
                    return Example(row=number, notes=tuple(notes), readable=False)
                wanted = Place(place.epoch, int(draw.integers(len(self))))
            else:
                return replace(example, notes=tuple(notes))
        raise DataError(
            f"{_REPLACEMENTS + 1} rows in turn cannot be read, the last: {notes[-1]} Check the "
            "folder of the videos."
        )


class TextDataset(Dataset[Example]):
    """Every caption of every row as an example without a clip: the texts of an evaluation.

    ``Batch.rows`` says to which row a text belongs.
    """

    def __init__(self, rows: Sequence[CaptionRow], tokenize: Tokenize) -> None:
        self.texts = [
            (number, caption) for number, row in enumerate(rows) for caption in row.captions
        ]
        self._tokenize = tokenize

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, place: Place | int) -> Example:
        """The text's tokens."""
        row, text = self.texts[place.number if isinstance(place, Place) else place]
        ids, mask = self._tokenize([text])
        return Example(row=row, learnt=RowTensors(ids=ids[0], text_mask=mask[0]))


def _file_of(row: Row, videos: Mapping[str, Path]) -> Path:
    if row.video not in videos:
        raise DataError(f"No file is known for the video {row.video!r}; check the videos' folder.")
    return videos[row.video]
