"""Clip order: several clips of one video were shuffled; in which order did they come?

Dejing Xu et al., "Self-Supervised Spatiotemporal Learning via Video Clip Order Prediction", CVPR
2019: three clips of 16 frames, 8 frames apart; the vectors of each pair go through one layer, and
all pairs together name one of the 3! orders. It knows clips; the frames of all of them, and of
what lies between, come as one clip.
"""

from __future__ import annotations

from itertools import combinations, permutations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.training.learner import LOSS, Figures, Objective
from scenewise.training.losses import class_loss, precise
from scenewise.training.objective_settings import ClipOrderSettings
from scenewise.training.ranks import over_ranks


class ClipOrder(Objective):
    """Clips (B, T, C, H, W) of ``clips * frames`` frames or more to one of ``clips!`` orders."""

    orders: Tensor

    def __init__(self, network: VideoBackbone, settings: ClipOrderSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or ClipOrderSettings()
        number = self.settings.clips
        orders = torch.tensor(list(permutations(range(number))))
        self.pairs = tuple(combinations(range(number), 2))
        self.register_buffer("orders", orders, persistent=False)
        self.of_pair = nn.Linear(2 * network.num_features, self.settings.hidden)
        self.dropout = nn.Dropout(self.settings.dropout)
        self.of_all = nn.Linear(len(self.pairs) * self.settings.hidden, len(orders))

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` and ``accuracy``."""
        if batch.clips is None or not isinstance(model, VideoBackbone):
            raise TrainingError("clip_order needs clips, and a backbone to see them.")
        parts = cut(batch.clips, self.settings.clips, self.settings.frames)
        label = torch.randint(len(self.orders), (len(batch),)).to(parts.device)
        rows = rearrange(torch.arange(len(parts), device=parts.device), "b -> b 1")
        shuffled = parts[rows, self.orders[label]]
        vectors = model.features(rearrange(shuffled, "b n t c h w -> (b n) t c h w"))
        logits = precise(self._orders(rearrange(vectors, "(b n) d -> b n d", b=len(parts))))
        right = (logits.argmax(dim=1) == label).float().mean()
        loss = class_loss(logits, label)
        return {LOSS: over_ranks(loss, len(batch)), "accuracy": right.detach()}

    def _orders(self, vectors: Tensor) -> Tensor:
        """Vectors (B, N, D) of clips as shown to scores of their order (B, N!)."""
        first, second = zip(*self.pairs, strict=True)
        pairs = torch.cat([vectors[:, first], vectors[:, second]], dim=-1)
        each = F.relu(self.of_pair(pairs))
        scores: Tensor = self.of_all(self.dropout(rearrange(each, "b p d -> b (p d)")))
        return scores


def cut(clips: Tensor, number: int, frames: int) -> Tensor:
    """Clips (B, T, …) to ``number`` parts of ``frames`` each (B, N, F, …), equally far apart."""
    total = clips.shape[1]
    if total < number * frames:
        raise TrainingError(
            f"{number} clips of {frames} frames need {number * frames} and some between, got "
            f"{total}; raise data.frames or lower objective.frames."
        )
    step = frames + (total - number * frames) // (number - 1)
    return torch.stack([clips[:, k * step : k * step + frames] for k in range(number)], dim=1)
