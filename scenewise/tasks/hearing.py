"""What is heard, found by words: sound evidence with times, calibrated.

Two sources. The sounds that every library holds (silence, speech, music, loud onsets) are found
by a small table from words to those kinds; with vectors of an audio encoder, any words are.

How sure a sound makes us. A query has content words (no stop words, and none that only say that
something is to be heard); the table explains some of them. With the table's weight w (how surely
the words mean what the detector hears: "music" is just that, an explosion is one loud onset of
many), the explained share e of the content words, and the strength s of the sound,

    match = 0.95 * w * s * e**2

so "a man speaking into a microphone" is answered by speech, but weakly: what else was asked for,
nobody heard. It knows nothing of what is said: that is ``words``'s.
"""

from __future__ import annotations

import re
import weakref
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from scenewise.encoders.audio import AudioQuery
from scenewise.encoders.spec import FloatArray, Query
from scenewise.index.calibration import Calibrator
from scenewise.index.reader import IndexReader
from scenewise.tasks.evidence import Evidence
from scenewise.tasks.ranking import find_moments, rank_video
from scenewise.tasks.word_query import STOP_WORDS
from scenewise.types import Sound, SoundKind, Why

Heard = SoundKind | Literal["no speech"]

_CEILING = 0.95
_LEAST_MATCH = 0.02
_UNSPOKEN_SECONDS = 2.0  # a shorter pause is part of speech
_UNSPOKEN_STRENGTH = 0.9
_AUDIO_VIDEOS, _AUDIO_MOMENTS = 50, 3
_KEPT_BYTES = 128 << 20  # vectors of sound that are kept between two questions

_NOT = r"(?:no|not|without|nobody|no-one|no one|none|never|nothing|absence of)"
_VOICE = (
    r"(?:speech|speak\w*|spoke|talk\w*|voices?|words?|say\w*|dialogues?|conversations?|narrat\w*)"
)
# What is matched first is taken: the words of one row are not read again. None: a sound that is
# said to be absent, which the detectors do not answer.
_TABLE: tuple[tuple[str, Heard | None, float], ...] = (
    (rf"{_NOT}(?: \w+)? {_VOICE}", "no speech", 0.85),
    (rf"{_NOT}(?: any)? (?:sounds?|noises?|audio)", "silence", 0.9),
    (r"(?:silence|silent|silently|soundless\w*)", "silence", 0.95),
    (r"(?:quiet|quietly|quietness|muted?)", "silence", 0.7),
    (r"(?:hush\w*|stillness)", "silence", 0.5),
    (rf"{_NOT}(?: any)? (?:music\w*|songs?|singing|bangs?|explosions?|crash\w*|applause)", None, 0),
    (r"(?:speech|speak|speaks|speaking|spoken|talk|talks|talking)", "speech", 0.9),
    (r"(?:conversations?|dialogues?|discussions?|chatting)", "speech", 0.8),
    (r"(?:narrat\w*|voice-?overs?|voices?|commentary)", "speech", 0.7),
    (r"(?:interviews?|lectures?|lecturing|monologues?|presentations?)", "speech", 0.6),
    (r"(?:says|saying|said|tells|telling|explains|explaining|speakers?)", "speech", 0.5),
    (r"(?:music|musical)", "music", 0.95),
    (r"(?:melod\w*|tunes?|songs?|soundtracks?)", "music", 0.75),
    (r"(?:sings?|singing|concerts?|orchestra\w*|choirs?|musicians?)", "music", 0.5),
    (r"(?:pianos?|guitars?|violins?|organs?|flutes?|accordions?)", "music", 0.4),
    (r"(?:loud|sudden) (?:noises?|sounds?|bangs?)", "onset", 0.8),
    (r"(?:bangs?|banging)", "onset", 0.75),
    (r"(?:explosions?|explod\w*|detonat\w*|blasts?|booms?)", "onset", 0.6),
    (r"(?:gunshots?|gunfire|shots? (?:is |are )?fired|fireworks?|thunder\w*)", "onset", 0.55),
    (r"(?:crash\w*|smash\w*|shatter\w*|thuds?|slams?|slamming)", "onset", 0.5),
    (r"(?:knocks?|knocking|hammer\w*|claps?|clapping|pops?|cracks?)", "onset", 0.35),
    (r"(?:applause|applaud\w*|barks?|barking)", "onset", 0.2),
)
_PATTERNS = tuple(
    (re.compile(rf"(?<!\w){pattern}(?!\w)"), kind, weight) for pattern, kind, weight in _TABLE
)
# words that say no more than that somebody hears something
_FILLERS = """
sound sounds sounding noise audio hear hears heard hearing listen audible loud loudly sudden
suddenly someone somebody something people person anyone anybody play plays playing
background moment part scene video clip film during
"""
_FILLER_WORDS = frozenset(_FILLERS.split())


@dataclass(frozen=True, slots=True)
class Wanted:
    """A kind of sound that the words mean, and how surely they do: ``weight`` in 0 to 1."""

    kind: Heard
    weight: float


def wanted_sounds(text: str) -> tuple[Wanted, ...]:
    """The kinds of sound that words ask for, surest first; empty where they ask for none.

    >>> wanted_sounds("somebody is speaking")
    (Wanted(kind='speech', weight=0.9),)
    >>> wanted_sounds("a red car")
    ()
    """
    rest = " ".join(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.casefold()))
    weights: dict[Heard, float] = {}
    explained = 0
    for pattern, kind, weight in _PATTERNS:
        rest, count = pattern.subn(" ", rest)
        if count and kind is not None:
            explained += count
            weights[kind] = max(weight, weights.get(kind, 0.0))
    left = [word for word in rest.split() if word not in STOP_WORDS and word not in _FILLER_WORDS]
    share = explained / max(1, explained + len(left))
    found = [Wanted(kind, weight * share**2) for kind, weight in weights.items()]
    return tuple(sorted(found, key=lambda one: -one.weight))


def find_sounds(
    reader: IndexReader,
    text: str,
    allowed: Collection[int] | None,
    *,
    audio_query: AudioQuery | None = None,
    limit: int = 200,
) -> list[Evidence]:
    """Spans in which what ``text`` names is heard, best first, at most ``limit``.

    ``allowed`` are chunks of the reader's generation; None means all that have a live file. With
    an ``audio_query`` the nearest windows of sound count as well: its vector must come from the
    encoder that made them. Empty where the words mean no sound, or none is heard.
    """
    if limit < 1 or (allowed is not None and not allowed):
        return []
    evidence = []
    for wanted in wanted_sounds(text):
        evidence += _heard(reader, wanted, allowed, limit)
    if audio_query is not None:
        evidence += _alike(reader, audio_query, allowed)
    evidence = [one for one in evidence if one.match >= _LEAST_MATCH]
    evidence.sort(key=lambda one: (-one.match, one.chunk_id, one.start))
    return evidence[:limit]


# ---- the sounds that are known by kind


def _heard(
    reader: IndexReader, wanted: Wanted, allowed: Collection[int] | None, limit: int
) -> list[Evidence]:
    if wanted.kind == "no speech":
        found = _unspoken(reader, allowed, limit)
    else:
        heard = reader.catalog.heard(reader.generation.id, wanted.kind, allowed, limit)
        found = [(chunk_id, sound.start, sound.end, sound.strength) for chunk_id, sound in heard]
    return [
        Evidence(
            chunk_id,
            start,
            end,
            min(_CEILING, _CEILING * wanted.weight * strength),
            Why("sound", f"{_NAMES.get(wanted.kind, wanted.kind)} {strength:.2f}", start, end),
        )
        for chunk_id, start, end, strength in found
    ]


_NAMES: dict[Heard, str] = {"onset": "loud onset"}


def _unspoken(
    reader: IndexReader, allowed: Collection[int] | None, limit: int
) -> list[tuple[int, float, float, float]]:
    """Spans without speech in videos that have sound, longest first."""
    generation = reader.generation.id
    spoken: defaultdict[int, list[Sound]] = defaultdict(list)
    for chunk_id, sound in reader.catalog.heard(generation, "speech", allowed, -1):
        spoken[chunk_id].append(sound)
    pauses = []
    for chunk_id, duration in reader.catalog.heard_durations(generation, allowed):
        time = 0.0
        for sound in sorted(spoken[chunk_id], key=lambda sound: sound.start):
            pauses.append((chunk_id, time, sound.start))
            time = max(time, sound.end)
        pauses.append((chunk_id, time, duration))
    long = [pause for pause in pauses if pause[2] - pause[1] >= _UNSPOKEN_SECONDS]
    long.sort(key=lambda pause: (pause[1] - pause[2], pause[0]))
    return [(*pause, _UNSPOKEN_STRENGTH) for pause in long[:limit]]


# ---- sound in any words, by an audio encoder


@dataclass(frozen=True, slots=True)
class _Windows:
    starts: npt.NDArray[np.float64]  # (N,)
    ends: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float16]  # (N, D)


_kept: weakref.WeakKeyDictionary[IndexReader, dict[int, _Windows]] = weakref.WeakKeyDictionary()


def _windows(reader: IndexReader, chunk_id: int) -> _Windows | None:
    """The vectors of one video's sound, kept while they are few."""
    kept = _kept.setdefault(reader, {})
    if chunk_id in kept:
        return kept[chunk_id]
    read = reader.catalog.audio_windows(chunk_id)
    if read is None or len(read.starts) == 0:
        return None
    windows = _Windows(read.starts, read.ends, read.vectors.astype(np.float16))
    if sum(one.vectors.nbytes for one in kept.values()) < _KEPT_BYTES:
        kept[chunk_id] = windows
    return windows


def _alike(
    reader: IndexReader, query: AudioQuery, allowed: Collection[int] | None
) -> list[Evidence]:
    """The stretches of sound nearest to the words, weighed against all that the library holds."""
    spans: dict[int, _Windows] = {}
    scores: dict[int, FloatArray] = {}
    for chunk_id, spec in reader.catalog.audio_tracks(reader.generation.id, allowed):
        if query.digest not in spec:
            continue  # made by another encoder, or by another version of this one
        windows = _windows(reader, chunk_id)
        if windows is not None and windows.vectors.shape[1] == len(query.vector):
            spans[chunk_id] = windows
            scores[chunk_id] = windows.vectors.astype(np.float32) @ query.vector
    if not scores:
        return []
    every = np.concatenate(list(scores.values()))
    usual = float(np.median(every))
    ranks = {
        chunk_id: rank_video(values, float(values.mean())) for chunk_id, values in scores.items()
    }
    best = sorted(ranks, key=lambda chunk_id: (-ranks[chunk_id], chunk_id))[:_AUDIO_VIDEOS]
    found = []
    for chunk_id in best:
        windows, values = spans[chunk_id], scores[chunk_id]
        for span in find_moments(
            values,
            windows.starts,
            windows.ends,
            float(windows.ends[-1]),
            limit=_AUDIO_MOMENTS,
            background=usual,
        ):
            found.append((chunk_id, span, float(values[span.peak_index])))
    matches = Calibrator(None).match(
        Query(query.text, query.vector),
        np.array([span.score for _, span, _ in found]),
        np.array(list(ranks.values())),
        window_scores=every,
        videos=len(ranks),
    )
    return [
        Evidence(
            chunk_id,
            span.start,
            span.end,
            float(match),
            Why("audio", f"words and sound agree at cosine {cosine:.2f}", span.start, span.end),
        )
        for (chunk_id, span, cosine), match in zip(found, matches, strict=True)
    ]
