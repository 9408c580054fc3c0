"""Where one picture of a stream moves: boxes of areas, before a camera at rest or in motion.

It knows the last picture and a background; it does not know which area is the same thing as one
before.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.media.flow import (
    CameraMotion,
    Picture,
    camera_motion,
    follow_camera,
    grey,
    magnitude,
    residual_flow,
    sparse_flow,
)

Mask = npt.NDArray[np.bool_]  # (H, W)
Box = tuple[float, float, float, float]  # left, top, width, height, fractions of the picture

_CAMERA_PIXELS = 0.6  # a corner that moves less from picture to picture is at rest
_CAMERA_HELPS = 0.8  # undoing the camera's motion must take away a fifth of the difference
_REST_SECONDS = 0.7  # at rest for so long, the camera's new view is the background
_STEP_SECONDS = 0.1  # nearer pictures are not compared: what is slow would be lost in rounding
_FLOW_PIXELS = 0.5  # less is noise of the flow
_PANNING_FLOW_PIXELS = 1.0  # and more of it while the camera moves
_DIFFERENCE = 14  # of 255: less is noise of the picture
_MOVING_SHARE = 0.15  # of an area must have flow
_SPREAD = 0.75  # moving part's box / area's box, under which only that part is the thing
_PART = 0.6  # of an area's box in a larger one's, from which it is a part of that
_LIGHT = 0.03  # share by which the light may differ before it is made equal
_LONGEST_SECONDS = 10.0  # without pictures; after more the scene is looked at anew
_MOST_AREAS = 60
_MOST_PICTURES = 8  # kept to be compared with


@dataclass(frozen=True, slots=True)
class MotionSettings:
    """What counts as a moving thing, and for how long it is followed unseen."""

    width: int = 320  # pixels to which pictures are reduced
    least_area: float = 0.0008  # of the picture: smaller is a speck
    most_area: float = 0.6  # of the picture: more at once is a change of light or of scene
    least_frames: int = 3  # in which a thing was seen before it is told of
    least_way: float = 0.015  # picture widths that it went by then, in any direction
    gap_seconds: float = 1.0  # unseen for longer, it is another thing
    settle_seconds: float = 0.7  # changed for longer, the picture is a new scene
    background_seconds: float = 60.0  # the background forgets at this pace
    most_tracks: int = 100  # followed at once
    may_merge: bool = True  # one area can be several things, before one another

    def __post_init__(self) -> None:
        if self.width < 32 or self.least_frames < 1 or self.most_tracks < 1:
            raise ValueError("motion needs width >= 32, least_frames >= 1 and most_tracks >= 1")
        if not 0 < self.least_area < self.most_area <= 1:
            raise ValueError("motion needs 0 < least_area < most_area <= 1")


@dataclass(frozen=True, slots=True)
class Area:
    """A connected area that differs from the background; ``moves`` where it has flow now."""

    box: Box
    moves: bool


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What one picture says. ``camera`` takes places of the last picture to this one."""

    areas: tuple[Area, ...] = ()
    aspect: float = 1.0  # width / height of the picture
    blind: bool = False  # too much changed at once: nothing can be told
    new_scene: bool = False  # what was known of the scene is over
    camera: npt.NDArray[np.float64] | None = None  # (2, 3) of fractions; None: at rest


class MovingAreas:
    """Add pictures by rising time. Keeps one picture and one background, whatever the length."""

    def __init__(self, settings: MotionSettings) -> None:
        self._settings = settings
        self.forget()

    def forget(self) -> None:
        """Begin anew with the next picture."""
        self._last: deque[tuple[float, Picture]] = deque(maxlen=_MOST_PICTURES)  # grey
        self._background: Any = None  # OpenCV's
        self._light: npt.NDArray[np.float32] | None = None  # brightness that the background has
        self._changed_since: float | None = None
        self._moved_at: float | None = None  # when the camera was last in motion; None: long ago

    def find(self, image: Picture, time: float) -> Seen:
        """The moving areas of a picture (H, W, 3)."""
        import cv2

        height, width = image.shape[:2]
        if width > self._settings.width:
            size = (self._settings.width, max(1, round(height * self._settings.width / width)))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        image = cv2.GaussianBlur(image, (3, 3), 0)
        now = grey(image)
        if not self._last or self._last[-1][1].shape != now.shape:
            return self._begin(image, now, time)
        seconds = time - self._last[-1][0]
        if seconds > _LONGEST_SECONDS:
            return self._begin(image, now, time)
        while len(self._last) > 1 and time - self._last[1][0] >= _STEP_SECONDS:
            self._last.popleft()
        before = self._last[0][1]
        camera = _camera(before, now)
        if camera is not None:
            self._moved_at = time
            seen = self._while_moving(before, now, camera)
        elif self._moved_at is not None:
            seen = self._until_rest(before, image, now, time)
        else:
            seen = self._at_rest(before, image, now, seconds)
        if seen.blind:
            since = self._changed_since if self._changed_since is not None else time
            if time - since >= self._settings.settle_seconds:
                return self._begin(image, now, time)
            self._changed_since = since
            return seen  # what comes after a flash is compared with what was before it
        self._changed_since = None
        self._last.append((time, now))
        return seen

    def _begin(self, image: Picture, now: Picture, time: float) -> Seen:
        """A scene of which nothing is known: this picture is its background."""
        self.forget()
        self._last.append((time, now))
        self._learn(image, now)
        return Seen(blind=True, new_scene=True)

    def _learn(self, image: Picture, now: Picture) -> None:
        import cv2

        self._background = cv2.createBackgroundSubtractorMOG2(
            history=500, varThreshold=25, detectShadows=True
        )
        self._background.apply(image, learningRate=1.0)
        self._light = now.astype(np.float32)

    def _while_moving(self, before: Picture, now: Picture, camera: CameraMotion) -> Seen:
        """The background cannot be used: what moves against the camera's motion."""
        moved, inside = follow_camera(before, camera)
        mask = magnitude(residual_flow(before, now, camera)) >= _PANNING_FLOW_PIXELS
        mask &= inside & (_difference(moved, now) >= _DIFFERENCE)
        step: CameraMotion | None = camera
        if len(self._last) > 1:  # things were last followed in a nearer picture
            step = _camera(self._last[-1][1], now)
        return self._told(mask, mask, now, step)

    def _until_rest(self, before: Picture, image: Picture, now: Picture, time: float) -> Seen:
        """The camera has just stopped: what moves, until the new view is learnt."""
        if self._moved_at is not None and time - self._moved_at >= _REST_SECONDS:
            self._moved_at = None
            self._learn(image, now)
        mask = magnitude(residual_flow(before, now, None)) >= _FLOW_PIXELS
        mask &= _difference(before, now) >= _DIFFERENCE
        return self._told(mask, mask, now, None)

    def _at_rest(self, before: Picture, image: Picture, now: Picture, seconds: float) -> Seen:
        """What differs from the background, and what of it has flow."""
        image = self._in_known_light(image, now)
        rate = 1 - math.exp(-seconds / self._settings.background_seconds)
        # OpenCV marks shadows with 127
        mask = np.asarray(self._background.apply(image, learningRate=rate)) == 255
        if mask.mean() > self._settings.most_area:
            return Seen(blind=True)
        moving = magnitude(residual_flow(before, now, None)) >= _FLOW_PIXELS
        if self._light is not None:
            quiet = ~mask
            self._light[quiet] += rate * 5 * (now[quiet] - self._light[quiet])
        return self._told(mask, moving, now, None)

    def _in_known_light(self, image: Picture, now: Picture) -> Picture:
        """The picture in the brightness of the background: exposure and clouds are no things."""
        assert self._light is not None  # learnt with the background
        ratio = float(np.median((now + np.float32(8)) / (self._light + np.float32(8))))
        if abs(ratio - 1) <= _LIGHT or not 0.4 <= ratio <= 2.5:
            return image
        return np.clip(np.round((image + np.float32(8)) / ratio - 8), 0, 255).astype(np.uint8)

    def _told(self, mask: Mask, moving: Mask, now: Picture, camera: CameraMotion | None) -> Seen:
        """The areas of a mask, cleaned of specks."""
        import cv2

        height, width = mask.shape
        kernel = np.ones((3, 3), np.uint8)
        clean = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)
        clean = cv2.morphologyEx(clean, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
        if clean.mean() > self._settings.most_area:
            return Seen(blind=True)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(clean, connectivity=8)
        least = self._settings.least_area * width * height
        order = np.argsort(-stats[1:count, cv2.CC_STAT_AREA], kind="stable")[:_MOST_AREAS] + 1
        found = []
        for label in order.tolist():
            if stats[label, cv2.CC_STAT_AREA] < least:
                break
            left, top, wide, high = (int(value) for value in stats[label, :4])
            inside = labels[top : top + high, left : left + wide] == label
            here = inside & moving[top : top + high, left : left + wide]
            moves = bool(here.sum() >= _MOVING_SHARE * inside.sum())
            if here.any():
                part = _bounds(here)
                rest = inside.copy()
                rest[part[1] : part[1] + part[3], part[0] : part[0] + part[2]] = False
                small = part[2] * part[3] < _SPREAD * wide * high and here.sum() >= least
                if small and self._is_ghost(rest, now, left, top):  # where it stood before
                    left, top, wide, high = left + part[0], top + part[1], part[2], part[3]
                    moves = True
            if moves or not self._is_ghost(inside, now, left, top):
                found.append(Area((left / width, top / height, wide / width, high / height), moves))
        return Seen(
            tuple(_joined(found)), width / height, camera=_of_fractions(camera, width, height)
        )

    def _is_ghost(self, inside: Mask, now: Picture, left: int, top: int) -> bool:
        """Whether an area (h, w) at this place is where a thing of the background has left.

        Then the background has edges along the area's border, and the picture has not.
        """
        import cv2

        shape = inside.astype(np.uint8)
        kernel = np.ones((3, 3), np.uint8)
        border = (cv2.dilate(shape, kernel) - cv2.erode(shape, kernel)).astype(bool)
        known = self._background.getBackgroundImage()
        if known is None or not border.any():
            return False
        part = slice(top, top + inside.shape[0]), slice(left, left + inside.shape[1])
        seen, was = _edges(now[part])[border].mean(), _edges(grey(known)[part])[border].mean()
        return bool(seen < was)


def _edges(picture: Picture) -> npt.NDArray[np.float32]:
    import cv2

    across = cv2.Sobel(picture, cv2.CV_32F, 1, 0)
    return np.asarray(np.hypot(across, cv2.Sobel(picture, cv2.CV_32F, 0, 1)))


def _joined(areas: list[Area]) -> list[Area]:
    """Largest first: an area of which most lies in the box of a larger one is a part of it."""
    whole: list[Area] = []
    for area in sorted(areas, key=lambda area: -area.box[2] * area.box[3]):
        for place, larger in enumerate(whole):
            if larger.moves == area.moves and _inside(area.box, larger.box) >= _PART:
                whole[place] = Area(_around(area.box, larger.box), larger.moves)
                break
        else:
            whole.append(area)
    return whole


def _inside(box: Box, larger: Box) -> float:
    """The share of a box that lies in a larger one."""
    wide = min(box[0] + box[2], larger[0] + larger[2]) - max(box[0], larger[0])
    high = min(box[1] + box[3], larger[1] + larger[3]) - max(box[1], larger[1])
    return max(0.0, wide) * max(0.0, high) / (box[2] * box[3])


def _around(one: Box, other: Box) -> Box:
    left, top = min(one[0], other[0]), min(one[1], other[1])
    right = max(one[0] + one[2], other[0] + other[2])
    low = max(one[1] + one[3], other[1] + other[3])
    return left, top, right - left, low - top


def _camera(before: Picture, now: Picture) -> CameraMotion | None:
    """The camera's motion from one picture to the other; None where it is at rest or unknown."""
    height, width = now.shape
    camera = camera_motion(sparse_flow(before, now, corners=200), width, height)
    if camera is None or camera.largest_pixels(width, height) < _CAMERA_PIXELS:
        return None
    moved, inside = follow_camera(before, camera)
    if inside.mean() < 0.5:
        return None
    plain = float(_difference(before, now)[inside].mean())
    undone = float(_difference(moved, now)[inside].mean())
    return camera if undone < _CAMERA_HELPS * plain else None


def _of_fractions(
    camera: CameraMotion | None, width: int, height: int
) -> npt.NDArray[np.float64] | None:
    """The camera's similarity for places given as fractions of width and height."""
    if camera is None:
        return None
    size = np.array([width, height], np.float64)
    matrix = camera.matrix(width, height)
    return np.column_stack([matrix[:, :2] * size / size[:, None], matrix[:, 2] / size])


def _difference(before: Picture, now: Picture) -> npt.NDArray[np.int16]:
    return np.asarray(np.abs(now.astype(np.int16) - before))


def _bounds(mask: Mask) -> tuple[int, int, int, int]:
    """Left, top, width and height of what is set."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return (
        int(columns[0]),
        int(rows[0]),
        int(columns[-1] - columns[0] + 1),
        int(rows[-1] - rows[0] + 1),
    )
