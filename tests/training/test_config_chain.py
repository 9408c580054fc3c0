"""Files that extend each other: who overrules whom, what is removed, where a value was given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scenewise.training.config_chain import COMMAND_LINE, Chain, parse_override, read_chain
from scenewise.training.config_syntax import ConfigSyntaxError


def write(folder: Path, **files: str) -> Path:
    """Files by their stem; the last one is returned."""
    path = folder
    for name, text in files.items():
        path = folder / f"{name}.toml"
        path.write_text(text, "utf-8")
    return path


def said(chain: Chain) -> list[str]:
    return [str(mistake) for mistake in chain.mistakes]


MERGES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "tables key by key": (
        {"base": "[a]\nx = 1\ny = 2", "main": 'extends = "base.toml"\n[a]\ny = 3\nz = 4'},
        {"a": {"x": 1, "y": 3, "z": 4}},
    ),
    "lists are replaced": (
        {"base": "x = [1, 2]", "main": 'extends = "base.toml"\nx = [3]'},
        {"x": [3]},
    ),
    "a value replaces a table": (
        {"base": "[a]\nx = 1", "main": 'extends = "base.toml"\na = 2'},
        {"a": 2},
    ),
    "a table replaces a value": (
        {"base": "a = 2", "main": 'extends = "base.toml"\n[a]\nx = 1'},
        {"a": {"x": 1}},
    ),
    "a chain": (
        {
            "far": "x = 1\ny = 1\nz = 1",
            "near": 'extends = "far.toml"\ny = 2\nz = 2',
            "main": 'extends = "near.toml"\nz = 3',
        },
        {"x": 1, "y": 2, "z": 3},
    ),
    "of several a later one overrules": (
        {
            "one": "x = 1\ny = 1",
            "two": "y = 2",
            "main": 'extends = ["one.toml", "two.toml"]\nz = 3',
        },
        {"x": 1, "y": 2, "z": 3},
    ),
    "two ways to one file are no circle": (
        {
            "root": "x = 1",
            "one": 'extends = "root.toml"\ny = 1',
            "two": 'extends = "root.toml"\nz = 1',
            "main": 'extends = ["one.toml", "two.toml"]',
        },
        {"x": 1, "y": 1, "z": 1},
    ),
    "keys and tables are removed": (
        {
            "base": "[a]\nx = 1\ny = 2\n[b]\nz = 1",
            "main": 'extends = "base.toml"\nremove = ["a.x", "b"]',
        },
        {"a": {"y": 2}},
    ),
    "a table is given anew": (
        {"base": "[a]\nx = 1", "main": 'extends = "base.toml"\nremove = "a"\n[a]\ny = 2'},
        {"a": {"y": 2}},
    ),
}


@pytest.mark.parametrize(("files", "values"), MERGES.values(), ids=MERGES)
def test_a_file_overrules_what_it_extends(
    tmp_path: Path, files: dict[str, str], values: dict[str, Any]
) -> None:
    chain = read_chain(write(tmp_path, **files))
    assert said(chain) == []
    assert chain.values() == values


def test_forms_may_be_mixed_and_paths_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "base.yaml").write_text("extends: ../root.json\na: {x: 1}\n")
    (tmp_path / "root.json").write_text('{"a": {"y": 2}}')
    chain = read_chain(write(tmp_path, main='extends = "deep/base.yaml"\n[a]\nz = 3'))
    assert chain.values() == {"a": {"y": 2, "x": 1, "z": 3}}
    folders = {keys: given.folder for keys, given in chain.leaves()}
    assert folders["a", "x"].resolve() == tmp_path / "deep"
    assert folders["a", "y"].resolve() == tmp_path
    assert [path.name for path in chain.files] == ["main.toml", "base.yaml", "root.json"]


REFUSED = {
    "a circle": (
        {"base": 'extends = "main.toml"', "main": 'extends = "base.toml"'},
        "goes in a circle: main.toml -> base.toml -> main.toml",
    ),
    "itself": ({"main": 'extends = "main.toml"'}, "main.toml -> main.toml"),
    "no file": ({"main": 'extends = "bse.toml"'}, "bse.toml: cannot be read"),
    "no text": ({"main": "extends = 3"}, "extends: must be one text or a list of them, not 3"),
    "nothing to remove": (
        {"base": "[a]\nxyz = 1", "main": 'extends = "base.toml"\nremove = ["a.xzy"]'},
        "remove: a.xzy is given by no file that this one extends; did you mean a.xyz?",
    ),
    "no key": ({"main": 'remove = ["a b"]'}, "remove: 'a b' is no key"),
}


@pytest.mark.parametrize(("files", "message"), REFUSED.values(), ids=REFUSED)
def test_what_leads_nowhere_is_said(tmp_path: Path, files: dict[str, str], message: str) -> None:
    (mistake,) = said(read_chain(write(tmp_path, **files)))
    assert message in mistake
    assert mistake.startswith(str(tmp_path))


def test_every_value_knows_where_it_was_given(tmp_path: Path) -> None:
    path = write(tmp_path, base="[a]\nx = 1\ny = 1", main='extends = "base.toml"\n[a]\ny = 2')
    chain = read_chain(path, ["a.z=3"])
    assert chain.place(("a", "x")) == str(tmp_path / "base.toml")
    assert chain.place(("a", "y")) == str(path)
    assert chain.place(("a", "z")) == COMMAND_LINE
    assert chain.place(("b", "c")) == str(path)  # what is missing is missing in the file


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a.b=1", {"a": {"b": 1}}),
        ("a.b = 1e-4", {"a": {"b": 1e-4}}),
        ("a=[1, 2]", {"a": [1, 2]}),
        ("a={x = 1}", {"a": {"x": 1}}),
        ('a="yes"', {"a": "yes"}),
        ("a=true", {"a": True}),
        ("a=adamw", {"a": "adamw"}),  # a word needs no quotes: the shell would take them away
        ("a=~/my videos/x", {"a": "~/my videos/x"}),
        ("a=b=c", {"a": "b=c"}),
        ('a."b.c"=1', {"a": {"b.c": 1}}),
    ],
)
def test_an_override_is_toml_or_a_word(text: str, values: dict[str, Any]) -> None:
    assert Chain("", tree=parse_override(text)).values() == values


@pytest.mark.parametrize(
    "text", ["a", "=1", "a=", "a b=1", "a=010", "a=[1", 'a="x', "a=True", "a=yes", "a=None", "a=.5"]
)
def test_an_override_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ConfigSyntaxError, match=r"is no|is not key=value"):
        parse_override(text)
