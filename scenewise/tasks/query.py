"""What a person asks, made ready: words normalised, dates read.

It knows text and which values are allowed; it knows no index.
"""

from __future__ import annotations

import unicodedata
from datetime import date, datetime

from scenewise.errors import UsageError

LONGEST_QUERY = 10_000  # characters

When = str | date | datetime | float


def normalise(text: str, name: str = "the query") -> str:
    """NFC, single blanks, no punctuation around the words.

    ``name`` is what an error calls the text. Raises UsageError where no word is left.

    >>> normalise('  "a  dog!" ')
    'a dog'
    """
    if len(text) > LONGEST_QUERY:
        raise UsageError(
            f"{name} has {len(text)} characters, and at most {LONGEST_QUERY} are allowed; "
            "say in fewer words what is to be seen."
        )
    words = " ".join(unicodedata.normalize("NFC", readable(text)).split())
    start, end = 0, len(words)
    while start < end and _is_outer(words[start]):
        start += 1
    while end > start and _is_outer(words[end - 1]):
        end -= 1
    if start == end:
        raise UsageError(
            f"{name} {text.strip()!r} holds no words; write what is to be seen, "
            'such as "a dog on a skateboard".'
        )
    return words[start:end]


def readable(text: str) -> str:
    """The text without what is none: a terminal passes bytes that are not UTF-8 as surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _is_outer(character: str) -> bool:
    """Punctuation, blanks and controls; signs such as + and € belong to the words."""
    return unicodedata.category(character)[0] in "PZC"


def instant(name: str, value: When) -> float:
    """Seconds since 1970 of a date: ISO text, a date, a datetime, or seconds already.

    What has no time zone is meant in the local one. Raises UsageError.
    """
    if isinstance(value, int | float):
        return float(value)
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
        elif not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)  # midnight, local
        return value.astimezone().timestamp()
    except (ValueError, OverflowError, OSError):
        raise UsageError(
            f"{name} = {value!r} is not a date; write 2026-03-31 or 2026-03-31T18:30."
        ) from None
