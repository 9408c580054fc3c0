"""Captions into Penn Treebank tokens, as caption metrics count them, without Java.

Gives what ``pycocoevalcap.tokenizer.ptbtokenizer.PTBTokenizer`` gives, which runs Stanford's
PTBTokenizer (CoreNLP 3.4.1, ``-preserveLines -lowerCase``) and drops a list of punctuation. It
knows nothing of metrics.

Kept on purpose, since published numbers are counted so:

- The list of what is dropped holds ``-LRB-`` in capitals, but the tokens are lower case by then:
  brackets of all kinds stay, as ``-lrb-``, ``-rrb-`` and so on.
- ``!!``, ``?!``, ``*`` and other marks outside the list stay.
- A fraction, a telephone number or a tag with blanks inside is one token, its blanks U+00A0.
- Characters outside the basic plane (emoji) are dropped, as are control characters.

Known difference: the jar reads all captions as one text, so that an initial at the end of one
caption loses its dot where the next caption begins with a word like "The". Here a caption is read
alone. Strings that no caption holds (a digit, letters, a dot and one letter: ``12ab.c``; marks
after digits) may differ too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache, lru_cache

from scenewise.metrics.captioning.ptb_patterns import patterns
from scenewise.metrics.captioning.ptb_shadow import shadow_of

# what is dropped afterwards; dashes and dots are already in their one spelling
_DROPPED = frozenset(["''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"])
_SPLIT = dict.fromkeys(("cannot", "gonna", "gotta", "lemme", "gimme", "wanna"), 3)
_ENTITIES = {
    "&amp;": "&",
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": "''",
    "&apos;": "'",
    "&nbsp;": "",
}
_ENTITY = re.compile("&(?:amp|lt|gt|quot|apos|nbsp);")
_SINGLE = {
    "(": "-lrb-",
    ")": "-rrb-",
    "[": "-lsb-",
    "]": "-rsb-",
    "{": "-lcb-",
    "}": "-rcb-",
    "€": "$",
    "¤": "$",
    "₠": "$",
    "£": "#",
    "¢": "cents",
    "½": "1/2",
    "¼": "1/4",
    "¾": "3/4",
    "⅓": "1/3",
    "⅔": "2/3",
    "…": "...",
    **dict.fromkeys("–—―", "--"),
    '"': "''",
}
_QUOTES = {"`": "`", "‘": "`", "‛": "`", "‹": "`", "’": "'", "›": "'"}
_QUOTES |= {"“": "``", "«": "``", "”": "''", "»": "''"}
_BLANKS = str.maketrans(dict.fromkeys("\n\r\t\x0b\x0c\x85\u2028\u2029\xa0", " "))
# letters and blanks, commas, and a mark at the end: nine captions of ten
_PLAIN = re.compile("[A-Za-z ]*(?:, +[A-Za-z][A-Za-z ]*)*([.!?]? *)")
# a word whose tokens do not hang on the words around it: nothing that a token with a blank begins
# with, and no dot but the last
_ALONE = re.compile(r"[^\s0-9<(.\x80-\U0010ffff]+\.?")
_DOT_HANGS_ON_NEXT = re.compile(r".*\b(?:[a-z]|art|ca|figs?|nos?|op|pp|prop|wash)\.", re.IGNORECASE)
_LONG_DASH = re.compile("-{2,4}")


def tokenize(captions: Iterable[str]) -> list[list[str]]:
    """The tokens of each caption, in lower case and without punctuation.

    A caption is one sentence on one line: newlines inside are blanks.
    """
    return [_tokens_of(caption) for caption in captions]


def forget() -> None:
    """Empty the memory of words seen, which is bounded: for measurements."""
    _chunk.cache_clear()
    _stands_alone.cache_clear()


def _tokens_of(caption: str) -> list[str]:
    plain = _PLAIN.fullmatch(caption)
    if plain is None:
        return _scan_line(caption.translate(_BLANKS))
    words = caption.lower().replace(",", " ").split()
    if plain[1] and words:
        words[-1:] = _chunk(caption.split()[-1])  # as written: "Ark." keeps its dot, "ark." not
    if _SPLIT.keys().isdisjoint(words):
        return words
    return [part for word in words for part in _parts(word)]


def _parts(word: str) -> tuple[str, ...]:
    cut = _SPLIT.get(word)
    return (word,) if cut is None else (word[:cut], word[cut:])


def _scan_line(text: str) -> list[str]:
    """Word by word where a word stands alone, else by the patterns over the whole line."""
    found: list[str] = []
    position, size = 0, len(text)
    shadow = ""
    while position < size:
        if text[position] == " ":
            position += 1
            continue
        end = text.find(" ", position)
        chunk = text[position : end if end >= 0 else size]
        if _stands_alone(chunk):
            found.extend(_chunk(chunk))
            position += len(chunk)
            continue
        shadow = shadow or shadow_of(text)
        stop = position + len(chunk)
        while position < stop:
            position = _one(text, shadow, position, found)
    return found


@lru_cache(maxsize=1 << 16)
def _stands_alone(chunk: str) -> bool:
    return bool(_ALONE.fullmatch(chunk)) and not (
        chunk[-1] == "." and _DOT_HANGS_ON_NEXT.fullmatch(chunk)
    )


@lru_cache(maxsize=1 << 16)
def _chunk(chunk: str) -> tuple[str, ...]:
    """The tokens of a word without blanks, at the end of a line."""
    found: list[str] = []
    shadow, position = shadow_of(chunk), 0
    while position < len(chunk):
        position = _one(chunk, shadow, position, found)
    return tuple(found)


def _one(text: str, shadow: str, position: int, found: list[str]) -> int:
    """Read one token at the position into ``found``; gives the position after it."""
    if text[position] == " ":
        return position + 1
    entity = _ENTITY.match(shadow, position)
    best = reach = position
    spelling = "as is"
    for match_at, kind in _compiled():
        match = match_at(shadow, position)
        if match is not None and match.end() > best:
            best, spelling = match.end(), kind
            reach = match.end(1) if match.lastindex else best
    if entity is not None and entity.end() >= best:
        _keep(_ENTITIES[entity[0]], found)
        return entity.end()
    if best == position:
        reach = position + 1
        if shadow[position] == "\0":
            return reach
    raw = text[position:reach]
    if spelling == "as is" and best == reach and raw.lower() in _SPLIT:
        found.extend(_parts(raw.lower()))
    else:
        _keep(_spelled(raw, spelling), found)
    return reach


def _spelled(raw: str, spelling: str) -> str:
    if len(raw) == 1 and raw in _SINGLE:
        return _SINGLE[raw]
    if raw[0] in _QUOTES and all(character in _QUOTES for character in raw):
        return "".join(_QUOTES[character] for character in raw)
    if raw[0] == "." and not raw.strip(". "):
        return "..." if len(raw) > 1 else raw
    if _LONG_DASH.fullmatch(raw):
        return "--"
    token = raw.replace(" ", "\xa0").translate(_JOINERS)
    if spelling == "apostrophe":
        token = token.replace("’", "'").replace("&apos;", "'")
    elif spelling == "ampersand":
        token = token.replace("&amp;", "&")
    elif spelling == "brackets":
        token = token.replace("(", "-lrb-").replace(")", "-rrb-")
    return token.lower()


_JOINERS = str.maketrans("", "", "\xad")  # a soft hyphen joins, and is not written


def _keep(token: str, found: list[str]) -> None:
    if token and token not in _DROPPED:
        found.append(token)


_Matcher = Callable[[str, int], re.Match[str] | None]


@cache
def _compiled() -> tuple[tuple[_Matcher, str], ...]:
    return tuple((re.compile(one.regex).match, one.spelling) for one in patterns())
