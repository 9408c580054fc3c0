"""Where in one video a sentence is shown: spans with tight boundaries, and the curve behind them.

It knows one video's windows and an encoder; it knows no library, no file and no picture.

The curve is the encoder's score of each window, smoothed over half a second whatever the frame
rate. A moment is a run of windows above half the way from the video's usual score (the lowest
quarter) to its peak. Runs that a blink separates are one. Each boundary then moves, by one window
at most, to where the content changes: to a cut between shots, else to the largest step between
neighbouring windows. Numbers were chosen on generated footage (``benchmarks/locate_quality.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.encoders.spec import Encoder, FloatArray, Query
from scenewise.errors import UsageError
from scenewise.index.arrays import select
from scenewise.index.calibration import Calibrator, is_found
from scenewise.index.footage import Footage
from scenewise.tasks.query import normalise
from scenewise.tasks.ranking import rank_video
from scenewise.types import Moment, Segment

SMOOTHING_SECONDS = 0.5  # standard deviation of the smoothing over time
THRESHOLD = 0.5  # where a moment ends, on the way from the usual score (0) to the peak (1)
USUAL = 0.25  # quantile over time that counts as what the video usually scores
BLINK_SECONDS = 1.0  # a shorter gap between two longer runs does not end a moment
CLEAR_CHANGE = 2.0  # a step between windows counts from this many times the usual step
_ROUNDING = 1e-6
_REACH = 16  # windows on either side that smoothing looks at, at most

Curve = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """The score curve: one value per window ``[starts[i], ends[i])``, all of shape (N,)."""

    starts: Curve
    ends: Curve
    scores: Curve  # the encoder's own, smoothed
    levels: Curve  # 0 (usual in this video, or less) to 1 (its peak)

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape: a list of windows."""
        columns = (self.starts, self.ends, self.scores, self.levels)
        return {
            "windows": [
                {"start": start, "end": end, "score": score, "level": level}
                for start, end, score, level in zip(
                    *(column.tolist() for column in columns), strict=True
                )
            ]
        }


@dataclass(frozen=True, slots=True)
class Located:
    """Where a sentence is shown in a video, best first. ``found`` is a verdict."""

    video_id: str
    path: str
    duration: float
    sentence: str
    encoder: str
    found: bool
    hits: tuple[Moment, ...]
    heat: Heat
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape, without the curve."""
        shape: dict[str, Any] = {
            "video_id": self.video_id,
            "path": self.path,
            "duration": self.duration,
            "sentence": self.sentence,
            "encoder": self.encoder,
            "found": self.found,
            "hits": [hit.to_dict() for hit in self.hits],
        }
        if self.notes:
            shape["notes"] = list(self.notes)
        return shape


def locate(
    footage: Footage,
    encoder: Encoder,
    calibrator: Calibrator,
    text: str,
    *,
    limit: int = 5,
    min_match: float | None = None,
) -> Located:
    """The moments of a video that a sentence describes, at most ``limit``, best first.

    Raises UsageError for a sentence without words, or a limit or match that is not allowed.
    """
    sentence = normalise(text, "the sentence")
    if limit < 1:
        raise UsageError(f"limit = {limit} is not allowed; give 1 or more.")
    if min_match is not None and not 0 <= min_match <= 1:
        raise UsageError(f"min_match = {min_match} is not allowed; give 0 to 1.")
    query = encoder.encode_query(sentence)
    raw = encoder.score(query, footage.features)
    heat = heat_curve(footage, raw)
    spans = moments_of(footage, heat)
    scores, matches = _judge(query, calibrator, raw, heat, spans)
    hits: list[Moment] = []
    for (span, peak), score, match in zip(spans, scores.tolist(), matches.tolist(), strict=True):
        if len(hits) == limit or (min_match is not None and match < min_match):
            break
        inside = np.flatnonzero((footage.ends > span.start) & (footage.starts < span.end))
        hits.append(
            Moment(
                rank=len(hits) + 1,
                video_id=footage.video_id,
                path=footage.path,
                start=span.start,
                end=span.end,
                score=score,
                match=match,
                why=encoder.explain(query, select(footage.features, inside)),
                thumbnail_time=float(footage.times[peak]),
            )
        )
    return Located(
        footage.video_id,
        footage.path,
        footage.duration,
        sentence,
        encoder.spec.name,
        is_found(matches),
        tuple(hits),
        heat,
        (*footage.warnings, *query.notes),
    )


def _judge(
    query: Query,
    calibrator: Calibrator,
    raw: FloatArray,
    heat: Heat,
    spans: list[tuple[Segment, int]],
) -> tuple[FloatArray, FloatArray]:
    """Rank scores and matches (H,) of moments, given the windows' scores (N,)."""
    peaks = heat.scores[[peak for _, peak in spans]]
    if len(calibrator.background_scores(query)):
        # as a search of a library of this one video: what other occurrences lack counts half
        whole = rank_video(raw, float(raw.mean()))
        scores = np.asarray(whole - (peaks[0] - peaks) / 2, np.float32)
        return scores, calibrator.match(query, scores, np.array([whole], np.float32), videos=1)
    # no background comes with the encoder: the rest of the video is what a moment stands out of
    rest = raw[heat.levels < THRESHOLD]
    scores = np.asarray(peaks, np.float32)
    none = np.zeros(0, np.float32)
    rest = rest if len(rest) else raw
    return scores, calibrator.match(query, scores, none, window_scores=rest, videos=len(raw))


def heat_curve(footage: Footage, scores: npt.NDArray[np.floating]) -> Heat:
    """Window scores (N,), smoothed over time, and their place between usual and peak."""
    smooth = _smooth(np.asarray(scores, np.float64), footage.starts, footage.ends)
    usual = _time_quantile(smooth, footage.ends - footage.starts, USUAL)
    height = float(smooth.max()) - usual
    # scores that are equal up to rounding have no peak
    flat = height <= _ROUNDING * float(np.abs(smooth).max())
    levels = np.ones(len(smooth)) if flat else np.clip((smooth - usual) / height, 0, 1)
    return Heat(footage.starts, footage.ends, smooth, levels)


def moments_of(footage: Footage, heat: Heat) -> list[tuple[Segment, int]]:
    """Spans and their peak windows, the highest peak first. They do not overlap."""
    runs = _without_blinks(_runs(heat.levels >= THRESHOLD), footage)
    steps = _steps(footage)
    found: list[tuple[Segment, int]] = []
    before = 0.0
    for first, last in runs:
        peak = first + int(heat.scores[first : last + 1].argmax())
        start = max(before, _boundary(footage, steps, first, -np.inf, footage.times[peak]))
        end = _boundary(footage, steps, last + 1, float(footage.times[peak]), np.inf)
        end = min(max(end, float(footage.ends[peak])), footage.duration)
        before = end
        found.append((Segment(min(start, end), end), peak))
    return sorted(found, key=lambda moment: (-heat.scores[moment[1]], moment[0].start))


def _smooth(scores: Curve, starts: Curve, ends: Curve) -> Curve:
    """Gaussian smoothing over time; windows count by their length."""
    middles, lengths = (starts + ends) / 2, np.maximum(ends - starts, 1e-9)
    typical = float(np.median(lengths))
    reach = min(_REACH, len(scores) - 1, int(np.ceil(3 * SMOOTHING_SECONDS / typical)))
    total, weight = scores * lengths, lengths.copy()
    for step in range(1, reach + 1):
        distance = middles[step:] - middles[:-step]
        kernel = np.exp(-0.5 * (distance / SMOOTHING_SECONDS) ** 2)
        total[step:] += kernel * lengths[:-step] * scores[:-step]
        weight[step:] += kernel * lengths[:-step]
        total[:-step] += kernel * lengths[step:] * scores[step:]
        weight[:-step] += kernel * lengths[step:]
    return np.asarray(total / weight)


def _time_quantile(values: Curve, lengths: Curve, share: float) -> float:
    """The value below which the curve is for this share of the time."""
    order = np.argsort(values, kind="stable")
    passed = np.cumsum(lengths[order])
    place = int(np.searchsorted(passed, share * passed[-1]))
    return float(values[order[min(place, len(values) - 1)]])


def _runs(member: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and last window of each run of members."""
    edges = np.diff(np.concatenate([[0], member.astype(np.int8), [0]]))
    firsts, lasts = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) - 1
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))


def _without_blinks(runs: list[tuple[int, int]], footage: Footage) -> list[tuple[int, int]]:
    """Runs joined over gaps that are short, and shorter than both their neighbours."""

    def seconds(first: int, last: int) -> float:
        return float(footage.ends[last] - footage.starts[first])

    joined: list[tuple[int, int]] = []
    for run in runs:
        if joined:
            gap = float(footage.starts[run[0]] - footage.ends[joined[-1][1]])
            if gap < min(BLINK_SECONDS, seconds(*joined[-1]), seconds(*run)):
                joined[-1] = (joined[-1][0], run[1])
                continue
        joined.append(run)
    return joined


def _steps(footage: Footage) -> Curve:
    """(N + 1,) how much the content changes where window i begins; the ends are no change."""
    vectors = footage.features.vectors
    inner = 1 - np.einsum("nd,nd->n", vectors[1:], vectors[:-1], dtype=np.float64)
    return np.concatenate([[0.0], inner, [0.0]])


def _boundary(footage: Footage, steps: Curve, window: int, low: float, high: float) -> float:
    """Where the change at the beginning of a window (N: the end) really lies, within [low, high].

    One window earlier or later at most: a cut, else the clearest step.
    """
    # windows of clips overlap: between two of them lies the middle of what they share
    inner = (footage.ends[:-1] + footage.starts[1:]) / 2
    edges = np.concatenate([footage.starts[:1], inner, footage.ends[-1:]])
    here = float(edges[window])
    around = range(max(0, window - 1), min(len(edges) - 1, window + 1) + 1)
    reach = max(abs(float(edges[place]) - here) for place in around)
    cuts = [shot.start for shot in footage.shots] + [shot.end for shot in footage.shots[-1:]]
    near = [cut for cut in cuts if abs(cut - here) <= reach and low <= cut <= high]
    if near:
        return min(near, key=lambda cut: abs(cut - here))
    if window in (0, len(edges) - 1):
        return here
    allowed = [place for place in around if low <= edges[place] <= high]
    clearest = max(allowed, key=lambda place: (steps[place], place == window), default=window)
    usual = float(np.median(steps[1:-1]))
    return float(edges[clearest]) if steps[clearest] > CLEAR_CHANGE * usual else here
