"""Training: from a config to a network that has learned, with its measured figures.

    from scenewise.training import read_config, train

    report = train(read_config("config.toml"), "run")

Importing this package loads no torch; names are looked up when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scenewise.training.config import Config, read_config
    from scenewise.training.run import train

_HOME = {
    "Config": "scenewise.training.config",
    "read_config": "scenewise.training.config",
    "train": "scenewise.training.run",
}

__all__ = ["Config", "read_config", "train"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module 'scenewise.training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
