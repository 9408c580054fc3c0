"""The sound of a clip: always as many samples, at the network's rate.

It knows samples; what a network makes of them is the network's.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scenewise.errors import MissingStreamError, UnreadableMediaError
from scenewise.media.audio import stream_channels
from scenewise.types import Segment


def clip_sound(
    path: Path,
    span: Segment,
    *,
    sample_rate: int,
    seconds: float,
    draw: np.random.Generator | None = None,
) -> tuple[Tensor, bool]:
    """Mono samples (n,) float32 in [-1, 1] of ``seconds`` within the span, and whether there are.

    The middle of the span in testing (``draw`` None), a stretch by chance in training; zeros
    after its end. A file without sound, or whose sound cannot be decoded, gives zeros and False.
    """
    count = round(seconds * sample_rate)
    samples = np.zeros(count, dtype=np.float32)
    room = max(0.0, span.duration - seconds)
    start = span.start + room * (0.5 if draw is None else float(draw.random()))
    end = min(start + seconds, span.end)
    if end <= start:
        return torch.from_numpy(samples), False
    filled = 0
    try:
        for block, _ in stream_channels(path, start=start, end=end, sample_rate=sample_rate):
            piece = block[0, : count - filled]
            samples[filled : filled + len(piece)] = piece
            filled += len(piece)
    except (MissingStreamError, UnreadableMediaError):
        return torch.zeros(count), False
    return torch.from_numpy(samples), filled > 0
