"""Spans as annotation files write them, made right as the field makes them right.

People mark moments by hand: some reach past the end of the video, and a few end before they
start. 2D-TAN (Zhang et al. 2020) and VSLNet (Zhang et al. 2020) cut them to ``[0, duration]`` and
leave out what then has no length; so do we, and count it. It knows times; it knows no file format.
"""

from __future__ import annotations

from scenewise.data.annotations.files import Oddities, Record, finite
from scenewise.types import Segment

_ROUNDING_SECONDS = 1e-3  # 95.04 in a video of 95.03999999999999 s is nothing odd
CUT = "of the spans reach past the end of their video and are cut there"
EARLY = "of the spans start before their video and are cut there"
EMPTY = "of the spans have no length or end before they start, and are left out"


def mended(
    record: Record, start: object, end: object, duration: float | None, odd: Oddities
) -> Segment | None:
    """The span inside the video, or None where nothing of it is left; what was odd is counted.

    Seconds. ``duration`` None: the end of the video is not known, and nothing is cut there.
    Raises DataError for what is no number.
    """
    first, last = finite(record, "start", start), finite(record, "end", end)
    if last <= first:
        odd.count(EMPTY)
        return None
    if first < 0:
        odd.count(EARLY)
        first = 0.0
    if duration is not None and last > duration:
        odd.count(CUT, int(last - duration > _ROUNDING_SECONDS))
        last = duration
    if last <= first:
        odd.count(EMPTY)
        return None
    return Segment(first, last)


def pair(record: Record, name: str, value: object) -> tuple[object, object]:
    """The two ends of ``[start, end]``. Raises DataError."""
    if not isinstance(value, list) or len(value) != 2:
        raise record.error(f"{name!r} holds {value!r}; allowed: [start, end]")
    return value[0], value[1]
