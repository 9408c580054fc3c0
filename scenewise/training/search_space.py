"""A space of settings: which keys of a config are tried, and between what.

    figure = "top_1"
    trials = 20
    pruner = "median"

    [space]
    optimizer.lr = { low = 1e-5, high = 1e-2, log = true }
    train.batch_size = { choices = [4, 8, 16] }

It knows keys and ranges; it knows no search.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from scenewise.config import expand_user
from scenewise.data.settings import Section
from scenewise.training.config import Config, ConfigError
from scenewise.training.config_chain import Chain, Keys, Mistake, nearest, read_chain
from scenewise.training.config_mistakes import endless, fields_of, key_and_value, mistakes_of

_RANGE = {"low", "high", "log", "step"}
_FREE = ("model", "options")  # below it any key is a network's own


class SearchSettings(Section):
    """A space, and how it is searched."""

    figure: str | None = None  # None: the task's first
    direction: Literal["maximize", "minimize"] | None = None  # None: as the figure says
    trials: int = Field(default=20, ge=1)
    timeout_seconds: float | None = Field(default=None, gt=0)  # None: as long as it takes
    pruner: Literal["median", "hyperband", "none"] = "median"
    seed: int = Field(default=0, ge=0)
    space: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers between two, both included; whole ones where all that was given is whole."""

    low: float
    high: float
    log: bool = False
    step: float | None = None

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are meant."""
        ends = (self.low, self.high, 1 if self.step is None else self.step)
        return all(isinstance(end, int) for end in ends)


@dataclass(frozen=True, slots=True)
class Choices:
    """One of several values."""

    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Space:
    """What is tried, by dotted key, and how."""

    settings: SearchSettings
    keys: dict[str, Range | Choices]

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape: equal for equal spaces."""
        shape: dict[str, Any] = json.loads(self.settings.model_dump_json())
        return shape


def read_space(path: str | Path) -> Space:
    """Read a space. Raises ConfigError with every mistake, a line each."""
    chain = read_chain(expand_user(path))
    if chain.broken:
        raise ConfigError(chain.main, chain.mistakes)
    mistakes = [*chain.mistakes, *dict(endless(chain)).values()]
    try:
        settings = SearchSettings.model_validate_json(json.dumps(chain.values()), strict=True)
    except ValidationError as error:
        mistakes += mistakes_of(error, chain, SearchSettings).values()
    table = chain.values().get("space")
    keys: dict[str, Range | Choices] = {}
    for found in _leaves(table if isinstance(table, Mapping) else {}, ()):
        key, value = found
        one = _read(key, value, chain)
        if isinstance(one, Mistake):
            mistakes.append(one)
        else:
            keys[".".join(key)] = one
    if not keys and not mistakes:
        mistakes.append(Mistake(chain.main, "space", "must name at least one key"))
    if mistakes:
        raise ConfigError(chain.main, mistakes)
    return Space(settings, keys)


def _leaves(table: Mapping[str, Any], keys: Keys) -> Iterator[tuple[Keys, Any]]:
    """Keys with what stands below them, where that is no table of more keys."""
    for name, value in table.items():
        inner = (*keys, *name.split("."))
        if isinstance(value, Mapping) and value and not set(value) & {*_RANGE, "choices"}:
            yield from _leaves(value, inner)
        else:
            yield inner, value


def _read(keys: Keys, value: Any, chain: Chain) -> Range | Choices | Mistake:
    dotted = ".".join(keys)
    known = {".".join(one) for one, _ in fields_of(Config)}
    place = chain.place(("space", *keys))

    def wrong(said: str) -> Mistake:
        return Mistake(place, key_and_value(("space", *keys), value), said)

    if dotted not in known and keys[:2] != _FREE:
        return wrong(f"a config has no such key; {nearest(dotted, sorted(known))}")
    if isinstance(value, Mapping) and set(value) == {"choices"}:
        values = value["choices"]
        if not isinstance(values, list) or len(values) < 2:
            return wrong("choices is a list of at least two values")
        if any(isinstance(one, Mapping | list) for one in values):
            return wrong("choices are numbers, texts, true or false")
        return Choices(tuple(values))
    if not isinstance(value, Mapping) or not {"low", "high"} <= set(value) <= _RANGE:
        return wrong("give low and high, perhaps log or step, or choices")
    ends = [value["low"], value["high"], value.get("step", 1)]
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends):
        return wrong("low, high and step are numbers")
    log, step = value.get("log", False), value.get("step")
    if not isinstance(log, bool):
        return wrong("log is true or false")
    if not value["low"] < value["high"]:
        return wrong("low must be below high")
    if log and (value["low"] <= 0 or step is not None):
        return wrong("log needs a low above 0, and no step")
    if step is not None and step <= 0:
        return wrong("step must be above 0")
    return Range(value["low"], value["high"], log, step)
