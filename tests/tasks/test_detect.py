"""Detection on films of coloured squares: where they are and what colour is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from colour_encoder import COLOURS, ColourEncoder
from moving_films import iou
from square_detector import SquareDetector

from scenewise.encoders.detectors import DetectedBox
from scenewise.encoders.spec import WindowFeatures
from scenewise.errors import UnreadableMediaError, UsageError
from scenewise.index.calibration import Calibrator
from scenewise.media.film import FilmSettings, write_film
from scenewise.tasks.crops import CropLabeller
from scenewise.tasks.detect import detect_moving, detect_with

SIZE = (320, 180)
SIDE = 40
RATE = 10


def place(name: str, time: float) -> tuple[float, float]:
    """Left and top of the red square, that comes from the left, and the blue one, later."""
    if name == "red":
        return -40 + 60 * time, 30.0
    return 340 - 60 * max(0.0, time - 0.6), 110.0


def truth(name: str, time: float) -> tuple[float, float, float, float]:
    """What of a square is in the picture."""
    x, y = place(name, time)
    left, right = max(0.0, x), min(float(SIZE[0]), x + SIDE)
    return left / SIZE[0], y / SIZE[1], (right - left) / SIZE[0], SIDE / SIZE[1]


def picture(time: float) -> npt.NDArray[np.uint8]:
    shown = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    shown[150:170, 100:140] = (0, 255, 0)  # stands still all the time
    for name, colour in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        x, y = (round(value) for value in place(name, time))
        shown[y : y + SIDE, max(0, x) : max(0, x + SIDE)] = colour
    return shown


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / "squares.mp4"
    settings = FilmSettings(frame_rate=Fraction(RATE), quality=12)
    write_film(path, (picture(number / RATE) for number in range(4 * RATE)), settings)
    return path


class BackedEncoder(ColourEncoder):
    """A colour encoder that brings a background, as the embedded one does."""

    def background(self) -> WindowFeatures:
        return WindowFeatures(np.eye(len(COLOURS), dtype=np.float32))


def labeller(*labels: str, encoder: ColourEncoder | None = None) -> CropLabeller:
    encoder = encoder or ColourEncoder("colours")
    return CropLabeller(labels, encoder, Calibrator(encoder))


# what moves


def test_what_moves_is_found_and_what_stands_is_not(film: Path) -> None:
    found = detect_moving(film, None)
    assert len(found.tracks) == 2
    assert {track.label for track in found.tracks} == {None}
    assert (found.source, found.width, found.height, found.fps) == ("motion", *SIZE, 5.0)
    assert found.method == "motion: things that move; still things are not found"
    for track, name in zip(found.tracks, ("red", "blue"), strict=True):
        assert len(track.boxes) >= 12
        whole = [box for box in track.boxes if truth(name, box.time)[2] > 0.9 * SIDE / SIZE[0]]
        assert min(iou(box.box, truth(name, box.time)) for box in whole) > 0.75
        assert track.start == track.boxes[0].time
        assert track.end == pytest.approx(min(track.boxes[-1].time + 0.2, found.duration))
        assert track.best_time in [box.time for box in track.boxes]


@pytest.mark.parametrize(
    "encoder", [ColourEncoder("plain"), BackedEncoder("backed"), ColourEncoder("clips", "x", 4)],
    ids=["plain", "backed", "clips"],
)  # fmt: skip
def test_moving_things_are_labelled_by_the_encoder(film: Path, encoder: ColourEncoder) -> None:
    found = detect_moving(film, labeller("red", "blue", "yellow", encoder=encoder))
    assert [track.label for track in found.tracks] == ["red", "blue"]
    for track in found.tracks:
        assert track.probability is not None
        assert 0.25 < track.probability <= 1
    assert "labelled afterwards by the encoder" in found.method
    assert found.labels == ("red", "blue", "yellow")
    assert max(encoder.batches) <= 3  # a thing is judged by three pictures


def test_what_fits_no_label_is_left_out_and_counted(film: Path) -> None:
    found = detect_moving(film, labeller("red", encoder=BackedEncoder("backed")))
    assert [track.label for track in found.tracks] == ["red"]
    assert found.unlabelled == 1
    everything = detect_moving(film, labeller("red", encoder=BackedEncoder("backed")), least=0.0)
    assert len(everything.tracks) == 2
    assert everything.unlabelled == 0
    red, other = (track.probability for track in everything.tracks)
    assert red is not None
    assert other is not None
    assert red > 0.25 > other


def test_probabilities_of_labels_and_of_none_of_them_sum_to_one() -> None:
    asked = labeller("red", "blue", encoder=BackedEncoder("backed"))
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 255
    shares = asked.probabilities([red])
    assert shares[0] > 0.25 > shares[1]
    assert shares.sum() < 1
    alone = labeller("red", encoder=BackedEncoder("backed")).probabilities([red])
    assert alone[0] > shares[0]


def test_a_crop_is_the_thing_with_its_surroundings() -> None:
    asked = labeller("red")
    shown = picture(2.0)
    crop = asked.crop(shown, truth("red", 2.0))
    assert crop.shape == (32, 32, 3)
    red = (crop[..., 0] > 127).mean()
    assert red == pytest.approx(1 / 1.4**2, abs=0.06)
    corner = asked.crop(shown, (0.95, 0.95, 0.05, 0.05))  # at the edge it stays inside
    assert corner.shape == (32, 32, 3)


def test_nothing_moves_in_a_still_film(tmp_path: Path) -> None:
    path = tmp_path / "still.mp4"
    write_film(path, [picture(2)] * 20, FilmSettings(frame_rate=Fraction(RATE)))
    assert detect_moving(path, labeller("red")).tracks == ()


def test_times_do_not_depend_on_the_frame_rate(tmp_path: Path) -> None:
    ends = []
    for rate in (24, 25, 30):
        path = tmp_path / f"{rate}.mp4"
        settings = FilmSettings(frame_rate=Fraction(rate), quality=12)
        write_film(path, (picture(number / rate) for number in range(4 * rate)), settings)
        ends.append([(track.start, track.end) for track in detect_moving(path, None).tracks])
    for spans in ends[1:]:
        assert np.abs(np.array(spans) - np.array(ends[0])).max() <= 0.2


def test_the_answer_is_json(film: Path) -> None:
    shape = json.loads(json.dumps(detect_moving(film, labeller("red", "blue")).to_dict()))
    assert list(shape["tracks"][0]) == [
        "track", "label", "probability", "start", "end", "best_time", "boxes",
    ]  # fmt: skip
    assert list(shape["tracks"][0]["boxes"][0]) == ["time", "left", "top", "width", "height"]


@pytest.mark.parametrize(("fps", "least"), [(0, 0.5), (121, 0.5), (5, -0.1), (5, 1.1)])
def test_options_have_bounds(film: Path, fps: float, least: float) -> None:
    with pytest.raises(UsageError, match="is not allowed"):
        detect_moving(film, None, fps=fps, least=least)


def test_a_file_that_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(b"x")
    with pytest.raises(UnreadableMediaError):
        detect_moving(path, None)


# a detector


def test_a_detector_s_boxes_become_tracks_also_of_what_stands_still(film: Path) -> None:
    found = detect_with(film, SquareDetector())
    assert [track.label for track in found.tracks] == ["green", "red", "blue"]
    assert [len(track.boxes) for track in found.tracks] == [8, 7, 6]  # 2 a second
    assert [track.start for track in found.tracks] == [0.0, 0.5, 1.0]
    assert {track.end for track in found.tracks} == {4.0}
    for track in found.tracks:
        assert track.probability == pytest.approx(0.9)
        if track.label != "green":
            for box in track.boxes:
                assert iou(box.box, truth(str(track.label), box.time)) > 0.85
    assert found.source == "detector"
    assert found.method == "detector: squares"
    box = found.to_dict()["tracks"][0]["boxes"][0]
    assert box["probability"] == 0.9


def test_only_the_labels_that_are_wanted(film: Path) -> None:
    assert [track.label for track in detect_with(film, SquareDetector(), ["blue"]).tracks] == [
        "blue"
    ]
    with pytest.raises(UsageError, match="purple"):
        detect_with(film, SquareDetector(), ["purple"])


def test_two_boxes_of_one_thing_are_one(film: Path) -> None:
    found = detect_with(film, SquareDetector(twice=True), ["red"])
    assert len(found.tracks) == 1
    assert found.tracks[0].probability == pytest.approx(0.9)


def test_a_short_gap_does_not_end_a_track_and_a_long_one_does(film: Path) -> None:
    short = detect_with(film, SquareDetector(blind=[3]), ["red"])
    assert [len(track.boxes) for track in short.tracks] == [6]
    long = detect_with(film, SquareDetector(blind=[2, 3, 4, 5]), ["red"])
    assert [len(track.boxes) for track in long.tracks] == [1, 2]


def test_pictures_come_in_batches_and_with_the_least_probability(film: Path) -> None:
    detector = SquareDetector(batch=3)
    found = detect_with(film, detector, ["red"])
    assert detector.asked == [(3, 0.5), (3, 0.5), (2, 0.5)]
    assert [len(track.boxes) for track in found.tracks] == [7]
    words = SquareDetector()
    words.is_open = True
    detect_with(film, words, ["red"])
    assert words.asked[0] == (1, 0.2)
    sure = SquareDetector()
    detect_with(film, sure, ["red"], least=0.7)
    assert sure.asked[0] == (1, 0.7)


def test_large_pictures_are_made_smaller_for_a_detector(tmp_path: Path) -> None:
    path = tmp_path / "large.mp4"
    large = picture(2).repeat(6, axis=0).repeat(6, axis=1)  # 1920 x 1080
    write_film(path, [large] * 2, FilmSettings(frame_rate=Fraction(2)))
    sizes = []

    class Recording(SquareDetector):
        def _boxes(self, shown: npt.NDArray[np.uint8], labels: Sequence[str]) -> list[DetectedBox]:
            sizes.append(shown.shape)
            return super()._boxes(shown, labels)

    found = detect_with(path, Recording(), ["red"])
    assert max(sizes[0]) <= 1333
    assert (found.width, found.height) == (1920, 1080)
    assert iou(found.tracks[0].boxes[0].box, truth("red", 2)) > 0.9
