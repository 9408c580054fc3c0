"""What VideoBERT is trained on: hidden words, hidden video words, and what belongs together.

Chen Sun et al., "VideoBERT: A Joint Model for Video and Language Representation Learning", 2019
(https://arxiv.org/abs/1904.01766); hiding is that of Devlin et al., "BERT", 2018
(https://arxiv.org/abs/1810.04805). How many neighbours are joined, and how the objectives weigh,
the paper leaves open: both are options here.

It knows sequences of ids; it knows no files and no optimiser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from scenewise.models.video_text.videobert import JointTokens, VideoBERT

IGNORED = -100  # the label of a token that is not to be told
SHARE = 0.15  # of the tokens are to be told
_MASKED, _ANOTHER = 0.8, 0.1  # of those, and the rest stay as they are


@dataclass(frozen=True, slots=True)
class PretrainingLosses:
    """One number each; a sequence of one modality has no alignment."""

    words: Tensor
    video_words: Tensor
    alignment: Tensor | None = None

    def total(self, words: float = 1.0, video_words: float = 1.0, alignment: float = 1.0) -> Tensor:
        """The weighted sum."""
        summed = words * self.words + video_words * self.video_words
        return summed if self.alignment is None else summed + alignment * self.alignment


def hide_tokens(
    network: VideoBERT, tokens: JointTokens, generator: torch.Generator
) -> tuple[JointTokens, Tensor]:
    """Hide 15 % of each sequence's words (one at least); the labels (B, N) say which.

    Of those hidden 80 % become [MASK], 10 % another word of the same kind, 10 % stay. [CLS],
    [SEP], [>] and padding are never hidden.
    """
    ids = tokens.ids
    marks = torch.tensor([network.cls_id, network.sep_id, network.beside], device=ids.device)
    may = tokens.mask & ~torch.isin(ids, marks)
    number = (may.sum(dim=1, keepdim=True) * SHARE).round().clamp(min=1)
    order = _random(ids, generator).masked_fill(~may, 2.0).argsort(dim=1).argsort(dim=1)
    hidden = may & (order < number)
    labels = ids.masked_fill(~hidden, IGNORED)
    dice = _random(ids, generator)
    anything = _random(ids, generator)
    first, words = network.first_video_word, len(network.video_words)
    another = torch.where(ids < first, (anything * first).long(), first + (anything * words).long())
    fresh = torch.where(hidden & (dice < _MASKED), torch.full_like(ids, network.mask_id), ids)
    swapped = hidden & (dice >= _MASKED) & (dice < _MASKED + _ANOTHER)
    return JointTokens(torch.where(swapped, another, fresh), tokens.mask, tokens.types), labels


def pretraining_losses(
    network: VideoBERT, tokens: JointTokens, labels: Tensor, together: Tensor | None = None
) -> PretrainingLosses:
    """The objectives of sequences whose words are hidden; ``together`` (B,) bool, of joint ones.

    ``labels`` (B, N) are ids of the joint vocabulary where a word is to be told, else -100. Words
    are told among all of the joint vocabulary. An objective without a word to tell is 0.
    """
    states = network.states(tokens)
    told = labels != IGNORED
    each = F.cross_entropy(network.word_logits(states[told]), labels[told], reduction="none")
    of_video = labels[told] >= network.first_video_word
    alignment = None
    if together is not None:
        # BERT's order: the first of the two scores stands for what belongs together
        alignment = F.cross_entropy(network.alignment_logits(states), (~together).long())
    return PretrainingLosses(_mean(each, ~of_video), _mean(each, of_video), alignment)


def part_some(
    video: JointTokens, generator: torch.Generator, share: float = 0.5
) -> tuple[JointTokens, Tensor]:
    """Give some examples another example's video; (B,) bool says which kept their own.

    The examples that part form a ring and pass their videos on, so that each gets a stranger's;
    one alone keeps its own.
    """
    batch = len(video.ids)
    leaving = torch.rand(batch, generator=generator) < share
    rows = torch.arange(batch)
    ring = rows[leaving]
    if len(ring) > 1:
        rows[ring] = ring.roll(1)
    there = rows.to(video.ids.device)
    moved = JointTokens(video.ids[there], video.mask[there], video.types[there])
    return moved, (rows == torch.arange(batch)).to(video.ids.device)


def join_neighbours(
    parts: Sequence[tuple[Tensor, Tensor]], generator: torch.Generator, most: int = 3
) -> list[tuple[Tensor, Tensor]]:
    """Sentences of one video, each (ids (L,) without marks, video words (T,)), joined by chance.

    Speech and picture do not begin together: runs of 1 to ``most`` sentences that follow each
    other become one, and their video words too.
    """
    joined, start = [], 0
    while start < len(parts):
        run = int(torch.randint(1, most + 1, (), generator=generator))
        texts, videos = zip(*parts[start : start + run], strict=True)
        joined.append((torch.cat(texts), torch.cat(videos)))
        start += run
    return joined


def subsample(video_words: Tensor, generator: torch.Generator, most: int = 5) -> Tensor:
    """Every word, or every second, … up to every ``most``-th of (T,): videos differ in pace."""
    return video_words[:: int(torch.randint(1, most + 1, (), generator=generator))]


def _random(like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform in [0, 1), from a generator of the processor, so that devices agree."""
    return torch.rand(like.shape, generator=generator).to(like.device)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp(min=1)
