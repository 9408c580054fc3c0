"""Boxes around things, followed over time: by a detector, or of what moves, labelled afterwards.

Without a detector only moving things are found. The crops of each (its best few frames) are asked
of the library's encoder: against the encoder's background a label's mean score is z deviations
out, and the calibrated odds that the thing is there are exp(SLOPE z + OFFSET), as in
``tasks.classify``; here none of the labels need be right, so the probability of a label is its
share of the odds of all labels and of none (odds 1). An encoder without a background is asked for
"something else" beside the labels.

It knows pictures, boxes, labels and one video; it knows no library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from scenewise.encoders.detectors import LONGEST_EDGE, DetectedBox
from scenewise.encoders.spec import Encoder
from scenewise.encoders.vectors import softmax
from scenewise.errors import UsageError
from scenewise.index.calibration import OFFSET, Calibrator, HasBackground
from scenewise.media.decode import Frame, VideoReader
from scenewise.media.following import Follower
from scenewise.media.motion import MotionSettings, MotionTracker
from scenewise.media.moving_areas import Area, Seen
from scenewise.media.sampling import every
from scenewise.media.target import Target
from scenewise.tasks.classify import ZeroShot
from scenewise.tasks.detections import Box, DetectedTrack, Detections, TrackBox
from scenewise.tasks.labels import LabelList

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB

MOTION_FPS, DETECTOR_FPS = 5.0, 2.0
LABEL_FROM = 0.25  # a moving thing's best label is told from this probability on
CLOSED_FROM, OPEN_FROM = 0.5, 0.2  # a detector's box counts from this probability on
_ELSE = "something else"
_MOVING_EDGE = 640  # pixels: crops are cut from pictures of this size
_CROPS = 3  # frames that a thing is judged by
_CROP_STEP_SECONDS = 0.4  # between two of them
_MARGIN = 1.4  # side of the crop / longer side of the box
_LEAST_CROP = 48  # pixels
_AT_EDGE = 0.01  # a box nearer to the edge of the picture may be cut off
_TOO_LARGE = 1.4  # times the usual area of a thing's boxes
_LEAST_BOXES = 2  # a moving thing told of in fewer pictures was a flicker
_GONE_SECONDS = 2.0  # a thing unseen for longer is over (the tracker gives up before)
_SAME_IOU = 0.7  # two boxes of one label that overlap more are one
_DUPLICATE = 1e-9


class Detector(Protocol):
    """What draws boxes: ``encoders.detectors.HuggingFaceDetector``."""

    name: str

    @property
    def is_open(self) -> bool:
        """Whether it is asked in words."""
        ...

    @property
    def batch(self) -> int:
        """How many pictures it likes at once."""
        ...

    def known_labels(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """The labels as it writes them; UsageError for one that it does not know."""
        ...

    def detect(
        self, pictures: Sequence[Picture], labels: Sequence[str], least: float
    ) -> list[tuple[DetectedBox, ...]]:
        """Boxes of each picture."""
        ...


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


def detect_moving(
    path: str | Path,
    labeller: CropLabeller | None,
    *,
    fps: float = MOTION_FPS,
    least: float = LABEL_FROM,
    video_id: str | None = None,
) -> Detections:
    """The moving things of a video, labelled where a labeller is given.

    A thing whose best label is less probable than ``least`` is left out and counted. Memory: the
    crops of what is in the picture now. Raises UsageError, MediaError.
    """
    _check(fps, least)
    asked = labeller is not None and bool(labeller.labels)
    with VideoReader(path) as reader:
        tracks: list[DetectedTrack] = []
        left_out = 0
        for thing in _moving_things(reader, fps, labeller):
            if len(thing.boxes) < _LEAST_BOXES:
                continue
            label, probability = thing.judge(labeller) if labeller is not None else (None, None)
            if asked and (probability is None or probability < least):
                left_out += 1
                continue
            tracks.append(thing.track(label, probability, 1 / fps, reader.duration))
        method = "motion: things that move"
        if labeller is not None:
            method += f", labelled afterwards by the encoder {labeller.encoder.spec.name}"
        return _detections(
            reader, path, video_id, "motion", f"{method}; still things are not found",
            labeller.labels if labeller is not None else (), fps, tracks, left_out,
        )  # fmt: skip


def detect_with(
    path: str | Path,
    detector: Detector,
    labels: Sequence[str] = (),
    *,
    fps: float = DETECTOR_FPS,
    least: float | None = None,
    video_id: str | None = None,
) -> Detections:
    """The things that a detector finds in a video, its boxes joined to tracks label by label.

    ``labels`` empty: all that a closed detector knows. ``least`` None: 0.5 for a closed detector,
    0.2 for one that is asked in words. Raises UsageError, MediaError.
    """
    least = (OPEN_FROM if detector.is_open else CLOSED_FROM) if least is None else least
    _check(fps, least)
    wanted = detector.known_labels(labels)
    with VideoReader(path) as reader:
        things: dict[tuple[str, int], _Thing] = {}
        linkers = {label: _Linker(fps) for label in wanted}
        for frame, found in _detected(reader, detector, wanted, fps, least):
            for label, linker in linkers.items():
                boxes = _distinct([box for box in found if box.label == label])
                for number, box in linker.join(frame, boxes):
                    thing = things.setdefault((label, number), _Thing())
                    thing.boxes.append(box)
        tracks = [
            thing.track(label, thing.mean_probability(), 1 / fps, reader.duration)
            for (label, _), thing in things.items()
        ]
        return _detections(
            reader, path, video_id, "detector", f"detector: {detector.name}", wanted, fps, tracks
        )


@dataclass(slots=True)
class _Thing:
    """A thing while it is followed."""

    boxes: list[TrackBox] = field(default_factory=list)
    crops: list[tuple[float, float, Picture]] = field(default_factory=list)  # worth, time, crop

    def look(self, box: TrackBox, picture: Picture, labeller: CropLabeller) -> None:
        """Keep the crop if it is one of the best few: large, not at the edge, apart in time."""
        right, low = box.left + box.width, box.top + box.height
        whole = min(box.left, box.top, 1 - right, 1 - low) >= _AT_EDGE
        usual = float(np.median([seen.width * seen.height for seen in self.boxes[-50:]]))
        worth = _worth(box, usual) * (1.0 if whole else 0.3)
        near = [kept for kept in self.crops if abs(kept[1] - box.time) < _CROP_STEP_SECONDS]
        if near and max(near, key=lambda kept: kept[0])[0] >= worth:
            return
        if not near and len(self.crops) == _CROPS and self.crops[-1][0] >= worth:
            return
        self.crops = [kept for kept in self.crops if abs(kept[1] - box.time) >= _CROP_STEP_SECONDS]
        self.crops.append((worth, box.time, labeller.crop(picture, box.box)))
        self.crops.sort(key=lambda kept: -kept[0])
        del self.crops[_CROPS:]

    def judge(self, labeller: CropLabeller) -> tuple[str | None, float | None]:
        """The best label and its probability."""
        if not labeller.labels or not self.crops:
            return None, None
        shares = labeller.probabilities([crop for _, _, crop in self.crops])
        best = int(np.argmax(shares))
        return labeller.labels[best], float(shares[best])

    def mean_probability(self) -> float | None:
        told = [box.probability for box in self.boxes if box.probability is not None]
        return float(np.mean(told)) if told else None

    def track(
        self, label: str | None, probability: float | None, step_seconds: float, duration: float
    ) -> DetectedTrack:
        """What is told of it; its number is given when all are known."""
        usual = float(np.median([box.width * box.height for box in self.boxes]))
        best = max(self.boxes, key=lambda box: (box.probability or 1.0) * _worth(box, usual))
        start = self.boxes[0].time
        end = max(start, min(self.boxes[-1].time + step_seconds, duration))
        return DetectedTrack(0, label, probability, start, end, best.time, tuple(self.boxes))


def _worth(box: TrackBox, usual: float) -> float:
    """The box's area, unless it is so much larger than usual that it holds more than the thing."""
    area = box.width * box.height
    return area if area <= _TOO_LARGE * usual else 0.5 * usual


class _Linker:
    """Joins boxes of one label, picture after picture."""

    def __init__(self, fps: float) -> None:
        self._follower = Follower(
            MotionSettings(
                least_frames=1, least_way=0.0, gap_seconds=max(1.0, 2.5 / fps), may_merge=False
            )
        )

    def join(self, frame: Frame, boxes: Sequence[DetectedBox]) -> Iterator[tuple[int, TrackBox]]:
        """The number of the thing that each box is."""
        places = {(box.left, box.top, box.width, box.height): box.probability for box in boxes}
        height, width = frame.image.shape[:2]
        seen = Seen(tuple(Area(box, True) for box in places), width / height)
        for number, where, _ in self._follower.update(seen, frame.time):
            for box, probability in places.items():
                if max(abs(a - b) for a, b in zip(box, where, strict=True)) < _DUPLICATE:
                    yield number, TrackBox(frame.time, *box, probability)
                    break


def _moving_things(
    reader: VideoReader, fps: float, labeller: CropLabeller | None
) -> Iterator[_Thing]:
    """Each moving thing once it is gone, or at the end."""
    tracker = MotionTracker()
    here: dict[int, _Thing] = {}
    for frame in _frames(reader, fps, _MOVING_EDGE):
        for moving in tracker.add(frame.image, frame.time):
            box = TrackBox(frame.time, moving.left, moving.top, moving.width, moving.height)
            thing = here.setdefault(moving.track, _Thing())
            thing.boxes.append(box)
            if labeller is not None:
                thing.look(box, frame.image, labeller)
        for number in list(here):
            if frame.time - here[number].boxes[-1].time > _GONE_SECONDS:
                yield here.pop(number)
    yield from here.values()


def _detected(
    reader: VideoReader, detector: Detector, labels: Sequence[str], fps: float, least: float
) -> Iterator[tuple[Frame, tuple[DetectedBox, ...]]]:
    frames = _frames(reader, fps, LONGEST_EDGE)
    while batch := list(islice(frames, detector.batch)):
        found = detector.detect([frame.image for frame in batch], labels, least)
        yield from zip(batch, found, strict=True)


def _frames(reader: VideoReader, fps: float, longest_edge: int) -> Iterator[Frame]:
    """Distinct frames at this rate, their longer edge at most so long."""
    assert reader.info.video is not None  # the reader has looked
    edge = max(reader.info.video.display_size)
    small = edge <= longest_edge
    target = Target(mode="original") if small else Target(longest_edge, longest_edge, mode="fit")
    last = -1.0
    for frame in reader.read(every(reader.duration, fps), target):
        if frame.time > last:
            last = frame.time
            yield frame


def _distinct(boxes: Sequence[DetectedBox]) -> list[DetectedBox]:
    """Best first, without those that lie on a better one (greedy non-maximum suppression)."""
    kept: list[DetectedBox] = []
    for box in sorted(boxes, key=lambda box: -box.probability):
        if all(_iou(box, other) <= _SAME_IOU for other in kept):
            kept.append(box)
    return kept


def _iou(one: DetectedBox, other: DetectedBox) -> float:
    wide = min(one.left + one.width, other.left + other.width) - max(one.left, other.left)
    high = min(one.top + one.height, other.top + other.height) - max(one.top, other.top)
    shared = max(0.0, wide) * max(0.0, high)
    return shared / (one.width * one.height + other.width * other.height - shared)


def _detections(
    reader: VideoReader,
    path: str | Path,
    video_id: str | None,
    source: Literal["motion", "detector"],
    method: str,
    labels: tuple[str, ...],
    fps: float,
    tracks: list[DetectedTrack],
    left_out: int = 0,
) -> Detections:
    assert reader.info.video is not None  # the reader has looked
    width, height = reader.info.video.display_size
    tracks.sort(key=lambda track: (track.start, track.boxes[0].left))
    numbered = tuple(replace(track, track=place) for place, track in enumerate(tracks, 1))
    return Detections(
        path=str(path),
        video_id=video_id,
        source=source,
        method=method,
        labels=labels,
        fps=fps,
        duration=reader.duration,
        width=width,
        height=height,
        tracks=numbered,
        unlabelled=left_out,
        notes=reader.warnings,
    )


def _check(fps: float, least: float) -> None:
    if not 0 < fps <= 120:
        raise UsageError(f"fps = {fps} is not allowed; give more than 0 and at most 120.")
    if not 0 <= least <= 1:
        raise UsageError(f"min_probability = {least} is not allowed; give 0 to 1.")
