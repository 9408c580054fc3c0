"""Words that are read or heard, found by words: lexical evidence with times, calibrated.

It knows lines of text and how much a line that holds some of a query's words says; it knows no
network, and nothing of meaning: a synonym is not found here.

How sure a line makes us. Let the query have informative units u (stop words are none), each with
the information I(u) = -log2 p(u) bits, where p(u) = (n(u) + 1) / (N + 1000) is the smoothed share
of the library's N lines that hold it. Of a span of lines,

    coverage  c = the share of the query's bits that the span holds,
    strength  r = 1 - exp(-bits held / 10),
    order     o = 0.8 + 0.2 * (share of neighbouring units that stand in order, close together),

    match = 0.98 * c**2 * r * o        (o = 1 for a query of one unit)

A missing word costs twice, by what it does not confirm and by what else the line may be about;
frequent words carry few bits, so alone they prove little; nothing is ever certain. A required
phrase ("...") that is missing makes it 0.
"""

from __future__ import annotations

import math
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from scenewise.index.reader import IndexReader
from scenewise.index.text_search import TextLine, TextTable
from scenewise.index.tokenizer import Tokens, tokenise
from scenewise.tasks.evidence import Evidence
from scenewise.tasks.word_query import Unit, parse_words
from scenewise.types import Why

_CEILING = 0.98
_PRIOR_LINES = 1_000  # a word that is in no line yet is taken to be in one of so many
_CONVINCING_BITS = 10.0
_CLOSE = 3  # tokens, or letters of a run: stop words may stand between
_CANDIDATES = 600  # lines that are looked at closely
_POSTINGS = 50_000  # lines that are ranked at most
_GAP_SECONDS = 2.0  # between lines that are said in one breath
_LONGEST_SECONDS = 30.0  # of a span of several lines
_DETAIL_LETTERS = 120


def find_words(
    reader: IndexReader, text: str, allowed: Collection[int] | None, *, limit: int = 200
) -> list[Evidence]:
    """Spans of lines (subtitles, on-screen text, speech) that hold words of ``text``, best first.

    ``allowed`` are chunks of the reader's generation; None means all that have a live file. At
    most ``limit`` spans. Empty where the text has no words, or the library no lines with them.
    """
    units = parse_words(text)
    if not units or limit < 1 or (allowed is not None and not allowed):
        return []
    counts, lines = _Lookup(reader, allowed).candidates(units)
    if not lines:
        return []
    total = reader.catalog.line_count()
    bits = [math.log2((total + _PRIOR_LINES) / (count + 1)) for count in counts]
    held = [
        _Held(line, tuple(tuple(unit.places(cut, line.text, line.unspaced)) for unit in units), cut)
        for line, cut in zip(lines, tokenise([line.text for line in lines]), strict=True)
    ]
    judge = _Judge(units, bits)
    tracks: defaultdict[int, list[_Held]] = defaultdict(list)
    for one in held:
        if any(one.places):
            tracks[one.line.track].append(one)
    spans = [span for found in tracks.values() for span in judge.spans(found)]
    evidence = [made for span in spans if (made := _evidence(units, judge, span)) is not None]
    evidence.sort(key=lambda one: (-one.match, one.chunk_id, one.start))
    return evidence[:limit]


# ---- which lines to look at


@dataclass(frozen=True, slots=True)
class _Lookup:
    """Asks the full-text tables so that the work does not grow with frequent words."""

    reader: IndexReader
    allowed: Collection[int] | None

    def candidates(self, units: Sequence[Unit]) -> tuple[list[int], list[TextLine]]:
        """How many lines hold each unit, and the lines that may hold most."""
        found: dict[int, TextLine] = {}
        counts = [0] * len(units)
        tables: list[tuple[TextTable, list[str | None]]] = [
            ("text_words", [unit.expression() for unit in units]),
            ("text_trigrams", [unit.trigrams() for unit in units]),
        ]
        for table, expressions in tables:
            for place, expression in enumerate(expressions):
                if expression is not None:
                    number = self.reader.catalog.lines_matching(table, expression, _POSTINGS)
                    counts[place] = max(counts[place], number)
            for wanted, ranked in _expressions(units, expressions, counts):
                self._add(found, self._best(table, wanted, ranked))
        for place, unit in enumerate(units):
            if unit.kind == "run" and unit.trigrams() is None:
                lines = self.reader.catalog.lines_containing(
                    self.reader.generation.id, [unit.text], self.allowed, _CANDIDATES
                )
                counts[place] = len(lines)
                self._add(found, lines)
        return counts, list(found.values())

    def _best(self, table: TextTable, expression: str, ranked: bool) -> list[TextLine]:
        return self.reader.catalog.best_lines(
            self.reader.generation.id,
            table,
            expression,
            self.allowed,
            _CANDIDATES,
            ranked=ranked,
        )

    @staticmethod
    def _add(found: dict[int, TextLine], lines: Iterable[TextLine]) -> None:
        found.update((line.id, line) for line in lines)


def _expressions(
    units: Sequence[Unit], expressions: Sequence[str | None], counts: Sequence[int]
) -> list[tuple[str, bool]]:
    """Lines that hold everything; and those that hold any of the rarer units.

    Each with whether it is to be ranked: not where every unit is in more lines than that is worth.
    """
    there = [
        (counts[place], expression, units[place].required)
        for place, expression in enumerate(expressions)
        if expression is not None and counts[place]
    ]
    if not there:
        return []
    there.sort(key=lambda one: one[0])
    ranked = there[0][0] < _POSTINGS
    every = (" AND ".join(expression for _, expression, _ in there), ranked)
    required = [expression for _, expression, must in there if must]
    if len(there) == 1:
        return [every]
    if required:
        return [every, (" AND ".join(required), ranked)]
    some: list[str] = []
    work = 0
    for count, expression, _ in there:
        work += count
        if some and work > _POSTINGS:
            break
        some.append(expression)
    return [every, (" OR ".join(some), ranked)]


# ---- how much they say


@dataclass(frozen=True, slots=True)
class _Held:
    """A line, and where in it each unit stands."""

    line: TextLine
    places: tuple[tuple[int, ...], ...]  # of each unit
    tokens: Tokens

    def mask(self) -> tuple[bool, ...]:
        return tuple(bool(places) for places in self.places)


@dataclass(frozen=True, slots=True)
class _Judge:
    """Weighs spans of lines by the formula of this module."""

    units: Sequence[Unit]
    bits: Sequence[float]

    def coverage(self, span: Sequence[_Held]) -> float:
        """The share of the query's bits that some lines hold together."""
        return self._bits(span) / sum(self.bits)

    def _bits(self, span: Sequence[_Held]) -> float:
        return sum(
            bits for place, bits in enumerate(self.bits) if any(one.places[place] for one in span)
        )

    def match(self, span: Sequence[_Held]) -> float:
        """The probability that these lines, in order of time, are what was asked for."""
        present = [any(one.places[place] for one in span) for place in range(len(self.units))]
        if any(
            unit.required and not there for unit, there in zip(self.units, present, strict=True)
        ):
            return 0.0
        strength = 1 - math.exp(-self._bits(span) / _CONVINCING_BITS)
        return _CEILING * self.coverage(span) ** 2 * strength * self._order(span, present)

    def _order(self, span: Sequence[_Held], present: Sequence[bool]) -> float:
        pairs = list(pairwise(range(len(self.units))))
        if not pairs:
            return 1.0
        places = [self._joined(span, place) for place in range(len(self.units))]
        close = sum(
            any(0 < later - sooner <= _CLOSE for sooner in places[a] for later in places[b])
            for a, b in pairs
            if present[a] and present[b]
        )
        return 0.8 + 0.2 * close / len(pairs)

    def _joined(self, span: Sequence[_Held], place: int) -> list[int]:
        """Where a unit stands in the lines read one after the other."""
        found, before = [], 0
        is_run = self.units[place].kind == "run"
        for one in span:
            found += [before + at for at in one.places[place]]
            before += len(one.line.text) if is_run else len(one.tokens.words)
        return found

    def spans(self, lines: list[_Held]) -> list[list[_Held]]:
        """Lines of one track that match together, merged where they follow one another.

        Spans grow from the best lines. A neighbour joins that makes the span a better answer, or
        that holds at least half as much of the query as the span does.
        """
        lines = sorted(lines, key=lambda one: (one.line.start, one.line.id))
        free = set(range(len(lines)))
        alone = [self.match([one]) for one in lines]
        found = []
        for seed in sorted(free, key=lambda at: (-alone[at], at)):
            if seed not in free:
                continue
            free.discard(seed)
            first = last = seed
            for step in (1, -1):
                while (at := (last if step > 0 else first) + step) in free and self._joins(
                    lines[first : last + 1], lines[at]
                ):
                    free.discard(at)
                    first, last = min(first, at), max(last, at)
            found.append(lines[first : last + 1])
        return found

    def _joins(self, span: list[_Held], other: _Held) -> bool:
        start = min(one.line.start for one in [*span, other])
        end = max(one.line.end for one in [*span, other])
        if end - start > _LONGEST_SECONDS:
            return False
        if other.line.start >= span[-1].line.start:
            gap, both = other.line.start - max(one.line.end for one in span), [*span, other]
        else:
            gap, both = span[0].line.start - other.line.end, [other, *span]
        if gap > _GAP_SECONDS:
            return False
        if self.match(both) > self.match(span):
            return True
        return self.coverage([other]) >= self.coverage(span) / 2


def _evidence(units: Sequence[Unit], judge: _Judge, span: Sequence[_Held]) -> Evidence | None:
    match = judge.match(span)
    if match <= 0:
        return None
    line = span[0].line
    start = min(one.line.start for one in span)
    end = max(one.line.end for one in span)
    # the words of the lines as they are written, wherever a unit was found
    wanted = {
        one.tokens.words[at]
        for one in span
        for unit, places in zip(units, one.places, strict=True)
        for at in places
        if unit.kind != "run" and at < len(one.tokens.words)
    } | {unit.text for unit in units if unit.kind == "run"}
    text = " ".join(" ".join(one.line.text.split()) for one in span)
    return Evidence(
        line.chunk_id, start, end, match, Why(line.kind, shortened(text, wanted), start, end)
    )


def shortened(text: str, words: Collection[str], size: int = _DETAIL_LETTERS) -> str:
    """A stretch of a text of at most ``size`` letters, around the first of some words in it."""
    if len(text) <= size:
        return text
    folded = "".join(
        letter if len(plain := _plain(letter)) != 1 else plain for letter in text
    )  # as long as the text
    first = min((at for word in words if (at := folded.find(word)) >= 0), default=0)
    begin = max(0, min(first - size // 3, len(text) - size))
    if begin:  # not in the middle of a word, where there are words
        blank = text.find(" ", begin, first)
        begin = blank + 1 if blank >= 0 else begin
    end = min(len(text), begin + size - 2)
    if end < len(text):
        blank = text.rfind(" ", first + 1, end)
        end = blank if blank > begin else end
    return f"{'…' if begin else ''}{text[begin:end]}{'…' if end < len(text) else ''}"


def _plain(letter: str) -> str:
    base = unicodedata.normalize("NFD", letter)
    return "".join(part for part in base if not unicodedata.combining(part)).casefold()
