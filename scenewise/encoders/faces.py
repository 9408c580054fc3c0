"""Faces in pictures, and vectors that are alike for one person: ONNX files that the user names.

It knows pixels, landmarks and vectors; it knows no names and keeps nothing. Two layouts are read,
as OpenCV's model zoo publishes them; no such file comes with this package, and none is fetched.

- YuNet (Wu, Peng and Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector"): a picture as
  (1, 3, H, W) of blue, green, red in 0 to 255, sides multiples of 32; outputs ``cls_S``, ``obj_S``
  (1, N, 1), ``bbox_S`` (1, N, 4) and ``kps_S`` (1, N, 10) for the strides S of 8, 16 and 32, where
  N = (H / S) * (W / S) places, row by row.
- SFace (Zhong et al. 2021, "SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face
  Recognition"): an aligned face as (1, 3, 112, 112) of red, green, blue in 0 to 255; one vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scenewise.encoders.cache import file_sha256
from scenewise.encoders.spec import FloatArray
from scenewise.errors import EncoderError, UsageError, first_line

Picture = npt.NDArray[np.uint8]  # (H, W, 3) RGB
Array = npt.NDArray[np.float64]

STRIDES = (8, 16, 32)
FACE_FROM = 0.9  # score of a face, as OpenCV's detector has it
SAME_FROM = 0.363  # cosine of two pictures of one person, as published for SFace
SIDE = 112  # pixels of an aligned face
_OVERLAP = 0.3  # faces that overlap more are one
_MOST_FACES = 500  # of one picture, before overlaps are removed
_LONGEST_EDGE = 1280  # pixels; larger pictures are made smaller for the detector
_MULTIPLE = 32
# where the eyes, the tip of the nose and the corners of the mouth stand in an aligned face, pixels
_PLACES = np.array(
    [
        [38.2946, 51.6963],
        [73.5318, 51.5014],
        [56.0252, 71.7366],
        [41.5493, 92.3655],
        [70.7299, 92.2041],
    ]
)


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """One face. ``box`` is left, top, width, height and ``landmarks`` (5, 2) x and y, in pixels.

    Landmarks are the person's right eye (left in the picture), left eye, tip of the nose, right
    and left corner of the mouth.
    """

    box: tuple[float, float, float, float]
    landmarks: Array
    score: float


class FaceDetector:
    """A detector in YuNet's layout."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self._path = path
        self._session = _session(path, threads, "face detector", "--face-detector")
        names = {output.name for output in self._session.get_outputs()}
        wanted = [f"{kind}_{s}" for kind in ("cls", "obj", "bbox", "kps") for s in STRIDES]
        missing = [name for name in wanted if name not in names]
        if missing:
            raise EncoderError(
                f"{path}: a face detector in YuNet's layout has the outputs {', '.join(wanted)}; "
                f"this file lacks {', '.join(missing[:3])}."
            )
        self._outputs = wanted
        self._input = self._session.get_inputs()[0]

    def detect(self, picture: Picture, least: float = FACE_FROM) -> list[Face]:
        """The faces of a picture (H, W, 3) uint8 RGB, surest first."""
        import cv2

        height, width = picture.shape[:2]
        fixed = self._fixed_size()
        edge = max(height, width)
        if fixed is not None:
            scale = min(1.0, fixed[0] / height, fixed[1] / width)
        else:
            scale = min(1.0, _LONGEST_EDGE / edge)
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        high, wide = fixed or tuple(-(-side // _MULTIPLE) * _MULTIPLE for side in picture.shape[:2])
        padded = np.zeros((high, wide, 3), np.float32)  # black on the right and below
        padded[: picture.shape[0], : picture.shape[1]] = picture[:, :, ::-1]
        feeds = {self._input.name: np.ascontiguousarray(padded.transpose(2, 0, 1)[None])}
        try:
            values = self._session.run(self._outputs, feeds)
        except Exception as error:  # the runtime's own classes
            raise EncoderError(
                f"{self._path}: the face detector does not run: {first_line(error)}."
            ) from error
        outputs = dict(zip(self._outputs, values, strict=True))
        found = decode_faces(outputs, high, wide, least)
        factors = width / picture.shape[1], height / picture.shape[0]
        return [_scaled(face, *factors) for face in found]

    def _fixed_size(self) -> tuple[int, int] | None:
        """Height and width where the file allows no other."""
        shape = self._input.shape
        if len(shape) == 4 and isinstance(shape[2], int) and isinstance(shape[3], int):
            return shape[2], shape[3]
        return None


class FaceEmbedder:
    """A network in SFace's layout. ``identity`` is the hash of its file."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        self._path = path
        self._session = _session(path, threads, "face embedder", "--face-embedder")
        self._input = self._session.get_inputs()[0]
        shape = self._input.shape
        if len(shape) != 4 or list(shape[1:]) != [3, SIDE, SIDE]:
            raise EncoderError(
                f"{path}: a face embedder in SFace's layout takes (1, 3, {SIDE}, {SIDE}); this "
                f"file takes {tuple(shape)}."
            )
        self.identity = file_sha256(path)

    def embed(self, picture: Picture, face: Face) -> FloatArray:
        """The face as a vector (D,) of length 1."""
        aligned = align(picture, face.landmarks).astype(np.float32).transpose(2, 0, 1)[None]
        try:
            (vector,) = self._session.run(None, {self._input.name: np.ascontiguousarray(aligned)})
        except Exception as error:  # the runtime's own classes, and other outputs than one
            raise EncoderError(
                f"{self._path}: the face embedder does not run: {first_line(error)}."
            ) from error
        vector = np.asarray(vector, np.float32).ravel()
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0:
            raise EncoderError(f"{self._path}: the face embedder gave no usable vector.")
        return np.asarray(vector / length, np.float32)


def decode_faces(
    outputs: dict[str, npt.NDArray[np.float32]], height: int, width: int, least: float
) -> list[Face]:
    """Faces of YuNet's outputs for an input of this size, in its pixels, surest first.

    A place's score is the geometric mean of class and objectness; its box is a centre, as an
    offset in strides, and the logarithms of its sides in strides; landmarks are offsets too.
    """
    boxes, marks, scores = [], [], []
    for stride in STRIDES:
        rows, columns = height // stride, width // stride
        grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1)
        grid = grid.reshape(-1, 2).astype(np.float64)
        kind, present, box, points = (
            np.asarray(outputs[f"{name}_{stride}"], np.float64).reshape(rows * columns, -1)
            for name in ("cls", "obj", "bbox", "kps")
        )
        score = np.sqrt(np.clip(kind[:, 0], 0, 1) * np.clip(present[:, 0], 0, 1))
        sure = score >= least
        centre = (grid[sure] + box[sure, :2]) * stride
        size = np.exp(box[sure, 2:4]) * stride
        boxes.append(np.concatenate([centre - size / 2, size], axis=1))
        offsets = points[sure].reshape(-1, 5, 2)
        marks.append((offsets + grid[sure, None]) * stride)
        scores.append(score[sure])
    every = np.concatenate(boxes), np.concatenate(marks), np.concatenate(scores)
    return _without_overlaps(*every)


def align(picture: Picture, landmarks: Array) -> Picture:
    """The face turned and scaled so that its landmarks (5, 2) stand where SFace expects them.

    The similarity with the least squared error (Umeyama 1991, "Least-Squares Estimation of
    Transformation Parameters Between Two Point Patterns").
    """
    import cv2

    aligned = cv2.warpAffine(picture, similarity(landmarks), (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return np.asarray(aligned, np.uint8)


def similarity(landmarks: Array) -> Array:
    """The matrix (2, 3) that takes landmarks (5, 2) to their places in an aligned face."""
    mean, target = landmarks.mean(axis=0), _PLACES.mean(axis=0)
    spread, wanted = landmarks - mean, _PLACES - target
    covariance = wanted.T @ spread / len(landmarks)
    left, strengths, right = np.linalg.svd(covariance)
    signs = np.array([1.0, np.sign(np.linalg.det(covariance)) or 1.0])
    turn = left @ np.diag(signs) @ right
    variance = float((spread**2).sum() / len(landmarks))
    scale = float((strengths * signs).sum()) / max(variance, 1e-12)
    return np.column_stack([scale * turn, target - scale * turn @ mean])


def _without_overlaps(boxes: Array, marks: Array, scores: Array) -> list[Face]:
    """Greedy non-maximum suppression."""
    kept: list[int] = []
    for place in np.argsort(-scores, kind="stable")[:_MOST_FACES].tolist():
        if all(_iou(boxes[place], boxes[other]) <= _OVERLAP for other in kept):
            kept.append(place)
    return [
        Face(
            (float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            marks[place],
            float(scores[place]),
        )
        for place in kept
        for box in [boxes[place]]
    ]


def _iou(one: Array, other: Array) -> float:
    corner = np.maximum(one[:2], other[:2])
    size = np.minimum(one[:2] + one[2:], other[:2] + other[2:]) - corner
    shared = float(size.prod()) if (size > 0).all() else 0.0
    return shared / float(one[2:].prod() + other[2:].prod() - shared)


def _scaled(face: Face, across: float, down: float) -> Face:
    left, top, width, height = face.box
    return Face(
        (left * across, top * down, width * across, height * down),
        face.landmarks * (across, down),
        face.score,
    )


def _session(path: Path, threads: int, what: str, option: str) -> Any:
    """An ONNX Runtime session on the processor."""
    if not path.is_file():
        raise UsageError(f"{option} {path}: there is no such file; give the {what}'s ONNX file.")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # what matters is raised
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own classes
        raise EncoderError(
            f"{path} cannot be used as a {what}: {first_line(error)}. Give an ONNX file in the "
            "layout that docs/people.md names."
        ) from error
