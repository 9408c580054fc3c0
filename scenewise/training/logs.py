"""What a run says of itself: ``log.jsonl``, and where wanted TensorBoard's and W&B's files.

A line is one JSON object: ``{"kind": "train" | "evaluation", "step": …, …}``. It is written at
once; a run that goes on cuts the file back to where its checkpoint was, so that no step stands in
it twice. W&B writes to the disk and asks no host for anything, unless the user's own WANDB_MODE
says "online". It knows figures; it knows no loop.
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from scenewise.errors import MissingExtraError, StorageError, first_line
from scenewise.training.settings import LogSettings

LOG = "log.jsonl"
_log = logging.getLogger(__name__)


class Writer(Protocol):
    """Where figures go beside the log."""

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """Figures by name, such as train/loss."""
        ...

    def close(self) -> None:
        """Everything is written."""
        ...


class JsonLines:
    """A file of lines, cut back to ``position`` bytes first."""

    def __init__(self, path: Path, position: int = 0) -> None:
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("ab")
            there = self._file.tell()
            if there < position:
                _log.warning(
                    "%s has %d bytes, and had %d when the checkpoint was written; lines are "
                    "missing.",
                    path,
                    there,
                    position,
                )
            self._file.truncate(min(position, there))
        except OSError as error:
            raise self._storage(error) from error

    def write(self, line: Mapping[str, Any]) -> None:
        """One line, at once. Raises StorageError."""
        try:
            self._file.write(json.dumps(_plain(line), ensure_ascii=False).encode() + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._storage(error) from error

    def position(self) -> int:
        """Bytes so far; they are on the disk then."""
        try:
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._storage(error) from error
        return self._path.stat().st_size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _storage(self, error: OSError) -> StorageError:
        return StorageError(
            f"{self._path}: cannot be written ({first_line(error)}); name another folder."
        )


class TensorBoard:
    """Curves for ``tensorboard --logdir``; steps after ``step`` that are there count no more."""

    def __init__(self, folder: Path, step: int) -> None:
        """Raises MissingExtraError."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise MissingExtraError(
                "log.tensorboard needs tensorboard, which is not installed; run pip install "
                '"scenewise[train]", or leave it out.'
            ) from error
        purge = step + 1 if step else None
        self._writer = SummaryWriter(str(folder), purge_step=purge)

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """As ``Writer`` says."""
        for name, value in figures.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """As ``Writer`` says."""
        self._writer.close()


class WeightsAndBiases:
    """A run of W&B in ``folder``; one that goes on keeps its ``id``."""

    def __init__(self, folder: Path, project: str, id: str, config: Mapping[str, Any]) -> None:
        """Raises MissingExtraError."""
        try:
            import wandb
        except ImportError as error:
            raise MissingExtraError(
                "log.wandb needs wandb, which is not installed; run pip install "
                '"scenewise[wandb]", or leave it out.'
            ) from error
        folder.mkdir(parents=True, exist_ok=True)
        self._run = wandb.init(
            project=project,
            dir=str(folder),
            id=id,
            mode=os.environ.get("WANDB_MODE", "offline"),
            config=dict(config),
            settings=wandb.Settings(silent=True, console="off"),
        )

    def write(self, step: int, figures: Mapping[str, float]) -> None:
        """As ``Writer`` says."""
        self._run.log(dict(figures), step=step)

    def close(self) -> None:
        """As ``Writer`` says."""
        self._run.finish()


class RunLog:
    """The log of a run in ``folder``, and the other writers that are wanted."""

    def __init__(
        self,
        folder: Path,
        settings: LogSettings,
        *,
        position: int = 0,
        step: int = 0,
        id: str = "",
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """``position`` and ``step`` are those of the checkpoint from which the run goes on."""
        self._writers: list[Writer] = []
        if settings.tensorboard:
            self._writers.append(TensorBoard(folder / "tensorboard", step))
        if settings.wandb:
            self._writers.append(WeightsAndBiases(folder, settings.wandb_project, id, config or {}))
        self._lines = JsonLines(folder / LOG, position)

    def write(self, kind: str, step: int, line: Mapping[str, Any]) -> None:
        """One line. Raises StorageError."""
        self._lines.write({"kind": kind, "step": step, **line})
        figures = {
            f"{kind}/{name}": value for name, value in _numbers(line).items() if name != "epoch"
        }
        for writer in self._writers:
            writer.write(step, figures)

    def position(self) -> int:
        """Bytes of the log so far, which are on the disk then."""
        return self._lines.position()

    def close(self) -> None:
        """Everything is written."""
        self._lines.close()
        for writer in self._writers:
            writer.close()


def _plain(value: Any) -> Any:
    """JSON has no nan and no infinity: null."""
    if isinstance(value, Mapping):
        return {key: _plain(below) for key, below in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _numbers(line: Mapping[str, Any], key: str = "") -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in line.items():
        path = f"{key}/{name}".lstrip("/")
        if isinstance(value, Mapping):
            found |= _numbers(value, path)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[path] = float(value)
    return found
