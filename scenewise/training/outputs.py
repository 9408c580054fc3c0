"""What a network says of a batch: of clips, their sound, both, or beside texts of classes.

It knows which networks see, which hear and which compare; it knows neither targets nor losses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.audio.ast import AudioSpectrogramTransformer
from scenewise.models.audio.audio_cnn import AudioCnn
from scenewise.models.audio.log_mel import LogMel
from scenewise.models.backbones.two_branch import TwoBranch
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.zero_shot import BLOCK
from scenewise.training.spectra import AST_RATE, spectra_of


@dataclass(frozen=True, slots=True)
class ClassTokens:
    """One text for each of K classes, in the order of their numbers, as token ids."""

    ids: Tensor  # (K, L) int64
    mask: Tensor  # (K, L) bool: a real token


def outputs_of(model: nn.Module, batch: Batch) -> Tensor:
    """Outputs (B, K) for the clips, for their sound where it hears alone, or for both.

    Raises TrainingError where the batch lacks what the network takes.
    """
    if isinstance(model, VideoTextModel):
        raise TrainingError(
            f"{type(model).__name__} names classes by their texts alone, and none are given: "
            "set objective.name = 'class_texts'."
        )
    if isinstance(model, AudioCnn | AudioSpectrogramTransformer):
        if batch.sound is None:
            raise TrainingError(f"{type(model).__name__} needs sound, and this batch has none.")
        heard = batch.sound
        if isinstance(model, AudioSpectrogramTransformer):
            heard = spectra_of(model, heard)
        said: Tensor = model(heard)
        return said
    if batch.clips is None:
        raise TrainingError(f"{type(model).__name__} needs clips, and this batch has none.")
    if isinstance(model, TwoBranch) and model.sound is not None:
        if batch.sound is None:
            raise TrainingError(
                "This network has a branch for sound, and the batch has none: load sound with the "
                "clips, or take the network without the branch."
            )
        return model(batch.clips, batch.sound, batch.has_sound)  # type: ignore[no-any-return]
    outputs: Tensor = model(batch.clips)
    return outputs


def answers_of(model: nn.Module, texts: ClassTokens | None = None) -> Callable[[Batch], Tensor]:
    """What gives the outputs (B, K) of batches; with ``texts``, which are read now, once for all.

    Raises TrainingError for texts and a network that compares none.
    """
    if texts is None:
        return partial(outputs_of, model)
    if not isinstance(model, VideoTextModel):
        raise TrainingError(f"{type(model).__name__} compares no texts of classes with videos.")
    return partial(class_logits, model, text_features(model, texts))


def class_logits(model: VideoTextModel, text: Features, batch: Batch) -> Tensor:
    """Logits (B, K): how alike the network finds each video and the text of each of K classes."""
    return model.similarity(text, video_features(model, batch)).T


def text_features(model: VideoTextModel, texts: ClassTokens) -> Features:
    """Of the texts of all classes, some at a time, on the device of the network."""
    parameter = next(model.parameters(), None)
    device = texts.ids.device if parameter is None else parameter.device
    ids, mask = texts.ids.to(device), texts.mask.to(device)
    blocks = [slice(start, start + BLOCK) for start in range(0, len(ids), BLOCK)]
    return Features.join([model.encode_text(ids[block], mask[block]) for block in blocks])


def video_features(model: VideoTextModel, batch: Batch) -> Features:
    """Of clips, of vectors, or of experts: what the batch has. Raises TrainingError for nothing."""
    if batch.clips is not None:
        return model.encode_video(batch.clips, batch.clip_mask)
    if batch.features is not None:
        return model.encode_video(batch.features, batch.feature_mask)
    if batch.experts is not None:
        # MMT reads streams in the place of pixels
        return model.encode_video(batch.experts)  # type: ignore[arg-type]
    raise TrainingError(
        f"{type(model).__name__} needs clips, vectors or streams of experts, and this batch has "
        "none."
    )


def check_sound_rate(model: nn.Module, rate: int | None) -> None:
    """Whether sound is loaded at the rate that the network hears; ``rate`` None: there is none.

    Raises TrainingError.
    """
    hears = next((part for part in model.modules() if isinstance(part, LogMel)), None)
    if hears is None and not isinstance(model, AudioSpectrogramTransformer):
        return
    wanted = AST_RATE if hears is None else hears.settings.sample_rate
    if rate != wanted:
        given = "not given" if rate is None else str(rate)
        raise TrainingError(
            f"data.sound_rate is {given}, and this network hears {wanted} samples a second; set "
            f"data.sound_rate = {wanted}."
        )
