"""What the text of a config says: the traps of YAML, and TOML that is read as it was written."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenewise.training.config_syntax import ConfigSyntaxError, parse, to_toml

READ = {
    "1e-3": 1e-3,  # text to PyYAML, whose rules are those of YAML 1.1
    "1E5": 1e5,
    "-2.5e-4": -2.5e-4,
    ".5": 0.5,
    "7": 7,
    "-7": -7,
    "0": 0,
    "0o17": 15,
    "0x1F": 31,
    "true": True,
    "False": False,
    "null": None,
    "~": None,
    "": None,
    '"yes"': "yes",
    "'010'": "010",
    "2024-01-01": "2024-01-01",
    "1.2.3": "1.2.3",
    "adamw": "adamw",
    "16x224": "16x224",
    "[1, two, 3.0]": [1, "two", 3.0],
    "{a: 1, b: {c: x}}": {"a": 1, "b": {"c": "x"}},
}
AMBIGUOUS = {
    "yes": "true or false",
    "No": "true or false",
    "ON": "true or false",
    "off": "true or false",
    "y": "true or false",
    "010": "counts in eights",
    "-08": "counts in eights",
    "1_000": "digits alone",
    "0b101": "digits alone",
    "1:30": "counts in sixties",
    "20:30:40": "counts in sixties",
}


@pytest.mark.parametrize(("text", "value"), READ.items())
def test_yaml_is_read_as_its_version_1_2(text: str, value: object) -> None:
    read = parse(f"key: {text}\n", ".yaml")["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(("text", "said"), {".inf": math.inf, "-.INF": -math.inf}.items())
def test_yaml_has_numbers_without_end(text: str, said: float) -> None:
    assert parse(f"key: {text}\n", ".yml")["key"] == said


@pytest.mark.parametrize(("text", "said"), AMBIGUOUS.items())
def test_what_two_readers_of_yaml_read_differently_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigSyntaxError, match=said) as caught:
        parse(f"a: 1\nkey: {text}\n", ".yaml")
    assert "line 2, column 6" in str(caught.value)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("text", "suffix", "said"),
    [
        ("a: 1\na: 2\n", ".yaml", "line 2, column 1: has the key 'a' twice"),
        ("x: {b: 1, b: 2}\n", ".yaml", "has the key 'b' twice"),
        ("a = 1\na = 2\n", ".toml", "is no TOML"),
        ('{"a": 1, "a": 2}', ".json", "has the key 'a' twice"),
        ("a: &x [1]\nb: *x\n", ".yaml", r"repeats a part by \*x"),
        ("a: {c: 1}\nb:\n  <<: {c: 2}\n", ".yaml", "merges by <<; use extends"),
        ("1: x\n", ".yaml", "a key is a word, not 1"),
        ("a: !!python/object:os.system x\n", ".yaml", "tags are not read"),
        ("a: [1\n", ".yaml", "is no YAML: .*line 2"),
        ("- 1\n", ".yaml", "must hold tables"),
        ("[1]", ".json", "must hold tables"),
        ("{", ".json", "is no JSON"),
        ("a = 2024-01-01\n", ".toml", "holds the date or time 2024-01-01"),
        ("a = 1\n", ".ini", "allowed are files that end in .toml, .yaml, .yml, .json"),
    ],
)
def test_a_text_that_cannot_be_meant_is_refused(text: str, suffix: str, said: str) -> None:
    with pytest.raises(ConfigSyntaxError, match=said):
        parse(text, suffix)


def test_an_empty_file_says_nothing() -> None:
    for suffix in (".toml", ".yaml"):
        assert parse("", suffix) == {}


VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(2**62), 2**62),
        st.floats(allow_nan=False),
        # a lone surrogate has no form in TOML
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), inner),
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), VALUES))
def test_toml_comes_back_as_it_was_written(table: dict[str, Any]) -> None:
    assert parse(to_toml(table), ".toml") == table
