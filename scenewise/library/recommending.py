"""The verbs that compare whole videos: recommend, duplicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from scenewise.config import expand_user
from scenewise.encoders.spec import Encoder, FloatArray
from scenewise.encoders.vectors import unit
from scenewise.errors import UsageError
from scenewise.index.calibration import HasBackground
from scenewise.index.reader import IndexReader
from scenewise.index.vector_cache import VectorCache
from scenewise.library.core import LibraryCore
from scenewise.tasks.duplicates import (
    LEAST_SECONDS,
    MIN_SCORE,
    DuplicateReport,
    find_duplicates,
)
from scenewise.tasks.taste import DIVERSITY
from scenewise.tasks.watch_history import (
    HALF_LIFE_DAYS,
    RATING_SCALE,
    Watched,
    as_history,
    read_history,
)

if TYPE_CHECKING:  # who searches needs none of these: the verb imports its own
    from scenewise.tasks.recommend import Recommended, Wishes

History = str | Path | Iterable[Watched | Mapping[str, Any] | str]


class Recommending(LibraryCore):
    """Verbs of ``Library`` that say what to watch, and what is there twice."""

    def recommend(
        self,
        video: str | Path | None = None,
        *,
        history: History | None = None,
        catalogue: str | Path | None = None,
        top_k: int = 10,
        diversity: float = DIVERSITY,
        half_life_days: float = HALF_LIFE_DAYS,
        rating_scale: tuple[float, float] = RATING_SCALE,
    ) -> Recommended:
        """What to watch next: like a video, or for a history of what was watched.

        ``video`` is a file or a video of the library. ``history`` is a file (.csv or .jsonl with
        video, time, rating), or rows of that kind; recent rows weigh more (a row that is
        ``half_life_days`` older counts half), ratings below the middle of ``rating_scale`` weigh
        against. Candidates are the library's videos, or with a ``catalogue`` (a CSV with id,
        title, text, picture) its rows; what was watched is left out. ``diversity`` 0 takes the
        most relevant, 1 the most different from one another.

        Raises UsageError (also for an empty history and for a video in it that is not known),
        EncoderError, MediaError.

        >>> for hit in library.recommend(history="watched.csv").hits:    # doctest: +SKIP
        ...     print(hit.title, hit.reason)
        """
        from scenewise.tasks.catalogue import encode_items, read_catalogue
        from scenewise.tasks.recommend import Wishes, recommend_for, recommend_from

        wishes = Wishes(top_k, diversity, half_life_days, rating_scale)
        if (video is None) == (history is None):
            raise UsageError("a recommendation needs a video or a history; give one of them.")
        reader = self._current()
        if history is None:
            assert video is not None
            if catalogue is not None:
                history = [str(video)]
            else:
                return self._like(video, wishes)
        if isinstance(history, str | Path):
            watched = read_history(expand_user(history), rating_scale)
        else:
            watched = as_history(history, rating_scale)
        if catalogue is not None:
            items = read_catalogue(expand_user(catalogue))
            encoder = self._encoder_of(reader)
            vectors = encode_items(items, encoder, VectorCache(self._settings.cache))
            return recommend_from(items, vectors, reader, encoder, watched, wishes)
        if reader is None:
            raise self._nothing_indexed()
        return recommend_for(reader, self._encoder_of(reader), watched, wishes)

    def duplicates(
        self,
        video: str | Path | None = None,
        *,
        min_score: float = MIN_SCORE,
        least_seconds: float = LEAST_SECONDS,
    ) -> DuplicateReport:
        """Pairs of videos of the library that share footage, and which seconds of each.

        With ``video``, only pairs of which it is one. ``min_score`` (0 to 1) is how sure a shared
        stretch has to be, ``least_seconds`` how long. Raises UsageError.

        >>> for pair in library.duplicates().pairs:                      # doctest: +SKIP
        ...     print(pair.path, pair.other_path, pair.shared[0].a, pair.shared[0].b)
        """
        reader = self._current()
        if reader is None:
            raise self._nothing_indexed()
        encoder = self._encoder_of(reader)
        return find_duplicates(
            reader,
            None if video is None else str(video),
            background=_background(encoder),
            blanks=_blanks(encoder),
            min_score=min_score,
            least_seconds=least_seconds,
        )

    def _like(self, video: str | Path, wishes: Wishes) -> Recommended:
        from scenewise.tasks.recommend import Outsider, recommend_like

        reader = self._current()
        if reader is None:
            raise self._nothing_indexed()
        encoder = self._encoder_of(reader)
        footage = self._footage(video).footage
        chunk = reader.catalog.chunk_of(reader.generation.id, footage.video_id)
        if chunk is not None:
            return recommend_like(reader, encoder, footage.video_id, wishes)
        vector = unit(footage.features.vectors.mean(axis=0))
        outsider = Outsider(footage.path, vector, footage.features)
        return recommend_like(reader, encoder, outsider, wishes)

    def _encoder_of(self, reader: IndexReader | None) -> Encoder:
        if reader is not None:
            return self._source.of(reader.generation)
        return self._source.get(self._encoder_label(), self._settings.runtime)

    def _nothing_indexed(self) -> UsageError:
        return UsageError(
            f"the library {self.directory} holds no videos yet; fill it with "
            f"scenewise index FOLDER --library {self.directory}."
        )


def _background(encoder: Encoder) -> FloatArray | None:
    candidate: object = encoder
    return candidate.background().vectors if isinstance(candidate, HasBackground) else None


def _blanks(encoder: Encoder) -> FloatArray:
    """What the encoder makes of black, grey and white pictures, (3, D)."""
    target = encoder.spec.target
    shape = (target.height, target.width, 3)
    pictures = [np.full(shape, grey, np.uint8) for grey in (0, 128, 255)]
    return np.stack([encoder.encode_image(picture).vector for picture in pictures])
