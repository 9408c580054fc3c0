"""From a name to an objective, and which networks each can train.

It knows all objectives; it knows no data, and of a run nothing but ``[objective]``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from scenewise.errors import NetworkError, TrainingError
from scenewise.models.audio.ast import AudioSpectrogramTransformer
from scenewise.models.audio.audio_cnn import AudioCnn
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.backbones.two_branch import TwoBranch
from scenewise.models.backbones.videomae import VideoMAE
from scenewise.models.registry import created_as
from scenewise.models.video_text.frozen_bilm import FrozenBiLM
from scenewise.models.video_text.interface import VideoTextModel
from scenewise.models.video_text.videobert import VideoBERT
from scenewise.training.learner import Objective
from scenewise.training.objective_settings import (
    AnsweringSettings,
    ArrowOfTimeSettings,
    ClassificationSettings,
    ClassTextsSettings,
    ClipOrderSettings,
    ContrastiveSettings,
    MaskedVideoSettings,
    MaskedWordsSettings,
    ObjectiveSettings,
    RegressionSettings,
    VideoBERTSettings,
)
from scenewise.training.objectives.arrow_of_time import ArrowOfTime
from scenewise.training.objectives.class_texts import ClassTexts
from scenewise.training.objectives.classification import Classification
from scenewise.training.objectives.clip_order import ClipOrder
from scenewise.training.objectives.contrastive import OF_VECTORS, Contrastive
from scenewise.training.objectives.frozen_bilm import Answering, MaskedWords
from scenewise.training.objectives.masked_video import MaskedVideo
from scenewise.training.objectives.regression import Regression
from scenewise.training.objectives.videobert import VideoBERTPretraining
from scenewise.training.outputs import ClassTokens


@dataclass(frozen=True, slots=True)
class ObjectiveCard:
    """One objective. ``classes`` says whether the network is made with as many classes as labels.

    Where it is not, a backbone is made with ``num_classes = 0``.
    """

    name: str
    summary: str
    accepts: str  # which networks, to end a sentence
    classes: bool
    fits: Callable[[nn.Module, Any], bool]
    # of its settings, the network, and the texts of the classes, where they are read
    make: Callable[[Any, Any, ClassTokens | None], Objective]


_WITH_OUTPUTS = (VideoBackbone, AudioCnn, AudioSpectrogramTransformer)


def _with_outputs(network: nn.Module, _settings: Any) -> bool:
    return isinstance(network, _WITH_OUTPUTS) and bool(network.num_classes)


def _classifies(network: nn.Module, settings: Any) -> bool:
    numbers = isinstance(network, TwoBranch) and network.head not in ("softmax", "svm")
    return _with_outputs(network, settings) and not numbers


def _without_classes(network: nn.Module, _settings: Any) -> bool:
    return isinstance(network, VideoBackbone) and not network.num_classes


def _compares(network: nn.Module, settings: ContrastiveSettings) -> bool:
    if not isinstance(network, VideoTextModel):
        return False
    return network.pooled_ranks or settings.loss not in OF_VECTORS


OBJECTIVES: dict[str, ObjectiveCard] = {
    card.name: card
    for card in (
        ObjectiveCard(
            "classification",
            "classes, one or several at once, hard or as shares",
            "one with classes, such as timesformer_base, i3d_tsm_audio, audio_cnn or ast_base",
            True,
            _classifies,
            lambda settings, _network, _texts: Classification(settings),
        ),
        ObjectiveCard(
            "class_texts",
            "classes by their names, as texts beside videos",
            "a video-text model, such as xclip_b32_8f or clip4clip_mean_pool",
            False,
            lambda network, _settings: isinstance(network, VideoTextModel),
            lambda settings, _network, texts: ClassTexts(texts, settings),
        ),
        ObjectiveCard(
            "regression",
            "numbers",
            "a video backbone, audio_cnn or ast_base, whose num_classes is the number of outputs",
            True,
            lambda network, settings: (
                _with_outputs(network, settings)
                and not (isinstance(network, TwoBranch) and network.head == "svm")
            ),
            lambda settings, _network, _texts: Regression(settings),
        ),
        ObjectiveCard(
            "contrastive",
            "texts and videos that belong together",
            "a video-text model; for sigmoid and max_margin one that compares vectors alone, "
            "such as dual_encoder or clip4clip_mean_pool",
            False,
            _compares,
            lambda settings, _network, _texts: Contrastive(settings),
        ),
        ObjectiveCard(
            "masked_words",
            "hidden words of sentences beside frames",
            "frozen_bilm",
            False,
            lambda network, _settings: isinstance(network, FrozenBiLM),
            lambda settings, network, _texts: MaskedWords(network, settings),
        ),
        ObjectiveCard(
            "answering",
            "the answer at the mask of a prompt",
            "frozen_bilm",
            False,
            lambda network, _settings: isinstance(network, FrozenBiLM),
            lambda settings, network, _texts: Answering(network, settings),
        ),
        ObjectiveCard(
            "videobert",
            "hidden words, hidden video words, and what belongs together",
            "videobert, with video words that were fitted",
            False,
            lambda network, _settings: isinstance(network, VideoBERT),
            lambda settings, network, _texts: VideoBERTPretraining(network, settings),
        ),
        ObjectiveCard(
            "masked_video",
            "the pixels of hidden tubes",
            "videomae with num_classes = 0",
            False,
            lambda network, _settings: isinstance(network, VideoMAE) and not network.num_classes,
            lambda settings, network, _texts: MaskedVideo(network, settings),
        ),
        ObjectiveCard(
            "arrow_of_time",
            "whether a clip runs forwards or backwards",
            "a video backbone with num_classes = 0",
            False,
            _without_classes,
            lambda settings, network, _texts: ArrowOfTime(network, settings),
        ),
        ObjectiveCard(
            "clip_order",
            "the order of several clips of one video",
            "a video backbone with num_classes = 0",
            False,
            _without_classes,
            lambda settings, network, _texts: ClipOrder(network, settings),
        ),
    )
}

_DEFAULTS: tuple[ObjectiveSettings, ...] = (
    ClassificationSettings(),
    RegressionSettings(),
    VideoBERTSettings(),
    ContrastiveSettings(),
    AnsweringSettings(),
    MaskedWordsSettings(),
    MaskedVideoSettings(),
    ArrowOfTimeSettings(),
    ClipOrderSettings(),
    ClassTextsSettings(),
)


def make_objective(
    settings: ObjectiveSettings, network: nn.Module, texts: ClassTokens | None = None
) -> Objective:
    """The objective of these settings for this network, before optimizer and wrapping.

    ``texts`` are those of the classes, for what learns from their names.

    Parameters of the network that the objective never reads are taken out of training
    (``requires_grad`` False). Raises TrainingError where the two do not fit.
    """
    card = OBJECTIVES[settings.name]
    if not card.fits(network, settings):
        others = [other.name for other in _DEFAULTS if OBJECTIVES[other.name].fits(network, other)]
        raise TrainingError(
            f"The objective {card.name} cannot train {_name(network)}: it needs {card.accepts}. "
            f"What fits this network: {', '.join(others) or 'nothing'}."
        )
    objective = card.make(settings, network, texts)
    objective.prepare(network)
    return objective


def default_objective(network: nn.Module) -> ObjectiveSettings:
    """What a network is trained for where nobody says: its published task.

    Classes or numbers for a backbone that has outputs, answers for FrozenBiLM with answers and
    else hidden words, VideoBERT's own, a contrast for any other video-text model. Raises
    TrainingError for a network that nothing fits or that several things fit alike.
    """
    if isinstance(network, FrozenBiLM):
        return AnsweringSettings() if network.num_answers else MaskedWordsSettings()
    for settings in _DEFAULTS[:4]:
        if OBJECTIVES[settings.name].fits(network, settings):
            return settings
    raise TrainingError(
        f"Nothing says what {_name(network)} should learn; give [objective] a name: "
        f"{', '.join(OBJECTIVES)}."
    )


def _name(network: nn.Module) -> str:
    try:
        return created_as(network).name
    except NetworkError:  # not of the registry
        return type(network).__name__
