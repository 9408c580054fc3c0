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
from scenewise.training.questions import YES_OR_NO, frames_of, scores_at_mask, yes_or_no
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
        frames, real = frames_of(model, batch)  # type: ignore[arg-type] # the registry looked
        assert batch.ids is not None
        hidden, labels = self._hide(batch.ids, batch.text_mask)
        scores: Tensor = model(frames, hidden, batch.text_mask, real)
        told = labels != IGNORED
        count = told.sum()
        right = ((scores.argmax(dim=-1) == labels) & told).sum() / count.clamp(min=1)
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
    With ``choices`` a prompt asks of each (B, C, L) whether it is the answer, targets are their
    numbers, and what is learned is "Yes" for the right one and "No" for the others, which weigh as
    much together: the official code's balanced binary cross-entropy.
    """

    def __init__(self, network: FrozenBiLM, settings: AnsweringSettings | None = None) -> None:
        super().__init__()
        self.settings = settings or AnsweringSettings()
        if self.settings.mask_id is None:
            raise TrainingError("Answering needs the tokenizer's [MASK], as objective.mask_id.")
        self.mask_id = self.settings.mask_id
        _known(self.mask_id, network.words.num_embeddings)
        if self.settings.choices and network.num_answers != len(YES_OR_NO):
            raise TrainingError(
                f"Choices are answered by Yes or No, and this network has a place for "
                f"{network.num_answers} answers; give [model] num_answers = 2."
            )

    def prepare(self, network: nn.Module) -> None:
        """The bias of words is not read where answers are scored."""
        if isinstance(network, FrozenBiLM) and network.num_answers:
            network.lm_predictions["lm_head"].get_parameter("bias").requires_grad_(False)

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        """``loss`` and ``accuracy``."""
        if batch.targets is None or batch.targets.ndim != 1:
            raise TrainingError("Answering needs the number of each question's answer.")
        if self.settings.choices:
            said, there = yes_or_no(model, batch, self.mask_id)
            scores = precise(said)
            chosen = scores.softmax(dim=2)[..., 0].argmax(dim=1)
            loss = _balanced(scores, batch.targets, there)
        else:
            scores = precise(scores_at_mask(model, batch, self.mask_id))
            chosen = scores.argmax(dim=1)
            loss = class_loss(scores, batch.targets, label_smoothing=self.settings.label_smoothing)
        right = (chosen == batch.targets).float().mean()
        return {LOSS: over_ranks(loss, len(batch)), "accuracy": right.detach()}


def _balanced(scores: Tensor, targets: Tensor, there: Tensor) -> Tensor:
    """Scores (B, C, 2) of Yes and No: half for the right choices, half for all others."""
    yes = torch.arange(scores.shape[1], device=targets.device) == targets[:, None]
    no = there & ~yes
    said = scores.log_softmax(dim=2)
    right = said[..., 0].masked_fill(~yes, 0.0).sum() / yes.sum()
    wrong = said[..., 1].masked_fill(~no, 0.0).sum() / no.sum().clamp(min=1)
    return -(right + wrong) / 2


def _known(mask_id: int, vocabulary: int) -> None:
    if mask_id >= vocabulary:
        raise TrainingError(
            f"The [MASK] {mask_id} is no word of this network's {vocabulary}; objective.mask_id "
            "is what the tokenizer gives for it."
        )
