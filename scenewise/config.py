"""Settings: flag > SCENEWISE_* > scenewise.toml > user file > default.

It knows where a value may come from and which values are allowed. It knows nothing of what
the values do.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from scenewise.errors import UsageError

PROJECT_FILE = "scenewise.toml"
ENVIRONMENT_PREFIX = "SCENEWISE_"
SECRETS = frozenset(
    {"model_key", "webhook_secret", "webhook_token", "mqtt_password"}
)  # settings whose value no message may hold


def default_library_dir() -> Path:
    """The library of someone who names none, in the user's data folder."""
    return Path(platformdirs.user_data_dir("scenewise", appauthor=False)) / "library"


def default_spool_dir() -> Path:
    """Where events wait until their receivers have them."""
    return Path(platformdirs.user_data_dir("scenewise", appauthor=False)) / "spool"


def default_cache_dir() -> Path:
    """Prepared networks: can be deleted at any time, and are made again when needed."""
    return Path(platformdirs.user_cache_dir("scenewise", appauthor=False))


def user_config_file() -> Path:
    """The settings of one user, for all folders."""
    return Path(platformdirs.user_config_dir("scenewise", appauthor=False)) / "config.toml"


class Settings(BaseModel):
    """Every setting, with its default. Unknown names are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    library: Path = Field(default_factory=default_library_dir)
    cache: Path = Field(default_factory=default_cache_dir)
    encoder: str = "concept"
    runtime: Literal["onnxruntime", "openvino", "torch"] = "onnxruntime"
    device: str = "auto"  # auto, cpu, cuda
    threads: int | None = Field(default=None, ge=1)  # None: one per worker process
    workers: int | None = Field(default=None, ge=1)  # None: one per processor core
    fps: float = Field(default=2.0, gt=0, le=120)  # sampled frames per second of video
    # recognising enrolled people is off until both are named
    face_detector: Path | None = None  # an ONNX file in YuNet's layout
    face_embedder: Path | None = None  # an ONNX file in SFace's layout
    # a language model behind an endpoint, where a command names one by --model
    model_url: str | None = None  # such as http://127.0.0.1:11434/v1
    model_key: SecretStr | None = None  # sent to that address alone, shown nowhere
    model_timeout: float = Field(default=120.0, gt=0, le=3600)  # seconds to wait for an answer
    # where watch sends events
    webhook_secret: SecretStr | None = None  # signs them
    webhook_token: SecretStr | None = None  # sent as bearer
    mqtt_username: str | None = None
    mqtt_password: SecretStr | None = None


def expand_user(path: str | Path) -> Path:
    """A path as a person writes it, with ``~`` and ``~name`` replaced by the home folder.

    Raises UsageError where nobody is called so, or no home folder is known.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(
            f"{path}: no home folder is known for {Path(path).parts[0]}; write the whole path."
        ) from None


def load_settings(**flags: Any) -> Settings:
    """Merge all sources; flags that are None do not count.

    Raises UsageError that names the setting, its value and where it came from.
    """
    merged: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for source, values in (*_files(), ("the environment", _environment())):
        for key, value in values.items():
            merged[key] = value
            origin[key] = source
    for key, value in flags.items():
        if value is not None:
            merged[key] = value
            origin[key] = f"--{key.replace('_', '-')}"
    try:
        return Settings(**merged)
    except ValidationError as error:
        first = error.errors()[0]
        key = str(first["loc"][0]) if first["loc"] else "settings"
        if first["type"] == "extra_forbidden":
            allowed = ", ".join(sorted(Settings.model_fields))
            raise UsageError(
                f"{origin.get(key, 'settings')}: no setting is called {key!r}; allowed: {allowed}."
            ) from None
        value = "(not shown)" if key in SECRETS else repr(merged.get(key))
        raise UsageError(
            f"{origin.get(key, 'settings')}: {key} = {value} is not allowed: {first['msg']}."
        ) from None


def _files() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for path in (user_config_file(), Path(PROJECT_FILE)):
        if path.is_file():
            try:
                found.append((str(path), tomllib.loads(path.read_text("utf-8"))))
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise UsageError(f"{path} is not valid TOML: {error}. Correct it.") from None
    return found


def _environment() -> dict[str, str]:
    names = Settings.model_fields
    return {
        name: os.environ[ENVIRONMENT_PREFIX + name.upper()]
        for name in names
        if os.environ.get(ENVIRONMENT_PREFIX + name.upper())
    }
