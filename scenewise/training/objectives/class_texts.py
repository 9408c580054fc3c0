"""Classes of videos by their names: cross-entropy over how alike a video and each name are.

Bolin Ni et al., "Expanding Language-Image Pretrained Models for General Video Recognition", 2022
(X-CLIP, https://arxiv.org/abs/2208.02816): each class is a text, the logits of a video are the
network's own similarities with all of them, and what reads the texts stays as it was pretrained,
so that they are read once, in eval mode and without gradients, and kept. As the network says how
texts and videos are compared, a text may be changed by each video that it stands beside.

It knows the interface of video-text models, tokens and targets; it knows neither the names of the
classes nor a tokenizer.
"""

from __future__ import annotations

import torch
from torch import nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.training.evaluation import measuring
from scenewise.training.learner import LOSS, Figures, Objective
from scenewise.training.losses import precise
from scenewise.training.objective_settings import ClassTextsSettings
from scenewise.training.objectives.classification import (
    check_shapes,
    one_class_loss,
    share_right,
)
from scenewise.training.outputs import ClassTokens, class_logits, text_features
from scenewise.training.ranks import over_ranks


class ClassTexts(Objective):
    """Videos against classes (B,), or shares of classes (B, K), of which ``texts`` has one each."""

    def __init__(
        self, texts: ClassTokens | None, settings: ClassTextsSettings | None = None
    ) -> None:
        """Raises TrainingError without texts."""
        super().__init__()
        self.settings = settings or ClassTextsSettings()
        if texts is None or not len(texts.ids):
            raise TrainingError(
                "class_texts learns from the names of classes, and none are given: take rows with "
                "labels, and a tokenizer as data.tokenizer."
            )
        # no part of a checkpoint: config and annotations make them again
        self.ids = nn.Buffer(texts.ids, persistent=False)
        self.mask = nn.Buffer(texts.mask, persistent=False)
        self._kept: Features | None = None

    def prepare(self, network: nn.Module) -> None:
        """Take all that reads a text out of training, unless it is to learn."""
        if self.settings.learn_text or not isinstance(network, VideoTextModel):
            return
        for parameter in _that_read(network, ClassTokens(self.ids[:1], self.mask[:1])):
            parameter.requires_grad_(False)

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` and ``accuracy``."""
        if not isinstance(model, VideoTextModel):
            raise TrainingError(
                f"Texts of classes need a video-text model, got {type(model).__name__}."
            )
        targets = batch.targets
        if targets is None:
            raise TrainingError("class_texts needs the classes of its videos.")
        logits = precise(class_logits(model, self._text(model), batch))
        check_shapes(logits, targets)
        loss = one_class_loss(logits, targets, self.settings.label_smoothing)
        return {LOSS: over_ranks(loss, len(batch)), "accuracy": share_right(logits, targets)}

    def _text(self, model: VideoTextModel) -> Features:
        texts = ClassTokens(self.ids, self.mask)
        if self.settings.learn_text:
            return text_features(model, texts)
        if self._kept is None or self._kept.pooled.device != self.ids.device:
            with measuring(model):
                self._kept = text_features(model, texts)
        return self._kept


def _that_read(network: VideoTextModel, texts: ClassTokens) -> list[nn.Parameter]:
    """The parameters that features of texts depend on."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    with measuring(network), torch.enable_grad():
        features = text_features(network, texts)
        parts = [part for part in (features.pooled, features.tokens) if part is not None]
        sums = [part.float().sum() for part in parts if part.requires_grad]
        if not sums:
            return []  # nothing of the text side learns as it is
        found = torch.autograd.grad(torch.stack(sums).sum(), learning, allow_unused=True)
    return [one for one, gradient in zip(learning, found, strict=True) if gradient is not None]
