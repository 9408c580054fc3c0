"""From a config to a run, step by step: rows, network, batches, objective, optimizer, evaluation;
then the trainer, and the files of the run.

``make_plan`` does everything ahead of the first step, and writes nothing: a dry run takes the same
way. It joins what the others make; it knows no loop and no file format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from torch import nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.cards.card import Card
from scenewise.models.registry import model_card, resolve
from scenewise.training import run_folder
from scenewise.training.config import Config
from scenewise.training.evaluation import FIGURES, FIRST_FIGURE, LabelEvaluation
from scenewise.training.learner import Learner, Objective
from scenewise.training.loading import Batches, Found, find_rows, make_batches
from scenewise.training.network_setup import Prepared, make_network, network_options
from scenewise.training.objective_choice import choice_of, default_choice
from scenewise.training.run_folder import Figures, Saved
from scenewise.training.trainer import Evaluate, Trainer, TrainReport

OnFigures = Callable[[dict[str, float]], None]  # after each evaluation; may raise to end the run
Say = Callable[[str], None]  # what a person should know, as it becomes known


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run needs, ready; nothing is trained or written yet."""

    config: Config
    card: Card
    found: Found
    prepared: Prepared
    batches: Batches
    learner: Learner
    optimizer: torch.optim.Optimizer
    evaluate: Evaluate | None  # None: there is no validation split
    figure: str | None  # by which the best network is chosen
    saved: Saved
    device: torch.device

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know ahead of the run, a sentence each."""
        return (*self.found.notes, *self.prepared.notes)


def make_plan(config: Config, *, device: str = "auto") -> Plan:
    """Everything ahead of the first step; what is random follows from the config's seed.

    Raises UsageError, DataError, NetworkError and TrainingError, each with a sentence.
    """
    torch.manual_seed(config.seed)
    place = choose_device(device)
    card = model_card(config.model.name)
    found = find_rows(config)
    options = network_options(config, card, found.train.classes)
    prepared = make_network(config, card, options)
    batches = make_batches(config, card, found)
    learner = Learner(prepared.network, make_objective(config, card, found)).to(place)
    return Plan(
        config=config,
        card=card,
        found=found,
        prepared=prepared,
        batches=batches,
        learner=learner,
        optimizer=make_optimizer(config, learner),
        evaluate=make_evaluation(found, batches),
        figure=choose_figure(config, found),
        saved=Saved(labels=found.train.classes or None),
        device=place,
    )


def train(
    config: Config,
    folder: str | Path,
    *,
    resume: bool = False,
    device: str = "auto",
    files: Sequence[Path] = (),
    overrides: Sequence[str] = (),
    on_figures: OnFigures | None = None,
    say: Say | None = None,
) -> TrainReport:
    """Run a config; ``folder`` then holds its figures and the networks ``best`` and ``final``.

    ``resume`` goes on with the run that lies there. ``files`` and ``overrides`` say what the
    config came of, for the record. Raises as ``make_plan`` does, UsageError for a folder that
    holds a run already, or another one.
    """
    place = Path(folder)
    run_folder.check_folder(place, resume=resume)
    if resume:
        run_folder.check_same(place, config)
    plan = make_plan(config, device=device)
    for note in plan.notes if say is not None else ():
        say(note)
    if not resume:
        run_folder.begin(place, config, files=files, overrides=overrides)
    figures = run_folder.read_figures(place, plan.figure)
    report = make_trainer(plan, kept(plan, place, figures, on_figures)).fit()
    plan.saved.write(plan.prepared.network, place / run_folder.FINAL)
    if not figures.history:
        run_folder.write_figures(place, figures)
    return report


def overfit_batch(config: Config, *, device: str = "auto", say: Say | None = None) -> TrainReport:
    """Train on one batch alone, for as many steps as the config has; nothing is written.

    A network, an objective and a learning rate that work bring the loss near nothing.
    """
    plan = make_plan(config, device=device)
    for note in plan.notes if say is not None else ():
        say(note)
    first = next(iter(plan.batches.train), None)
    if first is None:
        raise TrainingError("There is no batch; make train.batch_size smaller.")
    again = replace(plan.batches, train=_Again(first, plan.batches.steps), val=None)
    return make_trainer(replace(plan, batches=again), None).fit()


def choose_device(name: str) -> torch.device:
    """``auto`` is the first GPU, else the processor. Raises TrainingError where there is none."""
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise TrainingError("device 'cuda' is not there; take cpu or auto.")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def make_objective(config: Config, card: Card, found: Found) -> Objective:
    """The objective that the config names, or what fits the network and the rows."""
    name = config.objective.name
    choice = (
        choice_of(name) if name is not None else default_choice(card.kind, card.family, found.task)
    )
    if choice is None:
        raise TrainingError(
            f"There is no objective for {card.name} ({card.kind}) and {found.task}; take another "
            "network or task."
        )
    objective: Objective = resolve(choice.builder)(**config.objective.options)
    return objective


def make_optimizer(config: Config, learner: Learner) -> torch.optim.Optimizer:
    """The optimizer of ``[optimizer]`` over all that learns."""
    return torch.optim.AdamW(
        [parameter for parameter in learner.parameters() if parameter.requires_grad],
        lr=config.optimizer.lr,
        weight_decay=config.optimizer.weight_decay,
    )


def make_evaluation(found: Found, batches: Batches) -> Evaluate | None:
    """What is measured of the task; None without a validation split."""
    if batches.val is None:
        return None
    if found.task == "labels":
        return LabelEvaluation(batches.val)
    raise TrainingError(
        f"Networks are not measured on {found.task} yet; localizers and their figures come later."
    )


def choose_figure(config: Config, found: Found) -> str | None:
    """By which the best network is chosen. Raises TrainingError for one of another task."""
    if found.val is None or found.task not in FIGURES:
        return None
    figure = config.evaluation.figure or FIRST_FIGURE[found.task]
    if figure not in FIGURES[found.task]:
        raise TrainingError(
            f"evaluation.figure = {figure!r} is not measured on {found.task}; allowed: "
            f"{', '.join(FIGURES[found.task])}."
        )
    return figure


def make_trainer(plan: Plan, evaluate: Evaluate | None) -> Trainer:
    """The loop over this plan."""
    return Trainer(
        plan.learner,
        plan.optimizer,
        plan.config.train,
        OnDevice(plan.batches.train, plan.device),
        evaluate=evaluate,
    )


def kept(
    plan: Plan, folder: Path, figures: Figures, on_figures: OnFigures | None
) -> Evaluate | None:
    """The evaluation, whose figures are kept in ``folder``, and the best network with them."""
    if plan.evaluate is None:
        return None
    measure = plan.evaluate

    def evaluate(model: nn.Module) -> dict[str, float]:
        measured = measure(model)
        if figures.add(measured):
            plan.saved.write(model, folder / run_folder.BEST)
        run_folder.write_figures(folder, figures)
        if on_figures is not None:
            on_figures(measured)
        return measured

    return evaluate


class OnDevice:
    """Batches, moved to where the network is."""

    def __init__(self, batches: Iterable[Batch], device: torch.device) -> None:
        self._batches = batches
        self._device = device

    def __iter__(self) -> Any:
        return (batch.to(self._device, non_blocking=True) for batch in self._batches)


class _Again:
    """One batch as a whole epoch."""

    def __init__(self, batch: Batch, times: int) -> None:
        self._batch = batch
        self._times = times

    def __iter__(self) -> Any:
        return repeat(self._batch, self._times)
