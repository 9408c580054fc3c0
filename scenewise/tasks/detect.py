"""Boxes around things, followed over time: by a detector, or of what moves, labelled afterwards.

Without a detector only moving things are found, and the best few pictures of each are labelled
afterwards (``crops``). Boxes of a detector are joined to tracks label by label (``linking``).

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

from scenewise.encoders.detectors import LONGEST_EDGE, DetectedBox
from scenewise.errors import UsageError
from scenewise.media.decode import Frame, VideoReader
from scenewise.media.motion import MotionTracker
from scenewise.media.sampling import every
from scenewise.media.target import Target
from scenewise.tasks.crops import CropLabeller, Looks, worth
from scenewise.tasks.detections import DetectedTrack, Detections, TrackBox
from scenewise.tasks.linking import Linker, distinct

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB

MOTION_FPS, DETECTOR_FPS = 5.0, 2.0
LABEL_FROM = 0.25  # a moving thing's best label is told from this probability on
CLOSED_FROM, OPEN_FROM = 0.5, 0.2  # a detector's box counts from this probability on
_MOVING_EDGE = 640  # pixels: crops are cut from pictures of this size
_LEAST_BOXES = 2  # a moving thing told of in fewer pictures was a flicker
_GONE_SECONDS = 2.0  # a thing unseen for longer is over (the tracker gives up before)


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
        gap_seconds = max(1.0, 2.5 / fps)
        linkers = {label: Linker(gap_seconds) for label in wanted}
        for frame, found in _detected(reader, detector, wanted, fps, least):
            for label, linker in linkers.items():
                boxes = distinct([box for box in found if box.label == label])
                height, width = frame.image.shape[:2]
                for number, box, _ in linker.join(boxes, frame.time, width / height):
                    thing = things.setdefault((label, number), _Thing())
                    place = (box.left, box.top, box.width, box.height)
                    thing.boxes.append(TrackBox(frame.time, *place, box.probability))
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
    looks: Looks = field(default_factory=Looks)

    def judge(self, labeller: CropLabeller) -> tuple[str | None, float | None]:
        """The best label and its probability."""
        if not labeller.labels or not self.looks.crops:
            return None, None
        shares = labeller.probabilities(self.looks.crops)
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
        best = max(self.boxes, key=lambda box: (box.probability or 1.0) * worth(box.box, usual))
        start = self.boxes[0].time
        end = max(start, min(self.boxes[-1].time + step_seconds, duration))
        return DetectedTrack(0, label, probability, start, end, best.time, tuple(self.boxes))


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
                thing.looks.see(box.box, frame.time, frame.image, labeller)
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
