"""The text of a config file as tables: TOML, YAML or JSON, each without its traps.

YAML is read as its version 1.2 has it, and what two readers of YAML would read differently
(``yes``, ``010``, ``1:30``) is refused with a sentence: no meaning is guessed. Keys that stand
twice are refused in all three. It knows syntax; it knows no section and no key.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any

import yaml

Table = dict[str, Any]  # values are those of JSON, numbers that are not finite left aside

TOML, YAML, JSON = (".toml",), (".yaml", ".yml"), (".json",)
SUFFIXES = (*TOML, *YAML, *JSON)
_TEXT, _LIST, _MAP = (f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map"))
_NULL = {"", "~", "null", "Null", "NULL"}
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
# YAML 1.1, and so PyYAML, wants a dot and a sign: it reads 1e-3 as text
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_AMBIGUOUS = (
    (
        re.compile(r"(yes|no|on|off|y|n)", re.IGNORECASE),
        "is true or false to some readers of YAML and a word to others; write true or false, or "
        "put the word in quotes",
    ),
    (
        re.compile(r"[-+]?0[0-9_]+"),
        "counts in eights to some readers of YAML and in tens to others; leave the zero out, or "
        "put it in quotes",
    ),
    (
        re.compile(r"[-+]?([0-9][0-9_]*_[0-9_]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|0b[01_]+)"),
        "is a number to some readers of YAML and a word to others; write its digits alone, or put "
        "it in quotes",
    ),
    (
        re.compile(r"[-+]?[0-9]+(:[0-5]?[0-9])+(\.[0-9_]*)?"),
        "counts in sixties to some readers of YAML and is a word to others; put it in quotes, or "
        "write a number",
    ),
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class ConfigSyntaxError(ValueError):
    """What is wrong with a text, as the rest of a sentence."""


def parse(text: str, suffix: str) -> Table:
    """The tables of a file of this suffix. Raises ConfigSyntaxError."""
    readers: Mapping[str, Callable[[str], Any]] = {
        **dict.fromkeys(TOML, parse_toml),
        **dict.fromkeys(YAML, _parse_yaml),
        **dict.fromkeys(JSON, _parse_json),
    }
    if suffix.lower() not in readers:
        raise ConfigSyntaxError(
            f"is no config; allowed are files that end in {', '.join(SUFFIXES)}"
        )
    tables = readers[suffix.lower()](text)
    if tables is None:
        return {}
    if not isinstance(tables, dict):
        raise ConfigSyntaxError(f"must hold tables such as [model] and [data], not {shown(tables)}")
    return tables


def parse_toml(text: str) -> Table:
    """TOML; its dates and times have no place in a config."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigSyntaxError(f"is no TOML: {error}") from error
    _only_values_of_json(table)
    return table


def shown(value: Any) -> str:
    """A value as TOML has it, short enough for a message."""
    text = to_toml_value(value) if value is not None else "null"
    return text if len(text) <= 60 else f"{text[:57]}…"


def to_toml(table: Mapping[str, Any]) -> str:
    """Tables as TOML. None has no place in it: raises ValueError."""
    return "\n".join(_toml_lines(table, ())).strip() + "\n"


def to_toml_value(value: Any) -> str:
    """One value on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        if not math.isfinite(value):
            return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
        return repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(to_toml_value(one) for one in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{_toml_key(key)} = {to_toml_value(one)}" for key, one in value.items())
        return f"{{ {', '.join(pairs)} }}" if value else "{}"
    raise ValueError(f"{value!r} has no form in TOML")


def _toml_lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    inner = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lines = [
        f"{_toml_key(key)} = {to_toml_value(value)}"
        for key, value in table.items()
        if key not in inner
    ]
    if path and (lines or not inner):
        lines.insert(0, f"\n[{'.'.join(map(_toml_key, path))}]")
    for key, value in inner.items():
        lines += _toml_lines(value, (*path, key))
    return lines


def _toml_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else to_toml_value(key)


def _only_values_of_json(value: Any) -> None:
    if isinstance(value, dict):
        for one in value.values():
            _only_values_of_json(one)
    elif isinstance(value, list):
        for one in value:
            _only_values_of_json(one)
    elif not isinstance(value, str | bool | int | float):
        raise ConfigSyntaxError(f"holds the date or time {value}; put it in quotes")


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_pairs)
    except json.JSONDecodeError as error:
        raise ConfigSyntaxError(f"is no JSON: {error}") from error


def _pairs(pairs: list[tuple[str, Any]]) -> Table:
    table: Table = {}
    for key, value in pairs:
        if key in table:
            raise ConfigSyntaxError(f"has the key {key!r} twice in one table; keep one of them")
        table[key] = value
    return table


class _Loader(yaml.SafeLoader):
    """Finds no types by itself: every plain word arrives as text."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 # as PyYAML has it


def _parse_yaml(text: str) -> Any:
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise ConfigSyntaxError(
                    f"{_at(event)}: repeats a part by *{event.anchor}; write it out, or keep it in "
                    "a file that this one extends"
                )
        node = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        said = " ".join(str(error).replace('in "<unicode string>", ', "").split())
        raise ConfigSyntaxError(f"is no YAML: {said}") from error
    return None if node is None else _value(node)


def _value(node: yaml.Node) -> Any:
    if node.tag not in (_TEXT, _LIST, _MAP):
        raise ConfigSyntaxError(
            f"{_at(node)}: has the tag {node.tag}; tags are not read, leave it out"
        )
    if isinstance(node, yaml.SequenceNode):
        return [_value(one) for one in node.value]
    if isinstance(node, yaml.MappingNode):
        return _mapping(node)
    return _plain(node) if getattr(node, "style", None) is None else node.value


def _mapping(node: yaml.MappingNode) -> Table:
    table: Table = {}
    for key_node, value_node in node.value:
        key = _value(key_node)
        if not isinstance(key, str):
            raise ConfigSyntaxError(f"{_at(key_node)}: a key is a word, not {shown(key)}; quote it")
        if key == "<<":
            raise ConfigSyntaxError(f"{_at(key_node)}: merges by <<; use extends, or write it out")
        if key in table:
            raise ConfigSyntaxError(
                f"{_at(key_node)}: has the key {key!r} twice in one table; keep one of them"
            )
        table[key] = _value(value_node)
    return table


def _plain(node: yaml.Node) -> Any:
    """What a word without quotes stands for in YAML 1.2."""
    text = str(node.value)
    if text in _NULL:
        return None
    if text in _TRUTH:
        return _TRUTH[text]
    for pattern, why in _AMBIGUOUS:
        if pattern.fullmatch(text):
            raise ConfigSyntaxError(f"{_at(node)}: {text} {why}")
    if _WHOLE.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _ENDLESS.fullmatch(text):
        return float(text.lower().replace(".", ""))
    return float(text) if _NUMBER.fullmatch(text) else text


def _at(place: yaml.Node | yaml.Event) -> str:
    mark = place.start_mark
    return "somewhere" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}"
