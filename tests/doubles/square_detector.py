"""A detector that is right by construction: it finds what is red, green or blue in a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from scenewise.encoders.detectors import DetectedBox
from scenewise.errors import UsageError


class SquareDetector:
    """Finds coloured squares by their colour: exact boxes, and what the test wants beside."""

    name = "squares"
    is_open = False

    def __init__(self, batch: int = 1, twice: bool = False, blind: Sequence[int] = ()) -> None:
        self.batch = batch
        self.twice = twice
        self.blind = blind
        self.seen = 0
        self.asked: list[tuple[int, float]] = []

    def known_labels(self, wanted: Sequence[str]) -> tuple[str, ...]:
        if "purple" in wanted:
            raise UsageError("squares knows no label 'purple'")
        return tuple(wanted) or ("red", "green", "blue")

    def detect(
        self, pictures: Sequence[npt.NDArray[np.uint8]], labels: Sequence[str], least: float
    ) -> list[tuple[DetectedBox, ...]]:
        self.asked.append((len(pictures), least))
        found = []
        for shown in pictures:
            self.seen += 1
            boxes = [] if self.seen - 1 in self.blind else self._boxes(shown, labels)
            found.append(tuple(boxes))
        return found

    def _boxes(self, shown: npt.NDArray[np.uint8], labels: Sequence[str]) -> list[DetectedBox]:
        boxes = []
        height, width = shown.shape[:2]
        for channel, label in enumerate(("red", "green", "blue")):
            rows, columns = np.nonzero(shown[..., channel] > 127)
            if label not in labels or not len(rows):
                continue
            left, top = columns.min() / width, rows.min() / height
            wide, high = (columns.max() + 1) / width - left, (rows.max() + 1) / height - top
            boxes.append(DetectedBox(label, 0.9, left, top, wide, high))
            if self.twice:
                boxes.append(DetectedBox(label, 0.6, left + 0.005, top, wide, high))
        return boxes
