"""Text cut into words exactly as SQLite's full-text index cuts it: by that index's own tokenizer.

It knows words and their stems; it knows no library and no question.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from scenewise.index.schema import STEMS, WORDS


@dataclass(frozen=True, slots=True)
class Tokens:
    """The words of one text in order, lower case and without accents, and their Porter stems."""

    words: tuple[str, ...]
    stems: tuple[str, ...]  # as many


def tokenise(texts: Sequence[str]) -> list[Tokens]:
    """The tokens of each text, through an index in memory that holds nothing else."""
    with closing(sqlite3.connect(":memory:")) as rows:
        words = _cut(rows, "word", WORDS, texts)
        stems = _cut(rows, "stem", STEMS, texts)
    return [Tokens(*pair) for pair in zip(words, stems, strict=True)]


def _cut(
    rows: sqlite3.Connection, name: str, tokenizer: str, texts: Sequence[str]
) -> list[tuple[str, ...]]:
    rows.execute(
        f"CREATE VIRTUAL TABLE {name} USING fts5 (text, content='', tokenize='{tokenizer}')"
    )
    rows.execute(f"CREATE VIRTUAL TABLE {name}_places USING fts5vocab ({name}, instance)")
    rows.executemany(f"INSERT INTO {name} (rowid, text) VALUES (?, ?)", enumerate(texts))
    found: list[list[str]] = [[] for _ in texts]
    for document, term in rows.execute(
        f'SELECT doc, term FROM {name}_places ORDER BY doc, "offset"'
    ):
        found[document].append(term)
    return [tuple(tokens) for tokens in found]
