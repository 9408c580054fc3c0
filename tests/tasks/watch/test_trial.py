"""Rules tried on films whose truth is known: hits, alarms, hours, and files that fail."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from colour_encoder import ColourEncoder
from colour_films import write_colours
from generated_sound import RATE, bang, noise

from scenewise.errors import UsageError
from scenewise.index.calibration import Calibrator
from scenewise.media.film import FilmSettings, write_film
from scenewise.media.film import Sound as SoundTrack
from scenewise.media.motion import MotionTracker
from scenewise.media.sounds import SoundDetector
from scenewise.metrics.counts import poisson_interval
from scenewise.tasks.watch.intake import Senses
from scenewise.tasks.watch.rule import Line, Rule, Zone
from scenewise.tasks.watch.trial import Expected, Trial, read_expected, run_trial

RED = Rule(name="red", sentence="red", cooldown_seconds=0)
GREEN = Rule(name="green", sentence="green", cooldown_seconds=0)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Red at 4 to 8 and 12 to 16 s of the first; never in the second."""
    folder = tmp_path_factory.mktemp("recordings")
    scenes = [("blue", 4.0), ("red", 4.0)] * 2 + [("blue", 4.0)]
    first = write_colours(folder / "12:30 gate.mp4", scenes)
    return [first, write_colours(folder / "b.mp4", [("blue", 10.0), ("green", 6.0)])]


def trial(files: list[Path], *rules: Rule, expected: list[Expected] | None = None) -> Trial:
    encoder = ColourEncoder("colours")
    return run_trial(files, rules, encoder, Calibrator(encoder), None, expected=expected)


def test_events_and_rates_with_their_intervals(films: list[Path]) -> None:
    found = trial(films, RED, GREEN)
    assert found.recordings == 2
    assert found.hours * 3600 == pytest.approx(36.0, abs=0.3)
    red, green = found.rules
    assert (red.rule, red.events, red.alarms, red.expected) == ("red", 2, 2, None)
    assert red.alarms_per_hour == pytest.approx(2 / found.hours)
    low, high = poisson_interval(2)
    assert red.alarms_interval == pytest.approx((low / found.hours, high / found.hours))
    assert (green.rule, green.events) == ("green", 1)
    assert [(event.rule, event.source) for event in found.events] == [
        ("red", str(films[0])),
        ("red", str(films[0])),
        ("green", str(films[1])),
    ]
    # the second of three instants
    assert [event.time for event in found.events] == pytest.approx([4.5, 12.5, 10.5])


def test_what_is_expected_is_found_and_the_rest_are_alarms(films: list[Path]) -> None:
    expected = [
        Expected("12:30 gate.mp4", 4.0, 8.0, "red"),  # found
        Expected(str(films[0]), 8.5, 10.0, "red"),  # not
        Expected("b.mp4", 10.0, 16.0, "green"),  # found
    ]
    red, green = trial(films, RED, GREEN, expected=expected).rules
    assert (red.expected, red.found, red.alarms) == (2, 1, 1)  # the second red is an alarm
    assert (green.expected, green.found, green.alarms) == (1, 1, 0)
    assert green.found_interval is not None
    assert red.to_dict()["found"] == 1


def test_schedules_and_sources_do_not_count(films: list[Path]) -> None:
    shape = {"from": "00:00", "to": "00:01", "days": ["mon"]}
    rule = Rule.model_validate(
        {"name": "red", "sentence": "red", "schedule": shape, "sources": ["cam*"]}
    )
    assert trial(films[:1], rule).rules[0].events == 1  # the cool-down does


def test_a_file_that_is_no_video_is_told_and_the_others_count(
    films: list[Path], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video" * 100)
    found = trial([broken, films[1]], GREEN)
    assert [failure.path for failure in found.failed] == [str(broken)]
    assert (found.recordings, found.rules[0].events) == (1, 1)
    assert set(found.to_dict()) == {"recordings", "hours", "rules", "events", "failed"}


def test_labels_are_read_from_csv(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("Rule,video, start,end\nred,a.mp4,1.5,2\n", encoding="utf-8-sig")
    assert read_expected(path) == [Expected("a.mp4", 1.5, 2.0, "red")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "needs the columns video, start, end, rule in its first line, and has none"),
        ("video,start\n", "and has video, start"),
        ("video,start,end,rule\na.mp4,1,2,red\na.mp4,3,2,red\n", "line 3: wanted are"),
        ("video,start,end,rule\na.mp4,x,2,red\n", "line 2: wanted are"),
        ("video,start,end,rule\na.mp4,1\n", "line 2: wanted are"),
        ("video,start,end,rule\na.mp4,1,inf,red\n", "line 2: wanted are"),
    ],
)
def test_mistakes_in_labels_are_told(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=said):
        read_expected(path)


def test_labels_of_other_rules_and_files_are_told(films: list[Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'blue', and there is none of this name; there are red"):
        trial(films, RED, expected=[Expected("b.mp4", 0, 1, "blue")])
    with pytest.raises(UsageError, match=r"c\.mp4, which is not one of the recordings"):
        trial(films, RED, expected=[Expected("c.mp4", 0, 1, "red")])
    with pytest.raises(UsageError, match="there is no recording"):
        trial([], RED)
    with pytest.raises(UsageError, match="cannot be read"):
        read_expected(tmp_path / "none.csv")


def write_passing(path: Path, feet: list[float]) -> Path:
    """A textured thing before a textured ground; the middle of its lower edge at these heights."""
    random = np.random.default_rng(0)
    ground = random.integers(90, 140, (60, 80, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    thing = random.integers(0, 256, (10, 10, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    pictures = []
    for foot in feet:
        picture = ground.copy()
        if foot > 0:
            bottom = round(foot * 240)
            picture[bottom - 40 : bottom, 140:180] = thing
        pictures.append(picture)
    write_film(path, pictures, FilmSettings(frame_rate=Fraction(12), gop=12))
    return path


def test_what_moves_through_a_line_is_counted_from_pixels_to_event(tmp_path: Path) -> None:
    """Three seconds of nothing, down through the line, a pause, and up again."""
    down = np.linspace(0.3, 0.9, 36).tolist()
    path = write_passing(tmp_path / "passing.mp4", [0.0] * 36 + down + down[::-1] + [0.0] * 12)
    line = Rule(name="line", line=Line(points=((0, 0.6), (1, 0.6))))
    zone = Rule(name="zone", zone=Zone(points=((0.2, 0.7), (0.8, 0.7), (0.8, 1), (0.2, 1))))
    encoder = ColourEncoder("colours")
    found = run_trial(
        [path],
        [line, zone],
        encoder,
        Calibrator(encoder),
        None,
        senses=Senses(follower=MotionTracker),
    )
    told = [event.why[0].detail for event in found.events if event.rule == "line"]
    assert told == ["crossed in (in 1, out 0)", "crossed out (in 1, out 1)"]
    first, second = (event.time for event in found.events if event.rule == "line")
    # halfway down, and halfway up; analysed twice a second
    assert 4.5 <= first <= 5.5
    assert 7.5 <= second <= 8.5
    (entered,) = (event for event in found.events if event.rule == "zone")
    assert 5.0 <= entered.time <= 6.0


def test_what_is_heard_is_raised_from_samples_to_event(tmp_path: Path) -> None:
    """Noise for six seconds, a bang at three, then eight seconds of digital silence."""
    samples = np.concatenate([noise(6.0, -35.0), np.zeros(8 * RATE, np.float32)])
    loud = bang()
    samples[3 * RATE : 3 * RATE + len(loud)] += loud
    picture = np.zeros((48, 64, 3), np.uint8)
    path = tmp_path / "bang.mp4"
    write_film(
        path,
        [picture] * 140,
        FilmSettings(frame_rate=Fraction(10), gop=10),
        sound=SoundTrack(samples[None], RATE),
    )
    rules = [
        Rule(name="bang", sound="onset"),
        Rule(name="silence", sound="silence", dwell_seconds=4),
    ]
    encoder = ColourEncoder("colours")
    senses = Senses(listener=SoundDetector)
    found = run_trial([path], rules, encoder, Calibrator(encoder), None, senses=senses)
    assert [event.rule for event in found.events] == ["bang", "silence"]
    onset, silence = found.events
    assert onset.why[0].start == pytest.approx(3.0, abs=0.1)
    assert 3.0 <= onset.time <= 4.5  # onsets are told 0.6 s late
    assert silence.why[0].start == pytest.approx(6.0, abs=0.2)
    assert 10.0 <= silence.time <= 11.0
