"""Shot boundaries, from the small pictures that indexing decodes anyway.

It knows pictures and their times, at 2 a second or at any other rate. It knows no file.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from einops import reduce
from PIL import Image

from scenewise.types import Segment

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB
FloatArray = npt.NDArray[np.float64]

_SIDE = 32  # pictures are reduced to this many fields a side
_SHIFT = 12  # fields by which a camera may have moved between two pictures
_PLAIN_CONTRAST = 6.0  # standard deviation of brightness, of 255, under which nothing is seen
_STEP_SECONDS = 0.45  # pictures nearer to each other than this are not compared for the decision
_REACH_SECONDS = 4.0  # how far the neighbourhood goes that sets the threshold


@dataclass(frozen=True, slots=True)
class ShotSettings:
    """When two pictures belong to different shots."""

    least_change: float = 0.3  # of 1: less is never a boundary
    certain_change: float = 0.5  # more always is one
    ratio: float = 2.0  # how far a boundary stands out from its neighbourhood
    least_seconds: float = 1.0  # no shot is shorter


@dataclass(frozen=True, slots=True)
class _Look:
    """What is remembered of a picture until the next one is compared with it."""

    colours: FloatArray  # shares of colours, (n,), sum 1
    grey: FloatArray  # brightness, (side, side)
    edges: FloatArray  # edge strength, (side, side)
    is_plain: bool


@dataclass(slots=True)
class ShotDetector:
    """Add pictures by rising time, then ``finish``.

    The change between two pictures half a second apart is the geometric mean of two distances:
    of their colour histograms, and of their edges and brightness after the shift that makes
    these most alike (as Zabih, Miller and Mai 1995 register before they compare edges, "A
    Feature-Based Algorithm for Detecting and Classifying Scene Breaks"). A pan changes the first
    little and the second hardly; a flash changes the first alone. A boundary is where the change
    stands out from the median of its neighbourhood, or where the picture is plain, as between
    fade-out and fade-in. Where pictures come closer than half a second, they tell the instant.
    Memory: a few numbers for each picture.
    """

    settings: ShotSettings = field(default_factory=ShotSettings)
    _last: _Look | None = None
    _before: _Look | None = None  # the one that was compared before _base
    _base: _Look | None = None  # the picture that the next decision compares with
    _base_time: float = 0.0
    _times: list[float] = field(default_factory=list)
    _changes: list[float] = field(default_factory=list)  # from the picture before
    _plain: list[bool] = field(default_factory=list)
    _steps: list[tuple[float, float, float]] = field(default_factory=list)  # from, to, change

    def add(self, time: float, image: Picture) -> None:
        """Take the picture (H, W, 3) shown at ``time``, seconds, by rising time.

        A picture of the same time as the one before is the same picture, and left out.
        """
        if self._times and time <= self._times[-1]:
            if time == self._times[-1]:
                return
            raise ValueError(f"pictures come by rising time, got {time} after {self._times[-1]}")
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"a picture has shape (H, W, 3), got {image.shape}")
        look = _look(image)
        self._changes.append(0.0 if self._last is None else _quick_change(self._last, look))
        self._times.append(time)
        self._plain.append(look.is_plain)
        self._last = look
        if self._base is None:
            self._base, self._base_time = look, time
        elif time - self._base_time >= _STEP_SECONDS:
            self._add_step(time, look)

    def _add_step(self, time: float, look: _Look) -> None:
        assert self._base is not None  # the caller has looked
        change = _change(self._base, look)
        least = self.settings.least_change
        if self._before is not None and min(change, self._steps[-1][2]) >= least:
            around = _change(self._before, look)
            if around < least:  # a flash: the pictures on both sides of it are alike
                begin, end, _ = self._steps[-1]
                self._steps[-1] = (begin, end, around)
                change = around
        self._steps.append((self._base_time, time, change))
        self._before, self._base, self._base_time = self._base, look, time

    def finish(self, duration: float) -> tuple[Segment, ...]:
        """The shots: spans that cover ``[0, duration)`` without gaps, at least one."""
        if duration <= 0:
            return (Segment(0.0, 0.0),)
        cuts: list[float] = []
        fades, covered = self._fades()
        hard = [at for at in self._hard_cuts() if not any(a <= at <= b for a, b in covered)]
        for time in sorted(fades + hard):
            begin = cuts[-1] if cuts else 0.0
            if time - begin >= self.settings.least_seconds:
                cuts.append(time)
        while cuts and duration - cuts[-1] < self.settings.least_seconds:
            cuts.pop()
        edges = [0.0, *cuts, duration]
        return tuple(Segment(a, b) for a, b in itertools.pairwise(edges))

    def _fades(self) -> tuple[list[float], list[tuple[float, float]]]:
        """Boundaries at plain pictures, and the spans in which they explain all changes.

        Black, white or grey between two shots is a boundary in its middle, or at both ends where
        it lasts. The changes that lead to it and from it without a pause belong to it.
        """
        found: list[float] = []
        covered = []
        for first, last in _runs(self._plain):
            if first == 0 or last == len(self._plain):
                continue  # at the beginning or end of the film
            begin, end = self._times[first], self._times[last]
            is_long = end - begin >= 2 * self.settings.least_seconds
            found += [begin, end] if is_long else [(begin + end) / 2]
            covered.append(self._widen(begin, end))
        return found, covered

    def _widen(self, begin: float, end: float) -> tuple[float, float]:
        least = self.settings.least_change / 2
        for a, b, change in reversed(self._steps):
            if b >= begin >= a or (b == begin and change >= least):
                begin = a
        for a, b, change in self._steps:
            if a <= end <= b or (a == end and change >= least):
                end = b
        return begin, end

    def _hard_cuts(self) -> list[float]:
        changes = np.array([change for _, _, change in self._steps])
        begins = np.array([begin for begin, _, _ in self._steps])
        found = []
        for place, (begin, end, change) in enumerate(self._steps):
            near = np.abs(begins - begin) <= _REACH_SECONDS
            near[place] = False
            usual = float(np.median(changes[near])) if near.any() else 0.0
            least = max(self.settings.least_change, usual * self.settings.ratio)
            if change >= min(least, self.settings.certain_change):
                found.append(self._instant(begin, end))
        return found

    def _instant(self, begin: float, end: float) -> float:
        """Where in ``(begin, end]`` the change is: the picture that differs most from its last."""
        first = int(np.searchsorted(self._times, begin, side="right"))
        last = int(np.searchsorted(self._times, end, side="right"))
        return self._times[first + int(np.argmax(self._changes[first:last]))]


def _look(image: Picture) -> _Look:
    fields = _reduce(image, 2 * _SIDE)
    red, green, blue = fields[..., 0], fields[..., 1], fields[..., 2]
    grey = 0.299 * red + 0.587 * green + 0.114 * blue
    # brightness in 16 steps, and two colour differences in 8 each
    brightness = np.bincount((grey // 16).astype(np.intp).ravel(), minlength=16)
    warm = np.clip((red - grey + 128) // 32, 0, 7).astype(np.intp)
    cold = np.clip((blue - grey + 128) // 32, 0, 7).astype(np.intp)
    tint = np.bincount((warm * 8 + cold).ravel(), minlength=64)
    edges = np.zeros_like(grey)
    edges[1:-1, 1:-1] = np.hypot(grey[1:-1, 2:] - grey[1:-1, :-2], grey[2:, 1:-1] - grey[:-2, 1:-1])
    return _Look(
        colours=np.concatenate([brightness, tint]) / (2.0 * grey.size),
        grey=_halve(grey),
        edges=_halve(edges),
        is_plain=float(grey.std()) < _PLAIN_CONTRAST,
    )


def _reduce(image: Picture, side: int) -> FloatArray:
    """The picture as side x side fields, each the mean of its pixels; (side, side, 3)."""
    reduced = Image.fromarray(image).resize((side, side), Image.Resampling.BOX)
    return np.asarray(reduced, dtype=np.float64)


def _halve(values: FloatArray) -> FloatArray:
    halved: FloatArray = reduce(values, "(h a) (w b) -> h w", "mean", a=2, b=2)
    return halved


def _colour_change(before: _Look, after: _Look) -> float:
    return 0.5 * float(np.abs(before.colours - after.colours).sum())


def _quick_change(before: _Look, after: _Look) -> float:
    """Without looking for a shift: enough to find the instant of a change that is known."""
    difference = float(np.abs(before.grey - after.grey).mean()) / 255
    return _colour_change(before, after) + difference


def _change(before: _Look, after: _Look) -> float:
    """0 for equal pictures, 1 for pictures that have nothing in common."""
    colours = _colour_change(before, after)
    if colours == 0.0:
        return 0.0
    alike = 0.5 * (_likeness(before.grey, after.grey) + _likeness(before.edges, after.edges))
    return float(np.sqrt(colours * (1.0 - alike)))


def _likeness(before: FloatArray, after: FloatArray) -> float:
    """The best normalised correlation over all shifts up to _SHIFT fields; 0 to 1.

    Only where the two overlap counts (Padfield 2012, "Masked Object Registration in the Fourier
    Domain"); an overlap with little contrast proves nothing and counts as 0.
    """
    size = (2 * _SIDE, 2 * _SIDE)
    first, second, ones = before - before.mean(), after - after.mean(), np.ones_like(before)
    stack = np.stack([ones, first, first**2, second, second**2])
    one, a, aa, b, bb = np.fft.rfft2(stack, size)
    products = np.stack(
        [np.conj(one) * one, np.conj(a) * b, np.conj(a) * one, np.conj(one) * b,
         np.conj(aa) * one, np.conj(one) * bb]
    )  # fmt: skip
    near = np.r_[0 : _SHIFT + 1, -_SHIFT:0]
    sums = np.fft.irfft2(products, size)[:, near][:, :, near]
    count = np.maximum(sums[0], 1.0)
    covariance = sums[1] - sums[2] * sums[3] / count
    spread = np.maximum(sums[4] - sums[2] ** 2 / count, 0.0)
    spread = np.sqrt(spread * np.maximum(sums[5] - sums[3] ** 2 / count, 0.0))
    least = 0.1 * count * float(np.sqrt(first.var() * second.var()))
    correlation = np.where(spread > least, covariance / np.maximum(spread, 1e-9), 0.0)
    return float(np.clip(correlation.max(), 0.0, 1.0))


def _runs(flags: list[bool]) -> list[tuple[int, int]]:
    """Stretches of True: first index, and one past the last."""
    padded = np.array([False, *flags, False], dtype=np.int8)
    places = np.flatnonzero(np.diff(padded)).reshape(-1, 2)
    return [(int(first), int(last)) for first, last in places]
