"""Rules tried on films whose truth is known: hits, alarms, hours, and files that fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from colour_encoder import ColourEncoder
from colour_films import write_colours

from scenewise.errors import UsageError
from scenewise.index.calibration import Calibrator
from scenewise.metrics.counts import poisson_interval
from scenewise.tasks.watch.rule import Rule
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
