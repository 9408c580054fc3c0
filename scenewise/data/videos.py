"""Where the videos of annotations lie: names matched with the files of a folder.

A folder is walked once, whatever the number of rows. A name is found, in this order,

1. as a path below the folder, as it is or with another video suffix;
2. as the end of a path: ``running/a.mp4`` below ``train/``;
3. by the file's name alone, in whatever subfolder;
4. as datasets rename their files: with or without the ``v_`` of ActivityNet, with the times of
   Kinetics in six digits, plain or rounded, or as an id in front of such times.

Letters count as they are: ids of YouTube differ in nothing but their case. A file that was found by
its name alone stands for one name only. It knows names; it opens no video.
"""

from __future__ import annotations

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from scenewise.data.rows import Annotations, AnyRow
from scenewise.errors import DataError
from scenewise.media.video_names import looks_like_video, without_suffix

_NAMED = 3  # missing videos that a sentence names
_TIMED = re.compile(r"(.+)_(\d+(?:\.\d+)?)_(\d+(?:\.\d+)?)")
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Where each video lies. ``ambiguous`` names lie in several places; the first was taken."""

    folder: Path
    paths: Mapping[str, Path]
    missing: tuple[str, ...] = ()
    ambiguous: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)

    def __str__(self) -> str:
        """``9,000 videos, 12 missing: a, b, c and 9 more; 1 in several places: d``."""
        total = len(self.paths) + len(self.missing)
        said = f"{total:,} video{'s' * (total != 1)}"
        if self.missing:
            said += f", {len(self.missing):,} missing: {_some(self.missing)}"
        if self.ambiguous:
            said += f"; {len(self.ambiguous):,} in several places: {_some(tuple(self.ambiguous))}"
        return said


def _some(names: Sequence[str]) -> str:
    if len(names) <= _NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_NAMED])} and {len(names) - _NAMED:,} more"


def find_videos(names: Iterable[str], folder: str | Path) -> Found:
    """Find the video of each name below a folder; see above how.

    Raises DataError where there is no such folder.
    """
    folder = Path(folder).expanduser()
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; name the one that holds the videos.")
    wanted = tuple(dict.fromkeys(names))
    files = _Files(folder)
    places = {name: place for name in wanted if (place := files.exactly(name))}
    taken = {place for found in places.values() for place in found}
    claims: defaultdict[str, list[str]] = defaultdict(list)
    for name in wanted:
        if name not in places:
            loose = [place for place in files.loosely(name) if place not in taken]
            if loose:
                places[name] = tuple(loose)
                claims[loose[0]].append(name)
    for rivals in claims.values():
        if len(rivals) > 1:  # which of them it is, nothing tells
            for name in rivals:
                del places[name]
    several = {name: places[name] for name in wanted if len(places.get(name, ())) > 1}
    return Found(
        folder,
        {name: folder / places[name][0] for name in wanted if name in places},
        tuple(name for name in wanted if name not in places),
        {name: tuple(folder / place for place in found) for name, found in several.items()},
    )


class _Files:
    """The video files below a folder, as paths with slashes, by what they may be called."""

    def __init__(self, folder: Path) -> None:
        self._paths: set[str] = set()
        self._stems: defaultdict[str, list[str]] = defaultdict(list)  # path without suffix
        self._names: defaultdict[str, list[str]] = defaultdict(list)  # last part of it
        self._others: defaultdict[str, list[str]] = defaultdict(list)  # what else it may mean
        self._folder = folder
        for path in sorted(_walk(folder)):
            stem = without_suffix(path)
            name = PurePosixPath(stem).name
            self._paths.add(path)
            self._stems[stem].append(path)
            self._names[name].append(path)
            for other in (*_other_names(name), *_ids(name)):
                self._others[other].append(path)

    def exactly(self, name: str) -> tuple[str, ...]:
        """As a path below the folder, or the end of one; whole parts only."""
        plain = PurePosixPath(name).as_posix()
        if plain in self._paths:
            return (plain,)
        if self._is_other_file(plain):
            return (plain,)
        stem = without_suffix(plain)
        if stem in self._stems:
            return tuple(self._stems[stem])
        if "/" not in stem:
            return ()
        last = PurePosixPath(stem).name
        return tuple(p for p in self._names.get(last, ()) if without_suffix(p).endswith(f"/{stem}"))

    def loosely(self, name: str) -> tuple[str, ...]:
        """By the file's name alone, then as datasets rename."""
        last = PurePosixPath(without_suffix(name)).name
        if last in self._names:
            return tuple(self._names[last])
        for other in (last, *_other_names(last)):
            if other in self._others or other in self._names:
                return tuple(self._names.get(other, ()) or self._others[other])
        return ()

    def _is_other_file(self, name: str) -> bool:
        """A whole path, and one with a suffix that we do not know, is taken at its word."""
        path = PurePosixPath(name)
        if path.is_absolute():
            return Path(name).is_file()
        if not path.parts or ".." in path.parts or "." not in path.parts[-1]:
            return False
        return (self._folder / name).is_file()


def _other_names(name: str) -> Iterator[str]:
    """What else a name may be written as, the likeliest first."""
    bare = name.removeprefix("v_")
    if bare != name:
        yield bare
    timed = _TIMED.fullmatch(bare)
    if timed is not None and all(float(time).is_integer() for time in timed.groups()[1:]):
        yield f"{timed[1]}_{int(float(timed[2])):06d}_{int(float(timed[3])):06d}"


def _ids(name: str) -> Iterator[str]:
    """The id alone, by which a file of Kinetics may be meant; a file of that id alone is another.

    It would be the whole video, of which the name with times is a part.
    """
    timed = _TIMED.fullmatch(name)
    if timed is not None and len(timed[2]) == len(timed[3]) == 6:
        yield timed[1]


def _walk(folder: Path) -> Iterator[str]:
    """Paths of video files below a folder, with slashes; hidden ones are left out."""
    waiting = [("", str(folder))]
    seen: set[tuple[int, int]] = set()
    while waiting:
        below, place = waiting.pop()
        try:
            state = Path(place).stat()
            if (state.st_dev, state.st_ino) in seen:
                continue  # a loop of links
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(place) as listing:
                entries = list(listing)
        except OSError as error:
            logger.warning("%s: the folder cannot be read: %s", place, error.strerror)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                is_folder = entry.is_dir()
            except OSError:  # a link that leads nowhere
                continue
            if is_folder:
                waiting.append((f"{below}{entry.name}/", entry.path))
            elif looks_like_video(entry.name):
                yield f"{below}{entry.name}"


def with_videos(annotations: Annotations[AnyRow], found: Found) -> Annotations[AnyRow]:
    """The rows whose video was found. How many were left out is in the notes, and logged.

    Raises DataError where no row is left.
    """
    rows = tuple(row for row in annotations.rows if row.video in found.paths)
    lost = len(annotations.rows) - len(rows)
    notes = list(annotations.notes)
    if not rows:
        raise DataError(
            f"{found.folder}: holds no video of {annotations.dataset}, {annotations.split}; "
            f"looked for {_some(annotations.videos)}."
        )
    if lost or found.ambiguous:
        notes.append(f"{lost:,} of {len(annotations.rows):,} rows are left out: {found}")
        logger.warning("%s, %s: %s", annotations.dataset, annotations.split, notes[-1])
    return replace(annotations, rows=rows, notes=tuple(notes))
