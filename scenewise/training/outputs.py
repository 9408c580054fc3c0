"""What a network says of a batch: of clips, of their sound, or of both.

It knows which networks see and which hear; it knows neither targets nor losses.
"""

from __future__ import annotations

from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.audio.audio_cnn import AudioCnn
from scenewise.models.audio.log_mel import LogMel
from scenewise.models.backbones.two_branch import TwoBranch


def outputs_of(model: nn.Module, batch: Batch) -> Tensor:
    """Outputs (B, K) for the clips, for their sound where it hears alone, or for both.

    Raises TrainingError where the batch lacks what the network takes.
    """
    if isinstance(model, AudioCnn):
        if batch.sound is None:
            raise TrainingError(f"{type(model).__name__} needs sound, and this batch has none.")
        heard: Tensor = model(batch.sound)
        return heard
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


def check_sound_rate(model: nn.Module, rate: int | None) -> None:
    """Whether sound is loaded at the rate that the network hears; ``rate`` None: there is none.

    Raises TrainingError.
    """
    hears = next((part for part in model.modules() if isinstance(part, LogMel)), None)
    if hears is None:
        return
    wanted = hears.settings.sample_rate
    if rate != wanted:
        given = "not given" if rate is None else str(rate)
        raise TrainingError(
            f"data.sound_rate is {given}, and this network hears {wanted} samples a second; set "
            f"data.sound_rate = {wanted}."
        )
