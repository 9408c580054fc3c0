"""Which frames a language model is shown, and as what pictures.

It knows times and pictures; it knows no model. A bound on number and size keeps a question about
a long film as small as one about a short one.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from scenewise.media.sampling import per_shot, uniform
from scenewise.tasks.language.model import FrameImage
from scenewise.types import Segment

MOST_FRAMES = 8
LONGEST_EDGE = 512  # pixels
_QUALITY = 85  # of the JPEG


def spread(
    spans: Sequence[Segment], shots: Sequence[Segment], duration: float, count: int = MOST_FRAMES
) -> list[float]:
    """At most ``count`` rising instants: over the spans, or where there are none over the video.

    Each span gets its middle first, the earlier-given first; what is left goes to the longest
    stretches between instants. Without spans the middles of shots count, evenly chosen where
    they are too many; a video of few shots is looked at evenly.
    """
    if count < 1:
        raise ValueError(f"at least one frame is needed, got {count}")
    if spans:
        return _over_spans(spans[:count], count)
    if len(shots) >= count:
        centres = per_shot(shots)
        return [centres[(2 * i + 1) * len(centres) // (2 * count)] for i in range(count)]
    return uniform(duration, count)


def _over_spans(spans: Sequence[Segment], count: int) -> list[float]:
    parts = [1] * len(spans)
    while sum(parts) < count:
        # the span whose instants lie farthest apart gets the next one
        widest = max(range(len(spans)), key=lambda i: spans[i].duration / parts[i])
        if spans[widest].duration / parts[widest] < 0.2:  # nothing new is seen so close together
            break
        parts[widest] += 1
    times = {
        span.start + (number + 0.5) * span.duration / part
        for span, part in zip(spans, parts, strict=True)
        for number in range(part)
    }
    return sorted(times)


def read_frames(
    path: str | Path, times: Sequence[float], longest_edge: int = LONGEST_EDGE
) -> list[FrameImage]:
    """The frames shown at these times as JPEG, none twice. Raises MediaError."""
    from PIL import Image

    from scenewise.media.decode import VideoReader
    from scenewise.media.target import Target

    found: dict[float, FrameImage] = {}
    with VideoReader(path) as reader:
        for frame in reader.read(times, Target(longest_edge, longest_edge, "fit")):
            if frame.time in found:
                continue
            written = io.BytesIO()
            Image.fromarray(frame.image).save(written, "JPEG", quality=_QUALITY)
            found[frame.time] = FrameImage(frame.time, written.getvalue())
    return [found[time] for time in sorted(found)]
