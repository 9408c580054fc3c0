"""Things to recommend that lie in no library: a CSV of titles, texts and pictures, as vectors.

It knows the file and how an encoder is asked about it; it knows no history and no ranking.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenewise.encoders.spec import Encoder, FloatArray
from scenewise.errors import MediaError, UsageError
from scenewise.index.vector_cache import VectorCache, content_key

_NEEDED = ("id", "title")
_WANTED = "id, title, and where there are any text and picture"


@dataclass(frozen=True, slots=True)
class Item:
    """One row of a catalogue."""

    id: str
    title: str
    text: str = ""
    picture: Path | None = None

    @property
    def words(self) -> str:
        """What is read of it."""
        return ". ".join(part for part in (self.title, self.text) if part)


@dataclass(frozen=True, slots=True, eq=False)
class ItemVectors:
    """Unit vectors (N, D) of N items; rows of zeros where an item has no such side."""

    texts: FloatArray
    pictures: FloatArray


def read_catalogue(path: Path) -> tuple[Item, ...]:
    """The rows of a CSV with the columns id, title, text, picture (a path beside the file).

    Raises UsageError, which names the column or row, for a file that cannot be read, lacks a
    needed column, holds nothing, an id twice, or a picture that is not there.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise UsageError(
            f"the catalogue {path} cannot be read ({reason}); give a CSV with the "
            f"columns {_WANTED}."
        ) from error
    table = csv.DictReader(text.splitlines())
    columns = table.fieldnames or []
    lacking = [name for name in _NEEDED if name not in columns]
    if lacking:
        raise UsageError(
            f"the catalogue {path} has no column {' and '.join(lacking)}; it has "
            f"{', '.join(columns) or 'none'}, and needs {_WANTED}."
        )
    items: dict[str, Item] = {}
    for number, row in enumerate(table, 2):
        item = _item(path, number, {key: (row.get(key) or "").strip() for key in columns})
        if item.id in items:
            raise UsageError(f"{path}, row {number}: the id {item.id!r} is there twice.")
        items[item.id] = item
    if not items:
        raise UsageError(f"the catalogue {path} holds no rows; there is nothing to recommend.")
    return tuple(items.values())


def _item(path: Path, number: int, row: dict[str, str]) -> Item:
    picture = None
    if row.get("picture"):
        picture = path.parent / Path(row["picture"]).expanduser()
        if not picture.is_file():
            raise UsageError(
                f"{path}, row {number}: the picture {picture} is not there; correct the path or "
                "leave it empty."
            )
    if not row["id"] or not (row["title"] or row.get("text") or picture):
        raise UsageError(
            f"{path}, row {number}: needs an id, and a title, a text or a picture to go by."
        )
    return Item(row["id"], row["title"], row.get("text", ""), picture)


def encode_items(items: Sequence[Item], encoder: Encoder, cache: VectorCache) -> ItemVectors:
    """Vectors of all items; what was encoded before, whichever catalogue held it, is taken.

    Raises UsageError for a picture that cannot be read, EncoderError.
    """
    from scenewise.media.scale import load_picture

    digest = encoder.spec.digest()

    def picture_of(place: Path) -> Callable[[], FloatArray]:
        def encode() -> FloatArray:
            try:
                pixels = load_picture(place, encoder.spec.target)
            except MediaError as error:
                raise UsageError(f"{error} It is a picture of the catalogue.") from error
            return encoder.encode_image(pixels).vector

        return encode

    def text_of(words: str) -> Callable[[], FloatArray]:
        return lambda: encoder.encode_query(words).vector

    wanted: dict[bytes, Callable[[], FloatArray]] = {}
    texts: list[bytes | None] = []
    pictures: list[bytes | None] = []
    for item in items:
        text_key = picture_key = None
        if item.words:
            text_key = content_key(digest, "text", item.words.encode())
            wanted[text_key] = text_of(item.words)
        if item.picture is not None:
            picture_key = content_key(digest, "picture", item.picture.read_bytes())
            wanted[picture_key] = picture_of(item.picture)
        texts.append(text_key)
        pictures.append(picture_key)
    vectors = cache.get(list(wanted))
    fresh = {key: encode() for key, encode in wanted.items() if key not in vectors}
    cache.put(fresh)
    vectors |= fresh
    nothing = np.zeros(encoder.spec.dimension, np.float32)
    return ItemVectors(
        np.stack([nothing if key is None else vectors[key] for key in texts]),
        np.stack([nothing if key is None else vectors[key] for key in pictures]),
    )
