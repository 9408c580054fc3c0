"""Which text files lie beside a video: film.srt, film.vtt, film.en.srt, film.pt-BR.vtt.

It knows file names and dates; it opens nothing, and a folder is listed once for all its videos.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

SIDECAR_SUFFIXES = (".srt", ".vtt")
_LONGEST_TAG = 2  # en.forced: parts of a name between the video's and the suffix

# en, eng, pt-BR, zh-Hans; a mark of the kind of subtitles may follow
_LANGUAGE_TAG = re.compile(
    r"(?P<language>[a-z]{2,3}(?:[-_][a-z0-9]{2,8})*)?(?:\.?(?:forced|sdh|cc|hi|default))?", re.I
)


def find_sidecars(video: str | Path) -> tuple[Path, ...]:
    """The files beside one video, by name."""
    return SidecarFinder().beside(video)


def language_of(sidecar: Path) -> str | None:
    """The language that a file's name tells."""
    tag = _LANGUAGE_TAG.fullmatch(sidecar.stem.partition(".")[2])
    return tag["language"] if tag else None


def sidecar_stamp(path: Path) -> str | None:
    """Name, bytes and date of a file, so that an edited one is noticed; None where it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return f"{path.name} {status.st_size} {status.st_mtime_ns}"


class SidecarFinder:
    """Finds the files beside many videos; folders are as they were when first asked for."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, list[Path]]] = {}

    def beside(self, video: str | Path) -> tuple[Path, ...]:
        """The files beside one video, by name."""
        video = Path(video)
        found = self._listing(video.parent).get(video.stem, ())
        return tuple(path for path in found if _belongs(path, video.stem))

    def _listing(self, folder: Path) -> dict[str, list[Path]]:
        """Text files by the stems of the videos that they may belong to."""
        known = self._folders.get(folder)
        if known is not None:
            return known
        listing: defaultdict[str, list[Path]] = defaultdict(list)
        try:
            names = sorted(os.listdir(folder))  # noqa: PTH208 - names are all that is wanted
        except OSError:
            names = []
        for name in names:
            stem, suffix = os.path.splitext(name)  # noqa: PTH122 - as text: names may be odd
            if suffix.lower() not in SIDECAR_SUFFIXES:
                continue
            for _ in range(_LONGEST_TAG + 1):
                listing[stem].append(folder / name)
                stem, point, _tag = stem.rpartition(".")
                if not point:
                    break
        self._folders[folder] = dict(listing)
        return self._folders[folder]


def _belongs(path: Path, stem: str) -> bool:
    tag = os.path.splitext(path.name)[0][len(stem) :]  # noqa: PTH122 - as text: names may be odd
    return tag == "" or (len(tag) > 1 and _LANGUAGE_TAG.fullmatch(tag[1:]) is not None)
