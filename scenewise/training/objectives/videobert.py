"""What VideoBERT learns: hidden words, hidden video words, and what belongs together.

Chen Sun et al., "VideoBERT: A Joint Model for Video and Language Representation Learning", 2019
(https://arxiv.org/abs/1904.01766) trains on text alone, video alone and both; the three are summed
with weights that the paper leaves open. What is hidden, and the losses of one sequence, are in
``scenewise.models.video_text.videobert_objectives``. Joining neighbours and thinning out video
words is the data's part.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.video_text.videobert import JointTokens, VideoBERT
from scenewise.models.video_text.videobert_objectives import (
    IGNORED,
    PretrainingLosses,
    hide_tokens,
    part_some,
    pretraining_losses,
)
from scenewise.training.learner import LOSS, Figures, Objective
from scenewise.training.objective_settings import VideoBERTSettings
from scenewise.training.ranks import over_ranks


class VideoBERTPretraining(Objective):
    """Vectors (B, T, D) of clips and sentences (B, L), [CLS] first and [SEP] last."""

    def __init__(self, network: VideoBERT, settings: VideoBERTSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or VideoBERTSettings()
        if not bool(network.video_words.centroids.any()):
            raise TrainingError(
                "This VideoBERT has no video words yet, so every clip would be the same one: fill "
                "its tree by fit_video_words (scenewise.models.video_text.video_words), save it, "
                "and give it as model.weights."
            )

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss``; of joint sequences ``words``, ``video_words`` and ``alignment``."""
        if not isinstance(model, VideoBERT):
            raise TrainingError(f"videobert trains VideoBERT alone, got {type(model).__name__}.")
        if batch.features is None or batch.ids is None:
            raise TrainingError("VideoBERT reads vectors of clips (S3D) and token ids.")
        # a generator of its own for one batch, drawn from torch's, which checkpoints keep
        generator = torch.Generator().manual_seed(int(torch.randint(2**62, ())))
        text = model.text_tokens(batch.ids, batch.text_mask)
        video = model.video_tokens(batch.features, batch.feature_mask)
        moved, together = part_some(video, generator, self.settings.parted)
        joint = self._losses(model, model.joint_tokens(text, moved), generator, together)
        chosen = self.settings
        total = joint.total(chosen.words, chosen.video_words, chosen.alignment)
        if chosen.text_alone:
            total = total + chosen.text_alone * self._losses(model, text, generator).words
        if chosen.video_alone:
            total = total + chosen.video_alone * self._losses(model, video, generator).video_words
        assert joint.alignment is not None
        return {
            LOSS: total,
            "words": joint.words.detach(),
            "video_words": joint.video_words.detach(),
            "alignment": joint.alignment.detach(),
        }

    def _losses(
        self,
        model: VideoBERT,
        tokens: JointTokens,
        generator: torch.Generator,
        together: Tensor | None = None,
    ) -> PretrainingLosses:
        """The losses of some sequences, each weighed by how much it has to tell here."""
        hidden, labels = hide_tokens(model, tokens, generator)
        losses = pretraining_losses(model, hidden, labels, together)
        told, of_video = labels != IGNORED, labels >= model.first_video_word
        return PretrainingLosses(
            over_ranks(losses.words, (told & ~of_video).sum()),
            over_ranks(losses.video_words, (told & of_video).sum()),
            None if losses.alignment is None else over_ranks(losses.alignment, len(labels)),
        )
