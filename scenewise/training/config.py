"""A training config: typed sections, read from TOML.

It knows files and sections; it builds nothing.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from scenewise.data.settings import AugmentSettings, DataSettings, Section
from scenewise.errors import UsageError
from scenewise.training.settings import OptimizerSettings, TrainSettings


class ModelSettings(Section):
    """``[model]``: a network of the registry, its options, and the weights that it begins with."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)
    weights: Path | None = None  # None: fresh ones


class Config(Section):
    """A whole run."""

    seed: int = Field(default=0, ge=0)
    model: ModelSettings
    data: DataSettings
    augment: AugmentSettings = AugmentSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    train: TrainSettings = TrainSettings()


def read_config(path: str | Path) -> Config:
    """Read a config. Raises UsageError with every mistake, a line each."""
    try:
        return Config.model_validate(tomllib.loads(Path(path).read_text("utf-8")))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}.") from error
    except ValidationError as error:
        lines = [
            f"  {'.'.join(map(str, mistake['loc']))}: {mistake['msg']}"
            for mistake in error.errors()
        ]
        raise UsageError("\n".join([f"{path}: {len(lines)} mistake(s)", *lines])) from error
