"""The verb that puts a video in short: summarize."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from scenewise.config import expand_user
from scenewise.errors import UsageError
from scenewise.index.footage import Footage
from scenewise.library.core import LibraryCore
from scenewise.media.whole_file import check_picture
from scenewise.tasks.query import normalise
from scenewise.types import Moment, Segment, clock

if TYPE_CHECKING:  # who searches needs none of these: the verb imports its own
    from scenewise.tasks.summarize import Chapter, Highlights, Summary

DEFAULT_REEL_SECONDS = 30.0
MOST_PICTURES = 60  # of a storyboard
Per = Literal["chapter", "shot"]


class Summarizing(LibraryCore):
    """Verbs of ``Library`` that put videos in short."""

    def summarize(
        self,
        video: str | Path,
        *,
        chapters: int | None = None,
        seconds: float | None = None,
        query: str | None = None,
        reel: str | Path | None = None,
        storyboard: str | Path | None = None,
        per: Per = "chapter",
    ) -> Summary:
        """Chapters with titles and, where wanted, the seconds that stand for the whole.

        ``chapters``: so many, or as near as can be; None: as many as the content has. ``seconds``
        of highlights (30 with a ``reel`` or a ``query``) cover the content without repeating, with
        ``query`` above all what matches it; ``reel`` writes them as an mp4, ``storyboard`` a
        picture with one frame per chapter or shot (``per``).

        Raises UsageError, MediaError, EncoderError, StorageError.

        >>> summary = library.summarize("holiday.mp4", reel="short.mp4")   # doctest: +SKIP
        >>> [(one.start, one.title) for one in summary.chapters]           # doctest: +SKIP
        [(0.0, 'seashore'), (42.5, 'restaurant, plate')]
        """
        from scenewise.tasks.summarize import Summary, chapters_of, highlights_of
        from scenewise.tasks.wording import Wording

        if query is not None:
            query = normalise(query)
        if per not in ("chapter", "shot"):
            raise UsageError(f"per = {per!r} is not allowed; give chapter or shot.")
        if storyboard is not None:
            check_picture(Path(storyboard), "a storyboard")
        if reel is not None and Path(reel).suffix.lower() != ".mp4":
            raise UsageError(f"{reel}: a reel is written as .mp4, not {Path(reel).suffix!r}.")
        if seconds is None and (reel is not None or query is not None):
            seconds = DEFAULT_REEL_SECONDS
        seen = self._footage(video)
        footage = seen.footage
        wording = Wording(seen.encoder, cache=self._settings.cache)
        summary = Summary(
            video_id=footage.video_id,
            path=footage.path,
            duration=footage.duration,
            encoder=seen.encoder.spec.name,
            chapters=chapters_of(footage, wording, count=chapters),
            query=query,
            notes=footage.warnings,
        )
        if seconds is not None:
            chosen = highlights_of(footage, seconds, encoder=seen.encoder, query=query)
            notes = (*summary.notes, *_notes(chosen, seconds))
            summary = replace(summary, highlights=chosen, notes=notes)
        if storyboard is not None:
            written = _draw(footage, summary.chapters, expand_user(storyboard), per)
            summary = replace(summary, storyboard=str(written))
        if reel is not None and summary.highlights is not None:
            written = _cut(footage, summary.highlights, expand_user(reel))
            summary = replace(summary, reel=str(written))
        return summary


def _notes(chosen: Highlights, seconds: float) -> tuple[str, ...]:
    if chosen.exhausted and chosen.seconds < 0.8 * seconds:
        return (
            f"the highlights last {chosen.seconds:.1f} s of {seconds:g} s: more would only repeat",
        )
    return ()


def _draw(footage: Footage, chapters: Sequence[Chapter], path: Path, per: Per) -> Path:
    """A frame of each chapter, or of each shot under the title of its chapter."""
    from scenewise.media.contact_sheet import write_contact_sheet

    spans: list[tuple[Segment, float, str]] = [
        (Segment(one.start, one.end), one.thumbnail_time, one.title) for one in chapters
    ]
    if per == "shot":
        shots = footage.shots or (Segment(0.0, footage.duration),)
        spans = [(shot, (shot.start + shot.end) / 2, _title_at(chapters, shot)) for shot in shots]
    step = -(-len(spans) // MOST_PICTURES)
    moments = [
        Moment(
            rank=number + 1,
            video_id=footage.video_id,
            path=footage.path,
            start=span.start,
            end=span.end,
            score=0.0,
            match=0.0,
            why=(),
            thumbnail_time=time,
        )
        for number, (span, time, _) in enumerate(spans)
    ]
    lines = [title for _, _, title in spans]
    title = f"{Path(footage.path).name}  {clock(footage.duration)}"
    return write_contact_sheet(moments[::step], path, title=title, lines=lines[::step])


def _title_at(chapters: Sequence[Chapter], shot: Segment) -> str:
    middle = (shot.start + shot.end) / 2
    return next((one.title for one in chapters if one.start <= middle < one.end), "")


def _cut(footage: Footage, chosen: Highlights, path: Path) -> Path:
    from scenewise.media.clips import Span, join

    source = Path(footage.path)
    if not source.exists():
        raise UsageError(f"the file {source} is gone; connect its drive, or index its new place.")
    return join([Span(source, span.start, span.end) for span in chosen.spans], path).path
