"""Lines and zones: paths whose crossings are counted by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from colour_encoder import ColourEncoder

from scenewise.encoders.spec import WindowFeatures
from scenewise.index.calibration import Calibrator
from scenewise.media.motion import MovingBox
from scenewise.tasks.watch.crossings import (
    LineMachine,
    ZoneMachine,
    crossings,
    inside,
    read_counts,
    side,
)
from scenewise.tasks.watch.judge import SentenceJudge
from scenewise.tasks.watch.nouns import Observation
from scenewise.tasks.watch.recent import FORGET_SECONDS, MOST_TRACKS
from scenewise.tasks.watch.rule import Line, Rule, Zone
from scenewise.tasks.watch.things import Moving, cut_out
from scenewise.types import Event

Point = tuple[float, float]
SQUARE = ((0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75))
ACROSS = ((0.0, 0.5), (1.0, 0.5))
GREY = np.full((60, 80, 3), 128, np.uint8)
NOTHING = WindowFeatures(np.ones((1, 1), np.float32))


def box_at(foot: Point, track: int = 1) -> MovingBox:
    return MovingBox(track, foot[0] - 0.05, foot[1] - 0.1, 0.1, 0.1, (0.0, 0.0))


def seen(time: float, *boxes: MovingBox, image: np.ndarray = GREY) -> Observation:
    return Observation("cam", time, 1e9 + time, image, NOTHING, tuple(boxes))


def follow(machine: LineMachine | ZoneMachine, path: Sequence[Point]) -> list[Event]:
    """Events of one track along a path, two points a second."""
    return [
        event
        for number, foot in enumerate(path)
        for event in machine.update(seen(number / 2, box_at(foot)))
    ]


def line(direction: str = "both", **more: object) -> LineMachine:
    shape = {"points": ACROSS, "direction": direction}
    return LineMachine(Rule.model_validate({"name": "l", "line": shape, **more}), "cam", Moving())


def zone(event: str, **more: object) -> ZoneMachine:
    shape = {"points": SQUARE, "event": event}
    values = {"name": "z", "zone": shape, "cooldown_seconds": 0, **more}
    return ZoneMachine(Rule.model_validate(values), "cam", Moving())


def test_right_of_a_way_from_left_to_right_is_below() -> None:
    assert side((0.5, 0.9), *ACROSS) > 0 > side((0.5, 0.1), *ACROSS)


@pytest.mark.parametrize(
    ("start", "end", "way", "count"),
    [
        ((0.5, 0.4), (0.5, 0.6), ACROSS, 1),
        ((0.5, 0.6), (0.5, 0.4), ACROSS, -1),
        ((0.2, 0.1), (0.9, 0.9), ACROSS, 1),
        ((0.5, 0.1), (0.5, 0.4), ACROSS, 0),
        ((0.9, 0.4), (0.9, 0.6), ((0.0, 0.5), (0.8, 0.5)), 0),  # past its end
        ((0.5, 0.4), (0.5, 0.6), ((0.0, 0.5), (0.5, 0.5), (1.0, 0.5)), 1),  # through a corner
        ((0.5, 0.4), (0.5, 0.9), ((0.0, 0.5), (1.0, 0.5), (1.0, 0.7), (0.0, 0.7)), 0),  # in, out
    ],
)
def test_crossings_of_a_way(start: Point, end: Point, way: Sequence[Point], count: int) -> None:
    assert crossings(start, end, way) == count
    assert crossings(end, start, way) == -count


@pytest.mark.parametrize(
    ("path", "ways"),
    [
        ([(0.5, 0.2), (0.5, 0.4), (0.5, 0.6), (0.5, 0.8)], ["in"]),
        ([(0.5, 0.8), (0.5, 0.2)], ["out"]),
        ([(0.5, 0.2), (0.5, 0.8), (0.5, 0.2)], ["in", "out"]),
        # trembling on the line is not crossing it, and counts once when it is left
        ([(0.5, 0.4), *[(0.5, 0.5 + 0.009 * (-1) ** n) for n in range(20)], (0.5, 0.6)], ["in"]),
        ([(0.5, 0.4), *[(0.5, 0.5 + 0.009 * (-1) ** n) for n in range(20)], (0.5, 0.4)], []),
        ([(0.5, 0.2), (0.5, 0.49)], []),
        ([(0.5, 0.5), (0.5, 0.6)], []),  # where it came from was not seen
    ],
)
def test_a_line_is_crossed_once_for_each_crossing(path: list[Point], ways: list[str]) -> None:
    machine = line()
    events = follow(machine, path)
    assert [event.why[0].detail.split()[1] for event in events] == ways
    assert machine.counts == {"in": ways.count("in"), "out": ways.count("out")}
    if events:
        assert read_counts(events[-1]) == (ways.count("in"), ways.count("out"))


def test_a_direction_raises_for_its_own_and_counts_both() -> None:
    machine = line("out")
    events = follow(machine, [(0.5, 0.2), (0.5, 0.8), (0.5, 0.2)])
    assert [event.why[0].detail for event in events] == ["crossed out (in 1, out 1)"]


def test_two_tracks_are_two_and_several_frames_of_one_instant_count() -> None:
    machine = line()
    boxes = [box_at((0.3, 0.2), 1), box_at((0.6, 0.8), 2)]
    boxes += [box_at((0.3, 0.8), 1), box_at((0.6, 0.2), 2)]
    events = machine.update(seen(0.0, *boxes))
    assert len(events) == 2
    assert len({event.id for event in events}) == 2
    assert machine.counts == {"in": 1, "out": 1}


def test_a_diagonal_line_has_its_own_left_and_right() -> None:
    rule = Rule(name="d", line=Line(points=((0.0, 1.0), (1.0, 0.0))))  # upwards to the right
    machine = LineMachine(rule, "cam", Moving())
    (event,) = follow(machine, [(0.2, 0.2), (0.8, 0.8)])
    assert event.why[0].detail.startswith("crossed in")


@pytest.mark.parametrize(
    ("point", "within"),
    [((0.5, 0.5), True), ((0.2, 0.5), False), ((0.8, 0.5), False), ((0.5, 0.9), False)],
)
def test_a_point_is_in_a_polygon(point: Point, within: bool) -> None:
    assert inside(point, SQUARE) is within
    assert inside(point, SQUARE[::-1]) is within


OUT, IN, EDGE = (0.1, 0.5), (0.5, 0.5), (0.245, 0.5)


@pytest.mark.parametrize(
    ("event", "path", "count"),
    [
        ("enter", [OUT, IN, IN, OUT], 1),
        ("enter", [OUT, IN, OUT, IN], 2),
        ("enter", [OUT, IN, EDGE, IN, EDGE, IN], 1),  # trembles at the edge
        ("enter", [IN, IN], 1),  # appears inside
        ("enter", [IN], 0),  # a box in a single frame
        ("enter", [OUT, OUT], 0),
        ("leave", [OUT, IN, OUT], 1),
        ("leave", [IN, IN, IN], 0),
        ("leave", [OUT, OUT], 0),
    ],
)
def test_zones_are_entered_and_left(event: str, path: list[Point], count: int) -> None:
    assert len(follow(zone(event), path)) == count


def test_dwelling_is_raised_once_when_the_time_is_full() -> None:
    (event,) = follow(zone("dwell", dwell_seconds=3), [OUT, OUT, *[IN] * 20])
    assert event.time == pytest.approx(1.0 + 3.0)
    assert event.why[0].detail == "in the zone for 3.0 s"
    assert follow(zone("dwell", dwell_seconds=3), [IN] * 5 + [OUT] + [IN] * 5) == []


def test_a_track_that_was_long_unseen_is_another() -> None:
    machine = zone("enter")
    assert len(follow(machine, [IN, IN])) == 1
    later = 10 + FORGET_SECONDS
    machine.update(seen(later))
    assert machine.remembered == 0
    machine.update(seen(later, box_at(IN)))
    assert len(machine.update(seen(later + 0.5, box_at(IN)))) == 1


def test_a_cool_down_and_a_schedule_silence_a_zone() -> None:
    assert len(follow(zone("enter", cooldown_seconds=60), [OUT, IN, OUT, IN])) == 1
    # the clock of these instants stands at 01:46 UTC
    quiet = {"from": "02:00", "to": "03:00", "timezone": "UTC"}
    assert follow(zone("enter", schedule=quiet), [OUT, IN, OUT, IN]) == []


def test_tracks_are_bounded_however_many_there_are() -> None:
    machine = zone("enter")
    for number in range(2000):
        machine.update(seen(number * 1e-3, *(box_at(IN, 3 * number + n) for n in range(3))))
        assert machine.remembered <= MOST_TRACKS
    machine.update(seen(100.0))
    assert machine.remembered == 0


@pytest.mark.parametrize(("colour", "count"), [("red", 1), ("blue", 0)])
def test_what_crosses_must_look_like_the_sentence(colour: str, count: int) -> None:
    encoder = ColourEncoder("colours")
    judge = SentenceJudge(colour, encoder, Calibrator(encoder))
    rule = Rule(name="r", line=Line(points=ACROSS), sentence=colour, threshold=0.5)
    machine = LineMachine(rule, "cam", Moving(judge))
    boxes = [box_at((0.5, 0.3)), box_at((0.5, 0.7))]
    image = np.zeros((60, 80, 3), np.uint8)
    image[cut_rows(boxes[1])] = (255, 0, 0)  # red where it is now, black all around
    assert len(machine.update(seen(0.0, *boxes, image=image))) == count
    assert machine.counts["in"] == count


def cut_rows(box: MovingBox) -> tuple[slice, slice]:
    top, left = round(box.top * 60), round(box.left * 80)
    return (slice(top - 2, top + 9), slice(left - 2, left + 11))


@pytest.mark.parametrize("left", [-0.2, 0.0, 0.5, 0.95, 1.2])
@pytest.mark.parametrize("size", [0.0, 0.001, 0.3, 1.0])
def test_a_crop_is_never_empty(left: float, size: float) -> None:
    crop = cut_out(GREY, MovingBox(1, left, left, size, size, (0, 0)))
    assert crop.shape[0] >= 1
    assert crop.shape[1] >= 1
    if left == 0.5 and size == 0.3:
        assert crop.shape[1] == math.ceil(80 * 0.86) - math.floor(80 * 0.44)


def test_a_zone_of_the_whole_picture_holds_its_lower_edge() -> None:
    whole = Zone(points=((0, 0), (1, 0), (1, 1), (0, 1)))
    machine = ZoneMachine(Rule(name="w", zone=whole), "cam", Moving())
    assert len(follow(machine, [(0.5, 1.0), (0.5, 1.0)])) == 1
