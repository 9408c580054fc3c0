"""Armed rules over streams whose truth is known: when each raises, how often, and what it keeps."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import COLOURS, ColourEncoder

from scenewise.encoders.spec import WindowFeatures
from scenewise.errors import ScenewiseError, UsageError
from scenewise.index.calibration import Calibrator
from scenewise.index.catalog import Catalog
from scenewise.tasks.classifiers import Classifier
from scenewise.tasks.watch.anomaly import SAMPLE_WINDOWS, AnomalyMachine
from scenewise.tasks.watch.judge import probability, weaker
from scenewise.tasks.watch.machines import arm, disarm
from scenewise.tasks.watch.nouns import Observation, RuleMachine
from scenewise.tasks.watch.rule import Rule
from scenewise.tasks.watch.standing import BLOCKS, Smoother, UsualScores
from scenewise.types import Event, Sound, SoundKind

STEP = 0.5  # seconds between instants
START = 1_772_402_400.0  # 2026-03-01T22:00 UTC, a Sunday
PIXEL = np.zeros((1, 1, 3), np.uint8)


class ColoursWithBackground(ColourEncoder):
    """The eight colours stand for everything that may be seen."""

    def background(self) -> WindowFeatures:
        return WindowFeatures(np.eye(len(COLOURS), dtype=np.float32))


ENCODER = ColoursWithBackground("colours")


def shows(colour: str, share: float = 1.0) -> WindowFeatures:
    """A window with this share of a colour; the rest is black."""
    vector = np.zeros((1, len(COLOURS)), np.float32)
    vector[0, 0] = 1 - share
    vector[0, COLOURS.index(colour)] += share
    return WindowFeatures(vector / np.linalg.norm(vector))


def stream(scenes: Iterable[tuple[str, float]], source: str = "cam") -> Iterator[Observation]:
    """One colour after another, each for some seconds."""
    time = 0.0
    for colour, seconds in scenes:
        for _ in range(round(seconds / STEP)):
            yield Observation(source, time, START + time, PIXEL, shows(colour))
            time += STEP


def rule(**more: object) -> Rule:
    values = {"name": "r", "sentence": "red", "threshold": 0.5, "cooldown_seconds": 0, **more}
    return Rule.model_validate(values)


def machine(wanted: Rule, encoder: ColourEncoder = ENCODER, source: str = "cam") -> RuleMachine:
    return arm(wanted, encoder, Calibrator(encoder), None, source)


def run(armed: RuleMachine, instants: Iterable[Observation]) -> list[Event]:
    return [event for seen in instants for event in armed.update(seen)]


@pytest.mark.parametrize(
    ("scenes", "times"),
    [
        ([("blue", 20)], []),
        ([("blue", 10), ("red", 5), ("blue", 10)], [10.5]),  # the second of three instants
        ([("blue", 10), ("red", 0.5), ("blue", 10)], []),  # one odd frame
        ([("red", 0.5), ("blue", 10)], []),  # also where it is the first
        ([("blue", 10), ("red", 5), ("blue", 0.5), ("red", 5)], [10.5]),  # one frame lost
        ([("blue", 10), ("red", 5), ("blue", 1.5), ("red", 5)], [10.5]),  # less than two seconds
        ([("red", 5), ("blue", 5), ("red", 5)], [0.5, 10.5]),
        ([("red", 500)], [0.5]),  # one occurrence, however long
    ],
    ids=lambda value: str(value),
)
def test_an_occurrence_is_one_event(scenes: list[tuple[str, float]], times: list[float]) -> None:
    assert [event.time for event in run(machine(rule()), stream(scenes))] == times


def test_dwell_asks_for_it_to_hold_so_long() -> None:
    patient = rule(dwell_seconds=3)
    (event,) = run(machine(patient), stream([("blue", 5), ("red", 10)]))
    assert event.time == 5.5 + 3
    assert (event.why[0].start, event.why[0].end) == (5.5, 8.5)
    assert run(machine(patient), stream([("blue", 5), ("red", 2.5), ("blue", 5)])) == []


def test_a_cool_down_silences_and_what_still_holds_after_it_is_told() -> None:
    scenes = [("red", 5.0), ("blue", 5), ("red", 5), ("blue", 5), ("red", 20)]
    events = run(machine(rule(cooldown_seconds=30)), stream(scenes))
    assert [event.time for event in events] == [0.5, 30.5]


def test_a_schedule_silences_and_what_holds_when_it_begins_is_told() -> None:
    night = {"days": ["sun"], "from": "22:00", "to": "22:01", "timezone": "UTC"}
    late = {"days": ["sun"], "from": "22:01", "to": "06:00", "timezone": "UTC"}
    scenes = [("blue", 50.0), ("red", 30), ("blue", 40)]
    assert [e.time for e in run(machine(rule(schedule=night)), stream(scenes))] == [50.5]
    assert [e.time for e in run(machine(rule(schedule=late)), stream(scenes))] == [60.0]
    assert run(machine(rule(schedule={**late, "days": ["mon"]})), stream(scenes)) == []


def test_a_rule_for_another_source_stays_silent() -> None:
    armed = machine(rule(sources=["back*"]), source="front")
    assert run(armed, stream([("red", 10)], "front")) == []
    assert armed.name == "r"


def test_ids_are_the_same_when_a_stream_is_watched_again_and_differ_otherwise() -> None:
    scenes = [("red", 5.0), ("blue", 5), ("red", 5)]
    first = [event.id for event in run(machine(rule()), stream(scenes))]
    again = [event.id for event in run(machine(rule()), stream(scenes))]
    other_rule = [event.id for event in run(machine(rule(name="s")), stream(scenes))]
    other_source = [e.id for e in run(machine(rule(), source="x"), stream(scenes, "x"))]
    later = [Observation("cam", s.time, s.wall + 60, PIXEL, s.features) for s in stream(scenes)]
    other_start = [event.id for event in run(machine(rule()), later)]
    assert first == again
    ids = first + other_rule + other_source + other_start
    assert len(set(ids)) == len(ids) == 8


def test_an_event_names_its_wall_time_in_utc_and_why() -> None:
    (event,) = run(machine(rule()), stream([("blue", 10), ("red", 5)]))
    assert event.wall == "2026-03-01T22:00:10.500+00:00"
    assert (event.rule, event.source) == ("r", "cam")
    assert event.why[0].detail == "red"
    # one of the eight colours: 7/8 above the mean of the background, over its deviation
    deviation = np.sqrt(7) / 8
    assert event.match == pytest.approx(probability(7 / 8 / deviation), abs=1e-6)


def test_a_weaker_condition_keeps_what_is_under_way() -> None:
    assert weaker(0.5) < 0.5
    strong, faint = shows("red"), shows("red", 0.45)
    judged = machine(rule(threshold=0.6))
    instants = [strong] * 6 + [faint] * 60 + [strong] * 6
    events = run(
        judged,
        (Observation("cam", n * STEP, START, PIXEL, one) for n, one in enumerate(instants)),
    )
    assert len(events) == 1
    assert (
        run(
            machine(rule(threshold=0.6)),
            (Observation("cam", n * STEP, START, PIXEL, faint) for n in range(60)),
        )
        == []
    )


def test_a_gap_ends_what_was_only_waiting() -> None:
    armed = machine(rule(dwell_seconds=5))
    before = list(stream([("red", 4)]))
    after = [
        Observation("cam", s.time + 100, s.wall + 100, PIXEL, s.features)
        for s in stream([("red", 4)])
    ]
    assert run(armed, before + after) == []


def test_what_a_stream_always_shows_alarms_once_and_what_is_new_still_does() -> None:
    """A camera that always sees much yellow: a rule for yellow learns that this is usual."""
    random = np.random.default_rng(0)
    armed = machine(rule(sentence="yellow red"))

    def usual(count: int, first: int, extra: float = 0.0) -> Iterator[Observation]:
        for number in range(first, first + count):
            vector = np.abs(random.normal(0, 0.02, (1, 8))).astype(np.float32)
            vector[0, COLOURS.index("yellow")] += 0.8 + random.normal(0, 0.05)
            vector[0, 0] += 0.6
            vector[0, COLOURS.index("red")] += extra
            unit = vector / np.linalg.norm(vector)
            time = number * STEP
            yield Observation("cam", time, START + time, PIXEL, WindowFeatures(unit))

    at_first = run(armed, usual(600, 0))
    assert len(at_first) <= 1
    assert run(armed, usual(6000, 600)) == []  # most of an hour
    assert len(run(armed, usual(40, 6600, extra=1.5))) == 1


def test_without_a_background_other_sentences_stand_in() -> None:
    """A sentence of colours scores 1 where it is shown; names of things score the same for all."""
    bare = ColourEncoder("colours")
    events = run(machine(rule(), bare), stream([("blue", 10), ("red", 5), ("blue", 5)]))
    assert [event.time for event in events] == [10.5]


def heard(kind: SoundKind, start: float, end: float, strength: float = 0.9) -> Sound:
    return Sound(kind, start, end, strength)


@pytest.mark.parametrize(
    ("sounds", "more", "times"),
    [
        ([heard("onset", 3.1, 3.2)], {}, [3.5]),
        ([heard("onset", 3.1, 3.2, 0.3)], {}, []),
        ([heard("music", 3.1, 3.2)], {}, []),
        ([heard("onset", 3.1, 3.2), heard("onset", 3.6, 3.7)], {}, [3.5]),  # one occurrence
        ([heard("onset", 3.1, 3.2), heard("onset", 9.1, 9.2)], {}, [3.5, 9.5]),
        ([heard("silence", 2.0, 12.0)], {"sound": "silence", "dwell_seconds": 5}, [7.0]),
        ([heard("silence", 2.0, 6.0)], {"sound": "silence", "dwell_seconds": 5}, []),
    ],
    ids=lambda value: str(value),
)
def test_sounds_raise(sounds: Sequence[Sound], more: dict[str, object], times: list[float]) -> None:
    wanted = Rule.model_validate({"name": "s", "sound": "onset", "cooldown_seconds": 0, **more})
    armed = machine(wanted)
    events: list[Event] = []
    for number in range(40):
        time = number * STEP
        # what was heard since the instant before, as far as it is known by now
        known = tuple(
            Sound(s.kind, s.start, min(s.end, time), s.strength)
            for s in sounds
            if s.start <= time and min(s.end, time) > time - STEP
        )
        seen = Observation("cam", time, START + time, PIXEL, shows("blue"), sounds=known)
        events += armed.update(seen)
    assert [event.time for event in events] == times


def test_a_sound_that_is_told_when_it_is_over_counts_for_as_long_as_it_was() -> None:
    """It is told two seconds later."""
    for length, count in ((5.5, 1), (4.0, 0)):
        wanted = Rule.model_validate({"name": "s", "sound": "silence", "dwell_seconds": 5})
        armed = machine(wanted)
        told = {round((3 + length) / STEP) + 4: heard("silence", 3.0, 3.0 + length)}
        events = [
            event
            for number in range(40)
            for event in armed.update(
                Observation(
                    "cam",
                    number * STEP,
                    START + number * STEP,
                    PIXEL,
                    shows("blue"),
                    sounds=(told[number],) if number in told else (),
                )
            )
        ]
        assert len(events) == count
        assert [(why.start, why.end) for event in events for why in event.why] == (
            [(3.0, 8.5)] * count
        )


# what is unlike the rest


def drifting(
    minutes: float, random: np.random.Generator, odd_at: float = -1
) -> Iterator[Observation]:
    """Noise around one direction; from ``odd_at`` on, in minutes, a quarter of one of another."""
    usual = np.zeros(8)
    usual[0] = 1
    for number in range(round(minutes * 60 / STEP)):
        time = number * STEP
        vector = usual + random.normal(0, 0.05, 8)
        if odd_at >= 0 and odd_at * 60 <= time < odd_at * 60 + 15:
            vector[4] += 1
        unit = (vector / np.linalg.norm(vector)).astype(np.float32)[None]
        yield Observation("cam", time, START + time, PIXEL, WindowFeatures(unit))


ODD = Rule(name="odd", anomaly=True)


def test_the_unusual_raises_and_an_hour_of_the_usual_does_not() -> None:
    assert run(machine(ODD), drifting(60, np.random.default_rng(1))) == []
    (event,) = run(machine(ODD), drifting(30, np.random.default_rng(2), odd_at=25))
    assert 25 * 60 <= event.time <= 25 * 60 + 2
    assert event.match >= 0.9
    assert "unlike what this source shows" in event.why[0].detail


def test_nothing_is_unusual_before_it_has_watched_for_some_minutes() -> None:
    assert run(machine(ODD), drifting(5, np.random.default_rng(3), odd_at=2)) == []


def test_what_is_usual_is_kept_and_gone_on_from(tmp_path: Path) -> None:
    with Catalog.open(tmp_path, write=True, create=True):
        pass
    with Catalog.open(tmp_path) as catalog:
        first = arm(ODD, ENCODER, Calibrator(ENCODER), catalog, "cam")
        run(first, drifting(20, np.random.default_rng(4)))
        disarm(first)
        assert catalog.kept_names("normal") == ["cam"]
        second = arm(ODD, ENCODER, Calibrator(ENCODER), catalog, "cam")
        assert isinstance(second, AnomalyMachine)
        assert second.normal.ready  # and so it raises at once
        assert len(run(second, drifting(2, np.random.default_rng(5), odd_at=1))) == 1
        other = arm(ODD, ENCODER, Calibrator(ENCODER), catalog, "other")
        assert isinstance(other, AnomalyMachine)
        assert len(other.normal) == 0


def test_a_library_that_another_writes_to_is_left_for_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Catalog.open(tmp_path, write=True, create=True), Catalog.open(tmp_path) as reading:
        armed = arm(ODD, ENCODER, Calibrator(ENCODER), reading, "cam")
        run(armed, drifting(2, np.random.default_rng(4)))
        disarm(armed)
        assert reading.kept_names("normal") == []
    assert "was not kept" in caplog.text


def test_a_classifier_that_is_not_there_is_told() -> None:
    with pytest.raises(UsageError, match="'forklift' is in no library"):
        machine(Rule.model_validate({"name": "c", "classifier": "forklift"}))


def kept_classifier(folder: Path, head: str = "logistic") -> None:
    """``stop light`` says red or not, by the red number alone."""
    weight = np.zeros((2 if head == "logistic" else 1, len(COLOURS)), np.float32)
    weight[-1, COLOURS.index("red")] = 20
    bias = np.zeros(len(weight), np.float32)
    bias[-1] = -10
    classifier = Classifier(
        name="stop light",
        head="logistic" if head == "logistic" else "ridge",
        labels=("other", "stop") if head == "logistic" else ("redness",),
        arrays={"weight": weight, "bias": bias},
        encoder=ENCODER.spec.name,
        encoder_digest=ENCODER.spec.digest(),
        positive=1 if head == "logistic" else None,
    )
    with Catalog.open(folder, write=True, create=True) as catalog:
        catalog.keep(classifier.to_kept())


@pytest.mark.parametrize(
    ("label", "times"), [(None, [10.5]), ("stop", [10.5]), ("other", [0.5, 17.5])]
)
def test_a_trained_class_raises(tmp_path: Path, label: str | None, times: list[float]) -> None:
    kept_classifier(tmp_path)
    shape = {"name": "stop light"} | ({} if label is None else {"label": label})
    wanted = Rule.model_validate({"name": "c", "classifier": shape, "cooldown_seconds": 0})
    with Catalog.open(tmp_path) as catalog:
        armed = arm(wanted, ENCODER, Calibrator(ENCODER), catalog, "cam")
    events = run(armed, stream([("blue", 10), ("red", 7), ("blue", 10)]))
    assert [event.time for event in events] == times
    assert events[0].why[0].detail.startswith(label or "stop")
    assert events[0].why[0].kind == "classifier"


def test_a_classifier_that_cannot_raise_is_told(tmp_path: Path) -> None:
    kept_classifier(tmp_path / "a")
    kept_classifier(tmp_path / "b", "ridge")
    for folder, shape, said in (
        ("a", {"name": "stop light", "label": "go"}, "has no label 'go'; allowed: other, stop"),
        ("a", {"name": "another"}, "another"),
        ("b", {"name": "stop light"}, "gives a number"),
    ):
        wanted = Rule.model_validate({"name": "c", "classifier": shape})
        with (
            Catalog.open(tmp_path / folder) as catalog,
            pytest.raises(ScenewiseError, match=said),
        ):
            arm(wanted, ENCODER, Calibrator(ENCODER), catalog, "cam")


# memory


@pytest.mark.parametrize("kind", ["sentence", "anomaly", "sound"])
def test_what_a_machine_keeps_does_not_grow(kind: str) -> None:
    """After six hours of flicker it holds as much as after two."""
    wanted = {
        "sentence": rule(),
        "anomaly": ODD,
        "sound": Rule(name="s", sound="onset"),
    }[kind]
    armed = machine(wanted)
    random = np.random.default_rng(6)
    vectors = np.abs(random.normal(0.3, 0.3, (997, 8))).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    sizes = []
    for hour in range(6):
        for number in range(1200):
            time = hour * 3600 + number * 3.0
            row = WindowFeatures(vectors[number % 997][None])
            sounds = (heard("onset", time - 0.1, time),)
            armed.update(Observation("cam", time, START + time, PIXEL, row, sounds=sounds))
        state = {name: value for name, value in vars(armed).items() if name != "_judge"}
        sizes.append(len(pickle.dumps(state)))
    assert sizes[-1] <= 1.02 * sizes[2]


def test_an_hour_is_what_is_remembered() -> None:
    usual, smoother = UsualScores(), Smoother()
    for second in range(3 * 3600):
        if (score := smoother.add(float(second % 7))) is not None:
            usual.add(second, score)
    assert len(usual) == BLOCKS
    assert SAMPLE_WINDOWS == 1024
    far = UsualScores()
    for second in range(3600):
        far.add(second, 100.0 if second % 100 < 10 else float(second % 3))
    assert far.robust(0.1).max() < 20  # what was rare draws the picture little
