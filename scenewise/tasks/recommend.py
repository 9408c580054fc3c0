"""What to watch next: like a video, or for a history, from a library or a catalogue.

It joins vectors, a history and reasons in words; how candidates are chosen, ``taste`` knows. No
video is decoded, and no network runs where nothing but videos of the library is concerned.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Encoder, FloatArray, Query, WindowFeatures
from scenewise.errors import UsageError
from scenewise.index.calibration import HasBackground
from scenewise.index.catalog import Chunk
from scenewise.index.reader import IndexReader
from scenewise.tasks.catalogue import Item, ItemVectors
from scenewise.tasks.taste import DIVERSITY, Pick, centred, choose, joined
from scenewise.tasks.watch_history import Watched, weights
from scenewise.tasks.word_query import STOP_WORDS
from scenewise.types import Why

_SHARED = 2  # concepts or words that a reason names


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One suggestion. ``relevance`` is -1 to 1 and comparable within one answer alone."""

    rank: int  # 1 is best
    id: str  # of the library's video, or of the catalogue's row
    title: str  # a path, or the catalogue's title
    relevance: float
    score: float  # relevance less likeness to what stands above it
    reason: str  # in words
    like: str | None  # what of the history it is most like
    why: tuple[Why, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "rank": self.rank,
            "id": self.id,
            "title": self.title,
            "relevance": self.relevance,
            "score": self.score,
            "reason": self.reason,
            "like": self.like,
            "why": [why.to_dict() for why in self.why],
        }


@dataclass(frozen=True, slots=True)
class Recommended:
    """The answer: suggestions, best first, of so many candidates."""

    watched: int
    candidates: int  # that were not watched
    hits: tuple[Recommendation, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return {
            "watched": self.watched,
            "candidates": self.candidates,
            "hits": [hit.to_dict() for hit in self.hits],
        }


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to choose."""

    top_k: int = 10
    diversity: float = DIVERSITY
    half_life_days: float = 30.0
    rating_scale: tuple[float, float] = (1.0, 5.0)

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise UsageError(f"top_k = {self.top_k} is not allowed; give 1 or more.")
        if not 0 <= self.diversity <= 1:
            raise UsageError(f"diversity = {self.diversity:g} is not allowed; give 0 to 1.")


@dataclass(frozen=True, slots=True, eq=False)
class Outsider:
    """A video that is not in the library, as it was looked at now."""

    title: str
    vector: FloatArray  # (D,) unit length
    features: WindowFeatures


def recommend_like(
    reader: IndexReader, encoder: Encoder, video: str | Outsider, wishes: Wishes
) -> Recommended:
    """Videos of the library that look like one video, of the library or not."""
    pool = _Videos(reader, encoder)
    if isinstance(video, Outsider):
        history = _centred_with(pool, video.vector)
        seen = None
        title, features = video.title, video.features
    else:
        seen = pool.place(video)
        history = pool.vectors[[seen]]
        chunk = pool.chunks[seen]
        title, features = chunk.path, reader.features(chunk.id)
    allowed = pool.live.copy()
    if seen is not None:
        allowed[seen] = False
    picks = choose(
        pool.vectors,
        history,
        np.ones(1),
        count=wishes.top_k,
        diversity=wishes.diversity,
        allowed=allowed,
    )

    def reason(pick: Pick) -> tuple[str, str | None, tuple[Why, ...]]:
        shared = pool.shared(pick.place, features)
        return reason_of(f"like {Path(title).name}", shared), title, shared

    return _answer(1, allowed, picks, [(c.video_id, c.path) for c in pool.chunks], reason)


def recommend_for(
    reader: IndexReader, encoder: Encoder, history: Sequence[Watched], wishes: Wishes
) -> Recommended:
    """Videos of the library for what was watched of it. Raises UsageError for an unknown video."""
    pool = _Videos(reader, encoder)
    places = [pool.place(row.video) for row in history]
    allowed = pool.live.copy()
    allowed[places] = False
    picks = choose(
        pool.vectors,
        pool.vectors[places],
        _weights(history, wishes),
        count=wishes.top_k,
        diversity=wishes.diversity,
        allowed=allowed,
    )

    def reason(pick: Pick) -> tuple[str, str | None, tuple[Why, ...]]:
        if pick.like is None:
            return _UNLIKE, None, ()
        chunk = pool.chunks[places[pick.like]]
        shared = pool.shared(pick.place, reader.features(chunk.id))
        return reason_of(_liked(chunk.path, history[pick.like]), shared), chunk.path, shared

    return _answer(
        len(history), allowed, picks, [(c.video_id, c.path) for c in pool.chunks], reason
    )


def recommend_from(
    items: Sequence[Item],
    vectors: ItemVectors,
    reader: IndexReader | None,
    encoder: Encoder,
    history: Sequence[Watched],
    wishes: Wishes,
) -> Recommended:
    """Rows of a catalogue for what was watched: of the catalogue by id, or of the library."""
    prior = _prior(encoder)
    own = joined(centred(vectors.texts), centred(vectors.pictures, prior))
    by_id = {item.id: place for place, item in enumerate(items)}
    pool = _Videos(reader, encoder) if reader is not None else None
    seen = np.zeros(len(items), bool)
    rows, titles = [], []
    for row in history:
        if row.video in by_id:
            place = by_id[row.video]
            seen[place] = True
            rows.append(own[place])
            titles.append(items[place].title or items[place].id)
            continue
        if pool is None:
            raise UsageError(
                f"the history names {row.video}, which is no id of the catalogue, and there is no "
                "library to look in; correct the name."
            )
        chunk = pool.place(row.video)
        rows.append(pool.vectors[chunk])
        titles.append(pool.chunks[chunk].path)
    picks = choose(
        own,
        np.stack(rows),
        _weights(history, wishes),
        count=wishes.top_k,
        diversity=wishes.diversity,
        allowed=~seen,
    )

    def reason(pick: Pick) -> tuple[str, str | None, tuple[Why, ...]]:
        if pick.like is None:
            return _UNLIKE, None, ()
        row = history[pick.like]
        shared: tuple[str, ...] = ()
        if row.video in by_id:
            shared = _shared_words(items[pick.place].words, items[by_id[row.video]].words)
        why = tuple(Why("similarity", f"both say {word}") for word in shared)
        return reason_of(_liked(titles[pick.like], row), shared), titles[pick.like], why

    named = [(item.id, item.title or item.id) for item in items]
    return _answer(len(history), ~seen, picks, named, reason)


_UNLIKE = "unlike what you did not like"


class _Videos:
    """The library's videos as candidates."""

    def __init__(self, reader: IndexReader, encoder: Encoder) -> None:
        self._reader, self._encoder = reader, encoder
        ids, vectors = reader.catalog.video_vectors(reader.generation.id)
        found = reader.chunks(ids.tolist())
        live = set(reader.live.tolist())
        kept = [place for place, one in enumerate(ids.tolist()) if one in found]
        self.chunks: list[Chunk] = [found[int(ids[place])] for place in kept]
        self.live = np.array([chunk.id in live for chunk in self.chunks])
        self.prior = _prior(encoder)
        self.stored = vectors[kept]
        self.vectors = centred(self.stored, self.prior)
        self._by_id = {chunk.video_id: place for place, chunk in enumerate(self.chunks)}
        self._concepts: int | None = None

    def place(self, video: str) -> int:
        """Where a video stands. Raises UsageError that names it."""
        try:
            return self._by_id[self._reader.catalog.resolve(video)]
        except KeyError:
            raise UsageError(
                f"{video} has no windows in this library yet; index it again."
            ) from None

    def shared(self, place: int, features: WindowFeatures) -> tuple[Why, ...]:
        """The concepts that a candidate has in common with another video."""
        own = self._reader.features(self.chunks[place].id)
        if features.concepts is None or own.concepts is None:
            return ()
        if self._concepts is None:
            target = self._encoder.spec.target
            blank = np.zeros((target.height, target.width, 3), np.uint8)
            known = self._encoder.encode_image(blank).concept_weights
            self._concepts = 0 if known is None else len(known)
        if not self._concepts:
            return ()
        query = Query("", features.vectors.mean(axis=0), _mean_concepts(features, self._concepts))
        why = self._encoder.explain(query, own)
        return tuple(one for one in why if one.kind == "concept")[:_SHARED]


def _mean_concepts(features: WindowFeatures, count: int) -> FloatArray:
    """Mean probability of each concept over a video, (C,)."""
    assert features.concepts is not None
    total = np.zeros(count, np.float32)
    values = features.concepts.values.astype(np.float32)
    np.add.at(total, features.concepts.indices.ravel(), values.ravel())
    return np.asarray(total / len(features), np.float32)


def _centred_with(pool: _Videos, vector: FloatArray) -> FloatArray:
    """A vector (D,) of another video as the library's are centred, (1, D)."""
    return centred(np.concatenate([pool.stored, vector[None]]), pool.prior)[-1:]


def _prior(encoder: Encoder) -> FloatArray | None:
    candidate: object = encoder
    if isinstance(candidate, HasBackground):
        return np.asarray(candidate.background().vectors.mean(axis=0))
    return None


def _weights(history: Sequence[Watched], wishes: Wishes) -> npt.NDArray[np.float64]:
    return weights(history, half_life_days=wishes.half_life_days, rating_scale=wishes.rating_scale)


def _answer(
    watched: int,
    allowed: npt.NDArray[np.bool_],
    picks: Sequence[Pick],
    named: Sequence[tuple[str, str]],
    reason: Callable[[Pick], tuple[str, str | None, tuple[Why, ...]]],
) -> Recommended:
    hits = []
    for rank, pick in enumerate(picks, 1):
        sentence, like, why = reason(pick)
        key, title = named[pick.place]
        hits.append(
            Recommendation(
                rank,
                key,
                title,
                round(pick.relevance, 4),
                round(pick.score, 4),
                sentence,
                like,
                why,
            )
        )
    return Recommended(watched, int(allowed.sum()), tuple(hits))


def _liked(title: str, row: Watched) -> str:
    """``like X, which you watched on 2026-03-31``."""
    name = Path(title).name
    if row.time is not None:
        day = datetime.fromtimestamp(row.time).astimezone().date().isoformat()
        return f"like {name}, which you watched on {day}"
    if row.rating is not None:
        return f"like {name}, which you rated {row.rating:g}"
    return f"like {name}, which you watched"


_FIGURE = re.compile(r" (?:under )?[0-9.]+$")  # how strongly it is seen, behind its name


def reason_of(like: str, shared: Sequence[Why | str]) -> str:
    """``like X; both: …``: what a suggestion has in common with what was watched."""
    names = [one if isinstance(one, str) else _FIGURE.sub("", one.detail) for one in shared]
    return f"{like}; both: {', '.join(names)}" if names else like


def _shared_words(one: str, other: str) -> tuple[str, ...]:
    """Words of both texts, the longest first: they say most."""
    first, second = (
        {word.strip(".,;:!?\"'()").casefold() for word in text.split()} for text in (one, other)
    )
    both = [word for word in first & second if len(word) > 3 and word not in STOP_WORDS]
    return tuple(sorted(both, key=lambda word: (-len(word), word))[:_SHARED])
