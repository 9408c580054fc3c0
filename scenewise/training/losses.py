"""Losses: tensors in, a number out.

Contrasts, captions, hidden words, classes, numbers. They know neither networks nor processes;
similarities (texts, videos) have texts as rows. InfoNCE, MIL-NCE by rows and margins are those of
``scenewise.models.video_text.losses``; pixels of hidden cubes are told by
``scenewise.models.backbones.videomae``. A mean over nothing is 0, so that a batch without a hidden
word changes nothing.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from scenewise.models.video_text.losses import mil_nce

Regression = Literal["mse", "huber", "smooth_l1"]
IGNORED = -100  # the label of a word that is not to be told


def sigmoid_loss(cosines: Tensor, log_scale: Tensor, bias: Tensor) -> Tensor:
    """Cosines (B, B) to the mean over texts of the losses of all their pairs: own or not.

    Zhai et al., "Sigmoid Loss for Language Image Pre-Training", 2023
    (https://arxiv.org/abs/2303.15343): -1/B times the sum over pairs of log sigmoid(z (t x + b)),
    z 1 on the diagonal and -1 elsewhere; t = exp(``log_scale``) begins at 10, b at -10.
    """
    _square(cosines)
    logits = log_scale.exp() * cosines + bias
    own = torch.eye(len(cosines), dtype=torch.bool, device=cosines.device)
    return -F.logsigmoid(torch.where(own, logits, -logits)).sum() / len(cosines)


def mil_nce_of_groups(similarity: Tensor) -> Tensor:
    """Similarities (B * N, B) of N texts to each of B videos, text by text; a number.

    Miech et al., "End-to-End Learning of Visual Representations from Uncurated Instructional
    Videos", 2020 (https://arxiv.org/abs/1912.06430): the share of a video's own texts among them,
    the other texts beside this video, and its texts beside the other videos. Each positive counts
    once, as in the paper's formula; the official code has them twice in the denominator.
    """
    texts, videos = similarity.shape if similarity.ndim == 2 else (0, 0)
    if not videos or texts % videos:
        raise ValueError(
            f"similarities are (B * N, B), N texts to each video, got {tuple(similarity.shape)}"
        )
    pairs = rearrange(similarity, "(b n) v -> b n v", b=videos)
    own = torch.eye(videos, dtype=torch.bool, device=similarity.device)
    of_video = rearrange(pairs, "b n v -> v (b n)")
    # its texts beside the others; its own stand in the first part already
    of_texts = rearrange(pairs.masked_fill(own[:, None], -torch.inf), "b n v -> b (n v)")
    right = own.repeat_interleave(texts // videos, dim=1)
    scores = torch.cat([of_video, of_texts], dim=1)
    return mil_nce(scores, F.pad(right, (0, of_texts.shape[1])))


def class_loss(logits: Tensor, targets: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of logits (B, K) with classes (B,) or shares (B, K) that sum to 1.

    Shares are what mixup (Zhang et al. 2017, https://arxiv.org/abs/1710.09412) and CutMix (Yun et
    al. 2019, https://arxiv.org/abs/1905.04899) make; smoothing is that of Szegedy et al. 2015
    (https://arxiv.org/abs/1512.00567).
    """
    return F.cross_entropy(logits, targets, label_smoothing=label_smoothing)


def several_labels_loss(
    logits: Tensor, targets: Tensor, *, gamma: float = 0.0, alpha: float | None = None
) -> Tensor:
    """Logits (B, K) and targets (B, K) of 0..1, each label for itself: binary cross-entropy.

    ``gamma`` above 0 is the focal loss, Lin et al., "Focal Loss for Dense Object Detection", 2017
    (https://arxiv.org/abs/1708.02002): -alpha_t (1 - p_t)^gamma log p_t, here as the mean over all
    B * K. ``alpha`` weighs what is there, 1 - alpha what is not; None: neither.
    """
    each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    if gamma:
        there = logits.sigmoid()
        wrong = there * (1 - targets) + (1 - there) * targets
        each = each * wrong**gamma
    if alpha is not None:
        each = each * (alpha * targets + (1 - alpha) * (1 - targets))
    return each.mean()


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Tensor:
    """Logits (B, K) of both to T^2 times the mean divergence of the student's softened classes.

    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015
    (https://arxiv.org/abs/1503.02531): T^2 keeps the gradient's size whatever the temperature.
    """
    divergence = F.kl_div(
        F.log_softmax(student / temperature, dim=-1),
        F.log_softmax(teacher / temperature, dim=-1),
        reduction="batchmean",
        log_target=True,
    )
    return temperature**2 * divergence


def captioning_loss(
    logits: Tensor, ids: Tensor, mask: Tensor, *, label_smoothing: float = 0.0
) -> Tensor:
    """Logits (B, L, V) of words and the words (B, L): what stands at n tells the word at n + 1.

    The mean over words that ``mask`` (B, L) calls real (True); the first is never told, nor
    padding. Teacher forcing, Williams and Zipser 1989.
    """
    told = mask[:, 1:].bool()
    return _mean_cross_entropy(logits[:, :-1][told], ids[:, 1:][told], label_smoothing)


def hidden_words_loss(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Logits (B, L, V) against labels (B, L), at the places alone whose label is not -100.

    Devlin et al., "BERT", 2018 (https://arxiv.org/abs/1810.04805).
    """
    told = labels != IGNORED
    return _mean_cross_entropy(logits[told], labels[told], label_smoothing)


def regression_loss(
    outputs: Tensor, targets: Tensor, kind: Regression = "mse", *, delta: float = 1.0
) -> Tensor:
    """Numbers (B, K) and their targets (B, K) to a mean over all.

    huber: Huber, "Robust Estimation of a Location Parameter", 1964, squares (halved) up to
    ``delta`` and is linear beyond; smooth_l1: the same over delta, Girshick, "Fast R-CNN", 2015
    (https://arxiv.org/abs/1504.08083).
    """
    if outputs.shape != targets.shape:
        raise ValueError(f"outputs {tuple(outputs.shape)}, but targets {tuple(targets.shape)}")
    if kind == "mse":
        return F.mse_loss(outputs, targets)
    if kind == "huber":
        return F.huber_loss(outputs, targets, delta=delta)
    return F.smooth_l1_loss(outputs, targets, beta=delta)


def precise(numbers: Tensor) -> Tensor:
    """Half precision to single, anything else as it is: sums of exponentials need the digits."""
    return numbers.float() if numbers.dtype in (torch.float16, torch.bfloat16) else numbers


def _mean_cross_entropy(logits: Tensor, words: Tensor, label_smoothing: float) -> Tensor:
    """Logits (M, V) and words (M,) to the mean; 0, with its gradient, of none."""
    total = F.cross_entropy(logits, words, reduction="sum", label_smoothing=label_smoothing)
    return total / max(1, len(words))


def _square(similarity: Tensor) -> None:
    if similarity.ndim != 2 or similarity.shape[0] != similarity.shape[1]:
        raise ValueError(f"similarities of pairs are (B, B), got {tuple(similarity.shape)}")
