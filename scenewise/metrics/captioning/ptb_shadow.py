"""The shadow of a text: each character put down to the kind that the tokenizer's patterns read.

Found by putting every character of the basic plane to Stanford's PTBTokenizer between words, at
their ends and between digits. Letters younger than its Unicode tables are the known rest.
"""

from __future__ import annotations

import unicodedata

_SPOKEN_FOR = frozenset("`‘’“”«»‹›‛€¤₠£¢½¼¾⅓⅔…–—―⁄")  # the patterns, or the spelling, name them
_HYPHENS = "\u058a\u2010\u2011"
# signs and punctuation that are a token of their own; others are dropped
_SIGNS = (
    *((0xA1, 0xF7), (0x37E, 0x37E), (0x387, 0x387), (0x589, 0x589), (0x5BE, 0x60C)),
    *((0x61B, 0x61B), (0x61E, 0x66A), (0x66D, 0x6D4), (0x700, 0x7F8), (0x964, 0x965)),
    *((0xE3F, 0xE4F), (0x1FBD, 0x1FBD), (0x2013, 0x2023), (0x2026, 0x2026), (0x2030, 0x203B)),
    *((0x203E, 0x2042), (0x2044, 0x2044), (0x2070, 0x20A0), (0x20A4, 0x20A4), (0x20AC, 0x20AC)),
    *((0x2100, 0x214F), (0x2153, 0x215E), (0x2190, 0x2BFF), (0x3001, 0x3002), (0x3012, 0x3012)),
    *((0x30FB, 0x30FB), (0xFF01, 0xFFE1), (0xFFE5, 0xFFE6)),
)
# signs that belong to the word they stand in
_JOINING_SIGNS = ((0x2C2, 0x375), (0x384, 0x385), (0x55A, 0x55F), (0x6DE, 0x6FE))
# accents and vowel signs that belong to the word they stand in; others are dropped
_JOINING_MARKS = (
    *((0x300, 0x487), (0x591, 0x5C7), (0x615, 0x65E), (0x670, 0x7F3), (0x900, 0x903)),
    *((0x93C, 0x94E), (0x951, 0x955), (0x962, 0x9E3), (0xA01, 0xA4D), (0xA81, 0xACD)),
    *((0xB82, 0xBCD), (0xC01, 0xC03), (0xC3E, 0xC56), (0xD3E, 0xD48), (0xE31, 0xECD)),
)


def shadow_of(text: str) -> str:
    """As long as the text, and two newlines: see ``ptb_patterns`` for its alphabet."""
    if text.isascii() and text.isprintable():
        return text + "\n\n"
    return text.translate(_SHADOWS) + "\n\n"


class _Shadows(dict[int, str]):
    """The shadow of a character, found when it is first met; at most one entry a character."""

    def __missing__(self, code: int) -> str:
        shadow = self[code] = _kind(chr(code))
        return shadow


_SHADOWS = _Shadows()


def _kind(character: str) -> str:
    code = ord(character)
    if code < 0x80:
        return character if character.isprintable() else "\0"
    if code > 0xFFFF:  # emoji and all else beyond the basic plane
        return "\0"
    if character in _SPOKEN_FOR:
        return character
    if character in _HYPHENS:
        return "‐"
    category = unicodedata.category(character)
    if category[0] == "L" or category == "Nd" or code == 0xAD:
        return "é"
    if category[0] == "M":
        return "ʰ" if _within(code, _JOINING_MARKS) else "\0"
    if category[0] in "SPN":
        if _within(code, _JOINING_SIGNS):
            return "ʰ"
        return "¡" if _within(code, _SIGNS) else "\0"
    return "\0"


def _within(code: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return any(first <= code <= last for first, last in ranges)
