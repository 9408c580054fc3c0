"""Optical flow between two pictures: sparse, dense, the camera's part of it, and the rest.

It knows pairs of pictures and pixels; it knows no file and no names of movements (``camera_words``
does). A flow is float32 (H, W, 2): for each pixel of the first picture how far (x to the right, y
downwards, in pixels) what it shows has moved in the second. Pictures are uint8, RGB (H, W, 3) or
grey (H, W), both of one size. OpenCV is loaded by the first call, not by the import.

Sources: Lucas and Kanade 1981, "An Iterative Image Registration Technique with an Application to
Stereo Vision", in Bouguet's pyramids; Shi and Tomasi 1994, "Good Features to Track"; Farnebäck
2003, "Two-Frame Motion Estimation Based on Polynomial Expansion"; Baker et al. 2011, "A Database
and Evaluation Methodology for Optical Flow" (the colours).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from einops import rearrange

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB, or (H, W)
Flow = npt.NDArray[np.float32]  # (H, W, 2) pixels
Points = npt.NDArray[np.float32]  # (N, 2) pixels, x and y

DIRECTIONS = 8  # bins of a direction histogram, each 45 degrees wide
_RETURN_PIXELS = 0.5  # a point that is tracked there and back comes home this near, or is dropped
_RANSAC_PIXELS = 1.0  # how far a point of the scene may lie from where the camera puts it
_FEWEST_POINTS = 10  # with fewer, nobody can tell a camera from a thing
_LEAST_AGREEMENT = 0.4  # share of the points that must follow the camera
_CELLS = 4  # the picture in 4 x 4 fields ...
_LEAST_CELLS = 6  # ... of which so many must hold points that follow: a thing is no camera


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """N points of one picture, and where they are in the next."""

    before: Points  # (N, 2)
    after: Points  # (N, 2)
    tried: int  # corners that were looked for, N of them were found again

    def __len__(self) -> int:
        return len(self.before)


@dataclass(frozen=True, slots=True)
class CameraMotion:
    """How the whole picture moved: turned and scaled about its centre, then shifted.

    ``shift`` in pixels of what stands in the centre; ``scale`` above 1 where things grew;
    ``turn`` in degrees, positive clockwise as seen; ``agreement`` the share of the tracked points
    that follow it.
    """

    shift: tuple[float, float]
    scale: float
    turn: float
    agreement: float = 1.0

    @classmethod
    def of_matrix(
        cls, matrix: npt.NDArray[np.float64], width: int, height: int, agreement: float = 1.0
    ) -> Self:
        """From the similarity (2, 3) that takes points of the first picture to the second."""
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        shift = matrix[:, :2] @ centre + matrix[:, 2] - centre
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        turn = float(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
        return cls((float(shift[0]), float(shift[1])), scale, turn, agreement)

    def matrix(self, width: int, height: int) -> npt.NDArray[np.float64]:
        """The similarity (2, 3) for pictures of this size."""
        angle = np.radians(self.turn)
        cos, sin = self.scale * np.cos(angle), self.scale * np.sin(angle)
        linear = np.array([[cos, -sin], [sin, cos]])
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        offset = centre + np.array(self.shift) - linear @ centre
        return np.column_stack([linear, offset])

    def largest_pixels(self, width: int, height: int) -> float:
        """How far the corner that moves most has moved."""
        corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]])
        matrix = self.matrix(width, height)
        moved = corners @ matrix[:, :2].T + matrix[:, 2] - corners
        return float(np.hypot(moved[:, 0], moved[:, 1]).max())


STILL_CAMERA = CameraMotion((0.0, 0.0), 1.0, 0.0)


def grey(image: Picture, width: int | None = None) -> Picture:
    """The picture (H, W) in grey, at most ``width`` wide. Raises ValueError for other shapes."""
    import cv2

    if image.dtype != np.uint8 or not (
        image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    ):
        raise ValueError(
            f"wanted is a uint8 picture (H, W, 3) or (H, W), got {image.dtype} {image.shape}"
        )
    if width is not None and image.shape[1] > width:
        height = max(1, round(image.shape[0] * width / image.shape[1]))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.ascontiguousarray(image)


def sparse_flow(before: Picture, after: Picture, *, corners: int = 300) -> Tracks:
    """Corners of the first picture found again in the second, each checked on the way back."""
    import cv2

    first, second = _pair(before, after)
    distance = max(4.0, 0.02 * max(first.shape))
    found = cv2.goodFeaturesToTrack(first, corners, 0.01, distance, blockSize=5)
    if found is None:
        return Tracks(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32), 0)
    start = np.asarray(found, np.float32).reshape(-1, 1, 2)
    there, good = _tracked(first, second, start, start)
    if 2 * good.sum() < len(start):
        # a shift beyond the pyramid's reach: begin where the whole pictures agree best
        (x, y), _ = cv2.phaseCorrelate(
            first.astype(np.float32),
            second.astype(np.float32),
            cv2.createHanningWindow(first.shape[::-1], cv2.CV_32F),
        )
        anew = _tracked(first, second, start, start + np.array([x, y], np.float32))
        if anew[1].sum() > good.sum():
            there, good = anew
    return Tracks(start[good, 0], there[good, 0], len(start))


def _tracked(
    first: Picture, second: Picture, start: Points, guess: Points
) -> tuple[Points, npt.NDArray[np.bool_]]:
    """Where points (N, 1, 2) went, and which of them came home on the way back."""
    import cv2

    window = {"winSize": (15, 15), "maxLevel": 4, "flags": cv2.OPTFLOW_USE_INITIAL_FLOW}
    there, seen, _ = cv2.calcOpticalFlowPyrLK(first, second, start, guess.copy(), **window)
    back = there - (guess - start)
    home, seen_back, _ = cv2.calcOpticalFlowPyrLK(second, first, there, back, **window)
    astray = np.linalg.norm(rearrange(home - start, "n 1 c -> n c"), axis=1)
    good = (seen.ravel() == 1) & (seen_back.ravel() == 1) & (astray < _RETURN_PIXELS)
    return there, good


def dense_flow(before: Picture, after: Picture) -> Flow:
    """The flow (H, W, 2) of every pixel, by polynomial expansion in four pyramid levels.

    A step of more than about a third of a thing's own size is beyond it, and plain areas take the
    flow of their surroundings.
    """
    import cv2

    first, second = _pair(before, after)
    flow = cv2.calcOpticalFlowFarneback(
        first, second, None, pyr_scale=0.5, levels=4, winsize=15, iterations=3, poly_n=7,
        poly_sigma=1.5, flags=0,
    )  # fmt: skip
    return np.asarray(flow, np.float32)


def camera_motion(tracks: Tracks, width: int, height: int) -> CameraMotion | None:
    """What the camera did, from points of which most belong to the scene (RANSAC).

    None where that cannot be told: too few points, too little agreement, or all of it in a part of
    the picture, which may be one thing before a plain wall.
    """
    import cv2

    if len(tracks) < _FEWEST_POINTS:
        return None
    matrix, follows = cv2.estimateAffinePartial2D(
        tracks.before,
        tracks.after,
        method=cv2.RANSAC,
        ransacReprojThreshold=_RANSAC_PIXELS,
        confidence=0.995,
        maxIters=1000,
    )
    if matrix is None or not np.isfinite(matrix).all():
        return None
    inliers = follows.ravel().astype(bool)
    agreement = float(inliers.mean())
    size = np.array([width, height]) / _CELLS
    cells = {tuple(cell) for cell in (tracks.before[inliers] // size).astype(int).tolist()}
    if agreement < _LEAST_AGREEMENT or len(cells) < _LEAST_CELLS:
        return None
    return CameraMotion.of_matrix(matrix, width, height, agreement)


def camera_flow(camera: CameraMotion, width: int, height: int) -> Flow:
    """The flow (H, W, 2) that the camera alone would give."""
    matrix = camera.matrix(width, height)
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    places = np.stack([x, y], axis=-1).astype(np.float64)
    return (places @ matrix[:, :2].T + matrix[:, 2] - places).astype(np.float32)


def follow_camera(before: Picture, camera: CameraMotion) -> tuple[Picture, npt.NDArray[np.bool_]]:
    """The first picture as it would look after the camera's motion, and where that is known."""
    import cv2

    height, width = before.shape[:2]
    matrix = camera.matrix(width, height)
    moved = cv2.warpAffine(before, matrix, (width, height), flags=cv2.INTER_LINEAR)
    inside = cv2.warpAffine(
        np.full((height, width), 255, np.uint8), matrix, (width, height), flags=cv2.INTER_LINEAR
    )
    return np.asarray(moved, np.uint8), np.asarray(inside == 255)


def residual_flow(before: Picture, after: Picture, camera: CameraMotion | None) -> Flow:
    """What moved by itself: the flow (H, W, 2) after the camera's motion has been undone.

    It stands where things are in the *second* picture, and is zero at edges that have just come
    into view. ``camera`` None is a camera that did not move.
    """
    first, second = _pair(before, after)
    if camera is None:
        return -dense_flow(second, first)
    moved, known = follow_camera(first, camera)
    moved = np.where(known, moved, second)
    return -dense_flow(second, moved) * known[:, :, None]


def magnitude(flow: Flow) -> npt.NDArray[np.float32]:
    """The length (H, W) of each vector, in the unit of the flow."""
    return np.hypot(flow[..., 0], flow[..., 1])


def widths_per_second(flow: npt.NDArray[np.floating], width: int, seconds: float) -> Flow:
    """Pixels between two pictures as picture widths per second, both x and y."""
    if not seconds > 0:
        raise ValueError(f"between two pictures there is time, got {seconds} seconds")
    return np.asarray(flow, np.float32) / np.float32(width * seconds)


def direction_histogram(flow: Flow, least: float = 0.0) -> npt.NDArray[np.float64]:
    """Shares (8,) of the movement by direction, weighted by magnitude; zeros where none.

    Bin 0 is to the right, 2 up, 4 left, 6 down as seen on the screen; vectors shorter than
    ``least`` do not count. (Histogram of oriented flow: Dalal, Triggs and Schmid 2006.)
    """
    x, y = flow[..., 0].ravel(), flow[..., 1].ravel()
    length = np.hypot(x, y)
    length = np.where(length >= least, length, 0.0)
    turns = np.arctan2(-y, x) / (2 * np.pi)
    bins = np.round(turns * DIRECTIONS).astype(np.int64) % DIRECTIONS
    counts = np.bincount(bins, weights=length, minlength=DIRECTIONS).astype(np.float64)
    total = counts.sum()
    return counts / total if total > 0 else counts


def flow_picture(flow: Flow, largest: float | None = None) -> Picture:
    """The flow (H, W, 2) in colours (H, W, 3) uint8, for looking.

    The hue of Baker et al.'s wheel is the direction (right red, down yellow, left cyan, up
    violet), saturation the length as a share of ``largest`` (None: of the longest): still is
    white. Vectors longer than ``largest`` are darkened.
    """
    wheel = _colour_wheel()
    length = magnitude(flow)
    most = float(length.max()) if largest is None else largest
    share = length / max(most, 1e-9)
    angle = np.arctan2(-flow[..., 1], -flow[..., 0]) / np.pi
    place = (angle + 1) / 2 * (len(wheel) - 1)
    low = np.floor(place).astype(np.int64)
    part = (place - low)[..., None]
    colour = (1 - part) * wheel[low] + part * wheel[(low + 1) % len(wheel)]
    inside = share[..., None] <= 1
    shown = np.where(inside, 1 - share[..., None] * (1 - colour), 0.75 * colour)
    return np.round(shown * 255).astype(np.uint8)


def _colour_wheel() -> npt.NDArray[np.float64]:
    """The 55 hues (55, 3) in 0 to 1: red, yellow, green, cyan, blue, magenta, and back."""
    hues = [(1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 1, 1), (0, 0, 1), (1, 0, 1), (1, 0, 0)]
    steps = (15, 6, 4, 11, 13, 6)  # as far apart as people tell these hues apart
    parts = [
        np.linspace(hues[place], hues[place + 1], count, endpoint=False)
        for place, count in enumerate(steps)
    ]
    return np.concatenate(parts)


def _pair(before: Picture, after: Picture) -> tuple[Picture, Picture]:
    if before.shape[:2] != after.shape[:2]:
        raise ValueError(
            f"a flow is between pictures of one size, got {before.shape[:2]} and {after.shape[:2]}"
        )
    return grey(before), grey(after)
