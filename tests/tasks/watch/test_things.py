"""Rules about things: detected or moving, where what is in each picture is known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from colour_encoder import COLOURS, ColourEncoder
from moving_films import HEIGHT, WIDTH, Square, draw, iou, look, texture
from square_detector import SquareDetector

from scenewise.encoders.spec import WindowFeatures
from scenewise.errors import UsageError
from scenewise.index.calibration import Calibrator
from scenewise.media.motion import MotionTracker, MovingBox
from scenewise.tasks.watch.detectors import Detectors, with_default
from scenewise.tasks.watch.judge import weaker
from scenewise.tasks.watch.machines import arm
from scenewise.tasks.watch.moves import LEAST_WAY, LOOKS, MovesMachine
from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.rule import Rule
from scenewise.tasks.watch.things import Look, Moving, words_of
from scenewise.types import Event, EventBox

Picture = npt.NDArray[np.uint8]
Place = Callable[[float], tuple[float, float]]  # seconds to left and top, fractions
NOTHING = WindowFeatures(np.ones((1, 1), np.float32))
STEP = 0.5  # seconds between instants
SIDE = (0.1, 0.2)
RGB = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class BackedEncoder(ColourEncoder):
    """A colour encoder that brings a background, as the embedded one does."""

    def background(self) -> WindowFeatures:
        return WindowFeatures(np.eye(len(COLOURS), dtype=np.float32))


ENCODER = BackedEncoder("colours")


def rule(**values: object) -> Rule:
    return Rule.model_validate({"name": "r", **values})


def picture(**places: tuple[float, float] | None) -> Picture:
    """A square of each colour at its place; none where that is None."""
    shown = np.zeros((180, 320, 3), np.uint8)
    for colour, place in places.items():
        if place is not None:
            left, top = round(place[0] * 320), round(place[1] * 180)
            shown[top : top + 36, left : left + 32] = RGB[colour]
    return shown


def watch(
    wanted: Rule, pictures: Sequence[Picture], detector: SquareDetector | None = None
) -> list[Event]:
    """What a rule with a detector raises over pictures, two a second."""
    detectors = Detectors([wanted], lambda _: detector or SquareDetector())
    machine = arm(wanted, ENCODER, Calibrator(ENCODER), None, "cam", detectors)
    events: list[Event] = []
    for number, shown in enumerate(pictures):
        (found,) = detectors.look([("cam", shown)])
        time = number * STEP
        seen = Observation("cam", time, 1e9 + time, shown, NOTHING, detected=found)
        events += machine.update(seen)
    return events


HERE = picture(red=(0.4, 0.3))
EMPTY = picture()


# detected, wherever it is


@pytest.mark.parametrize(
    ("pictures", "times"),
    [
        ([EMPTY] * 10, []),
        ([EMPTY] * 4 + [HERE] * 20, [2.5]),  # the second of three instants
        ([EMPTY] * 4 + [HERE] + [EMPTY] * 10, []),  # one odd picture
        ([HERE] * 6 + [EMPTY] + [HERE] * 6, [0.5]),  # missed once
        ([HERE] * 6 + [EMPTY] * 10 + [HERE] * 6, [0.5, 8.5]),
        ([picture(blue=(0.4, 0.3))] * 10, []),  # something else
    ],
)
def test_what_a_detector_sees_is_one_event_for_as_long_as_it_is_there(
    pictures: list[Picture], times: list[float]
) -> None:
    wanted = rule(detect="red", detector="d", cooldown_seconds=0)
    assert [event.time for event in watch(wanted, pictures)] == times


def test_an_event_names_label_probability_and_box() -> None:
    (event,) = watch(rule(detect=["red", "blue"], detector="d"), [HERE] * 4)
    assert event.match == pytest.approx(0.9)
    (box,) = event.boxes
    assert (box.label, box.probability) == ("red", 0.9)
    assert iou((box.left, box.top, box.width, box.height), (0.4, 0.3, *SIDE)) > 0.99
    (why,) = event.why
    assert why.kind == "model"
    assert why.detail == "red 0.90 at 0.40,0.30 0.10x0.20, by the detector squares"
    assert Event.from_dict(event.to_dict()) == event


def test_dwell_and_threshold_of_what_is_detected() -> None:
    patient = rule(detect="red", detector="d", dwell_seconds=3)
    (event,) = watch(patient, [EMPTY] * 4 + [HERE] * 20)
    assert event.time == pytest.approx(2.5 + 3)
    assert (event.why[0].start, event.why[0].end) == (2.5, 5.5)
    assert watch(rule(detect="red", detector="d", threshold=0.95), [HERE] * 10) == []


def test_what_is_detected_and_stands_in_a_zone_dwells_there() -> None:
    """A still thing, which motion alone would not see."""
    zone = {"points": [[0.3, 0.3], [0.7, 0.3], [0.7, 0.7], [0.3, 0.7]], "event": "dwell"}
    wanted = rule(zone=zone, detect="red", detector="d", dwell_seconds=2)
    (event,) = watch(wanted, [HERE] * 20)
    assert event.time == 2.0
    assert [why.detail for why in event.why] == [
        "in the zone for 2.0 s",
        "red 0.90 at 0.40,0.30 0.10x0.20, by the detector squares",
    ]
    assert [box.label for box in event.boxes] == ["red"]
    assert watch(wanted, [picture(red=(0.4, 0.6))] * 20) == []  # its foot is below the zone
    assert watch(wanted, [picture(blue=(0.4, 0.3))] * 20) == []


def test_a_detected_thing_crosses_a_line_and_others_do_not_count() -> None:
    wanted = rule(line={"points": [[0, 0.6], [1, 0.6]]}, detect="red", detector="d")
    way = [picture(red=(0.2, top), blue=(0.7, top)) for top in np.linspace(0.1, 0.7, 8)]
    (event,) = watch(wanted, way)
    assert event.why[0].detail == "crossed in (in 1, out 0)"
    assert event.boxes[0].label == "red"


def test_a_detected_thing_goes_one_way() -> None:
    way = [picture(red=(left, 0.4)) for left in np.linspace(0.1, 0.8, 12)]
    for wanted, path in (("right", way), ("left", way[::-1])):
        (event,) = watch(rule(moves=wanted, detect="red", detector="d"), path)
        assert event.why[0].detail.startswith(f"moved {wanted} by 0.")
        assert watch(rule(moves="up", detect="red", detector="d"), path) == []
    assert watch(rule(moves="right", detect="blue", detector="d"), way) == []


# one detector for all


def test_a_detector_is_loaded_once_and_asked_in_batches_for_all_rules_and_streams() -> None:
    loaded = []
    network = SquareDetector(batch=2)

    def load(name: str) -> SquareDetector:
        loaded.append(name)
        return network

    front = rule(name="a", detect="red", detector="d", sources="front*")
    everywhere = rule(name="b", detect=["blue", "red"], detector="d", threshold=0.3)
    found = Detectors([front, everywhere, rule(name="c", sentence="red")], load)
    assert (loaded, len(found), found.batch) == (["d"], 1, 2)
    seen = found.look([("front", HERE)] * 3 + [("back", HERE[:90])])
    assert [len(one["d"]) for one in seen] == [1, 1, 1, 1]
    # pictures of one size go together; the weakest threshold of all, less what keeps an occurrence
    assert [count for count, _ in network.asked] == [2, 1, 1]
    assert {least for _, least in network.asked} == {weaker(0.3)}
    only_front = Detectors([front], load)
    assert only_front.look([("back", HERE)]) == [{}]


def test_two_ways_to_write_a_folder_are_one_detector(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    rules = [
        rule(name=str(number), detect="red", detector=name)
        for number, name in enumerate((str(tmp_path / "d"), str(tmp_path / "d" / ".." / "d")))
    ]
    assert len(Detectors(rules, lambda _: SquareDetector())) == 1


def test_a_label_that_the_detector_does_not_know_names_the_rule() -> None:
    with pytest.raises(UsageError, match="rule 'r': squares knows no label 'purple'"):
        Detectors([rule(detect="purple", detector="d")], lambda _: SquareDetector())


def test_the_default_is_for_rules_that_name_none() -> None:
    rules = [
        rule(name="a", detect="red"),
        rule(name="b", detect="red", detector="own"),
        rule(name="c", sentence="red"),
    ]
    assert [one.detector for one in with_default(rules, "d")] == ["d", "own", None]
    assert with_default(rules, None) == tuple(rules)
    assert [one.needs_motion for one in with_default(rules, "d")] == [False] * 3
    assert [one.needs_motion for one in rules] == [True, False, False]
    with pytest.raises(UsageError, match="no rule detects anything"):
        with_default(rules[2:], "d")


# what moves


def moving(
    scene: Callable[[float], Picture], seconds: float, fps: int = 6
) -> Iterator[Observation]:
    """What the real tracker sees of a scene, told twice a second."""
    tracker = MotionTracker()
    boxes: list[MovingBox] = []
    for number in range(round(seconds * fps)):
        time = number / fps
        shown = scene(time)
        boxes += tracker.add(shown, time)
        if number % (fps // 2) == fps // 2 - 1:
            yield Observation("cam", time, 1e9 + time, shown, NOTHING, tuple(boxes))
            boxes = []


def raised(wanted: Rule, seen: Iterator[Observation]) -> list[Event]:
    machine = arm(wanted, ENCODER, Calibrator(ENCODER), None, "cam")
    return [event for one in seen for event in machine.update(one)]


def coloured(colour: str, place: Place) -> Callable[[float], Picture]:
    """A coloured square at a place of the seconds, before a black ground."""
    return lambda time: picture(**{colour: place(time) if time >= 1 else None})


def walk(time: float) -> tuple[float, float]:
    """To the right through the upper half of the picture."""
    return min(0.85, 0.05 + 0.12 * (time - 1)), 0.3


def test_without_a_detector_it_is_what_moves_labelled_by_the_encoder() -> None:
    (event,) = raised(rule(detect=["red", "blue"]), moving(coloured("red", walk), 7))
    (box,) = event.boxes
    assert box.label == "red"
    assert box.probability == pytest.approx(event.match, abs=1e-4)
    assert iou((box.left, box.top, box.width, box.height), (*walk(event.time), *SIDE)) > 0.6
    (why,) = event.why
    assert why.kind == "motion"
    assert why.detail == f"{words_of(box)}, a moving thing labelled by the encoder colours"
    assert raised(rule(detect="blue"), moving(coloured("red", walk), 7)) == []


def test_without_a_detector_what_stands_still_is_not_seen() -> None:
    scene = moving(lambda _: HERE, 6)
    assert raised(rule(detect="red"), scene) == []


@pytest.mark.parametrize(("label", "count"), [("red", 1), ("blue", 0)])
@pytest.mark.parametrize(
    "more",
    [
        {"line": {"points": [[0.5, 1], [0.5, 0]]}},
        {"zone": {"points": [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}},
        {"moves": "right"},
    ],
)
def test_a_moving_thing_of_the_label_crosses_enters_or_goes(
    more: dict[str, object], label: str, count: int
) -> None:
    events = raised(rule(detect=[label], **more), moving(coloured("red", walk), 7))
    assert len(events) == count
    assert [box.label for event in events for box in event.boxes] == [label] * count


# ways

GROUND = look()


def square(place: Place) -> Callable[[float], Picture]:
    return lambda time: draw(GROUND, [Square(place)], time)


def sized(place: Callable[[float], tuple[float, float, float]]) -> Callable[[float], Picture]:
    """A textured thing, its middle and side in pixels by seconds, whole in the picture."""
    body = texture(3, 64, 64, grain=9)

    def scene(time: float) -> Picture:
        if time < 1:
            return GROUND
        x, y, side = place(time)
        shown = GROUND.copy()
        top, left, edge = round(y - side / 2), round(x - side / 2), round(side)
        shown[top : top + edge, left : left + edge] = cv2.resize(body, (edge, edge))
        return shown

    return scene


def ways(scene: Callable[[float], Picture], seconds: float = 8) -> list[str]:
    """Which of the six ways are raised, each by a rule of its own."""
    seen = list(moving(scene, seconds))
    return [
        way
        for way in ("left", "right", "up", "down", "towards", "away")
        for _ in raised(rule(moves=way), iter(seen))
    ]


@pytest.mark.parametrize(
    ("scene", "expected"),
    [
        (square(lambda t: (-40 + 40 * t, 70)), ["right"]),
        (square(lambda t: (WIDTH - 40 * t, 70)), ["left"]),
        (square(lambda t: (140, -40 + 24 * t)), ["down"]),
        (square(lambda t: (140, HEIGHT - 24 * t)), ["up"]),
        (square(lambda t: (140 + 15 * np.sin(3 * t), 70)), []),  # to and fro on one place
        (lambda _: GROUND, []),
        (sized(lambda t: (160, 60 + 6 * t, 26 + 6 * t)), ["down", "towards"]),
        (sized(lambda t: (160, 118 - 6 * t, 80 - 6 * t)), ["up", "away"]),
    ],
)
def test_each_way_is_told_of_what_goes_it(
    scene: Callable[[float], Picture], expected: list[str]
) -> None:
    assert ways(scene) == expected


def test_two_things_that_meet_have_not_grown() -> None:
    def scene(time: float) -> Picture:
        both = [Square(lambda t: (40 + 12 * t, 70)), Square(lambda t: (230 - 12 * t, 76), seed=2)]
        return draw(GROUND, both, time)

    assert ways(scene, 10) == ["left", "right"]


def path(
    places: Sequence[tuple[float, float]], track: int = 1, start: float = 0.0
) -> list[Observation]:
    """Feet of one thing, two a second, in a picture twice as wide as high."""
    image = np.zeros((50, 100, 3), np.uint8)
    seen = []
    for number, (x, y) in enumerate(places):
        time = start + number * STEP
        box = MovingBox(track, x - 0.05, y - 0.1, 0.1, 0.1, (0.0, 0.0))
        seen.append(Observation("cam", time, 1e9 + time, image, NOTHING, (box,)))
    return seen


def steps(
    start: tuple[float, float], end: tuple[float, float], count: int = 9
) -> list[tuple[float, float]]:
    shares = np.linspace(0, 1, count).tolist()
    return [
        (start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]))
        for share in shares
    ]


def test_one_event_a_thing_however_far_it_goes() -> None:
    wanted = rule(moves="right")
    there = path(steps((0.1, 0.5), (0.9, 0.5), 20))
    assert len(raised(wanted, iter(there))) == 1
    another = path(steps((0.1, 0.5), (0.9, 0.5), 20), track=2, start=11.0)
    assert len(raised(wanted, iter([*there, *another]))) == 2
    assert len(raised(rule(moves="right", cooldown_seconds=60), iter([*there, *another]))) == 1


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (steps((0.1, 0.5), (0.1 + LEAST_WAY - 0.02, 0.5)), []),  # too little
        (steps((0.1, 0.5), (0.1 + LEAST_WAY + 0.02, 0.5)), ["right"]),
        (steps((0.9, 0.5), (0.4, 0.5)) + steps((0.45, 0.5), (0.7, 0.5)), ["left", "right"]),
        # this picture is twice as wide as high: 0.4 of its width is more than 0.7 of its height
        (steps((0.1, 0.2), (0.5, 0.9)), ["right"]),
        (steps((0.1, 0.1), (0.4, 0.9)), ["down"]),
        ([(0.1, 0.5), (0.9, 0.5)], []),  # two boxes may be two things
    ],
)
def test_a_way_is_long_enough_and_more_along_than_across(
    places: list[tuple[float, float]], expected: list[str]
) -> None:
    found = [
        way
        for way in ("left", "right", "up", "down")
        for _ in raised(rule(moves=way), iter(path(places)))
    ]
    assert found == expected


def test_what_is_slower_than_half_a_minute_goes_no_way() -> None:
    slow = path(steps((0.2, 0.5), (0.5, 0.5), 120))  # 0.15 of the picture in half a minute
    assert raised(rule(moves="right"), iter(slow)) == []


def test_a_zone_says_where_a_way_is_gone() -> None:
    upper = {"points": [[0, 0], [1, 0], [1, 0.5], [0, 0.5]]}
    wanted = rule(moves="right", zone=upper)
    assert len(raised(wanted, iter(path(steps((0.1, 0.4), (0.9, 0.4)))))) == 1
    assert raised(wanted, iter(path(steps((0.1, 0.6), (0.9, 0.6))))) == []


def test_what_goes_must_be_what_the_rule_means_and_is_not_looked_at_for_ever() -> None:
    class Never(Moving):
        looks = 0

        def look(self, seen: Observation, box: MovingBox) -> Look:
            self.looks += 1
            return Look(0.1, box=EventBox("x", 0.1, box.left, box.top, box.width, box.height))

    things = Never()
    machine = MovesMachine(rule(moves="right"), "cam", things)
    assert [machine.update(seen) for seen in path(steps((0.0, 0.5), (1, 0.5), 40))] == [()] * 40
    assert things.looks == LOOKS
