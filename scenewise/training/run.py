"""From a config to a run, step by step: rows, network, batches, objective, optimizer, evaluation;
then the trainer, and the files of the run.

``make_plan`` does everything ahead of the first step, and trains nothing: a dry run takes the same
way. It joins what the others make; it knows no loop and no file format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from scenewise.data.batch import Batch
from scenewise.data.loader import Loader
from scenewise.data.text_tokens import FileTokens
from scenewise.errors import TrainingError
from scenewise.models.cards.card import Card
from scenewise.models.registry import model_card
from scenewise.training import run_folder
from scenewise.training.alike import AlikeBatches
from scenewise.training.config import Config
from scenewise.training.distributed import Place, processes, unwrap, wrap
from scenewise.training.evaluation import (
    LabelEvaluation,
    QuestionEvaluation,
    RetrievalEvaluation,
)
from scenewise.training.figures import figures_of
from scenewise.training.learner import Learner
from scenewise.training.loading import (
    Batches,
    Found,
    find_rows,
    make_batches,
    make_class_tokens,
    make_words,
    video_numbers,
)
from scenewise.training.memory_format import to_channels_last
from scenewise.training.network_setup import (
    Prepared,
    give_answers,
    limit_learning,
    make_network,
    network_options,
)
from scenewise.training.objective_settings import (
    AnsweringSettings,
    ClassTextsSettings,
    ObjectiveSettings,
    learns_several,
)
from scenewise.training.objectives.registry import default_objective, make_objective
from scenewise.training.optimizers import make_optimizer
from scenewise.training.outputs import ClassTokens, check_sound_rate
from scenewise.training.overfit import overfit
from scenewise.training.processes import Processes
from scenewise.training.recompute import recompute_blocks
from scenewise.training.run_folder import Saved
from scenewise.training.trainer import Evaluate, Trainer, TrainProgress, TrainReport

OnFigures = Callable[[dict[str, float]], None]  # after each evaluation; may raise to end the run
OnProgress = Callable[[TrainProgress], None]
Say = Callable[[str], None]  # what a person should know, as it becomes known


@dataclass(frozen=True, slots=True)
class Plan:
    """All that a run needs, ready; nothing is trained yet."""

    config: Config
    card: Card
    found: Found
    prepared: Prepared
    batches: Batches
    module: nn.Module  # the learner, wrapped where several processes learn as one
    optimizer: torch.optim.Optimizer
    evaluate: Evaluate | None  # None: there is no validation split
    figure: str | None  # by which the best network is chosen
    saved: Saved
    place: Place

    @property
    def learner(self) -> Learner:
        """The network and its objective."""
        return unwrap(self.module)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know ahead of the run, a sentence each."""
        return (*self.found.notes, *self.prepared.notes)


@dataclass(frozen=True, slots=True)
class Overfitted:
    """How a network learned one batch by heart."""

    steps: int
    first_loss: float
    last_loss: float
    losses: tuple[float, ...]  # ahead of each step

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


def make_plan(config: Config, folder: Path, *, device: str = "auto", place: Place) -> Plan:
    """Everything ahead of the first step; what is random follows from the config's seed.

    A tokenizer that is made for the run is written to ``folder``, or read where it lies there.
    Raises UsageError, DataError, NetworkError, EncoderError and TrainingError, each with a
    sentence.
    """
    torch.manual_seed(config.seed)
    on = choose_device(device, place)
    card = model_card(config.model.name)
    found = find_rows(config)
    words = make_words(config, card, found, folder)
    texts = make_class_tokens(config, found, words)
    options = network_options(
        config, card, found.train.classes, None if words is None else words.largest_id
    )
    prepared = make_network(config, card, options)
    if not config.data.reads_vectors:
        check_sound_rate(prepared.network, config.data.sound_rate)
    batches = make_batches(config, card, found, words, on, place)
    network = prepared.network
    limit_learning(network, config)
    wanted = config.objective or default_objective(network)
    if isinstance(wanted, AnsweringSettings) and words is not None:
        if config.objective is None:  # whether there are choices decides how rows are read
            raise TrainingError("Questions need objective.name = 'answering', with its choices.")
        wanted = give_answers(prepared, wanted, found.train.classes, words)
    learner = Learner(network, make_objective(wanted, network, texts)).to(on)
    if config.train.channels_last:
        to_channels_last(learner)
    recompute_blocks(learner, config.train.recompute)
    module = wrap(learner, config.distributed)
    return Plan(
        config=config,
        card=card,
        found=found,
        prepared=prepared,
        batches=batches,
        module=module,
        optimizer=make_optimizer(module, config.optimizer),
        evaluate=make_evaluation(found, batches, wanted, texts),
        figure=choose_figure(config, found),
        saved=make_saved(config, prepared, found, words),
        place=place,
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
    progress: OnProgress | None = None,
    say: Say | None = None,
) -> TrainReport:
    """Run a config; ``folder`` then holds its figures and the networks ``best`` and ``final``.

    ``resume`` goes on with the run that lies there. ``files`` and ``overrides`` say what the
    config came of, for the record. A run that was interrupted has a checkpoint and no networks
    yet. Under torchrun every process calls this. Raises as ``make_plan`` does, UsageError for a
    folder that holds a run already, or another one.
    """
    where = Path(folder)
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    with processes(config.distributed, device=kind) as place:
        if place.is_first:
            run_folder.check_folder(where, resume=resume)
            if resume:
                run_folder.check_same(where, config)
        Processes().wait()  # nobody goes on before the first has looked
        with TemporaryDirectory() as aside:
            plan = make_plan(config, where if resume else Path(aside), device=device, place=place)
            _say_all(plan, say)
            if place.is_first and not resume:
                run_folder.begin(where, config, files=files, overrides=overrides)
            plan = replace(plan, saved=plan.saved.with_words_in(where, write=place.is_first))
        try:
            return _trained(plan, where, resume, on_figures, progress)
        finally:
            plan.batches.close()


def overfit_batch(
    config: Config,
    *,
    device: str = "auto",
    progress: Callable[[int, float], None] | None = None,
    say: Say | None = None,
) -> Overfitted:
    """Train on the first batch alone, for as many steps as the config has; nothing is written.

    A network, an objective and a learning rate that work bring the loss near nothing.
    """
    with TemporaryDirectory() as aside:
        plan = make_plan(config, Path(aside), device=device, place=Place())
    _say_all(plan, say)
    batch = first_batch(plan)
    steps = steps_of(plan) or plan.batches.steps
    losses = overfit(plan.module, plan.optimizer, config.train, batch, steps, progress=progress)
    return Overfitted(len(losses), losses[0], losses[-1], tuple(losses))


def first_batch(plan: Plan) -> Batch:
    """The first batch of training. Raises TrainingError where there is none."""
    try:
        first = next(iter(plan.batches.train), None)
    finally:
        plan.batches.close()
    if first is None:
        raise TrainingError("No row of the first batch can be read; see the warnings.")
    return first


def steps_of(plan: Plan) -> int:
    """Steps of the optimizer in the whole run."""
    settings = plan.config.train
    each = -(-plan.batches.steps // settings.accumulate)
    epochs = settings.epochs or (None if settings.max_steps else 1)
    limits = [settings.max_steps, None if epochs is None else epochs * each]
    return min(limit for limit in limits if limit is not None)


def choose_device(name: str, place: Place) -> torch.device:
    """``auto`` is this process's GPU, else the processor. Raises TrainingError without a GPU."""
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise TrainingError("device 'cuda' is not there; take cpu or auto.")
    return (
        torch.device("cuda", place.local_rank) if there and name != "cpu" else torch.device("cpu")
    )


def make_evaluation(
    found: Found,
    batches: Batches,
    objective: ObjectiveSettings,
    texts: ClassTokens | None = None,
) -> Evaluate | None:
    """What is measured of the task; None without a validation split.

    ``texts`` are those of the classes, of a network that learns from their names.
    """
    if batches.val is None:
        return None
    if found.task == "labels":
        return LabelEvaluation(batches.val, texts)
    if found.task == "captions" and batches.texts is not None and found.val is not None:
        return RetrievalEvaluation(batches.val, batches.texts, video_numbers(found.val.rows))
    if isinstance(objective, AnsweringSettings) and objective.mask_id is not None:
        return QuestionEvaluation(batches.val, objective.mask_id, objective.choices)
    if found.task == "moments":
        raise TrainingError("Networks are not measured on moments: localizers come later.")
    raise TrainingError(
        f"This network is not measured on {found.task}: set data.val_split = 'none' to train "
        "without a validation split."
    )


def choose_figure(config: Config, found: Found) -> str | None:
    """By which the best network is chosen. Raises TrainingError for one of another task."""
    measured = figures_of(found.task, several=learns_several(config.objective))
    if found.val is None or not measured:
        return None
    figure = config.train.best_figure or measured[0]
    if figure not in measured:
        raise TrainingError(
            f"train.best_figure = {figure!r} is not measured on {found.task}; allowed: "
            f"{', '.join(measured)}."
        )
    return figure


def make_saved(config: Config, prepared: Prepared, found: Found, words: FileTokens | None) -> Saved:
    """What is written of a network, and what its folder holds beside the weights."""
    text = None if words is None else words.text_settings()
    if text is not None and isinstance(config.objective, ClassTextsSettings):
        text["template"] = config.objective.template
    named = ("labels", "questions")  # what has classes, whatever reads words
    return Saved(
        network=prepared.name,
        options=prepared.options,
        lora=config.lora,
        adapter=config.adapter,
        labels=(found.train.classes or None) if words is None or found.task in named else None,
        tokenizer=None if words is None else words.path,
        text=text,
    )


def make_trainer(
    plan: Plan, folder: Path, on_figures: OnFigures | None, progress: OnProgress | None
) -> Trainer:
    """The loop over this plan, with its log and checkpoints below ``folder``."""
    config, batches, looks = plan.config, plan.batches.train, plan.batches.looks
    if looks is not None and isinstance(batches, Loader):
        batches = AlikeBatches(batches, looks, plan.learner, folder / run_folder.ALIKE)
    return Trainer(
        plan.module,
        plan.optimizer,
        config.train.model_copy(update={"best_figure": plan.figure}),
        batches,
        evaluate=_measured(plan, on_figures),
        schedule=config.schedule,
        log=config.log,
        folder=folder,
        identity=run_folder.identity(config),
        progress=progress,
        unwrap=unwrap,
    )


def _trained(
    plan: Plan,
    folder: Path,
    resume: bool,
    on_figures: OnFigures | None,
    progress: OnProgress | None,
) -> TrainReport:
    trainer = make_trainer(plan, folder / run_folder.TRAINER, on_figures, progress)
    report = trainer.fit(resume=resume)
    if report.ended == "interrupted":
        return report
    plan.saved.write(plan.module, folder / run_folder.FINAL)
    trainer.take_best()
    plan.saved.write(plan.module, folder / run_folder.BEST)
    if plan.place.is_first:
        run_folder.write_figures(folder, plan.figure, report)
    return report


def _measured(plan: Plan, on_figures: OnFigures | None) -> Evaluate | None:
    if plan.evaluate is None:
        return None
    measure = plan.evaluate

    def evaluate(_model: nn.Module) -> dict[str, float]:
        # sharded parameters are whole only inside a call of the learner
        figures = plan.learner.within(measure)
        if on_figures is not None:
            on_figures(figures)
        return figures

    return evaluate


def _say_all(plan: Plan, say: Say | None) -> None:
    if say is not None and plan.place.is_first:
        for note in plan.notes:
            say(note)
