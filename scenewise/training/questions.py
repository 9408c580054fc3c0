"""Questions as FrozenBiLM is asked them: prompts with one [MASK], and numbers of answers.

Open questions have the most frequent answers of training for classes, and training leaves out rows
of any other; of several choices each is asked by itself, and "Yes" or "No" stands at the mask, as
the official data sets have it (https://arxiv.org/abs/2206.08155). It knows rows and ids; it knows
no objective and no tokenizer's file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from scenewise.data.batch import Batch
from scenewise.data.rows import Annotations, QuestionRow
from scenewise.errors import DataError, TrainingError
from scenewise.models.video_text.frozen_bilm_prompts import (
    choice_prompt,
    question_prompt,
    spread_rows,
)
from scenewise.training.objective_settings import AnsweringSettings

if TYPE_CHECKING:  # it brings transformers
    from scenewise.models.video_text.frozen_bilm import FrozenBiLM

YES_OR_NO = ("Yes", "No")
Split = Annotations[QuestionRow]


def ask(train: Split, val: Split | None, settings: AnsweringSettings) -> tuple[Split, Split | None]:
    """Both splits as they are asked; ``classes`` are the answers, by their numbers.

    Rows of the other kind (with choices, or without) are left out, and a note counts them. Raises
    DataError where no row of training is left.
    """
    kept = _of_kind(train, settings)
    if not kept.rows:
        other = "have no choices" if settings.choices else "have choices"
        raise DataError(
            f"The {len(train)} questions of {train.split} {other}; set objective.choices = "
            f"{str(not settings.choices).lower()}."
        )
    seen = None if val is None else _of_kind(val, settings)
    if settings.choices:
        learnt = _chosen_from(kept)
        answered = tuple(row for row in learnt.rows if row.choice is not None)
        return replace(learnt, rows=answered), None if seen is None else _chosen_from(seen)
    counts = Counter(answer for row in kept.rows if (answer := row.usual_answer) is not None)
    answers = tuple(sorted(counts, key=lambda answer: (-counts[answer], answer)))
    answers = answers[: settings.answers]
    if len(answers) < 2:
        raise DataError(
            f"The questions of {train.split} have {len(answers)} answers, and 2 or more are needed."
        )
    told = frozenset(answers)
    known = tuple(row for row in kept.rows if row.usual_answer in told)
    notes = kept.notes
    if len(known) < len(kept):
        others = len(kept) - len(known)
        notes = (*notes, f"{others} questions of training have none of {len(answers)} answers")
    learnt = replace(kept, rows=known, notes=notes)
    return _open(learnt, answers), None if seen is None else _open(seen, answers)


def frames_of(network: FrozenBiLM, batch: Batch) -> tuple[Tensor, Tensor]:
    """Vectors (B, F, D) of as many frames as the network reads, and which are real (B, F).

    Words stand behind all of them, so a short video is filled up. Raises TrainingError without
    vectors.
    """
    if batch.features is None or batch.ids is None:
        raise TrainingError(
            "FrozenBiLM reads vectors of frames (CLIP ViT-L/14) and token ids; keep the vectors "
            "first and give them as features."
        )
    return spread_rows(batch.features, batch.feature_mask, network.max_frames)


def scores_at_mask(network: Any, batch: Batch, mask_id: int) -> Tensor:
    """Scores of the answers, or of the words, at each prompt's [MASK], (B, A)."""
    frames, real = frames_of(network, batch)
    assert batch.ids is not None  # frames_of looked
    _check(batch.ids, mask_id, None)
    return _at_mask(network, frames, real, batch.ids, batch.text_mask, mask_id)


def yes_or_no(network: Any, batch: Batch, mask_id: int) -> tuple[Tensor, Tensor]:
    """Scores of "Yes" and "No" for each choice (B, C, 2), and which choices are real (B, C).

    What is no real choice has the lowest score of "Yes". Raises TrainingError without choices.
    """
    frames, real = frames_of(network, batch)
    if batch.choices is None or batch.choice_mask is None or batch.choice_text_mask is None:
        raise TrainingError("These questions have no choices; set objective.choices = false.")
    asked, there = batch.choices, batch.choice_mask
    _check(asked.flatten(0, 1), mask_id, there.flatten())
    each = asked.shape[1]
    said = _at_mask(
        network,
        frames.repeat_interleave(each, dim=0),
        real.repeat_interleave(each, dim=0),
        asked.flatten(0, 1),
        batch.choice_text_mask.flatten(0, 1),
        mask_id,
    )
    scores = said.reshape(*asked.shape[:2], -1)
    unreal = torch.tensor([-torch.inf, 0.0], dtype=said.dtype, device=said.device)
    return torch.where(there[..., None], scores, unreal), there


def _at_mask(
    network: Any, frames: Tensor, real: Tensor, ids: Tensor, words: Tensor | None, mask_id: int
) -> Tensor:
    """Scores (B, A) at the mask; of a row without one, at its first word."""
    scores: Tensor = network(frames, ids, words, real)
    places = (ids == mask_id).int().argmax(dim=1)
    at_mask: Tensor = scores[torch.arange(len(ids), device=ids.device), places]
    return at_mask


def _check(ids: Tensor, mask_id: int, there: Tensor | None) -> None:
    """Whether each prompt that is there has one [MASK]."""
    if ids.is_meta:  # a dry run: there are shapes and no words
        return
    wrong = (ids == mask_id).sum(dim=1) != 1
    if bool((wrong if there is None else wrong & there).any()):
        raise TrainingError(
            f"Each prompt needs exactly one [MASK], which is {mask_id} here: is data.text_length "
            "long enough for the questions?"
        )


def _of_kind(split: Split, settings: AnsweringSettings) -> Split:
    kept = tuple(row for row in split.rows if bool(row.choices) == settings.choices)
    if len(kept) == len(split):
        return split
    kind = "have no choices" if settings.choices else "have choices"
    left = f"{len(split) - len(kept)} questions of {split.split} {kind} and are left out"
    return replace(split, rows=kept, notes=(*split.notes, left))


def _open(split: Split, answers: tuple[str, ...]) -> Split:
    rows = tuple(replace(row, question=question_prompt(row.question)) for row in split.rows)
    return replace(split, rows=rows, classes=answers)


def _chosen_from(split: Split) -> Split:
    """Each choice as a prompt of its own; which is right is told by its number."""
    rows = tuple(
        replace(
            row,
            choices=tuple(choice_prompt(row.question, choice) for choice in row.choices),
            choice=row.right_choice,
        )
        for row in split.rows
    )
    return replace(split, rows=rows, classes=YES_OR_NO)
