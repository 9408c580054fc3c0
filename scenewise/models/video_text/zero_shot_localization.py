"""Where in a video a text is shown, and what is done when, without training.

A video is looked at in windows. A sentence is where windows stand above a threshold. Steps and
actions are told second by second, as Xu et al., "VideoCLIP: Contrastive Pre-training for Zero-shot
Video-Text Understanding", 2021 (https://arxiv.org/abs/2109.14084), and its code (fairseq,
examples/MMPT) evaluate them: every second has the mean of the windows over it. Segmentation takes
the best label where it is more like the video than any two labels are like each other, else none.
Step localisation takes one second for each step, in their order (Zhukov et al., "Cross-task weakly
supervised learning from instructional videos", 2019, https://arxiv.org/abs/1903.08225). It knows
scores over time; it knows no dataset.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from scenewise.errors import UsageError
from scenewise.metrics.classification import accuracy
from scenewise.metrics.localization import Span
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.zero_shot import (
    BLOCK,
    Tokenize,
    encode_texts,
    encode_videos,
    similarity_in_blocks,
)

Floats = npt.NDArray[np.floating[Any]]
BACKGROUND = -1  # the label of a second in which nothing is done


@dataclass(frozen=True, slots=True)
class Windows:
    """A video cut into clips (N, T, C, H, W), the real frames (N, T), and the time of each."""

    clips: Tensor
    mask: Tensor
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class ScoredSpan:
    """Seconds in which a text is shown, and the mean score there."""

    start: float
    end: float
    score: float


def windows_of(frames: Tensor, *, fps: float, length: int, stride: int | None = None) -> Windows:
    """Frames (T, C, H, W) of one video as windows of ``length`` frames.

    ``stride`` None is the length; a stride of 1 and a length of 1 looks at each frame. The last
    window is filled up with frames that its mask says are none.
    """
    stride = length if stride is None else stride
    if not len(frames) or length < 1 or not stride >= 1 or fps <= 0:
        raise UsageError(
            f"{len(frames)} frames at {fps:g} a second cannot be cut into windows of {length} "
            f"every {stride}; all are at least 1, the rate above 0."
        )
    # the last begins where the one before does not reach the end
    count = 1 + max(0, math.ceil((len(frames) - length) / stride))
    clips, masks, spans = [], [], []
    for first in range(0, count * stride, stride):
        part = frames[first : first + length]
        missing = length - len(part)
        clips.append(torch.cat([part, part.new_zeros(missing, *part.shape[1:])]))
        masks.append(torch.arange(length) < len(part))
        spans.append((first / fps, (first + len(part)) / fps))
    return Windows(torch.stack(clips), torch.stack(masks), tuple(spans))


def window_scores(
    model: VideoTextModel,
    windows: Windows,
    texts: Sequence[str] | Features,
    tokenize: Tokenize | None = None,
    *,
    block: int = BLOCK,
) -> Tensor:
    """Similarities (windows, texts)."""
    if not isinstance(texts, Features):
        if tokenize is None:
            raise UsageError("texts need a tokenizer; give tokenize, or features of the texts.")
        texts = encode_texts(model, texts, tokenize, block=block)
    video = encode_videos(model, windows.clips, windows.mask, block=block)
    return similarity_in_blocks(model, texts, video, block=block).T


def spans_above(
    scores: Sequence[float] | Tensor, spans: Sequence[Span], threshold: float | None = None
) -> list[ScoredSpan]:
    """Where one text is shown: runs of windows at or above the threshold, the best first.

    Windows that touch or overlap join. ``threshold`` None is half-way between the lowest and the
    highest score, so that something is always found; a text that may not occur needs a threshold.
    """
    values = [float(score) for score in scores]
    if len(values) != len(spans):
        raise UsageError(f"{len(values)} scores do not go with {len(spans)} windows.")
    if not values:
        return []
    if threshold is None:
        threshold = (min(values) + max(values)) / 2
    runs: list[list[int]] = []
    for number, value in enumerate(values):
        if value < threshold:
            continue
        # a window below between two that overlap does not part them: their seconds are shared
        if runs and spans[number][0] <= spans[runs[-1][-1]][1] + 1e-9:
            runs[-1].append(number)
        else:
            runs.append([number])
    found = [
        ScoredSpan(
            spans[run[0]][0],
            max(spans[number][1] for number in run),
            sum(values[number] for number in run) / len(run),
        )
        for run in runs
    ]
    return sorted(found, key=lambda span: -span.score)


def scores_by_second(scores: Tensor, spans: Sequence[Span], seconds: int) -> Tensor:
    """Scores of windows (N, K) as those of seconds (seconds, K).

    A second has the mean of the windows over its middle; where there is none, that of the
    nearest window.
    """
    if len(scores) != len(spans) or not len(spans):
        raise UsageError(f"{len(scores)} scores do not go with {len(spans)} windows.")
    middles = torch.arange(seconds) + 0.5
    starts = torch.tensor([start for start, _ in spans])
    ends = torch.tensor([end for _, end in spans])
    distance = torch.maximum(starts[None] - middles[:, None], middles[:, None] - ends[None])
    over = (starts[None] <= middles[:, None]) & (middles[:, None] < ends[None])
    nearest = distance == distance.amin(dim=1, keepdim=True)
    used = torch.where(over.any(dim=1, keepdim=True), over, nearest).to(scores.dtype)
    return used @ scores / used.sum(dim=1, keepdim=True)


@torch.no_grad()
def label_threshold(model: VideoTextModel, labels: Features) -> float:
    """The largest similarity of two different labels, VideoCLIP's threshold for ``segment``.

    Labels stand in for videos here, so the model must compare one vector with one vector.
    """
    if labels.tokens is not None or len(labels) < 2:
        raise UsageError(
            f"{type(model).__name__} with {len(labels)} labels has no threshold of its own: at "
            "least two labels are needed, as vectors; give a threshold."
        )
    similarity = similarity_in_blocks(model, labels, Features(labels.pooled))
    return float(similarity.fill_diagonal_(-torch.inf).max())


def segment(scores: Tensor, threshold: float | None = None) -> npt.NDArray[np.int64]:
    """The label (seconds,) of each second from scores (seconds, K).

    The best one where it is above ``threshold``, else ``BACKGROUND``; None: always the best one.
    """
    best, labels = scores.max(dim=1)
    if threshold is not None:
        labels = torch.where(best > threshold, labels, BACKGROUND)
    return np.asarray(labels.numpy(), dtype=np.int64)


def segmentation_accuracy(truth: Sequence[int], predicted: Sequence[int]) -> float:
    """The share of seconds with the right label, the background being one of them."""
    return accuracy(np.asarray(truth), np.asarray(predicted))


def locate_steps(scores: Tensor, *, ordered: bool = False) -> list[int]:
    """The second of each step from scores (seconds, steps).

    The best second of each; with ``ordered`` the best sum where each step comes after the one
    before, as a recipe has it; VideoCLIP's code sums ``scores.log_softmax(dim=1)``. Raises
    UsageError where there are fewer seconds than steps.
    """
    if not ordered:
        return [int(second) for second in scores.argmax(dim=0)]
    values: Floats = scores.double().numpy()
    seconds, steps = values.shape
    if seconds < steps:
        raise UsageError(f"{steps} steps do not fit one after another into {seconds} seconds.")
    # best[t]: the sum of the steps so far, the last of them at or before second t
    at = np.full((steps, seconds), -np.inf)
    chosen = np.zeros((steps, seconds), dtype=np.int64)
    for step in range(steps):
        before = np.zeros(seconds) if step == 0 else np.concatenate([[-np.inf], at[step - 1][:-1]])
        here = before + values[:, step]
        best = -np.inf
        for second in range(seconds):
            if here[second] > best:
                best, where = here[second], second
            at[step, second] = best
            chosen[step, second] = where if best > -np.inf else 0
    places, last = [], seconds - 1
    for step in reversed(range(steps)):
        last = int(chosen[step, last])
        places.append(last)
        last -= 1
    return places[::-1]


def step_recall(located: Sequence[int], true: Sequence[Span | None]) -> float:
    """The share of steps whose second is one of those of the true span; None: not shown.

    The seconds of a span are all that it touches. Steps that are not shown do not count; nan
    where none is.
    """
    if len(located) != len(true):
        raise UsageError(f"{len(located)} located steps do not go with {len(true)} true ones.")
    hits = [
        int(math.floor(span[0]) <= second < math.ceil(span[1]))
        for second, span in zip(located, true, strict=True)
        if span is not None
    ]
    return accuracy(np.ones(len(hits), dtype=np.int64), np.array(hits, dtype=np.int64))
