"""Squares over a texture: which boxes are told, and that a thing keeps its number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from moving_films import HEIGHT, WIDTH, Picture, Square, draw, iou, look

from scenewise.media.motion import MotionSettings, MotionTracker, MovingBox

Box = tuple[float, float, float, float]
RATES = [5.0, 12.0]


@dataclass
class Told:
    """What a tracker told of a film, beside the truth."""

    times: list[float] = field(default_factory=list)
    boxes: list[tuple[MovingBox, ...]] = field(default_factory=list)

    def of(self, square: Square, time: float, least: float = 0.3) -> MovingBox | None:
        """The box that lies on the square at this time."""
        found = self.boxes[self.times.index(time)]
        best = max(found, key=lambda box: iou(_box(box), square.box(time)), default=None)
        return best if best and iou(_box(best), square.box(time)) >= least else None

    def numbers(self, square: Square) -> list[int]:
        return [box.track for time in self.times if (box := self.of(square, time)) is not None]

    def all_numbers(self) -> set[int]:
        return {box.track for boxes in self.boxes for box in boxes}


def _box(box: MovingBox) -> Box:
    return box.left, box.top, box.width, box.height


def watch(
    scene: Callable[[float], Picture],
    squares: Sequence[Square],
    rate: float,
    seconds: float = 4.0,
    tracker: MotionTracker | None = None,
) -> Told:
    tracker = tracker or MotionTracker()
    told = Told()
    for number in range(round(seconds * rate)):
        time = number / rate
        told.times.append(time)
        told.boxes.append(tracker.add(draw(scene(time), squares, time), time))
    return told


def _noisy(sigma: float) -> Callable[[float], Picture]:
    random = np.random.default_rng(0)

    def scene(time: float) -> Picture:
        return np.clip(look() + random.normal(0, sigma, look().shape), 0, 255).astype(np.uint8)

    return scene


SCENES: dict[str, Callable[[float], Picture]] = {
    "textured": lambda time: look(),
    "plain": lambda time: np.full((HEIGHT, WIDTH, 3), 128, np.uint8),
    "noisy": _noisy(5),
}


@pytest.mark.parametrize("rate", [2.0, *RATES])
@pytest.mark.parametrize("scene", SCENES)
def test_one_square_is_one_thing_from_its_third_frame_on(scene: str, rate: float) -> None:
    square = Square(lambda time: (20 + 40 * time, 70))
    told = watch(SCENES[scene], [square], rate)
    assert len(told.all_numbers()) == 1
    for time, boxes in zip(told.times, told.boxes, strict=True):
        if time >= max(3 / rate, 0.4):
            (box,) = boxes
            # where it stood at first counts to it until it has left that place
            left = time >= 1.2 and time >= 4 / rate
            assert iou(_box(box), square.box(time)) > (0.8 if left else 0.4)


@pytest.mark.parametrize("rate", RATES)
def test_velocity_is_in_widths_and_heights_per_second(rate: float) -> None:
    square = Square(lambda time: (200 - 32 * time, 20 + 18 * time))
    told = watch(SCENES["textured"], [square], rate)
    for time in told.times[-5:]:
        box = told.of(square, time)
        assert box is not None
        assert box.velocity == pytest.approx((-0.1, 0.1), abs=0.025)
        assert box.foot == pytest.approx(
            ((218 - 32 * time) / WIDTH, (56 + 18 * time) / HEIGHT), abs=0.012
        )


@pytest.mark.parametrize("rate", RATES)
def test_two_squares_are_two_things(rate: float) -> None:
    squares = [
        Square(lambda time: (20 + 50 * time, 20)),
        Square(lambda t: (260 - 50 * t, 120), 36, 5),
    ]
    told = watch(SCENES["textured"], squares, rate)
    one, other = (set(told.numbers(square)) for square in squares)
    assert len(one) == len(other) == 1
    assert one != other
    assert told.all_numbers() == one | other


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("below", [0, 25])
def test_things_that_cross_keep_their_numbers(rate: float, below: int) -> None:
    """One passes before the other: for a while they are one area."""
    squares = [
        Square(lambda time: (20 + 50 * time, 60)),
        Square(lambda time: (260 - 50 * time, 60 + below), seed=5),
    ]
    told = watch(SCENES["textured"], squares, rate)
    for square in squares:
        numbers = told.numbers(square)
        assert numbers[0] == numbers[-1]
        assert len(numbers) > 0.7 * 4 * rate
    assert told.numbers(squares[0])[-1] != told.numbers(squares[1])[-1]


@pytest.mark.parametrize("rate", RATES)
def test_a_thing_enters_and_leaves(rate: float) -> None:
    square = Square(lambda time: (-60 + 80 * time, 70))  # in the picture from 0.3 s to 4.75 s
    told = watch(SCENES["textured"], [square], rate, 7)
    present = [bool(boxes) for boxes in told.boxes]
    seen = [time for time, there in zip(told.times, present, strict=True) if there]
    assert len(told.all_numbers()) == 1
    assert 0.3 <= seen[0] <= 0.3 + 4 / rate
    assert 4.5 <= seen[-1] <= 4.8
    for boxes in told.boxes:
        for box in boxes:
            assert 0 <= box.left <= box.left + box.width <= 1 + 1e-9


@pytest.mark.parametrize("rate", RATES)
def test_a_thing_that_stops_keeps_its_number_and_place(rate: float) -> None:
    square = Square(lambda time: (20 + 50 * min(time, 2), 70))
    told = watch(SCENES["textured"], [square], rate, 4.5)
    box = told.of(square, told.times[-1], least=0.7)
    assert box is not None
    assert len(told.all_numbers()) == 1
    assert box.velocity == pytest.approx((0, 0), abs=0.01)


@pytest.mark.parametrize("rate", RATES)
def test_where_a_thing_stood_at_first_there_is_no_thing(rate: float) -> None:
    square = Square(lambda time: (60 + 60 * max(0.0, time - 1), 70))
    told = watch(SCENES["textured"], [square], rate, 4.5)
    start = square.box(0)
    for time, boxes in zip(told.times, told.boxes, strict=True):
        if square.place(time)[0] > 60 + 2 * square.side:
            assert all(iou(_box(box), start) < 0.1 for box in boxes)
    assert len(told.all_numbers()) == 1


@pytest.mark.parametrize("rate", RATES)
def test_nothing_moves_in_noise_in_a_pan_in_a_zoom_or_in_a_shaking_hand(rate: float) -> None:
    scenes: list[Callable[[float], Picture]] = [
        _noisy(8),
        lambda time: look(60 * time, 20 * time),
        lambda time: look(scale=math.exp(0.08 * time)),
        lambda time: look(2 * math.sin(8 * time), 2 * math.cos(9 * time)),
        lambda time: look(40 * max(0.0, min(time, 1.5) - 0.5)),  # begins and ends
    ]
    for scene in scenes:
        assert watch(scene, [], rate, 2.5).all_numbers() == set()


@pytest.mark.parametrize("rate", RATES)
def test_a_thing_is_followed_while_the_camera_pans(rate: float) -> None:
    square = Square(lambda time: (20 + 40 * time, 70))
    told = watch(lambda time: look(20 * time), [square], rate)
    found = [told.of(square, time) for time in told.times[math.ceil(rate) :]]
    assert None not in found
    assert len(told.all_numbers()) == 1
    # against the scene, which moves to the left
    assert found[-1].velocity[0] == pytest.approx(60 / WIDTH, abs=0.06)  # type: ignore[union-attr]


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("light", ["white", "brighter", "black"])
def test_a_flash_is_no_thing_and_loses_none(rate: float, light: str) -> None:
    def scene(time: float) -> Picture:
        return look()

    square = Square(lambda time: (20 + 40 * time, 70))
    tracker, told = MotionTracker(), Told()
    for number in range(round(3.5 * rate)):
        time = number / rate
        shown = draw(scene(time), [square], time)
        if 2 <= time < 2.15:
            added = {"white": 255, "brighter": 90, "black": -255}[light]
            shown = np.clip(shown.astype(int) + added, 0, 255).astype(np.uint8)
        told.times.append(time)
        told.boxes.append(tracker.add(shown, time))
    assert all(box.width < 0.3 for boxes in told.boxes for box in boxes)
    assert len(told.all_numbers()) == 1
    assert told.of(square, told.times[-1], least=0.7) is not None


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("factor", [0.6, 1.3])
def test_light_that_changes_for_good_is_no_thing(rate: float, factor: float) -> None:
    def scene(time: float) -> Picture:
        share = 1 + (factor - 1) * float(np.clip(time - 1, 0, 1))
        return np.asarray(np.clip(look() * share, 0, 255).astype(np.uint8))

    assert watch(scene, [], rate, 4).all_numbers() == set()


@pytest.mark.parametrize("rate", RATES)
def test_a_cut_begins_anew(rate: float) -> None:
    square = Square(lambda time: (20 + 40 * time, 70))
    told = watch(lambda time: look() if time < 2.5 else look(500, 300), [square], rate, 6)
    assert all(box.width < 0.3 for boxes in told.boxes for box in boxes)
    before = {
        box.track for t, bs in zip(told.times, told.boxes, strict=True) if t < 2.5 for box in bs
    }
    after = {
        box.track for t, bs in zip(told.times, told.boxes, strict=True) if t > 4.5 for box in bs
    }
    assert len(before) == len(after) == 1
    assert before.isdisjoint(after)
    assert told.of(square, told.times[-1], least=0.7) is not None


def test_a_thing_too_small_or_too_slow_to_tell_is_not_told() -> None:
    assert not watch(
        SCENES["textured"], [Square(lambda t: (20 + 40 * t, 70), side=5)], 10
    ).all_numbers()
    still = Square(lambda time: (60, 70))
    assert not watch(SCENES["textured"], [still], 10).all_numbers()


def test_large_pictures_tell_the_same_as_small_ones() -> None:
    square = Square(lambda time: (20 + 40 * time, 70))
    small, large = MotionTracker(), MotionTracker()
    for number in range(30):
        shown = draw(look(), [square], number / 10)
        one = small.add(shown, number / 10)
        other = large.add(shown.repeat(3, axis=0).repeat(3, axis=1), number / 10)
    assert _box(one[0]) == pytest.approx(_box(other[0]), abs=0.01)


def test_state_does_not_grow() -> None:
    """Random dots come and go for three hundred frames: what is kept stays as large as it was."""
    tracker = MotionTracker(MotionSettings(width=64, most_tracks=20))
    random = np.random.default_rng(0)
    for number in range(300):
        picture = np.full((36, 64, 3), 100, np.uint8)
        for x, y in random.integers(0, (60, 32), (10, 2)):
            picture[y : y + 4, x : x + 4] = 220
        tracker.add(picture, number / 5)
        assert len(tracker._follower._things) <= 20
        assert len(tracker._areas._last) <= 8


def test_a_reset_forgets_things_but_not_their_numbers() -> None:
    square = Square(lambda time: (20 + 40 * time, 70))
    tracker = MotionTracker()
    first = watch(SCENES["textured"], [square], 10, 2, tracker).all_numbers()
    tracker.reset()
    second = set()
    for number in range(20, 50):
        shown = draw(look(), [square], number / 10)
        second |= {box.track for box in tracker.add(shown, number / 10)}
    assert len(second) == 1
    assert first.isdisjoint(second)


def test_another_size_of_picture_begins_anew() -> None:
    tracker = MotionTracker()
    square = Square(lambda time: (20 + 40 * time, 70))
    watch(SCENES["textured"], [square], 10, 2, tracker)
    assert tracker.add(look()[:100, :200], 2.0) == ()


@pytest.mark.parametrize("time", [1.0, 0.5, math.nan, math.inf])
def test_times_rise(time: float) -> None:
    tracker = MotionTracker()
    tracker.add(look(), 1.0)
    with pytest.raises(ValueError, match="rising time"):
        tracker.add(look(), time)


def test_pictures_are_rgb_bytes() -> None:
    with pytest.raises(ValueError, match=r"got uint8 \(4, 4\)"):
        MotionTracker().add(np.zeros((4, 4), np.uint8), 0)


@pytest.mark.parametrize(
    "settings", [{"width": 10}, {"least_frames": 0}, {"least_area": 0.7}, {"most_area": 1.5}]
)
def test_settings_make_sense(settings: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="motion needs"):
        MotionSettings(**settings)  # type: ignore[arg-type] # whole numbers among them
