"""Checkpoints as files: there whole or not at all, checked when read, the previous one kept.

One file is safetensors: tensors by name, and in its header JSON and a SHA-256 of both; nothing is
unpickled. It is written beside its place, synced and renamed, and only then the one before the
previous is removed. It knows tensors, JSON and names of files; it knows no network.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from scenewise.errors import StorageError, TrainingError, first_line
from scenewise.media.whole_file import flush, written_aside
from scenewise.training.whole_state import Tensors, shortened

SUFFIX = ".safetensors"
_STATE, _DIGEST = "scenewise", "sha256"
_KEPT = 2  # the newest, and the one before it
_log = logging.getLogger(__name__)


class DamagedCheckpointError(TrainingError):
    """A file is not what was written."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What a file holds."""

    path: Path
    tensors: Tensors
    state: dict[str, Any]

    def part(self, prefix: str) -> Tensors:
        """The tensors whose names begin so, without that beginning."""
        return {
            name.removeprefix(prefix): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(prefix)
        }


def write(path: Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write a file; one that is there is replaced whole. Raises StorageError."""
    from safetensors.torch import save_file

    text = json.dumps(state, ensure_ascii=False)
    header = {_STATE: text, _DIGEST: _digest(tensors, text)}
    try:
        with written_aside(path) as aside:
            save_file(dict(tensors), aside, metadata=header)
        flush(path.parent)
    except Exception as error:  # safetensors has an error of its own for a full disk
        if not isinstance(error, OSError) and type(error).__name__ != "SafetensorError":
            raise
        raise StorageError(
            f"{path}: the checkpoint cannot be written ({first_line(error)}); free some space or "
            "name another folder. The one before it is whole."
        ) from error


def read(path: Path) -> Saved:
    """Read and check a file. Raises DamagedCheckpointError."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = header[_STATE]
        if _digest(tensors, text) != header[_DIGEST]:
            raise DamagedCheckpointError(f"{path}: its checksum does not fit what is in it.")
        state: dict[str, Any] = json.loads(text)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DamagedCheckpointError(
            f"{path} is no whole checkpoint: {first_line(error)}."
        ) from error
    return Saved(path, tensors, state)


class CheckpointFolder:
    """Checkpoints of one run, by the number of their step."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def steps(self) -> dict[int, Path]:
        """Files by step, newest first."""
        found = {}
        for path in self.folder.glob(f"step-*{SUFFIX}"):
            number = path.stem.removeprefix("step-")
            if number.isdigit():
                found[int(number)] = path
        return dict(sorted(found.items(), reverse=True))

    def path(self, step: int) -> Path:
        """Where the checkpoint of a step lies."""
        return self.folder / f"step-{step:08d}{SUFFIX}"

    def save(self, step: int, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> Path:
        """Write one; of the others the newest stays. Raises StorageError."""
        path = self.path(step)
        write(path, tensors, state)
        others = [other for number, other in self.steps().items() if number != step]
        for other in others[_KEPT - 1 :]:
            other.unlink(missing_ok=True)
        return path

    def newest(self) -> Saved | None:
        """The newest one that is whole; None where there is none at all.

        One that is damaged is put aside and named in a warning. Raises TrainingError where all
        are.
        """
        damaged = []
        for path in self.steps().values():
            try:
                saved = read(path)
            except DamagedCheckpointError as error:
                damaged.append((path, str(error)))
                continue
            for broken, why in damaged:
                _log.warning("%s The run goes on from the one before it, %s.", why, path.name)
                broken.replace(broken.with_suffix(".damaged"))
            return saved
        if damaged:
            raise TrainingError(
                f"{damaged[0][1]} No other one is whole; begin anew in another folder."
            )
        return None

    def clear_parts(self) -> None:
        """Remove what a killed process was writing."""
        for part in self.folder.glob(".step-*.part"):
            part.unlink(missing_ok=True)


def check_same(saved: Mapping[str, Any], now: Mapping[str, Any], what: str) -> None:
    """Raise TrainingError, naming them with both values, where settings are not the same."""
    before, after = _leaves(saved), _leaves(now)
    differing = [
        f"{key} was {_shown(before, key)} and is {_shown(after, key)}"
        for key in dict.fromkeys([*before, *after])
        if before.get(key, _ABSENT) != after.get(key, _ABSENT)
    ]
    if differing:
        raise TrainingError(
            f"{what} is of a run with other settings: {shortened(differing)}; give the same, or "
            "another folder."
        )


_ABSENT = object()


def _leaves(value: Any, key: str = "") -> dict[str, Any]:
    if isinstance(value, Mapping) and value:
        return {
            name: leaf
            for part, below in value.items()
            for name, leaf in _leaves(below, f"{key}.{part}".lstrip(".")).items()
        }
    return {key: json.loads(json.dumps(value))}  # as it comes back from a file: lists, no tuples


def _shown(leaves: Mapping[str, Any], key: str) -> str:
    return json.dumps(leaves[key], ensure_ascii=False) if key in leaves else "not there"


def _digest(tensors: Mapping[str, Tensor], text: str) -> str:
    import torch

    made = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        made.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        made.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return made.hexdigest()
