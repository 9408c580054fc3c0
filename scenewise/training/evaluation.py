"""How good a network is at its task, as callables that the trainer is given.

Labels: the share whose class is first, or among the first five, and the mean over classes; of
labels of which a video has any number, the mean average precision. The clips of one row are
averaged as probabilities (ten-view and thirty-view testing, Simonyan and Zisserman 2014,
https://arxiv.org/abs/1406.2199). Captions: recall at 1, 5 and 10, median and mean
rank, texts for videos and videos for texts, by the network's own similarity. Questions: the share
of answers that are right. All in eval mode, without gradients; every module is afterwards in the
mode in which it was. It knows batches and metrics; it knows no dataset and no training.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.metrics.classification import (
    class_figures,
    confusion_matrix,
    top_k_accuracy,
)
from scenewise.metrics.multi_label import precision_figures
from scenewise.models.video_text.interface import Features, VideoTextModel
from scenewise.models.video_text.zero_shot import BLOCK, retrieval_figures
from scenewise.training.figures import FIGURES, SEVERAL_LABELS
from scenewise.training.outputs import ClassTokens, answers_of, video_features
from scenewise.training.questions import scores_at_mask, yes_or_no

_DIVERGED = "The network's results are no numbers: it has diverged. Lower optimizer.lr."


@contextmanager
def measuring(model: nn.Module) -> Iterator[torch.device]:
    """Eval mode without gradients, then every module as it was; gives the network's device."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    parameter = next(model.parameters(), None)
    try:
        with torch.no_grad():
            yield torch.device("cpu") if parameter is None else parameter.device
    finally:
        # one by one: a layer that is kept in eval mode on purpose stays there
        for module, mode in modes:
            module.training = mode


@dataclass(frozen=True, slots=True)
class LabelEvaluation:
    """Logits of clips, of sound or of both against classes; ``batches`` are read anew each time.

    With ``texts`` the network is a ``VideoTextModel``, and the logits are its similarities with
    the texts of the classes. ``top_5`` is given where there are more than five classes. Targets
    (B, K) are several labels at once, each a probability of its own.
    """

    batches: Iterable[Batch]
    texts: ClassTokens | None = None

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Raises TrainingError where there is nothing to measure."""
        totals: dict[int, tuple[Tensor, Tensor]] = {}  # by row: sum of probabilities, target
        views: dict[int, int] = {}
        with measuring(model) as device:
            answer = answers_of(model, self.texts)
            for batch in self.batches:
                if batch.targets is None:
                    raise TrainingError("Labels are measured on clips and their classes.")
                logits = answer(batch.to(device)).float()
                shares = logits.softmax(dim=1) if batch.targets.ndim == 1 else logits.sigmoid()
                for row, share, target in zip(
                    batch.rows.tolist(), shares.cpu(), batch.targets.cpu(), strict=True
                ):
                    before = totals.get(row)
                    totals[row] = (share if before is None else before[0] + share, target)
                    views[row] = views.get(row, 0) + 1
        if not totals:
            raise TrainingError("There is no clip to measure on; check the validation split.")
        scores = np.stack([(total / views[row]).numpy() for row, (total, _) in totals.items()])
        truth = np.stack([target.numpy() for _, target in totals.values()])
        if np.isnan(scores).any():
            raise TrainingError(_DIVERGED)
        return _label_figures(truth, scores) if truth.ndim == 1 else _precisions(truth, scores)


@dataclass(frozen=True, slots=True)
class RetrievalEvaluation:
    """Texts and videos of a ``VideoTextModel``, both ways.

    ``videos`` have clips or kept vectors, ``texts`` have ids; ``Batch.rows`` of both are rows, and
    ``video_of_row`` says which video each row shows, so that several rows may be of one. A video
    that is seen several times counts once, by its first clip.
    """

    videos: Iterable[Batch]
    texts: Iterable[Batch]
    video_of_row: Sequence[int]
    block: int = BLOCK  # texts and videos that are compared at once

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Raises TrainingError for another kind of network, or where there is nothing."""
        if not isinstance(model, VideoTextModel):
            raise TrainingError(f"{type(model).__name__} compares no texts with videos.")
        with measuring(model) as device:
            video, place = self._videos(model, device)
            text, owners = self._texts(model, device, place)
            similarity = _in_blocks(model, text, video, device, self.block)
        figures = retrieval_figures(similarity, owners)
        ways = {
            "text_to_video": figures.text_to_video.to_dict(),
            "video_to_text": figures.video_to_text.to_dict(),
        }
        return {name: ways[name[:13]][name[14:]] for name in FIGURES["captions"]}

    def _videos(
        self, model: VideoTextModel, device: torch.device
    ) -> tuple[Features, dict[int, int]]:
        """Features of each video once, on the processor, and at which place each one is."""
        parts: list[Features] = []
        place: dict[int, int] = {}
        for batch in self.videos:
            fresh = []
            for number, row in enumerate(batch.rows.tolist()):
                video = self.video_of_row[row]
                if video not in place:
                    place[video] = len(place)
                    fresh.append(number)
            if fresh:
                parts.append(_moved(video_features(model, batch.part(fresh).to(device)), "cpu"))
        if not parts:
            raise TrainingError("There is no video to measure on; check the validation split.")
        return Features.join(parts), place

    def _texts(
        self, model: VideoTextModel, device: torch.device, place: dict[int, int]
    ) -> tuple[Features, list[int]]:
        """Features of texts whose video is there, and which one that is."""
        parts: list[Features] = []
        owners: list[int] = []
        for batch in self.texts:
            if batch.ids is None:
                raise TrainingError("Retrieval is measured on texts; these batches have none.")
            videos = [place.get(self.video_of_row[row]) for row in batch.rows.tolist()]
            kept = [number for number, video in enumerate(videos) if video is not None]
            if kept:
                mask = None if batch.text_mask is None else batch.text_mask[kept].to(device)
                parts.append(_moved(model.encode_text(batch.ids[kept].to(device), mask), "cpu"))
                owners += [video for video in videos if video is not None]
        if not parts:
            raise TrainingError("There is no text to measure on; check the validation split.")
        return Features.join(parts), owners


@dataclass(frozen=True, slots=True)
class QuestionEvaluation:
    """Answers of a ``FrozenBiLM``, as classes (B,) at the one ``mask_id`` of each prompt.

    With ``choices`` the answer is the choice that is "Yes" most probably. A question whose right
    answer is none of the classes has a target below 0, and counts as wrong.
    """

    batches: Iterable[Batch]
    mask_id: int
    choices: bool = False

    def __call__(self, model: nn.Module) -> dict[str, float]:
        """Raises TrainingError for another network, or where there is no question."""
        from scenewise.models.video_text.frozen_bilm import FrozenBiLM  # brings transformers

        if not isinstance(model, FrozenBiLM):
            raise TrainingError(
                f"{type(model).__name__} answers no questions by a class; frozen_bilm does."
            )
        right = total = 0
        with measuring(model) as device:
            for batch in self.batches:
                if batch.targets is None:
                    raise TrainingError("Questions are measured on prompts and answers.")
                moved = batch.to(device)
                if self.choices:
                    said, _ = yes_or_no(model, moved, self.mask_id)
                    scores = said.float().softmax(dim=2)[..., 0]
                else:
                    scores = scores_at_mask(model, moved, self.mask_id)
                if not bool(scores.isfinite().all()):
                    raise TrainingError(_DIVERGED)
                right += int((scores.argmax(dim=1).cpu() == batch.targets.cpu()).sum())
                total += len(batch)
        if not total:
            raise TrainingError("There is no question to measure on; check the validation split.")
        return {"accuracy": right / total}


def _label_figures(
    truth: np.ndarray[tuple[int], np.dtype[np.int64]],
    scores: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> dict[str, float]:
    classes = scores.shape[1]
    figures = {"top_1": top_k_accuracy(truth, scores, 1)}
    if classes > 5:
        figures["top_5"] = top_k_accuracy(truth, scores, 5)
    by_class = class_figures(confusion_matrix(truth, scores.argmax(axis=1), classes))
    recalls = [one.recall for one in by_class if one.support]
    figures["mean_class_accuracy"] = float(np.mean(recalls))
    return figures


def _precisions(
    truth: np.ndarray[tuple[int, int], np.dtype[np.float32]],
    scores: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> dict[str, float]:
    """Raises TrainingError where no video has a label: nothing could be found."""
    found = precision_figures(truth > 0.5, scores)
    if not math.isfinite(found.macro):
        raise TrainingError("No video of the validation split has a label; check its rows.")
    return dict(zip(SEVERAL_LABELS, (found.macro, found.micro, found.weighted), strict=True))


def _in_blocks(
    model: VideoTextModel, text: Features, video: Features, device: torch.device, block: int
) -> Tensor:
    """Similarities (texts, videos) on the processor; heads that look across both need blocks."""
    rows = []
    for first in range(0, len(text), block):
        some = _moved(text[first : first + block], device)
        row = [
            model.similarity(some, _moved(video[start : start + block], device)).float().cpu()
            for start in range(0, len(video), block)
        ]
        rows.append(torch.cat(row, dim=1))
    similarity = torch.cat(rows)
    if not bool(similarity.isfinite().all()):
        raise TrainingError(_DIVERGED)
    return similarity


def _moved(features: Features, device: torch.device | str) -> Features:
    return Features(
        features.pooled.to(device),
        None if features.tokens is None else features.tokens.to(device),
        None if features.mask is None else features.mask.to(device),
    )
