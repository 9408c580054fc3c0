"""What a person made and named, kept in the library: classifiers, enrolled people, and so on.

It knows names, JSON and bytes; what they mean, who keeps them knows. They live in the same file
as the catalogue, so that one backup holds everything that cannot be made again.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from scenewise.index.database import Database

KeptKind = Literal["classifier", "person", "normal"]  # normal: what a stream usually shows


@dataclass(frozen=True, slots=True)
class Kept:
    """One named thing."""

    kind: KeptKind
    name: str
    spec: dict[str, Any]  # JSON: how it was made, and for which encoder
    data: bytes


class KeptThings:
    """The part of ``Catalog`` that keeps named things."""

    _database: Database

    def kept(self, kind: KeptKind, name: str) -> Kept | None:
        """The thing of this name, or None."""
        row = self._database.row(
            "SELECT spec, data FROM kept WHERE kind = ? AND name = ?", (kind, name)
        )
        return None if row is None else Kept(kind, name, json.loads(row[0]), row[1])

    def kept_names(self, kind: KeptKind) -> list[str]:
        """All names of a kind, sorted."""
        rows = self._database.rows("SELECT name FROM kept WHERE kind = ? ORDER BY name", (kind,))
        return [row[0] for row in rows]

    def keep(self, thing: Kept) -> None:
        """Keep, in place of what had this kind and name; for a writer."""
        self._overwrite()
        with self._database.transaction() as rows:
            rows.execute(
                "INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?)",
                (thing.kind, thing.name, json.dumps(thing.spec), thing.data),
            )

    def drop_kept(self, kind: KeptKind, name: str) -> bool:
        """Forget; False where there is none of this name; for a writer.

        The bytes are overwritten, in the file and, unless somebody is reading, in its log.
        """
        self._overwrite()
        with self._database.transaction() as rows:
            count = rows.execute(
                "DELETE FROM kept WHERE kind = ? AND name = ?", (kind, name)
            ).rowcount
        self._database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        return bool(count)

    def _overwrite(self) -> None:
        """What is deleted or replaced from here on is overwritten with zeros."""
        self._database.rows("PRAGMA secure_delete = ON")
