"""Reads the values of options: numbers, times, dates, query files.

It knows text and which values are allowed; whether a video exists, others must say.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from scenewise.cli.output import printable
from scenewise.errors import UsageError


def number(low: float, high: float = math.inf) -> Callable[[str], float]:
    """A reader of an option's number in [low, high]; what it refuses, it names."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high or math.isinf(value):
            raise typer.BadParameter(f"{text!r} is not a number {_range(low, high)}")
        return value

    return read


def whole_number(low: int, high: float = math.inf) -> Callable[[str], int]:
    """A reader of an option's whole number in [low, high]; what it refuses, it names."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise typer.BadParameter(f"{text!r} is not a whole number {_range(low, high)}")
        return value

    return read


def path_that_is_named(text: str) -> Path:
    """A reader of paths that refuses an empty one, which would be the current folder.

    A shell makes one of a variable that is not set.
    """
    if not text.strip():
        raise typer.BadParameter("an empty path; name a file or folder, or . for the current one")
    return Path(text)


def _range(low: float, high: float) -> str:
    return f"of at least {low:g}" if math.isinf(high) else f"from {low:g} to {high:g}"


def read_video_at(text: str) -> tuple[str, float | None]:
    """``VIDEO`` or ``VIDEO@TIME``. A file whose name holds an ``@`` is that file."""
    from scenewise.tasks.cut import parse_time

    video, _, time = text.rpartition("@")
    if not video or Path(text).exists():
        return text, None
    try:
        return video, parse_time(time)
    except UsageError as error:
        raise UsageError(f"VIDEO@TIME {text!r}: {error}") from None


def read_duration(name: str, text: str | None) -> float | None:
    """Seconds of an option that takes a duration; None where it was not given."""
    if text is None:
        return None
    from scenewise.tasks.cut import parse_time

    try:
        return parse_time(text)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def read_date(name: str, text: str | None) -> float | None:
    """Seconds since 1970 of an option that takes a date; None where it was not given."""
    if text is None:
        return None
    from scenewise.tasks.query import instant

    return instant(name, text)


def read_modalities(text: str) -> tuple[str, ...]:
    """A reader of senses that are joined by commas; what is none, it names."""
    allowed = ("visual", "text", "audio")
    names = tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    unknown = [name for name in names if name not in allowed]
    if unknown or not names:
        raise typer.BadParameter(
            f"{(unknown or [text])[0]!r} is no way to search; allowed: {', '.join(allowed)}"
        )
    return names


def check_free(target: Path | None, yes: bool) -> None:
    """Raise UsageError for a file that is there already, without the user's ``--yes``."""
    if target is not None and target.exists() and not yes:
        raise UsageError(
            f"{printable(target)} exists; choose another name, or --yes to overwrite it."
        )


def check_words(name: str, texts: Iterable[str]) -> None:
    """Raise UsageError, which names the option, for a text in which no word is."""
    from scenewise.tasks.query import normalise

    for text in texts:
        normalise(text, name)


def read_queries(path: Path) -> list[str]:
    """The lines of a text file (``-`` is stdin) that hold something and start with no ``#``."""
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"--queries: {path} is not UTF-8 text; save it as UTF-8.") from None
    except OSError as error:
        raise UsageError(
            f"--queries: {path} cannot be read: {error.strerror}; name a text file."
        ) from None
    lines = [line.strip() for line in text.splitlines()]
    queries = [line for line in lines if line and not line.startswith("#")]
    if not queries:
        raise UsageError(f"--queries: {path} holds no query; write one per line.")
    return queries
