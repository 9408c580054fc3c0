"""A checkpoint as it lies on the disk: its tensors by name, and what its settings say.

It knows files and wrappings (``state_dict``, ``model_state``, ``module.``); it knows no network.
Pickled files are read with ``weights_only=True``, which runs no code of theirs.
"""

from __future__ import annotations

import argparse
import json
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scenewise.config import expand_user
from scenewise.errors import NetworkError, UsageError, first_line
from scenewise.models.weights.download import HUB_NAME, download_snapshot, hub_errors

State = dict[str, Tensor]

CONFIG = "config.json"
_SINGLE = ("model.safetensors", "pytorch_model.bin")
_SHARDED = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
_PICKLED = (".pth", ".pyth", ".pt", ".bin", ".ckpt", ".pkl", ".pickle")
_HUB_FILES = (CONFIG, *_SINGLE, *_SHARDED, "model-*-of-*.safetensors", "pytorch_model-*-of-*.bin")
# what training programs keep beside the tensors: options, and numbers of numpy. These classes hold
# values and run nothing; any other is refused
_MULTIARRAY: Any = import_module("numpy._core.multiarray")
_PLAIN_DATA: list[Any] = [
    argparse.Namespace,
    np.dtype,
    np.ndarray,
    *(
        (getattr(_MULTIARRAY, name), f"{module}.multiarray.{name}")
        for name in ("scalar", "_reconstruct")
        for module in ("numpy.core", "numpy._core")  # by numpy 1 and by numpy 2
    ),
    *{type(np.dtype(kind)) for kind in "?bBhHiIlLqQefd"},
]
# what training programs wrap a network's tensors in, in the order in which they are looked for
_WRAPPINGS = ("state_dict", "model_state", "model_state_dict", "model", "module", "net")
_PREFIXES = ("module.", "_orig_mod.")  # of data-parallel training and of torch.compile


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Tensors by the names that the file gives them, without wrappings."""

    source: str  # as the user named it
    state: State
    config: Mapping[str, Any] = field(default_factory=dict)  # config.json; empty without one


def read_checkpoint(source: str | Path) -> Checkpoint:
    """Read a file, a folder with ``config.json`` and weights, or a repository of the hub.

    A hub name is downloaded, because it was named. Raises UsageError where there is nothing of
    that name, NetworkError where it cannot be read.
    """
    name = str(source)
    path = expand_user(name)
    if not path.exists():
        match = HUB_NAME.fullmatch(name)
        if match is None or path.suffix in (*_PICKLED, ".safetensors"):
            raise UsageError(
                f"{name} is not there; give a file of weights ({', '.join(_PICKLED[:4])}, "
                ".safetensors), a folder with config.json and weights, or a name of the hub."
            )
        with hub_errors(name, match["repository"], local_files_only=False):
            path = download_snapshot(match["repository"], match["revision"], _HUB_FILES, False)
    if path.is_dir():
        return _read_folder(name, path)
    return Checkpoint(name, unwrap(name, read_tensors(path)))


def read_tensors(path: Path) -> Any:
    """What one file holds: tensors by name, perhaps wrapped. Raises NetworkError."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        with torch.serialization.safe_globals(_PLAIN_DATA):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise NetworkError(
            f"{path} holds more than tensors and plain settings ({_culprit(error)}), and code of "
            "a file is never run; save its state_dict alone, or as .safetensors."
        ) from error
    except Exception as error:  # damaged files raise whatever their reader raises
        raise NetworkError(
            f"{path} cannot be read as weights: {first_line(error)[:120]}. Fetch it again."
        ) from error


def _culprit(error: Exception) -> str:
    """The class that was refused, out of what torch says."""
    found = re.search(r"GLOBAL ([\w.]+)", str(error))
    return found.group(1) if found else first_line(error)[:80]


def unwrap(source: str, content: Any) -> State:
    """The tensors by name, without wrappings and prefixes that training programs put around.

    Raises NetworkError where there are no tensors.
    """
    found = content
    for _ in _WRAPPINGS:
        inner = next(
            (
                found[key]
                for key in _WRAPPINGS
                if isinstance(found, Mapping) and _is_state(found, key)
            ),
            None,
        )
        if inner is None:
            break
        found = inner
    tensors = (
        {str(key): value for key, value in found.items() if isinstance(value, Tensor)}
        if isinstance(found, Mapping)
        else {}
    )
    if not tensors:
        raise NetworkError(
            f"{source} holds no tensors by name; allowed is a state_dict, also inside "
            f"{', '.join(_WRAPPINGS)}."
        )
    for prefix in _PREFIXES:
        if all(key.startswith(prefix) for key in tensors):
            tensors = {key.removeprefix(prefix): value for key, value in tensors.items()}
    return tensors


def _is_state(content: Mapping[Any, Any], key: str) -> bool:
    inner = content.get(key)
    return isinstance(inner, Mapping) and len(inner) > 0


def _read_folder(name: str, folder: Path) -> Checkpoint:
    config = read_config(folder)
    for single, index in zip(_SINGLE, _SHARDED, strict=True):
        if (folder / single).is_file():
            return Checkpoint(name, unwrap(name, read_tensors(folder / single)), config)
        if (folder / index).is_file():
            state: State = {}
            for shard in _shards(folder / index):
                state |= unwrap(name, read_tensors(shard))
            return Checkpoint(name, state, config)
    raise NetworkError(
        f"{name} holds no weights; allowed are {' or '.join(_SINGLE)}, also in shards with their "
        "index."
    )


def read_config(folder: Path) -> dict[str, Any]:
    """``config.json`` of a folder. Raises NetworkError where it is absent or no object."""
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise NetworkError(
            f"{folder / CONFIG} cannot be read: {first_line(error)}. A folder of weights needs it."
        ) from error
    if not isinstance(config, dict):
        raise NetworkError(f"{folder / CONFIG} must hold one JSON object; fetch it again.")
    return config


def _shards(index: Path) -> list[Path]:
    try:
        names = sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise NetworkError(f"{index} is not an index of shards; fetch it again.") from error
    shards = [index.parent / Path(str(name)).name for name in names]
    absent = [shard.name for shard in shards if not shard.is_file()]
    if absent or not shards:
        raise NetworkError(
            f"{index} names {', '.join(absent[:3]) or 'no file'}, which the folder lacks; "
            "complete it."
        )
    return shards
