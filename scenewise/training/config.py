"""A training config: typed sections, from TOML, YAML or JSON, with every mistake named at once.

    from scenewise.training import read_config

    config = read_config("config.toml", ["optimizer.lr=1e-4"])

It knows sections; how files extend each other is ``config_chain``'s, and it builds nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from scenewise.config import expand_user
from scenewise.data.settings import AugmentSettings, DataSettings, Section
from scenewise.errors import ScenewiseError, UsageError
from scenewise.training.config_chain import Chain, Given, Keys, Mistake, read_chain, without
from scenewise.training.config_mistakes import endless, fields_of, is_path, mistakes_of, words_of
from scenewise.training.config_syntax import Table
from scenewise.training.objective_settings import (
    AdapterSettings,
    DistributedSettings,
    LoraSettings,
    ObjectiveSettings,
)
from scenewise.training.settings import (
    LogSettings,
    OptimizerSettings,
    ScheduleSettings,
    TrainSettings,
)

# owner/name, perhaps @revision: what a folder beside the config does not overrule
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+(@[\w.-]+)?")


class ModelSettings(Section):
    """``[model]``: a network of the registry, its options, and the weights that it begins with."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    # a file, a folder, or a hub name, which is fetched because it is named; None: fresh ones
    weights: Path | None = None
    # fan_in: drawn for layers of any width, where the published draw suits published widths alone
    initialisation: Literal["published", "fan_in"] = "published"
    freeze: tuple[str, ...] = ()  # patterns of parameters that stay as they are


class EvaluationSettings(Section):
    """``[evaluation]``: how the validation split is measured."""

    batch_size: int | None = Field(default=None, ge=1)  # None: that of training


class Config(Section):
    """A whole run."""

    seed: int = Field(default=0, ge=0)
    model: ModelSettings
    data: DataSettings
    augment: AugmentSettings = AugmentSettings()
    objective: ObjectiveSettings | None = None  # None: the network's published task
    lora: LoraSettings | None = None  # None: the network's own parameters learn
    adapter: AdapterSettings | None = None
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    train: TrainSettings = TrainSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    log: LogSettings = LogSettings()
    distributed: DistributedSettings = DistributedSettings()


class ConfigError(UsageError):
    """A config with mistakes; ``mistakes`` has them one by one."""

    def __init__(self, name: str, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        count = "a mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        self._lines = (f"{name} has {count}:", *(f"  {mistake}" for mistake in self.mistakes))
        super().__init__("\n".join(self._lines))

    @property
    def lines(self) -> tuple[str, ...]:
        """How many there are, then each."""
        return self._lines


@dataclass(frozen=True, slots=True)
class ReadConfig:
    """A config, and what it came of."""

    config: Config
    files: tuple[Path, ...]  # in the order in which they were read
    overrides: tuple[str, ...]


def read_config(path: str | Path, overrides: Iterable[str] = ()) -> Config:
    """Read a config and what it extends; ``overrides`` are ``key=value``, the value in TOML.

    Raises ConfigError, which is a UsageError, with every mistake, a line each.
    """
    return read_with_sources(path, overrides).config


def read_with_sources(path: str | Path, overrides: Iterable[str] = ()) -> ReadConfig:
    """``read_config``, and which files it came of."""
    given = tuple(overrides)
    chain = read_chain(expand_user(path), given)
    return ReadConfig(check_chain(chain), tuple(chain.files), given)


def check_chain(chain: Chain) -> Config:
    """The config that a chain of files gives. Raises ConfigError."""
    from scenewise.training.config_checks import Known, check_meaning

    if chain.broken:
        raise ConfigError(chain.main, chain.mistakes)  # what else is wrong would be guesses
    mistakes = list(chain.mistakes)
    resolve_paths(chain)
    found: dict[Keys, Mistake] = {}
    config: Config | None = None
    try:
        # strict, as JSON: a text is no number, and true is not 1
        config = Config.model_validate_json(json.dumps(chain.values()), strict=True)
    except ValidationError as error:
        found = mistakes_of(error, chain, Config)
    found |= endless(chain)
    mistakes += found.values()
    known = chain.values()
    for keys in found:
        without(known, keys)
    mistakes += check_meaning(Known(known_values(known), found), chain)
    if mistakes or config is None:
        raise ConfigError(chain.main, mistakes)
    return config


def resolve_paths(chain: Chain) -> None:
    """Paths become absolute, each from the file that names it."""
    paths = {keys: words_of(field) for keys, field in fields_of(Config) if is_path(field)}
    for keys, given in list(chain.leaves()):
        field = keys if keys in paths else keys[:-1]  # or one of several, in a table by name
        if field not in paths or given.value in paths[field]:
            continue
        node: Any = chain.tree
        for key in keys[:-1]:
            node = node[key]
        try:
            value = _resolved(given.value, given.folder, hub=keys == ("model", "weights"))
        except ScenewiseError as error:
            chain.mistakes.append(Mistake(given.place, ".".join(keys), str(error)))
            continue
        node[keys[-1]] = Given(value, given.place, given.folder)


def known_values(table: Table) -> dict[Keys, Any]:
    """Every key that is given without a mistake, and the defaults of what is not given."""
    values: dict[Keys, Any] = {}
    for keys, field in fields_of(Config):
        node: Any = table
        for key in keys:
            node = node.get(key) if isinstance(node, dict) else None
        section = Config.model_fields[keys[0]]
        absent = keys[0] not in table and section.default is None  # [objective], for one
        if node is None and not absent and not field.is_required():
            node = field.get_default(call_default_factory=True)
        if node is not None and is_path(field) and isinstance(node, str):
            node = node if node in words_of(field) else Path(node)
        elif isinstance(node, dict) and is_path(field):
            node = {name: Path(one) if isinstance(one, str) else one for name, one in node.items()}
        values[keys] = node
    return values


def _resolved(value: Any, folder: Path, *, hub: bool) -> Any:
    if isinstance(value, list):
        return [_resolved(one, folder, hub=hub) for one in value]
    if not isinstance(value, str):
        return value  # the types say what is wrong with it
    path = folder.resolve() / expand_user(value)
    if hub and _HUB_NAME.fullmatch(value) and not path.exists():
        return value
    return str(path)
