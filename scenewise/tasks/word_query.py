"""What a person types, as units that a line of text holds or does not hold.

It knows notation, stop words and scripts; it knows no library, and nothing of how units are
weighed. No text that is typed can be an error: what is no word is left out.

``cat``       a word, in any of its forms (its Porter stem: cats)
``skat*``     every word that begins so
``"a cat"``   these words, exactly and in this order: a line without them is no answer
``天气预报``    three letters after one another; shorter runs as they are
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from scenewise.index.schema import UNSPACED
from scenewise.index.tokenizer import Tokens, tokenise

MOST_UNITS = 32
TRIGRAM = 3  # letters
_SHORTEST_STEM, _LONGEST_STEM = 2, 32  # letters

# Words that say nothing of what a line is about. A query of nothing else is taken as it is.
_STOP = """
a about again all also am an and any are aren't as at be been being both but by can can't could
couldn't did didn't do does doesn't doing don't each for from had hadn't has hasn't have haven't
having he he's her here hers him his how i i'm i've if in into is isn't it it's its just let's
me more most my no nor not of on one or other our ours out over own same she she's should so
some such than that that's the their theirs them then there there's these they they're this
those through to too under until up us very was wasn't we we're were weren't what what's when
where which while who whom why will with won't would wouldn't you you're your yours
"""
STOP_WORDS = frozenset(_STOP.split())


@dataclass(frozen=True, slots=True)
class Unit:
    """One thing to look for.

    ``words`` and ``stems`` are tokens as the full-text index cuts them; a ``run`` has letters of a
    script without blanks instead, which are looked for anywhere in a line.
    """

    kind: Literal["word", "prefix", "phrase", "run"]
    text: str  # as typed
    words: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()
    required: bool = False  # a line without it is no answer

    def expression(self) -> str | None:
        """For the full-text index of words; None for a run. Finds at least what is meant."""
        if self.kind == "run":
            return None
        if self.kind != "prefix":
            return _quoted(" ".join(self.words))
        # a stem may be shorter than the beginning of its word that was typed: "runnin*" is "run"
        [begin] = self.words
        shorter = {begin[:size] for size in range(_SHORTEST_STEM, min(len(begin), _LONGEST_STEM))}
        shorter |= {f"{stem}e" for stem in shorter}
        exact = [_quoted(stem) for stem in sorted(shorter)]
        return f"({' OR '.join([f'{_quoted(begin)} *', *exact])})"

    def trigrams(self) -> str | None:
        """For the index of trigrams; None for what is too short for it."""
        text = self.text if self.kind == "run" else " ".join(self.words)
        return _quoted(text) if len(text) >= TRIGRAM else None

    def places(self, line: Tokens, text: str, unspaced: bool) -> list[int]:
        """Where a line holds this: numbers of tokens, for a run of letters."""
        if self.kind == "run":
            return _find_all(text, self.text)
        if self.kind == "word":
            found = [at for at, stem in enumerate(line.stems) if stem == self.stems[0]]
        elif self.kind == "prefix":
            found = [at for at, word in enumerate(line.words) if word.startswith(self.words[0])]
        else:
            size = len(self.words)
            found = [
                at
                for at in range(len(line.words) - size + 1)
                if line.words[at : at + size] == self.words
            ]
        if not found and unspaced and " ".join(self.words) in text.casefold():
            return [0]  # glued to letters of another script: which token it is in says nothing
        return found


def parse_words(text: str) -> tuple[Unit, ...]:
    """The units of a query in their order, each once; none where it holds no word at all."""
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    pieces = list(_pieces(clean))
    tokens = tokenise([piece.text for piece in pieces])
    units = [
        unit
        for piece, cut in zip(pieces, tokens, strict=True)
        if (unit := _unit(piece, cut)) is not None
    ]
    units = list({(unit.kind, unit.stems or unit.text): unit for unit in units}.values())
    informative = [unit for unit in units if unit.required or not _is_stop(unit)]
    return tuple((informative or units)[:MOST_UNITS])


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    quoted: bool
    prefix: bool
    is_run: bool


_QUOTED = re.compile(r'"([^"]*)"?|[“„]([^“”„]*)[“”]|[「『]([^」』]*)[」』]')
_SCRIPTS = re.compile(f"(?P<run>[{UNSPACED}]+)|[^{UNSPACED}]+")


def _pieces(text: str) -> Iterator[_Piece]:
    at = 0
    for quote in _QUOTED.finditer(text):
        yield from _loose(text[at : quote.start()])
        for script in _SCRIPTS.finditer(next(part for part in quote.groups() if part is not None)):
            yield _Piece(script[0], True, False, script["run"] is not None)
        at = quote.end()
    yield from _loose(text[at:])


def _loose(text: str) -> Iterator[_Piece]:
    for typed in text.split():
        for script in _SCRIPTS.finditer(typed):
            if script["run"] is None:
                yield _Piece(script[0], False, script[0].endswith("*"), False)
            elif len(script[0]) <= TRIGRAM:
                yield _Piece(script[0], False, False, True)
            else:
                for first in range(len(script[0]) - TRIGRAM + 1):
                    yield _Piece(script[0][first : first + TRIGRAM], False, False, True)


def _unit(piece: _Piece, tokens: Tokens) -> Unit | None:
    if piece.is_run:
        return Unit("run", piece.text, required=piece.quoted)
    if not tokens.words:
        return None
    text = piece.text.strip()
    if piece.quoted:
        return Unit("phrase", text, tokens.words, tokens.stems, required=True)
    if len(tokens.words) > 1:  # e-mail, 3.5: tokens that belong together
        return Unit("phrase", text, tokens.words, tokens.stems)
    kind: Literal["prefix", "word"] = "prefix" if piece.prefix else "word"
    return Unit(kind, text, tokens.words, tokens.stems)


def _is_stop(unit: Unit) -> bool:
    if unit.kind in ("prefix", "run"):
        return False
    typed = unit.text.casefold().replace("’", "'").strip(".,;:!?()'")
    return typed in STOP_WORDS


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def _find_all(text: str, part: str) -> list[int]:
    found = []
    at = text.find(part)
    while at >= 0:
        found.append(at)
        at = text.find(part, at + 1)
    return found
