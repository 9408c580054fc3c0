"""The arrow of time: does a clip run forwards or backwards?

Donglai Wei et al., "Learning and Using the Arrow of Time", CVPR 2018. A clip is reversed with
probability one half, and a linear layer on the backbone's vector tells. The paper stabilises the
camera and cuts black borders beforehand, as both betray the direction; that is the data's part. It
knows clips of colours: reversed optical flow would also change sign.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.training.learner import LOSS, Figures, Objective
from scenewise.training.losses import class_loss, precise
from scenewise.training.objective_settings import ArrowOfTimeSettings
from scenewise.training.ranks import over_ranks


class ArrowOfTime(Objective):
    """Clips (B, T, C, H, W), some reversed, to forwards (0) or backwards (1)."""

    def __init__(self, network: VideoBackbone, settings: ArrowOfTimeSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or ArrowOfTimeSettings()
        self.head = nn.Linear(network.num_features, 2)

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` and ``accuracy``."""
        if batch.clips is None or not isinstance(model, VideoBackbone):
            raise TrainingError("arrow_of_time needs clips, and a backbone to see them.")
        backwards = (torch.rand(len(batch)) < 0.5).to(batch.clips.device)
        clips = reverse(batch.clips, backwards, batch.clip_mask)
        logits = precise(self.head(model.features(clips)))
        right = (logits.argmax(dim=1) == backwards).float().mean()
        loss = class_loss(logits, backwards.long())
        return {LOSS: over_ranks(loss, len(batch)), "accuracy": right.detach()}


def reverse(clips: Tensor, which: Tensor, mask: Tensor | None = None) -> Tensor:
    """Clips (B, T, …), those of ``which`` (B,) backwards.

    Frames behind the real ones (``mask`` (B, T)) stay where they are: at the front they would
    betray the direction.
    """
    time = torch.arange(clips.shape[1], device=clips.device).expand(clips.shape[:2])
    length = clips.shape[1] if mask is None else mask.sum(dim=1, keepdim=True)
    mirrored = torch.where(time < length, length - 1 - time, time)
    order = torch.where(rearrange(which, "b -> b 1"), mirrored, time)
    return clips[rearrange(torch.arange(len(clips), device=clips.device), "b -> b 1"), order]
