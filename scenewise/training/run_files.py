"""The folder of a run: its log, its checkpoints, its best networks.

    log.jsonl                          a line per logged step and evaluation
    checkpoints/step-00000120.…        everything that the run needs to go on; the two newest
    best/step-00000100.…               weights of the best evaluations, as they were measured

The first of several processes writes; all of them gather what is spread over them. It knows files
and names; it knows no loop.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scenewise.errors import TrainingError
from scenewise.training.best import Best
from scenewise.training.checkpoint import CheckpointFolder, Saved, check_same, read, write
from scenewise.training.logs import RunLog
from scenewise.training.processes import Processes
from scenewise.training.settings import LogSettings, TrainSettings
from scenewise.training.whole_state import (
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_state,
    whole_tensors,
)

_LEARNER, _OPTIMIZER, _MEAN = "learner/", "optimizer/", "mean/"


class RunFiles:
    """With ``folder`` None nothing is written, and everything else is as it would be."""

    def __init__(
        self,
        folder: Path | None,
        learner: nn.Module,
        optimizer: torch.optim.Optimizer,
        settings: TrainSettings,
        log: LogSettings,
        identity: Mapping[str, Any],
        processes: Processes,
    ) -> None:
        self.log = log
        self.best = Best(settings)
        self._folder = folder
        self._learner, self._optimizer = learner, optimizer
        self._identity = dict(identity)
        self._processes = processes
        self._id = uuid.uuid4().hex[:8]
        self._lines: RunLog | None = None
        self._checkpoints = None if folder is None else CheckpointFolder(folder / "checkpoints")
        self._best_files = None if folder is None else CheckpointFolder(folder / "best")

    def begin(self) -> None:
        """A new run. Raises TrainingError where the folder has checkpoints of another."""
        if self._checkpoints is not None and self._checkpoints.steps():
            raise TrainingError(
                f"{self._folder} holds checkpoints of a run; resume it, or name another folder."
            )
        self._processes.wait()  # nobody writes before all have looked
        self._open(0, 0)

    def resume(self) -> Saved | None:
        """Learner, optimizer, best figures and log as in the newest checkpoint; None without one.

        Raises TrainingError for one that is damaged, with no other, or of another run.
        """
        saved = self._newest()
        if saved is None:
            self._open(0, 0)
            return None
        what = f"{saved.path}"
        check_same(saved.state["identity"], self._identity, what)
        if saved.state["world"] != self._processes.world:
            raise TrainingError(
                f"{what} is of a run of {saved.state['world']} process(es), and this one has "
                f"{self._processes.world}; start as many."
            )
        load_module(self._learner, saved.part(_LEARNER), what)
        load_optimizer(
            self._optimizer,
            self._learner,
            saved.part(_OPTIMIZER),
            saved.state["optimizer"],
            what,
        )
        self.best.load(saved.state["best"])
        self._id = saved.state["id"]
        self._open(saved.state["log"], saved.state["run"]["step"])
        return saved

    def save(
        self,
        step: int,
        tensors: Mapping[str, Tensor],
        mean: Mapping[str, Tensor],
        state: Mapping[str, Any],
    ) -> None:
        """A checkpoint; ``tensors`` are whole already. Raises StorageError."""
        if self._checkpoints is None:
            return
        first = self._processes.first
        remembered, groups = optimizer_state(self._optimizer, self._learner)
        content = {
            _LEARNER: module_tensors(self._learner),
            _OPTIMIZER: remembered,
            _MEAN: mean,
        }
        gathered = dict(tensors)
        for prefix, part in content.items():
            for name, tensor in whole_tensors(part, keep=first).items():
                gathered[prefix + name] = tensor
        if first:
            whole = {
                **state,
                "identity": self._identity,
                "world": self._processes.world,
                "optimizer": groups,
                "best": self.best.state(),
                "id": self._id,
                "log": 0 if self._lines is None else self._lines.position(),
            }
            self._checkpoints.save(step, gathered, whole)
            self._forget_beaten()
        self._processes.wait()

    def write_best(self, step: int, figures: Mapping[str, float]) -> None:
        """The learner as it is now, as one of the best."""
        if self._best_files is None:
            return
        tensors = whole_tensors(module_tensors(self._learner), keep=self._processes.first)
        if self._processes.first:
            write(self._best_files.path(step), tensors, {"step": step, "figures": dict(figures)})

    def load_best(self) -> bool:
        """Put the weights of the best evaluation into the learner; whether there are any."""
        self._processes.wait()
        if self._best_files is None or not self.best.entries:
            return False
        path = self._best_files.path(self.best.entries[0][0])
        load_module(self._learner, read(path).tensors, str(path))
        return True

    def write(self, kind: str, step: int, line: Mapping[str, Any]) -> None:
        """A line of the log."""
        if self._lines is not None:
            self._lines.write(kind, step, line)

    def close(self) -> None:
        """Close the log."""
        if self._lines is not None:
            self._lines.close()

    def _newest(self) -> Saved | None:
        """All processes read the one that the first found."""
        if self._checkpoints is None:
            return None
        if self._processes.first:
            self._clear_parts()
        if self._processes.world == 1:
            return self._checkpoints.newest()
        saved: Saved | None = None
        trouble = ""
        if self._processes.first:
            try:
                saved = self._checkpoints.newest()
            except TrainingError as error:
                trouble = str(error)
        path, trouble = self._processes.told((None if saved is None else saved.path, trouble))
        if trouble:
            raise TrainingError(trouble)
        if path is None or saved is not None:
            return saved
        return read(path)

    def _clear_parts(self) -> None:
        """Remove what a killed process was writing."""
        for files in (self._checkpoints, self._best_files):
            if files is not None:
                files.clear_parts()

    def _open(self, position: int, step: int) -> None:
        if self._folder is not None and self._processes.first:
            self._lines = RunLog(
                self._folder,
                self.log,
                position=position,
                step=step,
                id=self._id,
                config=self._identity,
            )

    def _forget_beaten(self) -> None:
        """Files of networks that are none of the best any more.

        Only after a checkpoint that says so: a run that goes on from an earlier one needs them.
        """
        if self._best_files is None:
            return
        kept = {step for step, _ in self.best.entries}
        for step, path in self._best_files.steps().items():
            if step not in kept:
                path.unlink(missing_ok=True)
