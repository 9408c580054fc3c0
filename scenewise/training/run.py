"""From a config to a run, step by step: rows, network, batches, objective, optimizer, evaluation;
then the trainer, and the files of the run.

``make_plan`` does everything ahead of the first step, and writes nothing: a dry run takes the same
way. It joins what the others make; it knows no loop and no file format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from scenewise.data.batch import Batch
from scenewise.data.text_tokens import FileTokens
from scenewise.errors import TrainingError
from scenewise.models.cards.card import Card
from scenewise.models.registry import model_card
from scenewise.training import run_folder
from scenewise.training.config import Config
from scenewise.training.evaluation import (
    LabelEvaluation,
    RetrievalEvaluation,
)
from scenewise.training.figures import FIGURES
from scenewise.training.learner import Learner
from scenewise.training.loading import (
    Batches,
    Found,
    find_rows,
    make_batches,
    make_words,
    video_numbers,
)
from scenewise.training.network_setup import Prepared, make_network, network_options
from scenewise.training.objectives.registry import default_objective, make_objective
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


def make_plan(config: Config, folder: Path, *, device: str = "auto") -> Plan:
    """Everything ahead of the first step; what is random follows from the config's seed.

    A tokenizer that is made for the run is written to ``folder``, or read where it lies there.
    Raises UsageError, DataError, NetworkError, EncoderError and TrainingError, each with a
    sentence.
    """
    torch.manual_seed(config.seed)
    place = choose_device(device)
    card = model_card(config.model.name)
    found = find_rows(config)
    words = make_words(config, card, found, folder)
    options = network_options(
        config, card, found.train.classes, None if words is None else words.largest_id
    )
    prepared = make_network(config, card, options)
    batches = make_batches(config, card, found, words, place)
    wanted = config.objective or default_objective(prepared.network)
    learner = Learner(prepared.network, make_objective(wanted, prepared.network)).to(place)
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
        saved=make_saved(found, words),
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
    with TemporaryDirectory() as aside:
        plan = make_plan(config, place if resume else Path(aside), device=device)
        _say_all(plan, say)
        if not resume:
            run_folder.begin(place, config, files=files, overrides=overrides)
        plan = replace(plan, saved=plan.saved.with_words_in(place))
    falling = None if config.train.best_is is None else config.train.best_is == "lowest"
    figures = run_folder.read_figures(place, plan.figure, falling)
    try:
        report = make_trainer(plan, kept(plan, place, figures, on_figures)).fit()
    finally:
        plan.batches.close()
    plan.saved.write(plan.prepared.network, place / run_folder.FINAL)
    if not figures.history:
        run_folder.write_figures(place, figures)
    return report


def overfit_batch(config: Config, *, device: str = "auto", say: Say | None = None) -> TrainReport:
    """Train on one batch alone, for as many steps as the config has; nothing is written.

    A network, an objective and a learning rate that work bring the loss near nothing.
    """
    with TemporaryDirectory() as aside:
        plan = make_plan(config, Path(aside), device=device)
    _say_all(plan, say)
    first = first_batch(plan)
    again = replace(plan.batches, train=_Again(first, plan.batches.steps))
    return make_trainer(replace(plan, batches=again), None).fit()


def first_batch(plan: Plan) -> Batch:
    """The first batch of training. Raises TrainingError where there is none."""
    try:
        first = next(iter(plan.batches.train), None)
    finally:
        plan.batches.close()
    if first is None:
        raise TrainingError("No row of the first batch can be read; see the warnings.")
    return first


def choose_device(name: str) -> torch.device:
    """``auto`` is the first GPU, else the processor. Raises TrainingError where there is none."""
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise TrainingError("device 'cuda' is not there; take cpu or auto.")
    return torch.device("cuda" if there and name != "cpu" else "cpu")


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
    if found.task == "captions" and batches.texts is not None and found.val is not None:
        return RetrievalEvaluation(batches.val, batches.texts, video_numbers(found.val.rows))
    raise TrainingError(
        f"Networks are not measured on {found.task} yet; localizers and their figures come later."
    )


def choose_figure(config: Config, found: Found) -> str | None:
    """By which the best network is chosen. Raises TrainingError for one of another task."""
    if found.val is None or found.task not in FIGURES:
        return None
    figure = config.train.best_figure or FIGURES[found.task][0]
    if figure not in FIGURES[found.task]:
        raise TrainingError(
            f"train.best_figure = {figure!r} is not measured on {found.task}; allowed: "
            f"{', '.join(FIGURES[found.task])}."
        )
    return figure


def make_saved(found: Found, words: FileTokens | None) -> Saved:
    """What the network's folder holds beside its weights."""
    if words is None:
        return Saved(labels=found.train.classes or None)
    return Saved(tokenizer=words.path, text=words.text_settings())


def make_trainer(plan: Plan, evaluate: Evaluate | None) -> Trainer:
    """The loop over this plan."""
    return Trainer(
        plan.learner,
        plan.optimizer,
        plan.config.train,
        plan.batches.train,
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


def _say_all(plan: Plan, say: Say | None) -> None:
    if say is not None:
        for note in plan.notes:
            say(note)


class _Again:
    """One batch as a whole epoch."""

    def __init__(self, batch: Batch, times: int) -> None:
        self._batch = batch
        self._times = times

    def __iter__(self) -> Any:
        return repeat(self._batch, self._times)
