"""Reads files of predictions and of references: JSON, JSONL, CSV, and lines of id and text.

It knows how such files are written and where in them something stands; what a value means, the
module of each task knows. The same entries come from a mapping ``{id: value}``, from a list of
objects, from lines of objects and from the rows of a table, so that a task has one reader.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scenewise.errors import DataError, UsageError, first_line

TEXT_ENDINGS = (".json", ".jsonl", ".csv", ".tsv", ".txt")
LARGEST_BYTES = 4 << 30  # beyond, it is no file of answers


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of a file, by its id."""

    id: str
    value: Any  # None where the entry's fields lack every name that was asked for
    fields: Mapping[str, Any]  # all of its fields; empty where the file is a plain mapping
    where: str  # for messages: the file and the place in it


def read_entries(path: Path, ids: Sequence[str], values: Sequence[str]) -> list[Entry]:
    """The entries of a file, in its order; an id may stand there more than once.

    ``ids`` and ``values`` are names of fields, the first that an entry has counts. An id that is a
    number becomes its text. Raises UsageError for an ending that cannot be read, DataError for a
    file that is missing, empty, broken or of another shape.
    """
    document = read_document(path)
    entries = list(_entries(path, document, ids, values))
    if not entries:
        raise DataError(f"{path} holds nothing; give a file with at least one entry.")
    return entries


def read_document(path: Path) -> Any:
    """What a text file holds: a JSON value, or a list of objects for lines and tables."""
    ending = path.suffix.lower()
    if ending not in TEXT_ENDINGS:
        raise UsageError(
            f"{path} ends in {ending or 'nothing'}, which is not read here; allowed: "
            f"{', '.join(TEXT_ENDINGS)}."
        )
    text = _text(path)
    if not text.strip():
        raise DataError(f"{path} is empty; give a file with at least one entry.")
    if ending == ".json":
        return _json(text, str(path))
    if ending == ".jsonl":
        lines = enumerate(text.splitlines(), 1)
        return [_json(line, f"{path}, line {n}") for n, line in lines if line.strip()]
    if ending == ".csv":
        return _table(path, text)
    return list(_lines(path, text))


def one_each(entries: Sequence[Entry]) -> dict[str, Entry]:
    """Entries by id. Raises DataError where an id stands there twice."""
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.id in found:
            raise DataError(
                f"{entry.where}: the id {entry.id!r} stands there twice; leave one of the two."
            )
        found[entry.id] = entry
    return found


def number(value: Any, where: str, what: str) -> float:
    """A finite number, also as text of a table. Raises DataError that names what it should be."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise DataError(f"{where}: {what} must be a finite number.")
    return float(value)


def text_of(value: Any, where: str, what: str) -> str:
    """A text; a number becomes its text. Raises DataError that names what it should be."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DataError(f"{where}: {what} must be a text, got {_kind(value)}.")
    return str(value)


def list_of(value: Any, where: str, what: str) -> list[Any]:
    """A list. Raises DataError that names what it should be."""
    if not isinstance(value, list):
        raise DataError(f"{where}: {what} must be a list, got {_kind(value)}.")
    return value


def _entries(
    path: Path, document: Any, ids: Sequence[str], values: Sequence[str]
) -> Iterator[Entry]:
    if isinstance(document, dict) and isinstance(document.get("annotations"), list):
        document = document["annotations"]  # as COCO and VQA wrap them
    if isinstance(document, dict):
        for name, value in document.items():
            fields = value if isinstance(value, dict) else {}
            inner = _first(fields, values) if fields else None
            yield Entry(name, value if inner is None else inner, fields, f"{path}, {name!r}")
        return
    if not isinstance(document, list):
        raise DataError(f"{path} holds {_kind(document)}; a mapping or a list is needed.")
    for place, fields in enumerate(document, 1):
        where = f"{path}, entry {place}"
        if not isinstance(fields, dict):
            raise DataError(f"{where} is {_kind(fields)}; an object with an id is needed.")
        name = _first(fields, ids)
        if name is None:
            raise DataError(f"{where} has no id; name it by {_or(ids)}.")
        yield Entry(text_of(name, where, "the id"), _first(fields, values), fields, where)


def _first(fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise DataError(f"{path} is larger than {LARGEST_BYTES >> 30} GB; split it.")
        return path.read_text("utf-8-sig")
    except OSError as error:
        said = error.strerror or first_line(error)
        raise DataError(f"{path} cannot be read: {said}; check the path.") from None
    except UnicodeDecodeError:
        raise DataError(f"{path} is no text in UTF-8; write it anew in UTF-8.") from None


def _json(text: str, where: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_without_twins)
    except _TwinError as error:
        raise DataError(
            f"{where}: the key {error} stands there twice; leave one of the two."
        ) from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise DataError(
            f"{where} is no JSON: {error.msg} ({place}); mend or write it anew."
        ) from None
    except RecursionError:
        raise DataError(f"{where} is nested too deeply to be read.") from None


class _TwinError(Exception):
    """A key that an object has twice: JSON keeps the last one and says nothing."""


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        raise _TwinError(next(repr(k) for k, _ in pairs if k in seen or seen.add(k)))  # type: ignore[func-returns-value]
    return found


def _table(path: Path, text: str) -> list[dict[str, Any]]:
    """Rows of a CSV with a heading, by its names."""
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        names = reader.fieldnames or []
        if len(set(names)) < len(names) or not all(names):
            raise DataError(f"{path}: the first line must name each column once.")
        rows = []
        for row in reader:
            if None in row or None in row.values():
                raise DataError(
                    f"{path}, line {reader.line_num}: not as many cells as the first line names "
                    f"({len(names)})."
                )
            rows.append(dict(row))
    except csv.Error as error:
        raise DataError(f"{path} is no CSV: {first_line(error)}.") from None
    return rows


def _lines(path: Path, text: str) -> Iterator[dict[str, Any]]:
    """``id<TAB>text`` on each line."""
    for place, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        name, tab, rest = line.partition("\t")
        if not tab or not name.strip():
            raise DataError(f"{path}, line {place}: an id, a tab and a text are needed.")
        yield {"id": name.strip(), "text": rest.strip()}


def _kind(value: Any) -> str:
    """What a JSON value is, in words."""
    if value is None:
        return "nothing"
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false"}
    return names.get(type(value), "a number")


def _or(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
