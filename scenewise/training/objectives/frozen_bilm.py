"""What FrozenBiLM learns: words hidden in sentences that go with frames, and answers.

Antoine Yang et al., "Zero-Shot Video Question Answering via Frozen Bidirectional Language Models",
2022 (https://arxiv.org/abs/2206.08155): masked words with frames beside them, then questions whose
answer stands at [MASK]. It knows ids; prompts are made ahead of it, by a tokenizer that it does
not know.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.models.video_text.frozen_bilm import FrozenBiLM
from scenewise.models.video_text.frozen_bilm_prompts import hide_words
from scenewise.training.learner import LOSS, Figures, Objective
from scenewise.training.losses import IGNORED, class_loss, hidden_words_loss, precise
from scenewise.training.objective_settings import AnsweringSettings, MaskedWordsSettings
from scenewise.training.ranks import over_ranks


class MaskedWords(Objective):
    """Vectors of frames (B, F, D) and whole sentences (B, L): some words hidden, and told."""

    def __init__(self, network: FrozenBiLM, settings: MaskedWordsSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or MaskedWordsSettings()
        self.vocabulary = network.words.num_embeddings
        _known(self.settings.mask_id, self.vocabulary)
        if network.num_answers:
            raise TrainingError(
                f"masked_words tells words of the vocabulary, and this network tells "
                f"{network.num_answers} answers; give [model] num_answers = 0."
            )

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` and ``accuracy`` over the words that were hidden."""
        frames, ids = _given(batch)
        hidden, labels = self._hide(ids, batch.text_mask)
        scores: Tensor = model(frames, hidden, batch.text_mask, batch.feature_mask)
        told = labels != IGNORED
        count = told.sum()
        right = (scores[told].argmax(dim=-1) == labels[told]).sum() / count.clamp(min=1)
        loss = hidden_words_loss(precise(scores), labels)
        return {LOSS: over_ranks(loss, count), "accuracy": right.detach()}

    def _hide(self, ids: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        fixed = torch.isin(ids, torch.tensor(self.settings.fixed_ids, device=ids.device))
        if mask is not None:
            fixed = fixed | ~mask.bool()
        # dice are the processor's, whatever the device
        hidden, labels = hide_words(
            ids.cpu(),
            mask_id=self.settings.mask_id,
            vocabulary=self.vocabulary,
            fixed=fixed.cpu(),
            share=self.settings.share,
        )
        return hidden.to(ids.device), labels.to(ids.device)


class Answering(Objective):
    """Vectors of frames (B, F, D) and prompts (B, L) with one [MASK]: the answer stands there.

    Targets (B,) are numbers of the network's answers, or with none of words of its vocabulary.
    """

    def __init__(self, network: FrozenBiLM, settings: AnsweringSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or AnsweringSettings()
        _known(self.settings.mask_id, network.words.num_embeddings)

    def prepare(self, network: nn.Module) -> None:
        """The bias of words is not read where answers are scored."""
        if isinstance(network, FrozenBiLM) and network.num_answers:
            network.lm_predictions["lm_head"].get_parameter("bias").requires_grad_(False)

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` and ``accuracy``."""
        frames, ids = _given(batch)
        places = ids == self.settings.mask_id
        if batch.targets is None or batch.targets.ndim != 1:
            raise TrainingError("Answering needs the number of each question's answer.")
        if bool((places.sum(dim=1) != 1).any()):
            raise TrainingError(
                f"Each prompt needs exactly one [MASK], which is {self.settings.mask_id} here "
                "(objective.mask_id)."
            )
        scores = precise(model(frames, ids, batch.text_mask, batch.feature_mask)[places])
        right = (scores.argmax(dim=1) == batch.targets).float().mean()
        loss = class_loss(scores, batch.targets, label_smoothing=self.settings.label_smoothing)
        return {LOSS: over_ranks(loss, len(batch)), "accuracy": right.detach()}


def _given(batch: Batch) -> tuple[Tensor, Tensor]:
    if batch.features is None or batch.ids is None:
        raise TrainingError(
            "FrozenBiLM reads vectors of frames (CLIP ViT-L/14) and token ids; keep the vectors "
            "first and give them as features."
        )
    return batch.features, batch.ids


def _known(mask_id: int, vocabulary: int) -> None:
    if mask_id >= vocabulary:
        raise TrainingError(
            f"The [MASK] {mask_id} is no word of this network's {vocabulary}; objective.mask_id "
            "is what the tokenizer gives for it."
        )
