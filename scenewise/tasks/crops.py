"""What a thing is, from the best few pictures of it, by the library's encoder.

The crops of a thing are asked of the encoder: against the encoder's background a label's mean score
is z deviations out, and the calibrated odds that the thing is there are exp(SLOPE z + OFFSET), as
in ``tasks.classify``; here none of the labels need be right, so the probability of a label is its
share of the odds of all labels and of none (odds 1). An encoder without a background is asked for
"something else" beside the labels.

It knows pictures, boxes and labels; it knows no video and not how a thing was found.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from scenewise.encoders.spec import Encoder
from scenewise.encoders.vectors import softmax
from scenewise.errors import UsageError
from scenewise.index.calibration import OFFSET, Calibrator, HasBackground
from scenewise.tasks.classify import ZeroShot
from scenewise.tasks.detections import Box
from scenewise.tasks.labels import LabelList

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB

_ELSE = "something else"
_CROPS = 3  # frames that a thing is judged by
_CROP_STEP_SECONDS = 0.4  # between two of them
_MARGIN = 1.4  # side of the crop / longer side of the box
_LEAST_CROP = 48  # pixels
_AT_EDGE = 0.01  # a box nearer to the edge of the picture may be cut off
_TOO_LARGE = 1.4  # times the usual area of a thing's boxes
_AREAS = 50  # newest boxes whose usual area is asked for


class CropLabeller:
    """Labels crops of pictures by the library's encoder; labels are encoded once."""

    def __init__(self, labels: Sequence[str], encoder: Encoder, calibrator: Calibrator) -> None:
        self.labels = tuple(labels)
        self.encoder = encoder
        candidate: object = encoder  # any class may bring one, whatever its declared type
        self._has_background = isinstance(candidate, HasBackground)
        if _ELSE in self.labels:
            raise UsageError(f"the label {_ELSE!r} is what the others are held against; leave it.")
        names = (*self.labels, _ELSE)
        self._asked = ZeroShot(LabelList(names, names, "labels"), encoder, calibrator)

    def crop(self, picture: Picture, box: Box) -> Picture:
        """The thing with some surroundings, of the size that the encoder takes."""
        height, width = picture.shape[:2]
        side = max(_MARGIN * max(box[2] * width, box[3] * height), _LEAST_CROP)
        wide, high = min(side, width), min(side, height)
        left = min(max(0.0, (box[0] + box[2] / 2) * width - wide / 2), width - wide)
        top = min(max(0.0, (box[1] + box[3] / 2) * height - high / 2), height - high)
        target = self.encoder.spec.target
        cut = Image.fromarray(picture).resize(
            (target.width, target.height),
            Image.Resampling.BICUBIC,
            box=(left, top, left + wide, top + high),
        )
        return np.asarray(cut)

    def probabilities(self, crops: Sequence[Picture]) -> npt.NDArray[np.float64]:
        """(labels,) of one thing from its crops; what is missing to 1 is for none of them."""
        frames = np.stack(crops)[:, None].repeat(self.encoder.spec.frames_per_window, axis=1)
        logits = self._asked.logits(self.encoder.encode_windows(frames)).mean(axis=0)
        if not self._has_background:
            return softmax(logits[None])[0, :-1]
        odds = np.exp(np.clip(logits[:-1] + OFFSET, -30, 30))
        return np.asarray(odds / (1 + odds.sum()), np.float64)


class Looks:
    """The best few crops of one thing, kept while it is followed."""

    def __init__(self) -> None:
        self._areas: deque[float] = deque(maxlen=_AREAS)
        self._kept: list[tuple[float, float, Picture]] = []  # worth, time, crop; best first

    @property
    def crops(self) -> list[Picture]:
        """At most three, best first."""
        return [crop for _, _, crop in self._kept]

    def see(self, box: Box, time: float, picture: Picture, labeller: CropLabeller) -> bool:
        """Keep the crop if it is one of the best: large, not at the edge, apart in time.

        Returns whether it was kept.
        """
        left, top, width, height = box
        self._areas.append(width * height)
        whole = min(left, top, 1 - left - width, 1 - top - height) >= _AT_EDGE
        value = worth(box, float(np.median(self._areas))) * (1.0 if whole else 0.3)
        near = [kept for kept in self._kept if abs(kept[1] - time) < _CROP_STEP_SECONDS]
        if near and max(near, key=lambda kept: kept[0])[0] >= value:
            return False
        if not near and len(self._kept) == _CROPS and self._kept[-1][0] >= value:
            return False
        self._kept = [kept for kept in self._kept if abs(kept[1] - time) >= _CROP_STEP_SECONDS]
        self._kept.append((value, time, labeller.crop(picture, box)))
        self._kept.sort(key=lambda kept: -kept[0])
        del self._kept[_CROPS:]
        return True


def worth(box: Box, usual: float) -> float:
    """The box's area, unless it is so much larger than usual that it holds more than the thing."""
    area = box[2] * box[3]
    return area if area <= _TOO_LARGE * usual else 0.5 * usual
