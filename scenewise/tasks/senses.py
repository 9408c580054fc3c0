"""One question, put to every sense of a library: pictures, words, sounds.

It knows who answers for a sense, and fuses their answers video by video; how they answer, they
know. A sense of which the library holds nothing is not asked, and its modules are not imported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from scenewise.encoders.audio import AudioQuery
from scenewise.index.catalog import Chunk
from scenewise.index.reader import IndexReader
from scenewise.tasks.evidence import Evidence
from scenewise.tasks.fusion import Joint, Part, join, noisy_or, parts_of
from scenewise.tasks.hits import Found, Group, best_of
from scenewise.tasks.sight import Seen, Span, highest
from scenewise.types import Modality, Why

Ears = Callable[[str], AudioQuery]  # words, as an audio encoder takes them
MODALITIES: tuple[Modality, ...] = ("visual", "text", "audio")
EVIDENCE = 200  # spans of each other sense that are taken into account
LOOKED_AT = 20  # videos that were read or heard of, at which the encoder looks all the same
REASONS = 3  # of each sense that a hit names


class Asked:
    """What the senses say to one question. Without evidence beside sight, sight decides alone."""

    def __init__(
        self, reader: IndexReader, seen: Seen | None, evidence: Sequence[Evidence]
    ) -> None:
        """``seen`` None: nobody looked."""
        self._reader = reader
        self._seen = seen
        self._chunks = reader.chunks(one.chunk_id for one in evidence)
        self._evidence: dict[int, list[Evidence]] = {}
        for one in evidence:
            if one.chunk_id in self._chunks:  # it may have been removed meanwhile
                self._evidence.setdefault(one.chunk_id, []).append(one)
        if seen is not None:
            best = sorted(self._evidence, key=lambda chunk_id: -self._strongest(chunk_id))
            seen.widen(
                Span(chunk_id, one.start, one.end)
                for chunk_id in best[:LOOKED_AT]
                for one in self._evidence[chunk_id]
            )

    def _strongest(self, chunk_id: int) -> float:
        return max(one.match for one in self._evidence[chunk_id])

    def moments(self, count: int | None, group: Group, least: float | None = None) -> list[Found]:
        """The best moments (None: all), best first; with ``group`` "video", one of each video.

        With ``least``, every occurrence with at least this match.
        """
        seen = [] if self._seen is None else self._seen.moments(count, group, least)
        if not self._evidence:
            return seen
        by_video: dict[int, list[Found]] = {}
        for one in seen:
            by_video.setdefault(one.chunk.id, []).append(one)
        found = []
        for chunk_id, chunk in ({one.chunk.id: one.chunk for one in seen} | self._chunks).items():
            own = by_video.get(chunk_id, [])
            found += [self._found(chunk, joint, own) for joint in self._joints(chunk, own)]
        if least is not None:
            found = [one for one in found if one.match >= least]
        return best_of(found, count, group)

    def widen(self, spans: Sequence[Span]) -> None:
        """Look at these spans too."""
        if self._seen is not None:
            self._seen.widen(spans)

    def presence(self, span: Span) -> float:
        """How probable it is that the question is answered anywhere in a span: 0 to 1.

        The noisy-or of the senses, as a moment's own match is, so that what is asked for and
        ruled out by the same words leaves at most p (1 - p).
        """
        best: dict[Modality, float] = {}
        for one in self._evidence.get(span.chunk_id, ()):
            if one.start < span.end and one.end > span.start:
                best[one.modality] = max(best.get(one.modality, 0.0), one.match)
        if self._seen is not None:
            best["visual"] = self._seen_inside(span)
        return noisy_or(best.values()) if best else 0.0

    def strongest(self, chunk: Chunk) -> float:
        """How probable the best moment of a whole video is."""
        whole = Span(chunk.id, 0.0, chunk.duration)
        evidence = [one.match for one in self._evidence.get(chunk.id, ())]
        seen = highest(self._seen, whole)[0] if self._seen is not None else 0.0
        return max([seen, *evidence])

    def reasons(self, span: Span) -> tuple[Why, ...]:
        """What is seen of the question in a span."""
        return () if self._seen is None else self._seen.explain(span)

    def _seen_inside(self, span: Span) -> float:
        """The best match of a window that lies in a span, or that covers it, by half at least."""
        assert self._seen is not None
        rows, matches = self._seen.curve(span)
        chunk = self._reader.chunks([span.chunk_id]).get(span.chunk_id)
        if chunk is None or not len(rows):
            return 0.0
        starts, ends = chunk.starts[rows], chunk.ends[rows]
        shared = np.minimum(ends, span.end) - np.maximum(starts, span.start)
        inside = shared >= 0.5 * np.minimum(ends - starts, span.end - span.start)
        return float(matches[inside].max(initial=0.0))

    # joining
    def _joints(self, chunk: Chunk, seen: list[Found]) -> list[Joint]:
        evidence = self._evidence.get(chunk.id, [])
        parts = [
            Part("visual", moment.start, moment.end, moment.match, seen=number)
            for number, moment in enumerate(seen)
        ]
        for modality in ("text", "audio"):
            own = [one for one in evidence if one.modality == modality]
            parts += parts_of(own, chunk.duration)
        return join(parts, partial(self._seen_at, chunk) if self._seen is not None else None)

    def _seen_at(self, chunk: Chunk, part: Part) -> float:
        assert self._seen is not None
        return highest(self._seen, Span(chunk.id, part.start, part.end))[0]

    def _found(self, chunk: Chunk, joint: Joint, seen: list[Found]) -> Found:
        lead = joint.lead
        moment = seen[lead.seen] if lead.seen is not None else None
        return Found(
            chunk=chunk,
            start=lead.start,
            end=lead.end,
            score=joint.match,  # what an encoder's own score cannot be compared with
            match=joint.match,
            thumbnail_time=self._thumbnail(chunk, joint, moment),
            why=partial(self._why, chunk, joint, moment),
        )

    def _thumbnail(self, chunk: Chunk, joint: Joint, moment: Found | None) -> float:
        """The best instant: where the senses meet, and there where it looks most like it."""
        start = max(part.start for part in (joint.lead, *joint.others))
        end = min(part.end for part in (joint.lead, *joint.others))
        if start >= end:  # two others that overlap the lead, and not each other
            start, end = joint.lead.start, joint.lead.end
        if moment is not None and start <= moment.thumbnail_time < end:
            return moment.thumbnail_time
        if self._seen is not None:
            _, row = highest(self._seen, Span(chunk.id, start, end))
            if row is not None and start <= chunk.times[row] < end:
                return float(chunk.times[row])
        middle = (start + end) / 2
        nearest = float(chunk.times[np.abs(chunk.times - middle).argmin()])
        return nearest if start <= nearest < end else middle

    def _why(self, chunk: Chunk, joint: Joint, moment: Found | None) -> tuple[Why, ...]:
        """The reasons of each sense, the strongest sense first."""
        reasons: list[Why] = []
        for part in sorted((joint.lead, *joint.others), key=lambda part: -part.match):
            if moment is not None and part is joint.lead:
                reasons += moment.why()
            elif part.modality == "visual" and self._seen is not None:
                reasons += self._seen.explain(Span(chunk.id, part.start, part.end))
            else:
                reasons += [one.why for one in part.evidence[:REASONS]]
        return tuple(dict.fromkeys(reasons))


def evidence_of(
    reader: IndexReader,
    text: str,
    allowed: set[int] | None,
    modalities: frozenset[Modality],
    audio_query: AudioQuery | None = None,
) -> list[Evidence]:
    """What is read and heard of some words, where the library holds anything to read or hear."""
    there = reader.catalog.senses() & modalities
    found: list[Evidence] = []
    if "text" in there:
        from scenewise.tasks.words import find_words

        found += find_words(reader, text, allowed, limit=EVIDENCE)
    if "audio" in there:
        from scenewise.tasks.hearing import find_sounds

        found += find_sounds(reader, text, allowed, audio_query=audio_query, limit=EVIDENCE)
    return found
