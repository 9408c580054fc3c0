"""What a video-text model can do without being trained for it: name, find, answer.

Classes by prompts and ensembles of them, Radford et al. 2021 (CLIP,
https://arxiv.org/abs/2103.00020); retrieval both ways, also with the dual softmax of Cheng et al.,
"Improving Video-Text Retrieval by Multi-Stream Corpus Alignment and Dual Softmax Loss", 2021
(CAMoE, https://arxiv.org/abs/2109.04290); one of several answers, as the text of question and
answer that fits the video best. Where in a video, says ``zero_shot_localization``.

It works with any ``VideoTextModel``, by features and ``similarity`` alone, in blocks, since heads
that attend across both sides need memory for every pair. It knows no dataset and no tokenizer:
``tokenize`` turns texts into ids and mask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from scenewise.errors import UsageError
from scenewise.metrics.classification import accuracy, top_k_accuracy
from scenewise.metrics.retrieval import mean_reciprocal_rank, median_rank, ranks_of, recall_at
from scenewise.models.video_text.interface import Features, VideoTextModel

# texts to ids (N, L) int64 and the mask (N, L) of real tokens; None: as the model says
Tokenize = Callable[[Sequence[str]], tuple[Tensor, Tensor | None]]
Ensemble = Literal["vectors", "scores"]
Ints = npt.NDArray[np.integer[Any]]
BLOCK = 64  # examples that are encoded, or compared, at once


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How well classes were named."""

    top_1: float
    top_5: float
    videos: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RetrievalFigures:
    """How well one side found the other; ranks count from 1."""

    recall_1: float
    recall_5: float
    recall_10: float
    median_rank: float
    mean_rank: float
    mean_reciprocal_rank: float
    queries: int

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class BothWays:
    """Texts that look for videos, and videos that look for texts."""

    text_to_video: RetrievalFigures
    video_to_text: RetrievalFigures
    dual_softmax: bool  # then the figures are of all queries together, and say so where printed

    def to_dict(self) -> dict[str, Any]:
        """The JSON shape."""
        return asdict(self)


@torch.no_grad()
def encode_texts(
    model: VideoTextModel, texts: Sequence[str], tokenize: Tokenize, *, block: int = BLOCK
) -> Features:
    """Features of texts; raises UsageError where there is none."""
    if not texts:
        raise UsageError("there is no text to encode; give at least one.")
    ids, mask = tokenize(texts)
    device = _device(model)
    return Features.join(
        [
            model.encode_text(
                ids[start : start + block].to(device),
                None if mask is None else mask[start : start + block].to(device),
            )
            for start in range(0, len(texts), block)
        ]
    )


@torch.no_grad()
def encode_videos(
    model: VideoTextModel, clips: Tensor, mask: Tensor | None = None, *, block: int = BLOCK
) -> Features:
    """Features of clips (N, T, C, H, W); ``mask`` (N, T) True: a real frame."""
    if not len(clips):
        raise UsageError("there is no clip to encode; give at least one.")
    device = _device(model)
    return Features.join(
        [
            model.encode_video(
                clips[start : start + block].to(device),
                None if mask is None else mask[start : start + block].to(device),
            )
            for start in range(0, len(clips), block)
        ]
    )


@torch.no_grad()
def similarity_in_blocks(
    model: VideoTextModel, text: Features, video: Features, *, block: int = BLOCK
) -> Tensor:
    """Similarities (texts, videos) as float32 on the processor, ``block`` x ``block`` at once."""
    rows = []
    for first in range(0, len(text), block):
        some = text[first : first + block]
        row = [
            model.similarity(some, video[start : start + block]).float().cpu()
            for start in range(0, len(video), block)
        ]
        rows.append(torch.cat(row, dim=1))
    return torch.cat(rows)


def class_scores(
    model: VideoTextModel,
    video: Features,
    labels: Sequence[str],
    tokenize: Tokenize,
    *,
    templates: Sequence[str] = ("{}",),
    ensemble: Ensemble | None = None,
    block: int = BLOCK,
) -> Tensor:
    """Scores (videos, classes) by prompts such as ``a video of {}``.

    Of several templates, vectors averages the texts' vectors, as published for CLIP; scores
    averages similarities, which is all that can be done where words and frames look at each
    other. ``ensemble`` None takes vectors where the model compares vectors. Raises UsageError for
    a template without ``{}``.
    """
    for template in templates:
        if "{}" not in template:
            raise UsageError(f"the template {template!r} has no {{}} for the label; put one in.")
    if not templates:
        raise UsageError("at least one template is needed, such as '{}'.")
    prompts = [template.replace("{}", label) for label in labels for template in templates]
    text = encode_texts(model, prompts, tokenize, block=block)
    if ensemble is None:
        ensemble = "vectors" if text.tokens is None and video.tokens is None else "scores"
    if ensemble == "vectors":
        if text.tokens is not None:
            raise UsageError(
                f"{type(model).__name__} compares words with frames, so vectors of prompts cannot "
                "be averaged; take ensemble='scores'."
            )
        return similarity_in_blocks(model, _averaged(text, len(labels)), video, block=block).T
    scores = similarity_in_blocks(model, text, video, block=block)
    return scores.view(len(labels), len(templates), -1).mean(dim=1).T


def class_figures(scores: Tensor, truth: Sequence[int]) -> ClassFigures:
    """Of scores (videos, classes) and the right class of each video."""
    numbers = scores.numpy()
    right = np.asarray(truth)
    return ClassFigures(
        accuracy(right, numbers.argmax(axis=1)),
        top_k_accuracy(right, numbers, min(5, numbers.shape[1])),
        len(right),
    )


def choose_answers(
    model: VideoTextModel,
    video: Features,
    questions: Sequence[str],
    choices: Sequence[Sequence[str]],
    tokenize: Tokenize,
    *,
    template: str = "{question} {answer}",
    block: int = BLOCK,
) -> list[int]:
    """Which of its answers fits each question best: the text of both, compared with its video.

    Example q is ``video[q]``, ``questions[q]`` and ``choices[q]``; an empty question leaves the
    answer alone. The first of equal answers is taken.
    """
    if not len(video) == len(questions) == len(choices):
        raise UsageError(
            f"{len(video)} videos, {len(questions)} questions and {len(choices)} lists of answers "
            "do not belong together; give one of each for every example."
        )
    texts = []
    for question, answers in zip(questions, choices, strict=True):
        if not answers:
            raise UsageError(f"the question {question!r} has no answers to choose from; give some.")
        for answer in answers:
            joined = template.replace("{question}", question).replace("{answer}", answer)
            texts.append(joined.strip())
    text = encode_texts(model, texts, tokenize, block=block)
    chosen, first = [], 0
    for number, answers in enumerate(choices):
        own = text[first : first + len(answers)]
        scores = similarity_in_blocks(model, own, video[number : number + 1], block=block)
        chosen.append(int(scores[:, 0].argmax()))
        first += len(answers)
    return chosen


def dual_softmax(similarity: Tensor, *, temperature: float = 1.0) -> Tensor:
    """Similarities (queries, items) times what each item thinks of the queries.

    ``S * softmax(S / temperature)`` over the queries, as published: an item that many queries
    like is worth less to each. It needs all queries of a test at once, so its figures stand
    apart from others'; and it needs similarities above zero, since a product turns the order of
    negative ones round.
    """
    if temperature <= 0:
        raise UsageError(f"a temperature is above 0, got {temperature:g}.")
    return similarity * (similarity / temperature).softmax(dim=0)


def retrieval_figures(
    similarity: Tensor,
    video_of_text: Sequence[int] | None = None,
    *,
    dual: bool = False,
    temperature: float = 1.0,
) -> BothWays:
    """Both ways, of similarities (texts, videos).

    ``video_of_text`` says which video each text belongs to; None: they stand in the same order.
    Of the several texts of a video the best one counts, as is usual. ``dual`` takes the dual
    softmax, over the texts for texts that look for videos, over the videos the other way round.
    """
    texts, videos = similarity.shape
    owner = np.arange(texts) if video_of_text is None else np.array(video_of_text, dtype=int)
    if len(owner) != texts or (texts and not 0 <= owner.min() <= owner.max() < videos):
        raise UsageError(
            f"{len(owner)} texts belong to videos up to {owner.max() if len(owner) else '-'}, but "
            f"there are {texts} texts and {videos} videos."
        )
    forth, back = similarity, similarity.T
    if dual:
        forth = dual_softmax(similarity, temperature=temperature)
        back = dual_softmax(similarity.T, temperature=temperature)
    return BothWays(
        _figures(ranks_of(forth.numpy(), owner)), _figures(_best_ranks(back.numpy(), owner)), dual
    )


def _best_ranks(scores: npt.NDArray[np.floating[Any]], owner: Ints) -> npt.NDArray[np.float64]:
    """For each video that has texts, the rank of its best one among the others' texts."""
    found = []
    for video in np.unique(owner):
        own = scores[video][owner == video].max()
        others = scores[video][owner != video]
        # equal scores share their mean rank, so that they earn nothing
        found.append(1 + (others > own).sum() + (others == own).sum() / 2)
    return np.array(found, dtype=np.float64)


def _figures(ranks: npt.NDArray[np.float64]) -> RetrievalFigures:
    return RetrievalFigures(
        recall_at(ranks, 1),
        recall_at(ranks, 5),
        recall_at(ranks, 10),
        median_rank(ranks),
        float(ranks.mean()) if len(ranks) else float("nan"),
        mean_reciprocal_rank(ranks),
        len(ranks),
    )


def _averaged(text: Features, classes: int) -> Features:
    """The mean vector of each class's prompts, as long as they are on average.

    For unit vectors that is CLIP's: averaged, and unit length again.
    """
    vectors = text.pooled.view(classes, -1, text.pooled.shape[1])
    mean = vectors.mean(dim=1)
    length = vectors.norm(dim=2).mean(dim=1, keepdim=True)
    return Features(mean * length / mean.norm(dim=1, keepdim=True).clamp(min=1e-12))


def _device(model: VideoTextModel) -> torch.device:
    parameter = next(model.parameters(), None)
    return torch.device("cpu") if parameter is None else parameter.device
