"""Where the tracks of a scene are at given times, exactly.

It knows whole numbers and time; it knows no picture.

A value between two keys is one division of whole numbers, so a track and its mirror image give
equal bits at mirrored times.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from scenewise.data.synthetic.scene import COLOURS, TICKS, ColourTrack, Numbers, Scene, Track, ticks

Values = npt.NDArray[np.float64]


def frame_count(scene: Scene, frame_rate: Fraction) -> int:
    """How many frames the film has. Raises ValueError where it does not end with a frame."""
    count = Fraction(ticks(scene.seconds), TICKS) * frame_rate
    if count.denominator != 1:
        raise ValueError(
            f"{scene.seconds} s are no whole number of frames at {frame_rate} a second"
        )
    return int(count)


def values(track: Track, numbers: npt.NDArray[np.int64], frame_rate: Fraction) -> Values:
    """The track (T, K) at frames ``numbers`` (T,): each shows the middle of its time.

    Frame n stands for ``[n, n + 1) / frame_rate`` seconds and shows ``(n + 1/2) / frame_rate``.
    """
    if len(track) == 1:
        return np.repeat(np.array([track[0][1]], np.float64), len(numbers), axis=0)
    # times in 1/scale of a tick: whole numbers
    scale = 2 * frame_rate.numerator
    times = (2 * numbers + 1) * (TICKS * frame_rate.denominator)
    keys = np.array([tick for tick, _ in track], np.int64) * scale
    level = np.array([value for _, value in track], np.int64)
    times = np.clip(times, keys[0], keys[-1])
    after = np.clip(np.searchsorted(keys, times, side="right"), 1, len(keys) - 1)
    begin, end = keys[after - 1, None], keys[after, None]
    moment = times[:, None]
    mixed = level[after - 1] * (end - moment) + level[after] * (moment - begin)
    whole: Values = mixed / (end - begin)
    return whole


def colour_values(
    track: ColourTrack, numbers: npt.NDArray[np.int64], frame_rate: Fraction
) -> Values:
    """Red, green and blue (T, 3), 0 to 255."""
    return values(tuple((tick, COLOURS[name]) for tick, name in track), numbers, frame_rate)


def value_at(track: Sequence[tuple[int, Numbers]], tick: int) -> tuple[float, ...]:
    """The track at one tick; for a few of them."""
    before = track[0]
    if tick <= before[0]:
        return before[1]
    for after in track[1:]:
        if tick <= after[0]:
            share = (tick - before[0]) / (after[0] - before[0])
            return tuple(a + (b - a) * share for a, b in zip(before[1], after[1], strict=True))
        before = after
    return before[1]
