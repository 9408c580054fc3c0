"""The loop: batches become steps, epochs end in an evaluation and a checkpoint.

It knows a learner, batches and an optimizer; it knows no dataset and no metric: evaluation is a
callable that it is given. With a folder a run can be killed at any moment and goes on from its last
checkpoint as if nothing had happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.training.batches import as_batches, length, position
from scenewise.training.ema import WeightMean
from scenewise.training.freezing import train_mode
from scenewise.training.interruption import Interruption, noticing_interrupts
from scenewise.training.learner import LOSS, Learner
from scenewise.training.parameter_names import without_wrapper
from scenewise.training.precision import Precision
from scenewise.training.processes import Processes
from scenewise.training.random_state import OwnChance, RandomState, unchanged_chance
from scenewise.training.report import TrainProgress, TrainReport
from scenewise.training.run_files import RunFiles
from scenewise.training.run_state import RunState, memory_bytes, rates
from scenewise.training.schedules import Schedule
from scenewise.training.settings import LogSettings, ScheduleSettings, TrainSettings
from scenewise.training.step import Step, Stepper

__all__ = ["Evaluate", "TrainProgress", "TrainReport", "Trainer"]

Evaluate = Callable[[nn.Module], dict[str, float]]


class Trainer:
    """Trains one learner, once: ``fit``, then ``take_best``."""

    def __init__(
        self,
        learner: nn.Module,
        optimizer: torch.optim.Optimizer,
        settings: TrainSettings,
        batches: Iterable[Batch],
        *,
        evaluate: Evaluate | None = None,
        schedule: ScheduleSettings | None = None,
        log: LogSettings | None = None,
        folder: str | Path | None = None,
        identity: Mapping[str, Any] | None = None,
        progress: Callable[[TrainProgress], None] | None = None,
        unwrap: Callable[[nn.Module], nn.Module] = without_wrapper,
    ) -> None:
        """What is trained, by what, on what.

        ``learner`` may be wrapped for several processes, and ``unwrap`` gives what is inside; every
        process has a trainer, and the first one writes. ``evaluate`` is called by all of them, with
        the network in training mode, and what the first one measures counts. ``folder`` None
        writes nothing. ``identity`` is the run's config as JSON: a checkpoint of another is
        refused. Raises TrainingError where learner, settings and batches do not go together.
        """
        self._module, self._learner = learner, unwrap(learner)
        self._optimizer = optimizer
        self._settings = settings
        self._batches = as_batches(batches)
        self._evaluate = evaluate
        self._progress = progress
        self._device = next(learner.parameters()).device
        self._processes = Processes()
        self._precision = Precision(settings.precision, self._device)
        self._stepper = Stepper(learner, optimizer, settings, self._precision, self._processes)
        self._mean = (
            WeightMean(self._learner, settings.ema_decay, warmup=settings.ema_warmup)
            if settings.ema_decay is not None
            else None
        )
        self._state = RunState.planned(settings, self._batches, self._processes)
        self._schedule = Schedule(
            schedule or ScheduleSettings(), self._state.steps, self._state.steps_per_epoch
        )
        self._files = RunFiles(
            None if folder is None else Path(folder),
            self._learner,
            optimizer,
            settings,
            log or LogSettings(),
            identity or {},
            self._processes,
        )
        # of the data, beside the process's own, so that batches that are passed over change
        # nothing for dropout; and as it was when the epoch began
        self._chance = OwnChance(RandomState.now())
        self._epoch_chance = self._chance.state
        self._measured_at = time.perf_counter()
        self._last_loss = float("nan")

    @property
    def model(self) -> nn.Module:
        """The network inside."""
        inside = self._learner
        return inside.model if isinstance(inside, Learner) else inside

    def fit(self, *, resume: bool = False) -> TrainReport:
        """Train to the end, or until Ctrl-C.

        With ``resume`` a run whose folder has a checkpoint goes on from there, and any other
        begins. Raises TrainingError for a checkpoint of another run, for a folder that has one
        while ``resume`` is not given, and as ``Stepper`` does; StorageError; DataError of batches.
        """
        seed = int(torch.randint(2**31, ()))
        self._chance = OwnChance(RandomState.seeded(seed))
        resumed_from = self._begin(resume=resume)
        try:
            with noticing_interrupts() as interruption:
                while not self._over():
                    self._epoch(interruption)
                if self._state.ended != "interrupted":
                    self._finish()
        finally:
            self._files.close()
        return self._state.report(self._files.best, self._stepper.skipped, resumed_from)

    def take_best(self) -> Literal["best", "mean", "last"]:
        """Give the network its best weights, to be written: those of the best evaluation.

        Without one the mean of the weights, where there is one; or else those of the last step.
        """
        if self._files.load_best():
            return "best"
        if self._mean is not None:
            self._mean.take()
            return "mean"
        return "last"

    def _begin(self, *, resume: bool) -> int | None:
        """The step from which the run goes on; None where it begins."""
        if not resume:
            self._files.begin()
            return None
        saved = self._files.resume()
        if saved is None:
            return None
        self._state.load(saved.state["run"])
        self._precision.load(saved.state["scaler"])
        self._stepper.skipped, self._stepper.in_a_row = saved.state["skipped"]
        if self._mean is not None:
            self._mean.load(saved.part("mean/"), saved.state["mean_steps"])
        rank = self._processes.rank
        self._chance = OwnChance(RandomState.of(saved.tensors, f"data_chance.{rank}/"))
        RandomState.of(saved.tensors, f"chance.{rank}/").restore()
        return self._state.step

    def _over(self) -> bool:
        state, settings = self._state, self._settings
        epochs = settings.epochs or (None if settings.max_steps else 1)
        return (
            state.ended != "done"
            or (epochs is not None and state.epoch >= epochs)
            or (settings.max_steps is not None and state.step >= settings.max_steps)
        )

    def _epoch(self, interruption: Interruption) -> None:
        """One epoch, or what is left of it."""
        state = self._state
        self._epoch_chance = self._chance.state
        self._batches.set_epoch(state.epoch, state.position)
        left = self._processes.least(length(self._batches))
        whole = None if left is None else state.position + left
        arriving = self._arriving()
        train_mode(self._module)
        self._measured_at = time.perf_counter()
        if whole is not None and 0 < whole == state.position:
            next(arriving, None)  # an epoch that ended with the checkpoint: what it drew is drawn
        while True:
            planned = self._settings.accumulate
            if whole is not None:
                planned = min(planned, whole - state.position)
            if planned < 1:
                break
            self._schedule.apply(self._optimizer, state.step)
            step = self._stepper.step(arriving, planned, state.step + 1)
            if step is None:
                break
            self._after(step, interruption)
            if self._over():
                arriving.close()
                return
        self._end_of_epoch()

    def _arriving(self) -> Generator[Batch]:
        """Batches on the device; what makes them draws from its own stream."""
        with self._chance():
            source = iter(self._batches)
        while True:
            with self._chance():
                batch = next(source, None)
            if batch is None:
                return
            yield batch.to(self._device, non_blocking=True)

    def _after(self, step: Step, interruption: Interruption) -> None:
        """What follows a step: the mean, the log, an evaluation, a checkpoint."""
        state, settings = self._state, self._settings
        state.position = position(self._batches, state.position + step.batches)
        if self._mean is not None and step.taken:
            self._mean.update()
        now = time.perf_counter()
        state.add(step, now - self._measured_at)
        self._measured_at = now
        if state.step % self._files.log.every_steps == 0:
            self._write_line(step)
        self._last_loss = step.figures[LOSS]
        self._tell(self._last_loss)
        if _due(settings.evaluate_steps, state.step):
            self._measure()
        if self._processes.total([interruption.asked])[0] and state.ended == "done":
            state.ended = "interrupted"
        if _due(settings.checkpoint_steps, state.step) or state.ended == "interrupted":
            self._save()

    def _end_of_epoch(self) -> None:
        state = self._state
        if not state.epoch_rows:
            raise TrainingError("An epoch has no batch at all; check the data, or its batch size.")
        state.close_epoch()
        if _due(self._settings.evaluate_epochs, state.epoch):
            self._measure()
        # the next epoch begins with this: what it draws is drawn again by one that goes on
        self._epoch_chance = self._chance.state
        if not self._over():
            self._save()

    def _finish(self) -> None:
        """The last network is always measured and kept."""
        if self._state.measured_at != self._state.step:
            self._measure()
        self._epoch_chance = self._chance.state
        self._save()

    def _measure(self) -> None:
        """Evaluate; nothing that it draws or changes reaches training."""
        state = self._state
        if self._evaluate is None or state.measured_at == state.step:
            return
        self._tell(self._last_loss, evaluating=True)
        mean = nullcontext() if self._mean is None else self._mean.applied()
        with unchanged_chance(), mean:
            measured = self._evaluate(self.model)
            state.figures = self._processes.told({k: float(v) for k, v in measured.items()})
            state.measured_at = state.step
            if self._files.best.add(state.step, state.figures):
                self._files.write_best(state.step, state.figures)
        line = {"epoch": state.epoch, "figures": state.figures, "mean": self._mean is not None}
        self._files.write("evaluation", state.step, line)
        if self._files.best.stop:
            state.ended = "stopped"
        train_mode(self._module)
        self._measured_at = time.perf_counter()

    def _save(self) -> None:
        tensors, rank = {}, self._processes.rank
        own = {
            **RandomState.now().named(f"chance.{rank}/"),
            **self._epoch_chance.named(f"data_chance.{rank}/"),
        }
        for found in self._processes.gathered(own):
            tensors.update(found)
        state = {
            "run": self._state.saved(),
            "scaler": self._precision.state(),
            "skipped": [self._stepper.skipped, self._stepper.in_a_row],
            "mean_steps": 0 if self._mean is None else self._mean.steps,
        }
        mean = {} if self._mean is None else self._mean.tensors
        self._files.save(self._state.step, tensors, mean, state)

    def _write_line(self, step: Step) -> None:
        state = self._state
        line = {
            "epoch": state.epoch,
            **state.take_means(),
            "lr": rates(self._optimizer),
            "gradient_norm": step.gradient_norm,
            "memory_bytes": memory_bytes(self._device),
            "skipped": self._stepper.skipped,
        }
        self._files.write("train", state.step, line)

    def _tell(self, loss: float, *, evaluating: bool = False) -> None:
        if self._progress is None or not self._processes.first:
            return
        state = self._state
        self._progress(
            TrainProgress(
                state.step,
                state.steps,
                state.epoch,
                self._settings.epochs or (None if self._settings.max_steps else 1),
                loss,
                state.seconds_per_step,
                evaluating,
                dict(state.figures),
            )
        )


def _due(every: int, number: int) -> bool:
    return every > 0 and number % every == 0
