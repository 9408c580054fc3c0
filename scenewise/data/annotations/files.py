"""Text files of annotations, read entry by entry: lines, CSV, JSON, JSON lines, large JSON objects.

Every entry knows where it stands, so that what is wrong with it is told as one sentence with file
and line. It knows files and types; what a column means is known by the readers. Byte order marks,
Windows line ends and blank lines are taken as they come; text is UTF-8.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from scenewise.errors import DataError, first_line

_CHUNK = 1 << 20  # characters of a large file that are read at once
_LONGEST_FIELD = 1 << 27  # characters of a cell; csv allows 131,072


@dataclass(frozen=True, slots=True)
class Record:
    """One entry: ``fields`` by name, and where it stands."""

    place: str  # "train.csv, line 7", "val.json, entry v_abc"
    fields: Mapping[str, Any]

    def error(self, message: str) -> DataError:
        """What is wrong with this entry, to be raised."""
        return DataError(f"{self.place}: {message}.")

    def has(self, name: str) -> bool:
        """Whether a field is there and holds something."""
        value = self.fields.get(name)
        return value is not None and value != "" and value != []

    def value(self, name: str) -> Any:
        """A field as it is. Raises DataError where it is missing."""
        if self.fields.get(name) is None:
            known = ", ".join(str(field) for field in self.fields) or "nothing"
            raise self.error(f"has no {name!r}; it has {known}")
        return self.fields[name]

    def text(self, name: str) -> str:
        """Words without white space around them; a number becomes its digits."""
        value = self.value(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.error(f"{name!r} is {_shown(value)}; allowed: text")
        text = str(value).strip()
        if not text:
            raise self.error(f"{name!r} is empty; allowed: text")
        return text

    def optional(self, name: str) -> str:
        """As ``text``, or empty where the field is missing or empty."""
        return self.text(name) if self.has(name) and str(self.fields[name]).strip() else ""

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, none of them empty; a single text is a list of one."""
        value = self.value(name)
        items = value if isinstance(value, list) else [value]
        if not items:
            raise self.error(f"{name!r} is an empty list; allowed: at least one text")
        return tuple(Record(self.place, {name: item}).text(name) for item in items)

    def number(self, name: str) -> float:
        """A finite number, also where it is written as text."""
        return finite(self, name, self.value(name))

    def whole(self, name: str, *, below: int | None = None) -> int:
        """A whole number from 0, and below a limit where one is given."""
        number = self.number(name)
        if number != int(number) or number < 0 or (below is not None and number >= below):
            allowed = "at least 0" if below is None else f"0 to {below - 1}"
            raise self.error(
                f"{name!r} is {_shown(self.value(name))}; allowed: a whole number, {allowed}"
            )
        return int(number)

    def list_of(self, name: str) -> list[Any]:
        """A list, of whatever."""
        value = self.value(name)
        if not isinstance(value, list):
            raise self.error(f"{name!r} is {_shown(value)}; allowed: a list")
        return value


def finite(record: Record, name: str, value: Any) -> float:
    """A value as a number that is finite. Raises DataError, which names the field."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise record.error(f"{name!r} is {_shown(value)}; allowed: a finite number")
    return number


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ---- which file


def find_file(folder: Path, names: Sequence[str], what: str) -> Path:
    """The first of the names that lies in the folder; ``folder`` may also be the file itself.

    Raises DataError, which says ``what`` is missing and under which names it is looked for.
    """
    found = look_for(folder, names)
    if found is None:
        raise DataError(f"{folder}: {what} is missing; looked for {', '.join(names)}.")
    return found


def look_for(folder: Path, names: Sequence[str]) -> Path | None:
    """As ``find_file``, or None where there is none."""
    if folder.is_file():
        return folder if folder.name in names else None
    return next((folder / name for name in names if (folder / name).is_file()), None)


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """A text file, also one that ends in .gz. What cannot be read becomes a DataError."""
    try:
        if path.suffix == ".gz":
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as packed:
                yield packed
        else:
            with path.open(encoding="utf-8-sig", newline="") as file:
                yield file
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such file.") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason}); save it as UTF-8.") from None
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read: {first_line(error)}.") from error


# ---- lines and tables


def read_lines(path: Path) -> Iterator[tuple[str, str]]:
    """Place and text of every line that holds something, without the line's end."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            text = line.strip()
            if text:
                yield f"{path}, line {number}", text


def read_list(path: Path) -> tuple[str, ...]:
    """Names, one a line. Raises DataError for one that stands there twice, or for none."""
    seen: dict[str, str] = {}
    for place, name in read_lines(path):
        if name in seen:
            raise DataError(f"{place}: {name!r} stands there already, in {seen[name]}; remove one.")
        seen[name] = place
    if not seen:
        raise DataError(f"{path}: holds nothing; write one name a line.")
    return tuple(seen)


def read_csv(path: Path, required: Sequence[str] = (), *, delimiter: str = ",") -> Iterator[Record]:
    """Rows by the names of the first line. ``required`` names must be among them."""
    csv.field_size_limit(_LONGEST_FIELD)
    with opened(path) as file:
        reader = csv.reader(file, delimiter=delimiter, strict=True)
        try:
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header, required)
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                record = Record(
                    f"{path}, line {reader.line_num}", dict(zip(header, cells, strict=False))
                )
                if len(cells) != len(header):
                    raise record.error(
                        f"has {len(cells)} values where the first line names {len(header)}"
                    )
                yield record
        except csv.Error as error:
            raise DataError(
                f"{path}, line {reader.line_num}: is no CSV: {first_line(error)}."
            ) from None


def _check_header(path: Path, header: Sequence[str], required: Sequence[str]) -> None:
    missing = [name for name in required if name not in header]
    if missing:
        raise DataError(
            f"{path}, line 1: has no column {missing[0]!r}; "
            f"needed: {', '.join(required)}; it has: {', '.join(header) or 'nothing'}."
        )
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise DataError(f"{path}, line 1: names the column {twice[0]!r} twice; remove one.")


# ---- JSON


def read_json(path: Path) -> Any:
    """A whole JSON file. Raises DataError, also for a name that stands twice in one object."""
    with opened(path) as file:
        text = file.read()
    try:
        return json.loads(text, object_pairs_hook=_each_once)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: is no JSON: {error.msg}.") from None
    except _TwiceError as error:
        raise DataError(f"{path}: {error} stands twice in one object; remove one.") from None
    except RecursionError:
        raise DataError(f"{path}: is nested too deeply to be annotations.") from None


class _TwiceError(Exception):
    """A name that stands twice in one object."""


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    whole = dict(pairs)
    if len(whole) < len(pairs):
        names = [name for name, _ in pairs]
        raise _TwiceError(repr(next(name for name in names if names.count(name) > 1)))
    return whole


def records_of(path: Path, value: Any, name: str = "") -> Iterator[Record]:
    """The objects of a list that was read from a file, numbered from 1."""
    if not isinstance(value, list):
        raise DataError(
            f"{path}: {name + ' is' if name else 'is'} no list; a list of entries is needed."
        )
    for number, entry in enumerate(value, 1):
        yield _record(f"{path}, {name + ' ' if name else ''}entry {number}", entry)


def keyed_records(path: Path, value: Any) -> Iterator[tuple[str, Record]]:
    """The objects of an object that was read from a file, by their names."""
    if not isinstance(value, dict):
        raise DataError(f"{path}: is no object; entries by the names of videos are needed.")
    for key, entry in value.items():
        yield key, _record(f"{path}, entry {key}", entry)


def read_jsonl(path: Path) -> Iterator[Record]:
    """One JSON object a line."""
    for place, line in read_lines(path):
        try:
            value = json.loads(line, object_pairs_hook=_each_once)
        except json.JSONDecodeError as error:
            raise DataError(
                f"{place}: is no JSON: {error.msg} at character {error.pos + 1}."
            ) from None
        except _TwiceError as error:
            raise DataError(f"{place}: {error} stands twice in one object; remove one.") from None
        except RecursionError:
            raise DataError(f"{place}: is nested too deeply to be annotations.") from None
        yield _record(place, value)


def _record(place: str, value: Any) -> Record:
    if not isinstance(value, dict):
        raise DataError(f"{place}: is {_shown(value)}; an object with names is needed.")
    return Record(place, value)


def stream_object(path: Path) -> Iterator[tuple[str, Record]]:
    """The entries of one JSON object that need not fit into memory, each an object itself.

    One entry is held at a time. A name that stands twice comes twice.
    """
    with opened(path) as file:
        yield from _Entries(path, file).read()


class _Entries:
    """Reads an object from a file piece by piece."""

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path, self._file = path, file
        self._text, self._at, self._ended = "", 0, False
        self._decoder = json.JSONDecoder()
        self._last = "the beginning"

    def read(self) -> Iterator[tuple[str, Record]]:
        self._take("{")
        if self._peek() == "}":
            return
        while True:
            key = self._value()
            if not isinstance(key, str):
                raise self._error("a name in quotes is needed")
            self._take(":")
            self._last = key
            yield key, _record(f"{self._path}, entry {key}", self._value())
            if self._peek() == "}":
                return
            self._take(",")

    def _more(self) -> bool:
        # twice as much each time, so that a long entry is not parsed from its start too often
        chunk = self._file.read(max(_CHUNK, len(self._text) - self._at))
        self._text, self._at = self._text[self._at :] + chunk, 0
        self._ended = not chunk
        return bool(chunk)

    def _peek(self) -> str:
        while True:
            while self._at < len(self._text) and self._text[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._error(f"{sign!r} is needed")
        self._at += 1

    def _value(self) -> Any:
        if self._peek() not in ('"', "{"):  # a number may go on behind what was read
            raise self._error("a text or an object is needed")
        while True:
            try:
                value, self._at = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    raise self._error(error.msg) from None
            else:
                return value

    def _error(self, message: str) -> DataError:
        return DataError(f"{self._path}: is no JSON after {self._last}: {message}.")


# ---- oddities


class Oddities:
    """Counts what is odd in a file and was mended or left out, for the notes of the rows."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def count(self, what: str, number: int = 1) -> None:
        """One more (or ``number`` more) of ``what``: words that follow a number."""
        if number:
            self._counts[what] = self._counts.get(what, 0) + number

    def notes(self) -> tuple[str, ...]:
        """``43 spans reach past the end ...``, in the order in which they were met."""
        return tuple(f"{count:,} {what}" for what, count in self._counts.items())


def unique(records: Iterable[Record], name: str) -> Iterator[tuple[str, Record]]:
    """Records by a field of theirs that none shares. Raises DataError for one that stands twice."""
    seen: dict[str, str] = {}
    for record in records:
        key = record.text(name)
        if key in seen:
            raise record.error(f"{name} {key!r} stands there already, in {seen[key]}; remove one")
        seen[key] = record.place
        yield key, record
