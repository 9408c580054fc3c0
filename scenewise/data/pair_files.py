"""Pairs of many videos as one file of JSON lines, which the reader ``jsonl`` reads.

It knows files and reports; what a text is, is known by ``pairs``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scenewise.data.pairs import PairSettings, video_pairs
from scenewise.data.rows import CaptionRow
from scenewise.errors import MediaError, StorageError
from scenewise.media.sidecars import SidecarFinder
from scenewise.media.whole_file import written_aside
from scenewise.types import Failure, Progress


@dataclass(frozen=True, slots=True)
class PairsReport:
    """What was written: ``pairs`` counts rows, ``silent`` videos without a text long enough."""

    output: str
    videos: int
    pairs: int
    silent: int
    failed: tuple[Failure, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def write_pairs(
    videos: Sequence[Path],
    root: Path,
    output: Path,
    settings: PairSettings,
    *,
    failed: Iterable[Failure] = (),
    progress: Callable[[Progress], None] | None = None,
) -> PairsReport:
    """Write the pairs of all videos, in their order, named by their paths below ``root``.

    A video that lies elsewhere (a link led to it) is named by its whole path.

    A video that cannot be read is among the failed, after those that are given. Where there is no
    pair at all nothing is written. The file is there whole or not at all. Raises StorageError.
    """
    broken = list(failed)
    rows = silent = 0
    begun = time.monotonic()
    beside = SidecarFinder()
    try:
        with written_aside(output) as aside, aside.open("w", encoding="utf-8") as file:
            for number, path in enumerate(videos, 1):
                try:
                    pairs = video_pairs(path, _name(path, root), settings, beside)
                except MediaError as error:
                    broken.append(Failure(str(path), str(error)))
                    pairs = ()
                else:
                    silent += not pairs
                for row in pairs:
                    file.write(json.dumps(_shape(row)) + "\n")
                rows += len(pairs)
                if progress is not None:
                    spent = time.monotonic() - begun
                    said = Progress(number, len(videos), 0.0, spent, str(path), len(broken))
                    progress(said)
            if not rows:
                raise _NothingError
    except _NothingError:
        pass
    except OSError as error:
        raise StorageError(
            f"{output}: cannot be written ({error.strerror or error}); name another place."
        ) from error
    return PairsReport(str(output), len(videos), rows, silent, tuple(broken))


def _name(path: Path, root: Path) -> str:
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


class _NothingError(Exception):
    """There is nothing to write; what is written aside is thrown away."""


def _shape(row: CaptionRow) -> dict[str, Any]:
    """As the reader of one's own JSON lines takes it. ASCII: odd bytes of a name come back."""
    shape: dict[str, Any] = {"video": row.video, "captions": list(row.captions)}
    if row.span is not None:
        shape |= {"start": round(row.span.start, 3), "end": round(row.span.end, 3)}
    return shape
