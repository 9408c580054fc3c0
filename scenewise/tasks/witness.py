"""What an answer can be taken from: a video or a library as a witness, and its statements.

It knows moments, their match and how they are told; the rules of the questions are ``ask``'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from scenewise.encoders.spec import Encoder
from scenewise.index.calibration import FOUND_FROM, Calibrator
from scenewise.index.footage import Footage
from scenewise.index.records import TextSegment
from scenewise.tasks.questions import Question
from scenewise.tasks.wording import Wording
from scenewise.types import Answer, Moment, Segment, Why, clock

SAME_THING = 0.5  # of the best match: what a further occurrence needs
MOST_EVIDENCE = 5
NEXT_SECONDS = 10.0  # how much of what comes after counts as what happens after


@dataclass(frozen=True, slots=True)
class Witness:
    """What an answer can be taken from.

    ``seen`` and ``said`` give the moments for a sentence, at most so many, best first: what the
    pictures (and sounds) show, and what is read or spoken. ``look`` gives a moment's video.
    """

    seen: Callable[[str, int], Sequence[Moment]]
    said: Callable[[str, int], Sequence[Moment]]
    look: Callable[[Moment], Footage]
    encoder: Encoder
    calibrator: Calibrator
    wording: Wording
    footage: Footage | None = None  # the one video that is asked about; None: a library


def cannot_tell(question: Question, why: str, hits: Sequence[Moment] = ()) -> Answer:
    """The honest answer, and why; ``hits`` are what came nearest."""
    return Answer(question.text, None, 0.0, tuple(hits), notes=(f"cannot tell: {why}",))


def too_weak(match: float) -> str:
    """Why a match between yes and no decides nothing."""
    return f"the best moment matches with {match:.2f}, which decides nothing"


def found_hits(hits: Sequence[Moment]) -> list[Moment]:
    """Hits that count as found, by the verdict of a search."""
    return [hit for hit in hits if hit.match >= FOUND_FROM]


def alike(hits: Sequence[Moment]) -> list[Moment]:
    """Of rising rank those that match about as well as the best one."""
    return [hit for hit in hits if hit.match >= SAME_THING * hits[0].match]


def ranked_anew(hits: Sequence[Moment]) -> tuple[Moment, ...]:
    """The hits with ranks from 1."""
    return tuple(replace(hit, rank=number + 1) for number, hit in enumerate(hits))


def beside(footage: Footage, hit: Moment, later: bool) -> Segment | None:
    """What comes right after a moment (or before it), to the end of its shot; None at the edge."""
    edges = sorted({edge for shot in footage.shots for edge in (shot.start, shot.end)})
    step = float(np.median(footage.ends - footage.starts))
    if later:
        start = hit.end
        limit = min(footage.duration, start + NEXT_SECONDS)
        end = next((edge for edge in edges if edge > start + step), limit)
        return Segment(start, min(end, limit)) if limit - start >= step / 2 else None
    end = hit.start
    limit = max(0.0, end - NEXT_SECONDS)
    start = next((edge for edge in reversed(edges) if edge < end - step), limit)
    return Segment(max(start, limit), end) if end - limit >= step / 2 else None


def places(hits: Sequence[Moment], witness: Witness) -> str:
    """``at 00:12.0-00:14.5 and 00:20.0-00:21.0``, with file names in a library."""
    named = []
    for hit in sorted(hits[:MOST_EVIDENCE], key=lambda hit: (hit.path, hit.start)):
        span = f"{clock(hit.start)}-{clock(hit.end)}"
        named.append(span if witness.footage is not None else f"{_file_name(hit)} {span}")
    more = len(hits) - len(named)
    last = f"{more} more" if more else named.pop()
    head = "at" if witness.footage is not None else "in"
    return f"{head} {', '.join(named)} and {last}" if named else f"{head} {last}"


def _file_name(hit: Moment) -> str:
    return hit.path.replace("\\", "/").rsplit("/", 1)[-1]


def capital(text: str) -> str:
    """With a capital letter; the rest stays."""
    return text[:1].upper() + text[1:]


def whole_video(footage: Footage) -> Moment:
    """A whole video as evidence of what is known of it for sure."""
    why = Why("video", f"{footage.duration:.1f} s, {len(footage.shots)} shots")
    return moment_of(footage, Segment(0.0, footage.duration), 1.0, why)


def moment_of(footage: Footage, span: Segment, match: float, why: Why) -> Moment:
    """A span as evidence; ``match`` is clipped to a probability."""
    match = min(1.0, max(0.0, match))
    middle = (span.start + span.end) / 2
    return Moment(
        1, footage.video_id, footage.path, span.start, span.end, match, match, (why,), middle
    )


def said_moment(footage: Footage, line: TextSegment, match: float) -> Moment:
    """A line of a video's text as evidence."""
    why = Why(line.kind, line.text, line.start, line.end)
    return moment_of(footage, Segment(line.start, line.end), match, why)
