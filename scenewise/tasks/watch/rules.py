"""Rules from TOML files, ready packs and sentences; every mistake becomes one sentence.

It knows files and their keys; what a rule is, ``rule`` says.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from scenewise.config import expand_user
from scenewise.errors import UsageError, first_line
from scenewise.tasks.query import normalise
from scenewise.tasks.watch.rule import KINDS, Line, Rule, TrainedClass, Zone
from scenewise.tasks.watch.schedule import DAYS, Schedule

__all__ = ["MAX_RULES", "Rule", "load_rules", "pack_about", "pack_names", "read_rules"]
MAX_RULES = 1000
_ALLOWED = {
    "name": "words, at most 200 characters",
    "sentence": "words, at most 500 characters",
    "classifier": 'a name, or { name = "…", label = "…" }',
    "anomaly": "true or false",
    "detect": 'a label, or a list of up to 100, such as ["person", "red car"]',
    "detector": "a folder with a detector, or its Hugging Face name",
    "moves": '"left", "right", "up", "down", "towards" or "away"',
    "line": '{ points = [[x, y], [x, y]], direction = "in", "out" or "both" }',
    "zone": '{ points = [[x, y], [x, y], [x, y]], event = "enter", "leave" or "dwell" }',
    "points": "pairs [x, y], fractions of the picture; 2 for a line, 3 for a zone, or more",
    "direction": '"in", "out" or "both"',
    "event": '"enter", "leave" or "dwell"',
    "sound": '"silence", "speech", "music" or "onset"',
    "threshold": "a number above 0 and below 1",
    "dwell_seconds": "0 to 86400 seconds",
    "cooldown_seconds": "0 to 86400 seconds",
    "schedule": '{ days = ["mon", …], from = "22:00", to = "06:00", timezone = "Europe/Berlin" }',
    "days": ", ".join(DAYS),
    "from": '"00:00" to "24:00"',
    "to": '"00:00" to "24:00"',
    "timezone": 'a name such as "Europe/Berlin"',
    "sources": 'a pattern such as "front*", or a list of them',
    "label": "the name of one of its classes",
}
_NESTED: dict[str, type[BaseModel]] = {
    "line": Line,
    "zone": Zone,
    "classifier": TrainedClass,
    "schedule": Schedule,
}


def _folder() -> Traversable:
    return resources.files("scenewise.tasks.watch").joinpath("packs")


def pack_names() -> tuple[str, ...]:
    """The ready packs."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _folder().iterdir()))


def pack_about(name: str) -> str:
    """What a pack is good for, and what it cannot do, in its own words."""
    return str(tomllib.loads(_pack_text(name)).get("about", ""))


def load_rules(
    path: str | Path | None, sentences: Sequence[str] = (), packs: Sequence[str] = ()
) -> tuple[Rule, ...]:
    """All rules: those of a TOML file, of ready packs, and one for each sentence.

    Raises UsageError that names file, rule, key, and what is allowed; also where there is no rule
    at all, or two have one name.
    """
    rules: list[Rule] = []
    origin: dict[str, str] = {}

    def add(source: str, some: Sequence[Rule]) -> None:
        for rule in some:
            if rule.name in origin:
                where = (
                    source if source == origin[rule.name] else f"{origin[rule.name]} and {source}"
                )
                raise UsageError(
                    f"{where}: two rules are called {rule.name!r}; events would not tell them "
                    "apart, so rename one."
                )
            origin[rule.name] = source
            rules.append(rule)

    if path is not None:
        add(str(path), read_rules(path))
    for name in dict.fromkeys(packs):
        add(f"the pack {name}", _parse(_pack_text(name), f"the pack {name}"))
    for sentence in dict.fromkeys(sentences):
        words = normalise(sentence, "--rule")
        add("--rule", [_rule({"name": words[:200], "sentence": words}, "--rule", 1)])
    if not rules:
        raise UsageError(
            "there is no rule to watch for; say one in words, name a TOML file, or a pack: "
            f"{', '.join(pack_names())}."
        )
    if len(rules) > MAX_RULES:
        raise UsageError(f"there are {len(rules)} rules, and at most {MAX_RULES} are allowed.")
    return tuple(rules)


def read_rules(path: str | Path) -> list[Rule]:
    """The rules of a TOML file."""
    file = expand_user(path)
    try:
        text = file.read_text("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text; save it as that.") from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read ({error.strerror or error}); name a TOML file of rules."
        ) from None
    return _parse(text, str(path))


def _pack_text(name: str) -> str:
    if name not in pack_names():
        raise UsageError(f"no pack is called {name!r}; there are {', '.join(pack_names())}.")
    return _folder().joinpath(f"{name}.toml").read_text("utf-8")


def _parse(text: str, origin: str) -> list[Rule]:
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{origin} is not valid TOML: {first_line(error)}. Correct it.") from None
    unknown = sorted(set(content) - {"rule", "about"})
    if unknown:
        raise UsageError(
            f"{origin}: {unknown[0]!r} is unknown at the top; allowed: [[rule]] tables, about."
        )
    tables = content.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UsageError(f"{origin}: rules are written as [[rule]] tables, with double brackets.")
    if not tables:
        raise UsageError(f"{origin} has no rule; write at least one [[rule]] table.")
    return [_rule(table, origin, number) for number, table in enumerate(tables, 1)]


def _rule(table: dict[str, Any], origin: str, number: int) -> Rule:
    try:
        return Rule.model_validate(table)
    except ValidationError as error:
        name = table.get("name")
        which = f"rule {name!r}" if isinstance(name, str) and name.strip() else f"rule {number}"
        raise UsageError(f"{origin}, {which}: {_sentence(error.errors()[0])}") from None


def _sentence(error: ErrorDetails) -> str:
    place = [str(part) for part in error["loc"] if isinstance(part, str)]
    key = place[-1] if place else ""
    if error["type"] == "extra_forbidden":
        table: type[BaseModel] = Rule
        inside = ""
        for part in place[:-1]:
            table, inside = _NESTED.get(part, table), f" of {part}"
        names = (field.alias or name for name, field in table.model_fields.items())
        return f"the key {key!r}{inside} is unknown; allowed: {', '.join(names)}."
    if error["type"] == "missing":
        inside = f"the {place[-2]}" if len(place) > 1 else "the rule"
        return f"{inside} has no {key}; write {key} = {_ALLOWED.get(key, '…')}."
    said = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error" and key not in ("from", "to", "timezone", "days"):
        return f"{said}."
    value = error["input"]
    shown = repr(value) if len(repr(value)) < 60 else f"{repr(value)[:57]}…"
    # of [0.2, 1.5] the point is shown, and the key that holds it is named
    allowed = _ALLOWED.get(key, f"one of {', '.join(KINDS)}")
    return f"{key} = {shown} is not allowed; allowed: {allowed}."
