"""Hits to clips: which spans of which files, under which names.

It knows hits and file names; cutting itself is ``media.clips``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from scenewise.config import expand_user
from scenewise.errors import UsageError
from scenewise.index.catalog import Catalog
from scenewise.index.naming import video_named
from scenewise.types import Moment

if TYPE_CHECKING:  # the decoder is loaded when something is cut, not when a hit is read
    from scenewise.media import clips

TIME_FORMS = "seconds (135.5), mm:ss (02:15.5) or hh:mm:ss (00:02:15.5)"
_TIME = re.compile(r"(?:(?:(\d{1,6}):)?(\d{1,6}):)?(\d{1,9}(?:\.\d*)?|\.\d+)")


@dataclass(frozen=True, slots=True)
class Hit:
    """A span that somebody named; how a video is named: ``index.naming``."""

    video: str
    start: float
    end: float

    def __str__(self) -> str:
        return f"{self.video}@{self.start:g}-{self.end:g}"


Cuttable = Moment | Hit | str  # a string is VIDEO@START-END


def parse_time(text: str) -> float:
    """Seconds from ``135.5``, ``02:15.5`` or ``00:02:15.5``. Raises UsageError.

    >>> parse_time("02:15.5")
    135.5
    """
    found = _TIME.fullmatch(text.strip())
    if found is None:
        raise UsageError(f"{text!r} is not a time; write {TIME_FORMS}.")
    hours, minutes, seconds = found.groups()
    if (minutes is not None and float(seconds) >= 60) or (hours is not None and int(minutes) >= 60):
        raise UsageError(f"{text!r} is not a time: what follows a colon is below 60.")
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)


def parse_hit(text: str) -> Hit:
    """``VIDEO@START-END``; the last ``@`` counts, so that paths may hold others.

    >>> parse_hit("clip.mp4@02:15-02:18.5")
    Hit(video='clip.mp4', start=135.0, end=138.5)
    """
    video, _, span = text.rpartition("@")
    start, dash, end = span.partition("-")
    if not (video and dash):
        raise UsageError(
            f"{text!r} is not a hit; write VIDEO@START-END, such as clip.mp4@02:15-02:18.5."
        )
    try:
        hit = Hit(video, parse_time(start), parse_time(end))
    except UsageError as error:
        raise UsageError(f"the hit {text!r}: {error}") from None
    if hit.end <= hit.start:
        raise UsageError(f"{text!r} does not end after its start; write VIDEO@START-END.")
    return hit


def cut_hits(
    catalog: Catalog,
    hits: Sequence[Cuttable],
    folder: Path,
    *,
    exact: bool = True,
    padding: float = 0.0,
    reel: str | Path | None = None,
) -> list[Path]:
    """See ``Library.cut``. Files of the same name are replaced."""
    from scenewise.media import clips

    if not (math.isfinite(padding) and padding >= 0):
        raise UsageError(f"padding = {padding:g} is not allowed; give seconds, 0 or more.")
    if not hits:
        raise UsageError("nothing to cut: no hit was given.")
    spans = list(dict.fromkeys(_locate(catalog, hit, padding) for hit in hits))
    folder = expand_user(folder)
    mode: clips.CutMode = "exact" if exact else "copy"
    written = [
        clips.cut(span, folder / name, mode=mode).path
        for span, name in zip(spans, clips.name_clips(spans), strict=True)
    ]
    if reel is not None:
        written.append(clips.join(spans, expand_user(reel)).path)
    return written


def _locate(catalog: Catalog, hit: Cuttable, padding: float) -> clips.Span:
    """Which seconds of which file; UsageError where there is no such video or file."""
    from scenewise.media.clips import Span

    if isinstance(hit, str):
        hit = parse_hit(hit)
    if isinstance(hit, Moment):
        path, duration = hit.path, None
    else:
        path, duration = _file_of(catalog, hit)
    if not Path(path).exists():
        raise UsageError(f"the file {path} is gone; connect its drive, or index its new place.")
    end = hit.end + padding
    if duration is not None:
        end = min(end, duration)
    return Span(Path(path), max(0.0, hit.start - padding), end)


def _file_of(catalog: Catalog, hit: Hit) -> tuple[str, float | None]:
    entries = video_named(catalog.videos(), hit.video)
    # the path that was named; a live one, where the content was named by its id
    found = min(entries, key=lambda video: video.state == "missing")
    if found.duration is not None and hit.start >= found.duration:
        raise UsageError(
            f"{hit} begins behind the end of {found.path}, which is {found.duration:.1f} s long."
        )
    return found.path, found.duration
