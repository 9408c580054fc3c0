"""Lines of one video (subtitles, on-screen text, speech) that speak of a sentence.

As ``words`` finds lines in a library: a line counts by the share of the sentence's information
that it holds, and by how much that is. It knows text; it knows no library and no picture.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from scenewise.index.records import TextSegment
from scenewise.index.schema import UNSPACED
from scenewise.index.tokenizer import tokenise
from scenewise.tasks.word_query import parse_words

_PRIOR_LINES = 1_000  # a word that is in no line yet is taken to be in one of so many
_CONVINCING_BITS = 10.0
_CEILING = 0.98
_UNSPACED = re.compile(f"[{UNSPACED}]")


@dataclass(frozen=True, slots=True)
class Quote:
    """A line, and how probable it is that the line speaks of the sentence."""

    line: TextSegment
    match: float


def find_quotes(texts: Sequence[TextSegment], sentence: str, *, limit: int = 5) -> list[Quote]:
    """The lines that hold words of the sentence, best first; stop words do not count."""
    units = parse_words(sentence)
    if not units or not texts:
        return []
    lines = [unicodedata.normalize("NFC", line.text) for line in texts]
    held = [
        [bool(unit.places(cut, text, _UNSPACED.search(text) is not None)) for unit in units]
        for text, cut in zip(lines, tokenise(lines), strict=True)
    ]
    counts = [sum(column) for column in zip(*held, strict=True)]
    bits = [math.log2((len(lines) + _PRIOR_LINES) / (count + 1)) for count in counts]
    quotes = []
    for line, row in zip(texts, held, strict=True):
        found = sum(bit for bit, has in zip(bits, row, strict=True) if has)
        missing = any(unit.required and not has for unit, has in zip(units, row, strict=True))
        if found and not missing:
            strength = 1 - math.exp(-found / _CONVINCING_BITS)
            quotes.append(Quote(line, _CEILING * (found / sum(bits)) ** 2 * strength))
    quotes.sort(key=lambda quote: (-quote.match, quote.line.start))
    return quotes[:limit]
