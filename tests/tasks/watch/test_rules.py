"""Rules from files, packs and sentences: what is read, and what every mistake is told."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from scenewise.errors import UsageError
from scenewise.tasks.watch.rules import Rule, load_rules, pack_about, pack_names


def write(folder: Path, text: str) -> Path:
    path = folder / "rules.toml"
    path.write_text(text, encoding="utf-8")
    return path


EVERYTHING = """
[[rule]]
name = "door"
sentence = "a person at the door"
threshold = 0.7
dwell_seconds = 2
cooldown_seconds = 90
sources = ["front*", "*/gate"]
schedule = { days = ["mon", "fri"], from = "22:00", to = "06:00", timezone = "UTC" }

[[rule]]
name = "taught"
classifier = { name = "forklift", label = "yes" }

[[rule]]
name = "taught, short"
classifier = "forklift"

[[rule]]
name = "odd"
anomaly = true

[[rule]]
name = "gate"
line = { points = [[0, 0.5], [0.5, 0.5], [1, 1]], direction = "in" }
sentence = "a truck"

[[rule]]
name = "yard"
zone = { points = [[0, 0], [1, 0], [1, 1]], event = "dwell" }
dwell_seconds = 20

[[rule]]
name = "quiet"
sound = "silence"

[[rule]]
name = "dog"
detect = " a   dog "

[[rule]]
name = "vehicle"
detect = ["car", "truck"]
detector = "models/cars"
line = { points = [[0, 0.5], [1, 0.5]] }

[[rule]]
name = "wrong way"
moves = "left"
detect = "car"
zone = { points = [[0, 0], [1, 0], [1, 1]] }
"""


def test_every_kind_of_rule_is_read(tmp_path: Path) -> None:
    rules = load_rules(write(tmp_path, EVERYTHING))
    assert [(rule.name, rule.kind) for rule in rules] == [
        ("door", "sentence"),
        ("taught", "classifier"),
        ("taught, short", "classifier"),
        ("odd", "anomaly"),
        ("gate", "line"),
        ("yard", "zone"),
        ("quiet", "sound"),
        ("dog", "detect"),
        ("vehicle", "line"),
        ("wrong way", "moves"),
    ]
    door, _, short, _, gate, yard, _, dog, vehicle, wrong = rules
    assert (dog.detect, dog.detector, dog.cooldown) == (("a dog",), None, 30)
    assert (vehicle.detect, vehicle.detector) == (("car", "truck"), "models/cars")
    assert (wrong.moves, wrong.detect, wrong.cooldown) == ("left", ("car",), 0)
    assert (door.threshold, door.dwell, door.cooldown) == (0.7, 2, 90)
    assert short.classifier is not None
    assert (short.classifier.name, short.classifier.label) == ("forklift", None)
    assert gate.line is not None
    assert (gate.line.points[1], gate.line.direction) == ((0.5, 0.5), "in")
    assert gate.sentence == "a truck"
    assert yard.dwell == 20
    assert [rule.name for rule in rules if rule.needs_motion] == [
        "gate",
        "yard",
        "dog",
        "wrong way",
    ]
    assert [rule.name for rule in rules if rule.needs_sound] == ["quiet"]


def test_a_rule_is_what_it_says_as_json(tmp_path: Path) -> None:
    for rule in load_rules(write(tmp_path, EVERYTHING)):
        assert set(rule.to_dict()) <= set(Rule.model_fields)
    door = load_rules(write(tmp_path, EVERYTHING))[0].to_dict()
    assert door["sentence"] == "a person at the door"
    assert door["sources"] == ["front*", "*/gate"]


MISTAKES = [
    ('name = "a"', "it has none"),
    ('sentence = "x"', "the rule has no name"),
    ('name = " "\nsentence = "x"', "name = ' ' is not allowed"),
    ('name = "a"\nsentence = 1', "sentence = 1 is not allowed; allowed: words"),
    ('name = "a"\nsentence = "x"\nsound = "onset"', "it has sentence and sound"),
    ('name = "a"\nline = { points = [[0,0],[1,1]] }\nanomaly = true', "it has anomaly and line"),
    ('name = "a"\nsentense = "x"\nanomaly = true', "the key 'sentense' is unknown; allowed: name,"),
    ('name = "a"\nline = { points = [[0,0],[1,1]], dir = 1 }', "the key 'dir' of line is unknown"),
    ('name = "a"\nline = { points = [[0,0],[1,1.5]] }', "points = 1.5 is not allowed; allowed:"),
    ('name = "a"\nline = { points = [[0,0]] }', "points"),
    ('name = "a"\nline = { points = [[0,0],[0,0]] }', "neighbouring points are the same"),
    ('name = "a"\nline = {}', "the line has no points"),
    ('name = "a"\nline = { points = [[0,0],[1,1]], direction = "up" }', '"in", "out" or "both"'),
    ('name = "a"\nzone = { points = [[0,0],[1,1]] }', "3 for a zone"),
    ('name = "a"\nzone = { points = [[0,0],[1,1],[0.5,0.5]] }', "enclose nothing"),
    ('name = "a"\nzone = { points = [[0,0],[1,0],[1,1]], event = "stay" }', '"enter", "leave"'),
    ('name = "a"\nsound = "bang"', "sound = 'bang' is not allowed; allowed: \"silence\""),
    ('name = "a"\nsound = "onset"\nthreshold = 1', "a number above 0 and below 1"),
    ('name = "a"\nsound = "onset"\nthreshold = nan', "a number above 0 and below 1"),
    ('name = "a"\nsound = "onset"\ncooldown_seconds = -1', "0 to 86400 seconds"),
    ('name = "a"\nsound = "onset"\nschedule = { from = "25:00" }', "from = '25:00' is not allowed"),
    ('name = "a"\nsound = "onset"\nschedule = { days = ["monday"] }', "mon, tue, wed"),
    ('name = "a"\nsound = "onset"\nschedule = { timezone = "Mars" }', "timezone = 'Mars'"),
    ('name = "a"\nsound = "onset"\nschedule = { begin = 3 }', "allowed"),
    ('name = "a"\nclassifier = {}', "the classifier has no name"),
    ('name = "a"\nzone = { points = [[0,0],[1,0],[1,1]] }\ndwell_seconds = 3', 'event = "dwell"'),
    ('name = "a"\nline = { points = [[0,0],[1,0]] }\ndwell_seconds = 3', "in an instant"),
    ('name = "a"\nline = { points = [[0,0],[1,0]] }\nthreshold = 0.5', "for its sentence"),
    ('name = "a"\nmoves = "left"\nthreshold = 0.5', "the threshold of moves is for its sentence"),
    ('name = "a"\nmoves = "sideways"', "moves = 'sideways' is not allowed; allowed: \"left\""),
    ('name = "a"\nmoves = "left"\nline = { points = [[0,0],[1,0]] }', "it has line and moves"),
    ('name = "a"\nmoves = "left"\ndwell_seconds = 3', "a way is gone once"),
    (
        'name = "a"\nmoves = "up"\nzone = { points = [[0,0],[1,0],[1,1]], event = "leave" }',
        "a zone says where",
    ),
    ('name = "a"\ndetect = []', "detect = [] is not allowed; allowed: a label"),
    ('name = "a"\ndetect = " "', "detect = "),
    ('name = "a"\ndetect = 3', "detect = 3 is not allowed; allowed: a label, or a list"),
    ('name = "a"\ndetect = "cat, dog"', 'write a list, detect = ["cat", "dog"]'),
    ('name = "a"\ndetect = ["a  cat", "a cat"]', "the label 'a cat' is there twice"),
    ('name = "a"\ndetect = "cat"\nsentence = "a cat"', "it has sentence and detect"),
    ('name = "a"\nmoves = "up"\ndetect = "cat"\nsentence = "a cat"', "sentence and detect and"),
    ('name = "a"\nsentence = "a cat"\ndetector = "d"', "a detector goes with detect"),
]


@pytest.mark.parametrize(("table", "said"), MISTAKES, ids=[table for table, _ in MISTAKES])
def test_a_mistake_is_told_with_file_rule_and_what_is_allowed(
    tmp_path: Path, table: str, said: str
) -> None:
    path = write(tmp_path, f"[[rule]]\n{table}\n")
    with pytest.raises(UsageError) as caught:
        load_rules(path)
    message = str(caught.value)
    assert said in message
    assert message.startswith(f"{path}, rule ")
    assert ("rule 'a'" in message) == ('name = "a"' in table)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no rule"),
        (b"[[rule]\n", "not valid TOML"),
        (b"[rule]\nname = 'a'\n", "double brackets"),
        (b"rule = 3\n", "double brackets"),
        (b"rules = []\n", "'rules' is unknown at the top"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_holds_no_rules_is_told_so(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=said):
        load_rules(path)


def test_a_missing_file_no_rule_and_two_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml cannot be read"):
        load_rules(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="there is no rule to watch for"):
        load_rules(None)
    with pytest.raises(UsageError, match="two rules are called 'a dog'"):
        load_rules(write(tmp_path, '[[rule]]\nname = "a dog"\nanomaly = true\n'), ["a dog"])
    with pytest.raises(UsageError, match="holds no words"):
        load_rules(None, ["  "])


def test_sentences_are_rules_that_are_called_like_themselves() -> None:
    (rule,) = load_rules(None, [" a  dog! ", " a  dog! "])
    assert (rule.name, rule.sentence, rule.kind) == ("a dog", "a dog", "sentence")


def test_packs_are_rules_and_say_what_they_cannot_do() -> None:
    assert set(pack_names()) == {
        "fall-or-accident",
        "fire-and-smoke",
        "intrusion",
        "vehicles-in-and-out",
    }
    for name in pack_names():
        assert load_rules(None, packs=[name])
        assert "default encoder" in " ".join(pack_about(name).split())
    (vehicles,) = load_rules(None, packs=["vehicles-in-and-out"])
    assert (vehicles.kind, vehicles.line and vehicles.line.direction) == ("line", "both")
    load_rules(None, packs=pack_names())  # their names differ
    with pytest.raises(UsageError, match="no pack is called 'burglars'; there are fall-or"):
        load_rules(None, packs=["burglars"])


@pytest.mark.parametrize(
    ("source", "applies"),
    [("front door", True), ("a/gate", True), ("gate", False), ("back", False)],
)
def test_a_rule_is_for_the_sources_of_its_patterns(
    tmp_path: Path, source: str, applies: bool
) -> None:
    assert load_rules(write(tmp_path, EVERYTHING))[0].applies_to(source) is applies


@pytest.mark.parametrize(
    ("when", "armed"),
    [
        ("2026-03-02T21:59", False),  # a Monday
        ("2026-03-02T22:00", True),
        ("2026-03-03T05:59", True),  # the night of Monday
        ("2026-03-03T06:00", False),
        ("2026-03-03T23:00", False),  # Tuesday
        ("2026-03-02T03:00", False),  # the night of Sunday
        ("2026-03-07T01:00", True),  # the night of Friday
    ],
)
def test_a_schedule_reaches_over_midnight(tmp_path: Path, when: str, armed: bool) -> None:
    rule = load_rules(write(tmp_path, EVERYTHING))[0]
    assert rule.armed(datetime.fromisoformat(when).replace(tzinfo=UTC).timestamp()) is armed


def test_a_schedule_follows_its_own_time_zone(tmp_path: Path) -> None:
    text = (
        '[[rule]]\nname = "a"\nanomaly = true\n'
        'schedule = [{ from = "08:00", to = "09:00", timezone = "Asia/Tokyo" },'
        ' { days = ["sat"], to = "24:00", timezone = "UTC" }]\n'
    )
    (rule,) = load_rules(write(tmp_path, text))
    at = datetime(2026, 3, 2, tzinfo=UTC)
    assert rule.armed(at.replace(day=1, hour=23, minute=30).timestamp())  # 8:30 in Tokyo
    assert not rule.armed(at.replace(hour=8, minute=30).timestamp())
    assert rule.armed(at.replace(day=7, hour=23, minute=59).timestamp())
