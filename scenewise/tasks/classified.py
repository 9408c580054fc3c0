"""What a named classifier sees in a library: runs of windows to which it gives its label.

It knows stored features and probabilities; how a classifier was made, ``classifiers`` knows. No
network runs: features are stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np

from scenewise.encoders.spec import FloatArray, WindowFeatures
from scenewise.index.catalog import Chunk
from scenewise.index.reader import IndexReader
from scenewise.tasks.classifiers import load_classifier
from scenewise.tasks.hits import MOMENTS_PER_VIDEO, Found, Group, best_of, ranked_moment
from scenewise.tasks.ranking import find_runs
from scenewise.tasks.sight import Rows, Span, overlapping
from scenewise.types import Why

LIKELY = 0.5  # probability from which a window belongs to a run


class Head(Protocol):
    """What is used of a classifier."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its classes."""
        ...

    def probabilities(self, features: WindowFeatures) -> FloatArray:
        """(N, labels) of N windows."""
        ...


class Classified:
    """One label of a classifier, as a question to pictures (``sight.Seen``).

    ``match`` is the classifier's own probability, smoothed over neighbouring windows: as good as
    what it was trained on is like this library.
    """

    def __init__(
        self, reader: IndexReader, name: str, head: Head, column: int, allowed: set[int] | None
    ) -> None:
        self._reader = reader
        self._name = name
        self._head = head
        self._column = column
        self._allowed = allowed
        self._known: dict[int, FloatArray] = {}

    @classmethod
    def open(cls, reader: IndexReader, asked: str, allowed: set[int] | None) -> Classified:
        """``NAME``, or ``NAME=LABEL`` where the classifier has several.

        Raises UsageError where there is none of this name or label, EncoderMismatchError where it
        was made for another encoder.
        """
        name, _, label = asked.partition("=")
        found = load_classifier(reader.catalog, name.strip(), reader.generation.spec)
        return cls(reader, found.name, found, found.column(label.strip() or None), allowed)

    def moments(self, count: int | None, group: Group, least: float | None = None) -> list[Found]:
        """Runs of likely windows; where a video has none, its nearest, unless ``least`` is given.

        With ``least``, all runs of windows with at least this probability.
        """
        ids = self._reader.rows.ids.tolist()
        if self._allowed is not None:
            ids = [chunk_id for chunk_id in ids if chunk_id in self._allowed]
        found: list[Found] = []
        for chunk in self._reader.chunks(ids).values():
            values = self._probabilities(chunk.id)
            if not len(values):
                continue
            level = least if least is not None else min(LIKELY, float(values.max()) / 2)
            spans = find_runs(values, chunk.starts, chunk.ends, chunk.duration, least=level)
            rows = np.arange(len(values))
            for span in spans[: None if least is not None else MOMENTS_PER_VIDEO]:
                moment = ranked_moment(chunk, rows, span)
                found.append(
                    self._found(chunk, span.start, span.end, span.score, moment.thumbnail_time)
                )
        return best_of(found, count, group)

    def curve(self, span: Span) -> tuple[Rows, FloatArray]:
        """The windows that overlap a span, and the label's probability at each."""
        chunk = self._reader.chunks([span.chunk_id]).get(span.chunk_id)
        values = self._probabilities(span.chunk_id)
        if chunk is None or not len(values):
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        rows = np.flatnonzero(overlapping(chunk.starts, chunk.ends, span))
        return rows, values[rows]

    def widen(self, spans: Iterable[Span]) -> None:
        """Nothing to do: every window can be looked at."""

    def explain(self, span: Span) -> tuple[Why, ...]:
        """The label and its highest probability in a span."""
        _, values = self.curve(span)
        return (self._why(float(values.max())),) if len(values) else ()

    def _probabilities(self, chunk_id: int) -> FloatArray:
        """(N,) of the windows of a video; empty where it was removed meanwhile."""
        if chunk_id not in self._known:
            try:
                features = self._reader.features(chunk_id)
            except KeyError:
                return np.zeros(0, np.float32)
            self._known[chunk_id] = self._head.probabilities(features)[:, self._column]
        return self._known[chunk_id]

    def _found(
        self, chunk: Chunk, start: float, end: float, probability: float, time: float
    ) -> Found:
        return Found(
            chunk=chunk,
            start=start,
            end=end,
            score=probability,
            match=min(1.0, max(0.0, probability)),
            thumbnail_time=time,
            why=lambda: self.explain(Span(chunk.id, start, end)),
        )

    def _why(self, probability: float) -> Why:
        return Why(
            "classifier", f"{self._name}: {self._head.labels[self._column]} {probability:.2f}"
        )
