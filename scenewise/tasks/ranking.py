"""From the scores of one video's windows to its rank and its moments.

It knows numbers and times; it knows no encoder, no index and no query. A score may have any
scale, as long as higher is better; everything here is relative to the query's own scores.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import FloatArray

BEST_WINDOWS = 3  # a peak is the mean of this many windows, so that one odd frame decides nothing
THRESHOLD = 0.5  # where a moment ends, on the way from the background (0) to the peak (1)
KERNEL = (0.25, 0.5, 0.25)  # smooths the flicker from frame to frame before runs are cut
SAME_TIME = 1e-6  # seconds

TimeArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """A moment: ``[start, end)`` seconds, its best window, and its rank score."""

    start: float
    end: float
    peak_index: int  # among the windows that were given
    score: float


def rank_video(scores: FloatArray | TimeArray, mean_score: float) -> float:
    """The rank score of a video from its windows' scores (N,), N >= 1, and their mean.

    Half the evidence is the peak (the mean of the ``BEST_WINDOWS`` best), half is the whole: a
    film about a thing beats a film that shows something like it once.
    """
    return combine(_peak(scores), mean_score)


def combine(peak: float, mean_score: float) -> float:
    """A rank score from the evidence of a moment and of its video."""
    return (peak + mean_score) / 2


def find_moments(
    scores: FloatArray,
    starts: TimeArray,
    ends: TimeArray,
    duration: float,
    *,
    limit: int = 5,
    background: float | None = None,
    mean_score: float | None = None,
) -> list[ScoredSpan]:
    """The runs of neighbouring windows that match, best first, at most ``limit``.

    ``scores``, ``starts`` and ``ends`` (N,) are the windows in order of time; window i covers
    ``[starts[i], ends[i])`` seconds. ``background`` is what a window scores for this query where
    it is not shown, such as the median over the library; None takes the lowest quarter of this
    video. A window belongs to a moment where its smoothed score passes half the way from there to
    the video's peak, so a video that matches all along is one moment, and a run ends where the
    next window does not touch it in time.

    The best moment has exactly the score that ``rank_video`` gives with the same ``mean_score``
    (None: the mean of ``scores``); every other one has less by half of what its peak lacks.
    Starts and ends fall on windows, and inside ``[0, duration]``.
    """
    values: TimeArray = np.array(scores, dtype=np.float64)
    if len(values) == 0 or limit < 1:
        return []
    smooth = _smooth(values, starts, ends)
    floor = float(np.quantile(values, 0.25)) if background is None else background
    top = float(smooth.max())
    # a peak below the background still has a neighbourhood: itself
    runs = _runs(smooth >= _level(top, floor), starts, ends)
    peaks = [float(smooth[first : last + 1].max()) for first, last in runs]
    video_score = rank_video(values, float(values.mean()) if mean_score is None else mean_score)
    spans = [
        _span(run, values, starts, ends, duration, video_score - (top - peak) / 2)
        for run, peak in zip(runs, peaks, strict=True)
    ]
    return sorted(spans, key=lambda span: (-span.score, span.start))[:limit]


def find_occurrences(
    scores: FloatArray,
    starts: TimeArray,
    ends: TimeArray,
    duration: float,
    *,
    accept: Callable[[TimeArray], npt.NDArray[np.bool_]],
    background: float | None = None,
    mean_score: float | None = None,
) -> list[ScoredSpan]:
    """Every run of windows that is good enough by itself, best first.

    Other than in ``find_moments``, a weaker moment does not have to reach half the peak of its
    video: ``accept`` says of rank scores (N,) which suffice, and each run of those keeps what
    passes half the way from the background to its own peak.
    """
    values: TimeArray = np.array(scores, dtype=np.float64)
    if len(values) == 0:
        return []
    smooth = _smooth(values, starts, ends)
    floor = float(np.quantile(values, 0.25)) if background is None else background
    worth = rank_windows(values, starts, ends, mean_score)
    spans = []
    for first, last in _runs(accept(worth), starts, ends):
        member = np.zeros(len(values), dtype=bool)
        inside = smooth[first : last + 1]
        member[first : last + 1] = inside >= _level(float(inside.max()), floor)
        for run in _runs(member, starts, ends):
            best = float(worth[run[0] : run[1] + 1].max())
            spans.append(_span(run, values, starts, ends, duration, best))
    return sorted(spans, key=lambda span: (-span.score, span.start))


def find_runs(
    values: FloatArray, starts: TimeArray, ends: TimeArray, duration: float, *, least: float
) -> list[ScoredSpan]:
    """The runs of windows whose smoothed value reaches ``least``, best first.

    For values (N,) that mean something by themselves, such as probabilities. A span's score is
    its largest smoothed value.
    """
    given: TimeArray = np.array(values, dtype=np.float64)
    if len(given) == 0:
        return []
    smooth = _smooth(given, starts, ends)
    spans = [
        _span(run, given, starts, ends, duration, float(smooth[run[0] : run[1] + 1].max()))
        for run in _runs(smooth >= least, starts, ends)
    ]
    return sorted(spans, key=lambda span: (-span.score, span.start))


def rank_windows(
    scores: FloatArray | TimeArray,
    starts: TimeArray,
    ends: TimeArray,
    mean_score: float | None = None,
) -> TimeArray:
    """For each of the windows (N,), N >= 1, the rank score of a moment whose peak it would be.

    Arguments as in ``find_moments``, whose spans have the score of their best window here.
    """
    values: TimeArray = np.array(scores, dtype=np.float64)
    smooth = _smooth(values, starts, ends)
    video_score = rank_video(values, float(values.mean()) if mean_score is None else mean_score)
    return np.asarray(video_score - (smooth.max() - smooth) / 2)


def _level(peak: float, floor: float) -> float:
    """What a window has to reach to belong to a moment with this peak; the peak always does."""
    return min(peak, floor + THRESHOLD * (peak - floor))


def _span(
    run: tuple[int, int],
    values: TimeArray,
    starts: TimeArray,
    ends: TimeArray,
    duration: float,
    score: float,
) -> ScoredSpan:
    first, last = run
    start = min(max(0.0, float(starts[first])), duration)
    end = min(float(ends[last]), duration)
    inside = first + int(values[first : last + 1].argmax())
    return ScoredSpan(start, max(start, end), inside, score)


def _peak(scores: FloatArray | TimeArray) -> float:
    count = min(BEST_WINDOWS, len(scores))
    return float(np.partition(scores, len(scores) - count)[len(scores) - count :].mean())


def _touches(starts: TimeArray, ends: TimeArray) -> npt.NDArray[np.bool_]:
    """(N - 1,) whether window i + 1 begins before or where window i ends."""
    return np.asarray(starts[1:] <= ends[:-1] + SAME_TIME)


def _smooth(scores: TimeArray, starts: TimeArray, ends: TimeArray) -> TimeArray:
    """Each score with its neighbours in time; where one is missing the window stands for it."""
    touch = _touches(starts, ends)
    before, after = scores.copy(), scores.copy()
    before[1:][touch] = scores[:-1][touch]
    after[:-1][touch] = scores[1:][touch]
    return np.asarray(KERNEL[0] * before + KERNEL[1] * scores + KERNEL[2] * after)


def _runs(
    member: npt.NDArray[np.bool_], starts: TimeArray, ends: TimeArray
) -> list[tuple[int, int]]:
    """First and last index of each run of members that touch in time."""
    joined = member[1:] & member[:-1] & _touches(starts, ends)
    firsts = np.flatnonzero(member & ~np.concatenate([[False], joined]))
    lasts = np.flatnonzero(member & ~np.concatenate([joined, [False]]))
    return [(int(first), int(last)) for first, last in zip(firsts, lasts, strict=True)]
