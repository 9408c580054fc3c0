"""Lines of text by their words: the full-text tables of a library, asked with bounded work.

It knows the tables of ``schema`` and SQLite's notation of full-text queries; what a person meant,
and how much a line says about it, is ``tasks.words``'s.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from scenewise.index.database import Database
from scenewise.index.records import TextKind

TextTable = Literal["text_words", "text_trigrams"]
LONGEST_LINE = 10_000  # characters of a line that are looked at


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of a track, with the chunk of the generation that was asked."""

    id: int
    track: int
    kind: TextKind
    chunk_id: int
    start: float
    end: float
    text: str
    unspaced: bool


class TextSearch:
    """The part of ``Catalog`` that answers about words in lines."""

    _database: Database

    def line_count(self) -> int:
        """How many lines of text there are, of all videos."""
        return int(self._database.row("SELECT count(*) FROM text_line")[0])

    def lines_matching(self, table: TextTable, expression: str, at_most: int) -> int:
        """How many lines a full-text expression matches; ``at_most`` means "or more"."""
        return int(
            self._database.row(
                f"SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {table} MATCH ? LIMIT ?)",
                (expression, at_most),
            )[0]
        )

    def best_lines(
        self,
        generation_id: int,
        table: TextTable,
        expression: str,
        only: Collection[int] | None,
        limit: int,
        *,
        ranked: bool = True,
    ) -> list[TextLine]:
        """Lines that a full-text expression matches, best first by BM25.

        ``only`` are chunks; None means all that have a file that is there. Not ``ranked``: any of
        them, the oldest first, without a look at the others.
        """
        # CROSS JOIN keeps the order of the loops: rows come ranked, and LIMIT ends the work
        return self._lines(
            f"{table} CROSS JOIN text_line l ON l.id = {table}.rowid",
            f"{table} MATCH ?",
            f"ORDER BY {table}.rank" if ranked else "",
            [expression],
            generation_id,
            only,
            limit,
        )

    def lines_containing(
        self, generation_id: int, parts: Sequence[str], only: Collection[int] | None, limit: int
    ) -> list[TextLine]:
        """Lines of scripts without blanks that hold one of some strings, of any length."""
        return self._lines(
            "text_line l",
            f"l.unspaced = 1 AND ({' OR '.join(['instr(l.text, ?) > 0'] * len(parts))})",
            "",
            list(parts),
            generation_id,
            only,
            limit,
        )

    def _lines(
        self,
        source: str,
        condition: str,
        order: str,
        parameters: list[str],
        generation_id: int,
        only: Collection[int] | None,
        limit: int,
    ) -> list[TextLine]:
        if only is None:
            among = "EXISTS (SELECT 1 FROM location p WHERE p.video = t.video AND p.missing = 0)"
            chosen = []
        else:
            among = "c.id IN (SELECT value FROM json_each(?))"
            chosen = [json.dumps([int(chunk_id) for chunk_id in only])]
        rows = self._database.rows(
            f'SELECT l.id, l.track, t.kind, c.id, l.start, l."end", '
            f"substr(l.text, 1, {LONGEST_LINE}), l.unspaced FROM {source} "
            "CROSS JOIN track t ON t.id = l.track "
            "CROSS JOIN chunk c ON c.video = t.video AND c.generation = ? "
            f"WHERE {condition} AND {among} {order} LIMIT ?",
            (generation_id, *parameters, *chosen, limit),
        )
        return [
            TextLine(key, track, cast(TextKind, kind), chunk_id, start, end, text, bool(unspaced))
            for key, track, kind, chunk_id, start, end, text, unspaced in rows
        ]
