"""What the command line prints: results on stdout, all else on stderr.

It knows text, JSON, times and file names. It knows no library and no network, and loads nothing
heavy: rich is imported only where a table or a bar is drawn on a terminal.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenewise.types import Moment, SearchResult, clock

# C0 and C1 controls, line and paragraph separators, bidirectional marks, lone surrogates: none of
# them may reach a terminal or break a line, and all of them are allowed in file names
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_UNDECODED = range(0xDC80, 0xDD00)  # bytes of a file name that are no valid text

BOLD, DIM = "1", "2"
logger = logging.getLogger("scenewise")
PREPARATION = "scenewise.index.encoder_source"  # it logs the steps of preparing an encoder


@dataclass(frozen=True, slots=True)
class Output:
    """How one command speaks: as JSON or to a person, and how much of it."""

    json: bool = False
    quiet: bool = False
    verbose: bool = False

    @classmethod
    def start(cls, *, json: bool = False, quiet: bool = False, verbose: bool = False) -> Output:
        """Set up, and let the program's own log messages through with ``verbose``."""
        logger.setLevel(logging.INFO if verbose else logging.ERROR if quiet else logging.WARNING)
        # preparing takes a while the first time: that is said without -v, too
        logging.getLogger(PREPARATION).setLevel(logging.ERROR if quiet else logging.INFO)
        return cls(json=json, quiet=quiet, verbose=verbose)

    def result(self, line: str = "") -> None:
        """One line of the answer, to stdout."""
        print(line, file=sys.stdout)

    def document(self, shape: Any) -> None:
        """The whole answer as indented JSON, to stdout."""
        print(to_json(shape, indent=2), file=sys.stdout)

    def record(self, shape: Any) -> None:
        """One answer of a stream as one line of JSON, to stdout, at once."""
        print(to_json(shape), file=sys.stdout, flush=True)

    def note(self, line: str) -> None:
        """Something that the user should know, to stderr; silent with ``-q``."""
        if not self.quiet:
            warn(line)

    def table(
        self, headings: Sequence[str], rows: Iterable[Sequence[str]], *, figures: bool = False
    ) -> None:
        """Rows for a person: drawn on a terminal, tab-separated without headings in a pipe.

        ``figures``: in a pipe, too, the headings are the first line, as figures alone say nothing.
        """
        if not sys.stdout.isatty():
            if figures:
                self.result("\t".join(headings))
            for row in rows:
                self.result("\t".join(row))
            return
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        drawn = Table(box=None, pad_edge=False, header_style="bold")
        for heading in headings:
            drawn.add_column(heading, overflow="fold")
        for row in rows:
            drawn.add_row(*(Text(cell) for cell in row))
        Console(file=sys.stdout, highlight=False).print(drawn)


def warn(line: str) -> None:
    """One line to stderr, whatever ``-q`` says."""
    print(line, file=sys.stderr, flush=True)


def to_json(shape: Any, *, indent: int | None = None) -> str:
    """JSON text that the encoding of stdout can carry.

    Bytes of a file name that are no valid text appear as ``\\udcXX``, as Python itself reads
    them back; every other character stands as it is where stdout is UTF-8.
    """
    readable = (sys.stdout.encoding or "ascii").lower().replace("-", "") == "utf8"
    text = json.dumps(shape, ensure_ascii=not readable, indent=indent, allow_nan=False)
    return re.sub(r"[\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", text)


def styled(text: str, code: str) -> str:
    """Text in an ANSI style, where stdout is a terminal that wants it."""
    plain = not sys.stdout.isatty() or os.environ.get("NO_COLOR")
    if plain or os.environ.get("TERM") == "dumb":
        return text
    return f"\x1b[{code}m{text}\x1b[0m"


def printable(path: str | Path) -> str:
    """A file name that is safe to print: on one line, without control characters."""
    return _UNSAFE.sub(_escape, str(path))


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code in _UNDECODED:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def short_path(path: str | Path) -> str:
    """The path as a person at this prompt would type it: relative below the current folder."""
    whole = Path(path)
    try:
        here = Path.cwd()
    except FileNotFoundError:  # the current folder was deleted
        return printable(whole)
    return printable(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def shell_quoted(path: str | Path) -> str:
    """The path as one word of a shell; ``$'…'`` where it holds what cannot be printed."""
    text = str(path)
    if not _UNSAFE.search(text):
        return shlex.quote(text)
    escaped = "".join(
        f"\\x{byte:02x}"
        if byte < 0x20 or byte > 0x7E
        else f"\\{chr(byte)}"
        if byte in b"\\'"
        else chr(byte)
        for byte in os.fsencode(text)
    )
    return f"$'{escaped}'"


def rough_duration(seconds: float) -> str:
    """A duration to plan by: ``45 s``, ``3 min``, ``2 h 10 min``."""
    if seconds < 90:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def byte_size(count: int) -> str:
    """Bytes for a person, in powers of 1000."""
    size, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def plural(count: int, noun: str) -> str:
    """``1 video``, ``2 videos``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def player_line(hit: Moment) -> str:
    """A command, ready to paste, that plays the moment."""
    return f"mpv --start={hit.start:.1f} --end={hit.end:.1f} {shell_quoted(hit.path)}"


def print_result(out: Output, result: SearchResult) -> None:
    """One search for a person; what the reader should know goes to stderr."""
    for note in result.notes:
        out.note(note)
    if not result.hits:
        # a match was found, and cut off by --min-match
        out.result("no hit reaches --min-match" if result.found else "nothing found")
        return
    if not result.found:
        out.result("nothing found; nearest:")
    if result.count is not None:
        out.result(f"{plural(result.count, 'moment')} in {plural(len(result.videos), 'video')}")
        for video in result.videos:
            out.result(f"    {video.count}  {short_path(video.path)}")
    for hit in result.hits:
        span = f"{clock(hit.start)}-{clock(hit.end)}"
        rank = styled(f"#{hit.rank}", BOLD)
        out.result(f"{rank} [{hit.match:.2f}] {short_path(hit.path)} {span}")
        for line in _reasons(hit):
            out.result(styled(f"    {line}", DIM))
        if out.verbose:
            out.result(f"    {player_line(hit)}")


def _reasons(hit: Moment) -> list[str]:
    kinds: dict[str, list[str]] = {}
    for why in hit.why:
        when = "" if why.start is None else f" ({clock(why.start)})"
        kinds.setdefault(why.kind, []).append(f"{printable(why.detail)}{when}")
    return [f"{kind}: {', '.join(details)}" for kind, details in kinds.items()]
