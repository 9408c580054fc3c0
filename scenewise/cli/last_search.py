"""The last search of a library, so that ``--last N`` can name its hits.

It knows the JSON shape of a search; where that is kept, the catalogue knows. A library that cannot
be written to is searched all the same: there, nothing is kept.
"""

from __future__ import annotations

from pathlib import Path

from scenewise.cli.output import logger
from scenewise.errors import LibraryNotFoundError, UsageError
from scenewise.types import Moment, SearchResult


def remember(directory: Path, result: SearchResult) -> None:
    """Keep the hits of this search, in place of those of the one before."""
    from scenewise.index.catalog import Catalog

    try:
        catalog = Catalog.open(directory)
    except LibraryNotFoundError:  # a file was looked at without any library
        return
    with catalog:
        if not catalog.save_last_search(result.to_dict()):
            logger.info("this search is not kept for --last: %s cannot be written", directory)


def recall(directory: Path, ranks: list[int]) -> list[Moment]:
    """The hits of the last search with these ranks, in the order given. Raises UsageError."""
    from scenewise.index.catalog import Catalog

    with Catalog.open(directory) as catalog:
        shape = catalog.last_search()
    if shape is None:
        raise UsageError(
            f"--last: nothing was searched yet in {directory}; "
            "run `scenewise search` first or give VIDEO@START-END."
        )
    try:
        hits = {hit["rank"]: Moment.from_dict(hit) for hit in shape["hits"]}
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"--last: the last search of {directory} cannot be read ({error}); search again."
        ) from None
    for rank in ranks:
        if rank not in hits:
            allowed = f"1 to {len(hits)}" if hits else "none, it found nothing"
            raise UsageError(f"the last search has no hit {rank}; allowed: {allowed}.")
    return [hits[rank] for rank in ranks]
