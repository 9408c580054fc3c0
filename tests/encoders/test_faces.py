"""Faces by files in the layouts of YuNet and SFace: what their outputs mean, by known answers and
beside OpenCV's own reading of the same files.

The published weights are not here and were not run.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from face_networks import (
    LANDMARKS,
    draw_face,
    face_box,
    write_colour_embedder,
    write_mark_detector,
    write_random_detector,
    write_random_embedder,
)

from scenewise.encoders.faces import (
    STRIDES,
    Face,
    FaceDetector,
    FaceEmbedder,
    align,
    decode_faces,
    similarity,
)
from scenewise.errors import EncoderError, UsageError

TEMPLATE = [
    [38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
    [70.7299, 92.2041],
]  # fmt: skip


def empty(height: int, width: int) -> dict[str, np.ndarray]:
    sizes = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
    return {
        f"{kind}_{stride}": np.zeros((1, (height // stride) * (width // stride), size), np.float32)
        for kind, size in sizes.items()
        for stride in STRIDES
    }


@pytest.mark.parametrize("stride", STRIDES)
def test_a_place_is_decoded_by_its_stride(stride: int) -> None:
    """Row 2, column 1 of 128 x 192: centre (1.25, 2.5) strides, sides e and 2 strides."""
    outputs = empty(128, 192)
    place = 2 * (192 // stride) + 1
    outputs[f"cls_{stride}"][0, place] = 0.9
    outputs[f"obj_{stride}"][0, place] = 0.4
    outputs[f"bbox_{stride}"][0, place] = (0.25, 0.5, 1.0, np.log(2))
    outputs[f"kps_{stride}"][0, place] = np.arange(10) / 10
    (face,) = decode_faces(outputs, 128, 192, 0.5)
    wide, high = np.e * stride, 2.0 * stride
    centre = 1.25 * stride, 2.5 * stride
    assert face.score == pytest.approx(0.6, abs=1e-6)
    assert face.box == pytest.approx((centre[0] - wide / 2, centre[1] - high / 2, wide, high))
    expected = [((1 + 2 * n / 10) * stride, (2 + (2 * n + 1) / 10) * stride) for n in range(5)]
    assert face.landmarks == pytest.approx(np.array(expected), abs=1e-5)
    assert decode_faces(outputs, 128, 192, 0.61) == []


def test_scores_beyond_one_are_one_and_overlaps_give_way_to_the_surer() -> None:
    outputs = empty(64, 64)
    for place, score in ((0, 0.8), (1, 1.7), (60, 0.7)):
        outputs["cls_8"][0, place] = outputs["obj_8"][0, place] = score
        outputs["bbox_8"][0, place] = (0.5, 0.5, np.log(4), np.log(4))
    found = decode_faces(outputs, 64, 64, 0.5)
    assert [face.score for face in found] == pytest.approx([1.0, 0.7])


@pytest.mark.parametrize("size", [None, (160, 160)])
def test_faces_are_found_where_they_are(tmp_path: Path, size: tuple[int, int] | None) -> None:
    detector = FaceDetector(write_mark_detector(tmp_path / "d.onnx", size))
    picture = np.full((100, 150, 3), 90, np.uint8)  # no multiple of 32
    draw_face(picture, 5, 4, (0, 255, 0))
    draw_face(picture, 13, 7, (0, 0, 255))
    found = sorted(detector.detect(picture), key=lambda face: face.box[0])
    assert [face.box for face in found] == [
        pytest.approx(face_box(5, 4)),
        pytest.approx(face_box(13, 7)),
    ]
    assert found[0].landmarks == pytest.approx(np.array(LANDMARKS) * 8 + (40, 32))
    assert detector.detect(np.full((100, 150, 3), 90, np.uint8)) == []


def test_a_larger_picture_is_made_to_fit_and_boxes_are_in_its_own_pixels(tmp_path: Path) -> None:
    detector = FaceDetector(write_mark_detector(tmp_path / "d.onnx", (96, 160)))
    picture = np.full((96, 160, 3), 90, np.uint8)
    draw_face(picture, 5, 4, (0, 255, 0))
    (face,) = detector.detect(picture.repeat(3, axis=0).repeat(3, axis=1))
    assert face.box == pytest.approx(tuple(3 * value for value in face_box(5, 4)))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_opencv_reads_the_same_faces(tmp_path: Path, seed: int) -> None:
    height, width = 96, 160
    path = write_random_detector(tmp_path / "d.onnx", height, width, seed)
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    theirs = cv2.FaceDetectorYN.create(str(path), "", (width, height), 0.8, 1.0, 5000)
    _, rows = theirs.detect(np.ascontiguousarray(picture[:, :, ::-1]))
    raw = FaceDetector(path)
    outputs = dict(
        zip(
            raw._outputs,
            raw._session.run(
                raw._outputs,
                {"input": picture[:, :, ::-1].transpose(2, 0, 1)[None].astype(np.float32)},
            ),
            strict=True,
        )
    )
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    ours = raw.detect(picture, 0.8)
    assert len(rows) > 3
    assert len(outputs) == 12
    # theirs keeps overlaps here (threshold 1); each of ours must be among them, the surest first
    assert ours[0].score == pytest.approx(rows[0, 14], abs=1e-4)
    for face in ours:
        near = rows[np.abs(rows[:, 14] - face.score).argmin()]
        assert face.box == pytest.approx(near[:4], abs=1e-2)
        assert face.landmarks.ravel() == pytest.approx(near[4:14], abs=1e-2)


def _face(landmarks: list[list[float]]) -> Face:
    return Face((0, 0, 50, 50), np.array(landmarks), 1.0)


def test_landmarks_in_their_places_are_left_there() -> None:
    assert similarity(np.array(TEMPLATE)) == pytest.approx(np.eye(2, 3), abs=1e-6)
    turn = np.radians(30)
    matrix = 2.5 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    moved = np.array(TEMPLATE) @ matrix.T + (40, -10)
    back = similarity(moved)
    assert moved @ back[:, :2].T + back[:, 2] == pytest.approx(np.array(TEMPLATE), abs=1e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_opencv_aligns_and_embeds_alike(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (12, 16, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (160, 120), interpolation=cv2.INTER_CUBIC)
    turn = np.radians(random.uniform(-40, 40))
    matrix = 0.6 * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    marks = (np.array(TEMPLATE) - 56) @ matrix.T + (80, 60) + random.normal(0, 1.5, (5, 2))
    path = write_random_embedder(tmp_path / "e.onnx", seed)
    theirs = cv2.FaceRecognizerSF.create(str(path), "")
    row = np.concatenate([[0, 0, 50, 50], marks.ravel(), [1.0]]).astype(np.float32)[None]
    their_face = theirs.alignCrop(np.ascontiguousarray(picture[:, :, ::-1]), row)
    our_face = align(picture, marks)
    assert np.abs(our_face[:, :, ::-1].astype(int) - their_face).max() <= 3
    ours = FaceEmbedder(path).embed(picture, _face(marks.tolist()))
    their_vector = theirs.feature(their_face).ravel()
    assert ours @ (their_vector / np.linalg.norm(their_vector)) == pytest.approx(1, abs=1e-3)
    assert np.linalg.norm(ours) == pytest.approx(1)


def test_the_embedder_reads_red_green_blue(tmp_path: Path) -> None:
    embedder = FaceEmbedder(write_colour_embedder(tmp_path / "e.onnx"))
    blue = np.zeros((112, 112, 3), np.uint8)
    blue[..., 2] = 255
    vector = embedder.embed(blue, _face(TEMPLATE))
    expected = np.array([-60, -60, 195]) / np.linalg.norm([-60, -60, 195])
    assert vector == pytest.approx(expected, abs=1e-3)
    assert len(embedder.identity) == 64


def test_other_files_are_refused_in_one_sentence(tmp_path: Path) -> None:
    detector, embedder = tmp_path / "d.onnx", tmp_path / "e.onnx"
    write_mark_detector(detector)
    write_colour_embedder(embedder)
    with pytest.raises(UsageError, match=r"--face-detector .* there is no such file"):
        FaceDetector(tmp_path / "gone.onnx")
    with pytest.raises(EncoderError, match="lacks cls_8, cls_16, cls_32"):
        FaceDetector(embedder)
    with pytest.raises(EncoderError, match=r"takes \(1, 3, 112, 112\); this file takes"):
        FaceEmbedder(detector)
    torn = tmp_path / "torn.onnx"
    torn.write_bytes(b"torn")
    with pytest.raises(EncoderError, match="cannot be used as a face embedder"):
        FaceEmbedder(torn)
    plain = np.full((112, 112, 3), 60, np.uint8)
    with pytest.raises(EncoderError, match="no usable vector"):
        FaceEmbedder(embedder).embed(plain, _face(TEMPLATE))
