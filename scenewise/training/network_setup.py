"""The network of a config: built for its data, with the weights that it begins with, and what of
them was not loaded; then what of it learns.

It knows the registry and checkpoints; it knows no data and no loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from scenewise.data.text_tokens import FileTokens
from scenewise.errors import TrainingError
from scenewise.models.cards.card import Card
from scenewise.models.registry import create_model, created_as, options_of
from scenewise.models.video_text.frozen_bilm import FrozenBiLM
from scenewise.models.weights.load import LoadReport, load_reported
from scenewise.training.adapters import add_adapter
from scenewise.training.config import Config
from scenewise.training.config_checks import wanted_by_data
from scenewise.training.freezing import freeze, freeze_batch_norms
from scenewise.training.initialisation import scale_to_fan_in
from scenewise.training.lora import add_lora
from scenewise.training.objective_settings import AnsweringSettings
from scenewise.training.objectives.registry import OBJECTIVES

# options that the rows decide, and who says how many there are
_COUNTED = {"num_classes": "the annotations name", "num_answers": "there are"}
_ANSWERS = "answer_embeddings.weight"
_ANSWER_WORDS = 5  # of an answer, that are read: as published
_NAMED = 3  # tensors that a note quotes


@dataclass(frozen=True, slots=True)
class Prepared:
    """A network ready to be trained."""

    network: nn.Module
    report: LoadReport | None  # None: fresh weights

    @property
    def name(self) -> str:
        """Its name in the registry."""
        return created_as(self.network).name

    @property
    def options(self) -> dict[str, Any]:
        """The options that it was built with."""
        return dict(created_as(self.network).options)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know, a sentence each."""
        return () if self.report is None else describe(self.report)


def network_options(
    config: Config, card: Card, classes: Sequence[str], largest_id: int | None = None
) -> dict[str, Any]:
    """The options of ``[model]``, and what data decides: frames, size, classes, vocabulary.

    ``largest_id`` is the tokenizer's. Raises TrainingError for a number of classes that the rows
    contradict, or a vocabulary that is too small.
    """
    allowed = options_of(card.name)
    options = dict(config.model.options)
    for option, (section, key) in wanted_by_data(allowed):
        value = getattr(getattr(config, section), key)
        if value is not None:
            options.setdefault(option, value)
    learns_classes = config.objective is None or OBJECTIVES[config.objective.name].classes
    if "num_classes" in allowed and not learns_classes:
        options.setdefault("num_classes", 0)
    elif classes and (counted := next((name for name in _COUNTED if name in allowed), None)):
        given = options.setdefault(counted, len(classes))
        if given != len(classes):
            raise TrainingError(
                f"model.options.{counted} is {given}, and {_COUNTED[counted]} {len(classes)} "
                f"{counted.removeprefix('num_')}; leave the option out."
            )
    known = options.get("vocab_size", allowed.get("vocab_size"))
    if largest_id is not None and known is not None and largest_id >= known:
        if "vocab_size" in options:
            raise TrainingError(
                f"model.options.vocab_size is {known}, and the tokenizer gives ids up to "
                f"{largest_id}; leave the option out, or take another tokenizer."
            )
        options["vocab_size"] = largest_id + 1
    return options


def make_network(config: Config, card: Card, options: dict[str, Any]) -> Prepared:
    """Built and loaded as ``[model]`` says.

    Tensors of a checkpoint that do not fit, such as a head for other classes, are left as they
    were made; the report says which. Raises NetworkError for a checkpoint of another network.
    """
    if config.model.weights is None:
        fresh = create_model(card.name, **options)
        if config.model.initialisation == "fan_in":
            scale_to_fan_in(fresh)
        return Prepared(fresh.train(), None)
    network, report = load_reported(str(config.model.weights), card.name, strict=False, **options)
    return Prepared(network.train(), report)


def give_answers(
    prepared: Prepared, settings: AnsweringSettings, answers: Sequence[str], words: FileTokens
) -> AnsweringSettings:
    """The settings with the tokenizer's [MASK]; a network without learned answers gets these.

    Each is the mean of its first words' embeddings, as published. Raises TrainingError for a
    tokenizer without [MASK].
    """
    mask_id = words.mask_id if settings.mask_id is None else settings.mask_id
    if mask_id is None:
        raise TrainingError(
            f"{words.path}: this tokenizer has no [MASK], where answers stand; take another "
            "data.tokenizer (words makes one that has)."
        )
    report, network = prepared.report, prepared.network
    learned = report is not None and _ANSWERS not in (*report.missing, *report.mismatched)
    if isinstance(network, FrozenBiLM) and network.num_answers and not learned:
        network.set_answers(words.bare(answers, _ANSWER_WORDS))
    return settings.model_copy(update={"mask_id": mask_id})


def limit_learning(network: nn.Module, config: Config) -> None:
    """Freeze, and add what learns in place of the rest: LoRA, or a named adapter.

    Raises TrainingError for names that the network does not have, and where nothing learns.
    """
    freeze(network, config.model.freeze)
    freeze_batch_norms(network, config.optimizer.freeze_batch_norms)
    if config.lora is not None:
        add_lora(network, config.lora)
    if config.adapter is not None:
        add_adapter(network, config.adapter)


def describe(report: LoadReport) -> tuple[str, ...]:
    """What became of a checkpoint's tensors, a sentence each."""
    said = [f"{report.loaded} tensors were loaded by the layout {report.layout}"]
    for names, what in (
        (report.missing, "are not in the file and begin fresh"),
        (report.mismatched, "have another shape there and begin fresh"),
        (report.unexpected, "of the file have no place here"),
    ):
        if names:
            more = ", …" if len(names) > _NAMED else ""
            said.append(f"{len(names)} tensors {what}: {', '.join(names[:_NAMED])}{more}")
    return tuple(said)
