"""What FrozenBiLM is given: prompts with one [MASK], ten frames, and words hidden for training.

Antoine Yang et al. 2022 (https://arxiv.org/abs/2206.08155), as its official data sets write them.
It knows strings and tensors; it knows no network and no tokenizer.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

MASK = "[MASK]"  # of DeBERTa's tokenizer
_BLANK = "_____"  # of LSMDC's sentences with a gap


def question_prompt(question: str, *, subtitles: str = "", mask: str = MASK) -> str:
    """An open question, whose answer stands at the mask.

    >>> question_prompt("what is cut")
    'Question: What is cut? Answer: [MASK].'
    """
    return f"Question: {_asked(question)} Answer: {mask}.{_said(subtitles)}"


def blank_prompt(sentence: str, *, subtitles: str = "", mask: str = MASK) -> str:
    """A sentence with a gap of five underscores, whose word stands at the mask."""
    # only a sentence's first letter is large, as the official data sets have it
    return f"{sentence.capitalize().strip().replace(_BLANK, mask)}{_said(subtitles)}"


def choice_prompt(
    question: str, answer: str, *, subtitles: str | None = None, mask: str = MASK
) -> str:
    """One choice among several: "Yes" or "No" stands at the mask. None: nothing is said of speech.

    >>> choice_prompt("who runs", "a dog")
    "Question: Who runs? Is it 'A dog'? [MASK]."
    """
    asked = f"Question: {_asked(question)} Is it '{answer.capitalize().strip()}'? {mask}."
    return asked if subtitles is None else f"{asked} Subtitles: {subtitles}".strip()


def _asked(question: str) -> str:
    asked = question.capitalize().strip()
    return asked if asked.endswith("?") else f"{asked}?"


def _said(subtitles: str) -> str:
    return f" Subtitles: {subtitles}" if subtitles else ""


def spread_frames(frames: Tensor, count: int = 10) -> tuple[Tensor, Tensor]:
    """A video's frames (N, D) as ``count`` of them (count, D), and which are real (count,).

    More frames are thinned out evenly from the first on; fewer are filled up with zeros.
    """
    chosen, real = spread_rows(frames[None], None, count)
    return chosen[0], real[0]


def spread_rows(frames: Tensor, mask: Tensor | None, count: int) -> tuple[Tensor, Tensor]:
    """The same of B videos: (B, N, D) to (B, count, D) and (B, count).

    ``mask`` (B, N) is True where a frame is real, which the first ones are; None: all are.
    """
    batch, length, width = frames.shape
    numbers = torch.arange(count, device=frames.device).expand(batch, count)
    lengths = torch.full((batch, 1), length, device=frames.device)
    if mask is not None:
        lengths = mask.sum(dim=1, keepdim=True)
    chosen = torch.where(lengths >= count, numbers * lengths // count, numbers)
    real = numbers < lengths
    filled = F.pad(frames, (0, 0, 0, max(0, count - length)))
    spread = filled.gather(1, chosen[..., None].expand(-1, -1, width))
    return spread.masked_fill(~real[..., None], 0.0), real


def hide_words(
    ids: Tensor, *, mask_id: int, vocabulary: int, fixed: Tensor, share: float = 0.15
) -> tuple[Tensor, Tensor]:
    """Ids (B, L) for training, and labels (B, L) that are -100 but at the words chosen.

    Of the words chosen 80 % become ``mask_id``, 10 % any word, 10 % stay. ``fixed`` (B, L) is
    True at marks and padding, which are never chosen.
    """
    chosen = (torch.rand(ids.shape) < share) & ~fixed
    fate = torch.rand(ids.shape)
    hidden = torch.where(chosen & (fate < 0.8), mask_id, ids)
    other = torch.randint(vocabulary, ids.shape)
    hidden = torch.where(chosen & (fate >= 0.8) & (fate < 0.9), other, hidden)
    return hidden, torch.where(chosen, ids, -100)
