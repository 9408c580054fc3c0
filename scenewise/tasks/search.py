"""A question to ranked moments: what each sense finds, joined, chained, counted, and cut.

It knows an open index, an encoder and which questions go together. What is seen is ``sight``'s,
how senses are put together ``senses``', what follows what ``chains``', how scores become ``match``
``calibration``'s.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypedDict

from scenewise.config import expand_user
from scenewise.encoders.audio import AudioQuery
from scenewise.encoders.spec import Encoder, Query
from scenewise.errors import ScenewiseError, UsageError
from scenewise.index.calibration import FOUND_FROM, Calibrator
from scenewise.index.reader import IndexReader
from scenewise.tasks.chains import WITHIN_SECONDS, chain
from scenewise.tasks.filters import Filters, allowed_chunks
from scenewise.tasks.hits import Found, Group, best_of, to_result
from scenewise.tasks.query import When, normalise, readable
from scenewise.tasks.senses import MODALITIES, Asked, Ears, evidence_of
from scenewise.tasks.sight import Look, Sight, Span
from scenewise.types import Modality, SearchResult, VideoCount

TOP_K = 10
RECONSIDERED = 50  # moments, at least, that a second question may put in another order
FOLLOWED = 30  # moments of each question around which the next one is looked up, too


class SearchOptions(TypedDict, total=False):
    """What can be given to a search beside the question; see ``Library.search``."""

    top_k: int | None
    min_match: float | None
    modalities: Sequence[Modality]
    then: str | Sequence[str]
    within_seconds: float | None
    all_occurrences: bool
    without: str | Sequence[str]
    classifier: str | None
    video: str | Path | Sequence[str | Path] | None
    path: str | None
    after: When | None
    before: When | None
    min_duration: float | None
    max_duration: float | None
    group: Group
    include_missing: bool


@dataclass(frozen=True, slots=True)
class Wish:
    """Which hits are wanted, and how many."""

    top_k: int | None = None  # None: 10, or all where all occurrences are wanted
    min_match: float | None = None
    group: Group = "moment"
    filters: Filters = field(default_factory=Filters)
    modalities: Sequence[Modality] = MODALITIES
    then: Sequence[str] = ()  # what has to follow, in this order
    within_seconds: float | None = None  # between the end of one and the next; None: 60
    all_occurrences: bool = False
    without: Sequence[str] = ()  # what must not be there
    classifier: str | None = None  # NAME or NAME=LABEL

    def __post_init__(self) -> None:
        if self.top_k is not None and self.top_k < 1:
            raise UsageError(f"top_k = {self.top_k} is not allowed; give 1 or more.")
        if self.min_match is not None and not 0 <= self.min_match <= 1:
            raise UsageError(f"min_match = {self.min_match} is not allowed; give 0 to 1.")
        if self.group not in ("moment", "video"):
            raise UsageError(f"group = {self.group!r} is not allowed; give moment or video.")
        check_modalities(self.modalities)
        if self.within_seconds is not None:
            if not self.then:
                raise UsageError("a time within which says something only with then: give both.")
            if not (math.isfinite(self.within_seconds) and self.within_seconds >= 0):
                raise UsageError(
                    f"within_seconds = {self.within_seconds} is not allowed; "
                    "give seconds, 0 or more."
                )
        for text in self.then:
            normalise(text, "then")
        for text in self.without:
            normalise(text, "without")

    @property
    def sees(self) -> bool:
        """Whether an encoder has to look; otherwise none has to be loaded."""
        return "visual" in self.modalities

    @property
    def limit(self) -> int | None:
        """Hits at most."""
        return TOP_K if self.top_k is None and not self.all_occurrences else self.top_k

    @property
    def least(self) -> float | None:
        """The match that makes an occurrence, where all are wanted."""
        if not self.all_occurrences:
            return None
        return FOUND_FROM if self.min_match is None else self.min_match


def check_modalities(modalities: Sequence[Modality]) -> None:
    """Raise UsageError where these are no senses, or none."""
    if isinstance(modalities, str):
        raise UsageError(f"modalities = {modalities!r} is not allowed; give a tuple of names.")
    unknown = [name for name in modalities if name not in MODALITIES]
    if unknown or not modalities:
        what = f"{unknown[0]!r} is no way to search" if unknown else "nothing is to be searched"
        raise UsageError(f"{what}; allowed: {', '.join(MODALITIES)}.")


def search_text(
    reader: IndexReader,
    encoder: Encoder | None,
    calibrator: Calibrator | None,
    text: str,
    wish: Wish,
    ears: Ears | None = None,
) -> SearchResult:
    """Moments that words describe. Encoder and calibrator may be None where nothing is looked at.

    ``ears`` makes queries of the audio encoder that the library's sound was embedded by.
    Raises UsageError for a query without words.
    """
    normalise(text)
    return _Search(reader, encoder, calibrator, wish, ears).answer(text)


def search_image(
    reader: IndexReader,
    encoder: Encoder | None,
    calibrator: Calibrator | None,
    path: str | Path,
    wish: Wish,
    ears: Ears | None = None,
) -> SearchResult:
    """Moments that look like a picture file. Raises UnreadableMediaError."""
    if encoder is None or not wish.sees:
        raise UsageError("a picture is searched for in pictures: add visual to what is searched.")
    from scenewise.media.scale import load_picture  # words need no decoder

    picture = load_picture(expand_user(path), encoder.spec.target)
    query = encoder.encode_image(picture)
    return _Search(reader, encoder, calibrator, wish, ears).answer(str(path), picture=query)


def search_classified(
    reader: IndexReader,
    encoder: Encoder | None,
    calibrator: Calibrator | None,
    wish: Wish,
    ears: Ears | None = None,
) -> SearchResult:
    """Moments to which a classifier gives its label; an encoder is for further words alone.

    Raises UsageError where there is none of this name, EncoderMismatchError.
    """
    if not wish.sees:
        raise UsageError("a classifier looks at pictures: add visual to what is searched.")
    return _Search(reader, encoder, calibrator, wish, ears).answer(None)


class _Search:
    """One search; the questions of a chain and of what must not be there are asked likewise."""

    def __init__(
        self,
        reader: IndexReader,
        encoder: Encoder | None,
        calibrator: Calibrator | None,
        wish: Wish,
        ears: Ears | None = None,
    ) -> None:
        self._ears = ears
        self._reader = reader
        self._encoder = encoder
        self._calibrator = calibrator
        self._wish = wish
        self._allowed = allowed_chunks(reader, wish.filters)
        self._notes: list[str] = []

    def answer(self, asked: str | None, *, picture: Query | None = None) -> SearchResult:
        """``asked`` None asks the classifier alone; with ``picture`` it names a picture."""
        wish, name = self._wish, self._reader.generation.spec.name
        label = " then ".join([asked or f"classifier {wish.classifier}", *wish.then])
        if self._allowed is not None and not self._allowed:
            why = (
                "no video passes the filters" if wish.filters.any else "all its videos are missing"
            )
            why += ": nothing was searched"
            return nothing_found(label, name, why, counted=wish.all_occurrences)
        if not len(self._reader.rows.ids):
            return nothing_found(label, name, counted=wish.all_occurrences)
        if asked is None:
            first = self._classifier()
        elif picture is not None:
            first = Asked(self._reader, self._sight(picture), ())
        else:
            first = self._words(asked)
        if wish.then:
            name_of_first = asked or "classifier"
            if picture is not None:
                name_of_first = Path(name_of_first).name
            found = self._chained([name_of_first, *wish.then], first)
        else:
            found = self._moments(first)
        if wish.classifier is not None and asked is not None:
            found = self._classified(found)
        for text in wish.without:
            found = self._without(found, text)
        return self._result(label, found)

    # asking
    def _words(self, text: str) -> Asked:
        wish = self._wish
        sight = None
        if wish.sees:
            assert self._encoder is not None
            sight = self._sight(self._encoder.encode_query(normalise(text)))
        evidence = evidence_of(
            self._reader,
            readable(text),
            self._heard_from,
            frozenset(wish.modalities),
            self._heard(text),
        )
        if not wish.sees:
            self._note_what_lacks()
        return Asked(self._reader, sight, evidence)

    def _heard(self, text: str) -> AudioQuery | None:
        """The words for the sound that was embedded. Without its encoder the rest still answers."""
        if self._ears is None or "audio" not in self._wish.modalities:
            return None
        try:
            query = self._ears(normalise(text))
        except ScenewiseError as error:
            self._notes.append(f"sound was not searched by these words: {error}")
            return None
        self._notes += query.notes
        return query

    def _sight(self, query: Query) -> Sight:
        assert self._encoder is not None
        assert self._calibrator is not None
        self._notes += query.notes
        return Sight(
            self._reader,
            Look.through(self._encoder, query),
            self._calibrator,
            self._allowed,
            everywhere=self._wish.all_occurrences,
        )

    def _classifier(self) -> Asked:
        from scenewise.tasks.classified import Classified  # few searches have one

        assert self._wish.classifier is not None
        seen = Classified.open(self._reader, self._wish.classifier, self._allowed)
        return Asked(self._reader, seen, ())

    @property
    def _heard_from(self) -> set[int] | None:
        """As ``_allowed``, but None leaves out videos whose files are gone."""
        if self._allowed is None and self._wish.filters.include_missing:
            return set(self._reader.rows.ids.tolist())
        return self._allowed

    def _note_what_lacks(self) -> None:
        """Where nothing is looked at, say what the library has nothing of."""
        there = self._reader.catalog.senses()
        ways = {
            "text": "no words: its videos have no subtitles, and on-screen text and speech are "
            "read by scenewise index FOLDER --text ocr,speech",
            "audio": "no sounds: nothing is heard in its videos",
        }
        for modality, way in ways.items():
            if modality in self._wish.modalities and modality not in there:
                self._notes.append(f"this library holds {way}")

    # answering
    def _moments(self, asked: Asked) -> list[Found]:
        wish, limit = self._wish, self._wish.limit
        if limit is not None and (wish.without or wish.classifier or wish.all_occurrences):
            limit = None if wish.all_occurrences else max(RECONSIDERED, 3 * limit)
        group: Group = "moment" if wish.all_occurrences else wish.group
        return asked.moments(limit, group, wish.least)

    def _chained(self, questions: Sequence[str], first: Asked) -> list[Found]:
        wish = self._wish
        within = WITHIN_SECONDS if wish.within_seconds is None else wish.within_seconds
        asked = [first, *map(self._words, wish.then)]
        for one in asked:
            for other in asked:
                if other is not one:
                    other.widen([_whole(found) for found in one.moments(FOLLOWED, "video")])
        moments = [one.moments(None, "moment", wish.least) for one in asked]
        group: Group = "moment" if wish.all_occurrences else wish.group
        return chain(questions, moments, within, None, group)

    def _classified(self, found: list[Found]) -> list[Found]:
        """Each match times the classifier's probability at that time, which is one more reason."""
        judge = self._classifier()

        def judged(one: Found) -> Found:
            span = _span(one)
            return replace(
                one.times(judge.presence(span)), why=lambda: (*one.why(), *judge.reasons(span))
            )

        return [judged(one) for one in found]

    def _without(self, found: list[Found], text: str) -> list[Found]:
        """Each match times the probability that something is not there: then, or in the video."""
        unwanted = self._words(text)
        if self._wish.group == "video":
            unwanted.widen([_whole(one) for one in found])
            return [one.times(1 - unwanted.strongest(one.chunk)) for one in found]
        unwanted.widen([_span(one) for one in found])
        return [one.times(1 - unwanted.presence(_span(one))) for one in found]

    def _result(self, label: str, found: list[Found]) -> SearchResult:
        wish = self._wish
        counts: list[VideoCount] = []
        if wish.least is not None:
            found = [
                one
                for one in found
                if one.sure >= wish.least and (wish.min_match is None or one.match >= wish.least)
            ]
            counts = _counted(found)
        result = to_result(
            best_of(found, wish.limit, wish.group),
            asked=label,
            encoder=self._reader.generation.spec.name,
            min_match=wish.min_match,
            notes=tuple(dict.fromkeys(self._notes)),
        )
        if not wish.all_occurrences:
            return result
        return replace(result, count=len(found), videos=tuple(counts))


def _span(found: Found) -> Span:
    return Span(found.chunk.id, found.start, found.end)


def _whole(found: Found) -> Span:
    return Span(found.chunk.id, 0.0, found.chunk.duration)


def _counted(found: Sequence[Found]) -> list[VideoCount]:
    """How many moments each video has, most first, then by path."""
    counts = Counter(one.chunk.id for one in found)
    chunks = {one.chunk.id: one.chunk for one in found}
    videos = [
        VideoCount(chunks[chunk_id].video_id, chunks[chunk_id].path, count)
        for chunk_id, count in counts.items()
    ]
    return sorted(videos, key=lambda video: (-video.count, video.path))


def nothing_found(
    asked: str,
    encoder: str,
    why: str = "the library is empty; fill it with scenewise index FOLDER",
    *,
    counted: bool = False,
) -> SearchResult:
    """The answer where there is no video to search, and why; ``counted`` where all were wanted."""
    return SearchResult(
        asked, encoder, found=False, hits=(), notes=(why,), count=0 if counted else None
    )
