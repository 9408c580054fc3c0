"""The last search of a library, kept so that ``--last N`` can name its hits.

It knows one small JSON file in the library's folder. A library that cannot be written to is
searched all the same: there, nothing is kept.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from scenewise.cli.output import logger
from scenewise.errors import UsageError
from scenewise.types import Moment, SearchResult, Why

FILE_NAME = "last_search.json"


def remember(directory: Path, result: SearchResult) -> None:
    """Keep the hits of this search, in place of those of the one before."""
    text = json.dumps(result.to_dict())  # ASCII: any file name survives
    try:
        number, name = tempfile.mkstemp(prefix=".last_search-", dir=directory)
        with os.fdopen(number, "w", encoding="ascii") as file:
            file.write(text)
        Path(name).replace(directory / FILE_NAME)
    except OSError as error:
        logger.info("this search is not kept for --last: %s", error)


def recall(directory: Path, ranks: list[int]) -> list[Moment]:
    """The hits of the last search with these ranks, in the order given."""
    try:
        shape = json.loads((directory / FILE_NAME).read_text("ascii"))
        hits = {hit["rank"]: _moment(hit) for hit in shape["hits"]}
    except FileNotFoundError:
        raise UsageError(
            f"--last: nothing was searched yet in {directory}; "
            "run `scenewise search` first or give VIDEO@START-END."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"--last: {directory / FILE_NAME} cannot be read ({error}); search again."
        ) from None
    for rank in ranks:
        if rank not in hits:
            allowed = f"1 to {len(hits)}" if hits else "none, it found nothing"
            raise UsageError(f"--last: the last search has no hit {rank}; allowed: {allowed}.")
    return [hits[rank] for rank in ranks]


def _moment(shape: dict[str, object]) -> Moment:
    values = dict(shape)
    reasons = values.pop("why")
    if not isinstance(reasons, list):
        raise TypeError(f"why is a list, got {reasons!r}")
    return Moment(**values, why=tuple(Why(**reason) for reason in reasons))  # type: ignore[arg-type] # checked by Moment's own validation
