"""Texts and videos that belong together: nearer than what does not, over all processes.

Every process encodes its own pairs; features are gathered with their gradients and every process
compares all of them, as CLIP4Clip and X-CLIP were trained, so that any network's own way to compare
(one vector, words and frames, a transformer over each pair) sees the whole batch. It knows the
interface of video-text models and the losses; it knows no network.
"""

from __future__ import annotations

import math

import torch
from einops import rearrange
from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.video_text.contrast import cosines
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.losses import max_margin, symmetric_info_nce
from scenewise.training.learner import LOSS, Figures, Objective
from scenewise.training.losses import mil_nce_of_groups, precise, sigmoid_loss
from scenewise.training.objective_settings import ContrastiveSettings
from scenewise.training.outputs import video_features
from scenewise.training.ranks import gather_features

FIRST_SCALE, FIRST_BIAS = math.log(10.0), -10.0  # of the sigmoid loss, as published
OF_VECTORS = ("sigmoid", "max_margin")  # losses of plain cosines, without the network's own scale


class Contrastive(Objective):
    """Clips and ids (B, L), or (B, N, L): N captions of each clip, for ``mil_nce``.

    ``own``, ``info_nce`` and ``mil_nce`` read the network's similarities as it scales them;
    ``sigmoid`` and ``max_margin`` read cosines of its vectors. The sigmoid's scale and bias are
    parameters of the objective. Clips may be vectors (``batch.features``) or streams of experts,
    where the network reads those.
    """

    def __init__(self, settings: ContrastiveSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or ContrastiveSettings()
        if self.settings.loss == "sigmoid":
            self.log_scale = nn.Parameter(torch.tensor(FIRST_SCALE))
            self.bias = nn.Parameter(torch.tensor(FIRST_BIAS))

    def prepare(self, network: nn.Module) -> None:
        """Take the network's own scale out of training where the loss does not read it."""
        if self.settings.loss in OF_VECTORS:
            for parameter in network.parameters():
                if parameter.ndim == 0:
                    parameter.requires_grad_(False)

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` and ``recall_1``: how many texts have their own clip for the nearest of all."""
        if not isinstance(model, VideoTextModel):
            raise TrainingError(f"A contrast needs a video-text model, got {type(model).__name__}.")
        text = gather_features(self._texts(model, batch))
        video = gather_features(video_features(model, batch))
        if len(video) < 2:
            raise TrainingError(
                "A contrast needs 2 pairs or more in a batch, got 1: raise train.batch_size, and "
                "drop a last batch of 1."
            )
        if self.settings.loss in OF_VECTORS:
            similarity = precise(cosines(text.pooled, video.pooled))
        else:
            similarity = precise(model.similarity(text, video))
        captions = len(text) // len(video)
        own = torch.arange(len(text), device=similarity.device) // captions
        right = (similarity.argmax(dim=1) == own).float().mean()
        return {LOSS: self._loss(model, similarity), "recall_1": right.detach()}

    def _loss(self, model: VideoTextModel, similarity: Tensor) -> Tensor:
        loss = self.settings.loss
        if loss == "sigmoid":
            return sigmoid_loss(similarity, self.log_scale, self.bias)
        if loss == "max_margin":
            return max_margin(similarity, self.settings.margin)
        if loss == "mil_nce":
            return mil_nce_of_groups(similarity)
        if loss == "info_nce":
            return symmetric_info_nce(similarity)
        return model.loss(similarity)

    def _texts(self, model: VideoTextModel, batch: Batch) -> Features:
        ids, mask = batch.ids, batch.text_mask
        if ids is None:
            raise TrainingError("A contrast needs the token ids of captions, and none are here.")
        if ids.ndim == 3:
            if ids.shape[1] > 1 and self.settings.loss != "mil_nce":
                raise TrainingError(
                    f"{ids.shape[1]} captions a clip need the loss mil_nce; with "
                    f"{self.settings.loss} give one."
                )
            ids = rearrange(ids, "b n l -> (b n) l")
            mask = None if mask is None else rearrange(mask, "b n l -> (b n) l")
        return model.encode_text(ids, mask)
