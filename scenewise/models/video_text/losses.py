"""Losses of similarities whose diagonal belongs together, and one step of training by them.

InfoNCE, van den Oord et al., "Representation Learning with Contrastive Predictive Coding", 2018
(https://arxiv.org/abs/1807.03748); both ways and halved, Radford et al. 2021 (CLIP,
https://arxiv.org/abs/2103.00020); both ways and summed, Xu et al. 2021 (VideoCLIP,
https://arxiv.org/abs/2109.14084); several positives, Miech et al. 2020 (MIL-NCE,
https://arxiv.org/abs/1912.06430); margins, Gabeur et al. 2020 (MMT,
https://arxiv.org/abs/2007.10639). Rows are texts, columns are videos. It knows similarities; it
knows no network, no schedule and no second machine.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor

from scenewise.models.video_text.interface import VideoTextModel


@runtime_checkable
class HasScale(Protocol):
    """A model whose learned scale must not grow without end."""

    def clamp_scale(self) -> None:
        """Bring the scale back to where it may be, after a step."""
        ...


def info_nce(similarity: Tensor) -> Tensor:
    """Similarities (B, B) to a number: each row should choose its own column among all."""
    _square(similarity)
    return F.cross_entropy(similarity, torch.arange(len(similarity), device=similarity.device))


def symmetric_info_nce(similarity: Tensor, *, halved: bool = True) -> Tensor:
    """InfoNCE of rows and of columns: CLIP's with ``halved``, VideoCLIP's without."""
    both = info_nce(similarity) + info_nce(similarity.T)
    return both / 2 if halved else both


def mil_nce(similarity: Tensor, positives: Tensor) -> Tensor:
    """Similarities (B, N) where any of several columns is right: ``positives`` (B, N) True.

    The share of all positives together in each row; every row needs one.
    """
    if positives.shape != similarity.shape:
        raise ValueError(
            f"positives have the shape of the similarities {tuple(similarity.shape)}, got "
            f"{tuple(positives.shape)}"
        )
    right = similarity.masked_fill(~positives.bool(), -torch.inf)
    return (similarity.logsumexp(dim=1) - right.logsumexp(dim=1)).mean()


def max_margin(similarity: Tensor, margin: float = 0.05) -> Tensor:
    """Similarities (B, B): each wrong pair should be ``margin`` below the right one, both ways.

    The mean over all 2 B (B - 1) wrong pairs.
    """
    _square(similarity)
    right = similarity.diagonal()
    below = (margin + similarity - right[:, None]).relu()
    beside = (margin + similarity - right[None, :]).relu()
    wrong = ~torch.eye(len(similarity), dtype=torch.bool, device=similarity.device)
    return torch.cat([below[wrong], beside[wrong]]).mean()


def train_step(
    model: VideoTextModel,
    optimizer: torch.optim.Optimizer,
    clips: Tensor,
    ids: Tensor,
    video_mask: Tensor | None = None,
    text_mask: Tensor | None = None,
    *,
    max_norm: float | None = None,
) -> float:
    """One step on a batch of pairs, on one machine; the loss ahead of it.

    ``clips`` (B, T, C, H, W) and ``ids`` (B, L) belong together row by row. ``max_norm`` cuts the
    gradient's norm; None leaves it.
    """
    model.train()
    optimizer.zero_grad(set_to_none=True)
    loss = model.loss(model(clips, ids, video_mask, text_mask))
    torch.autograd.backward(loss)
    if max_norm is not None:
        torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    if isinstance(model, HasScale):
        model.clamp_scale()
    return float(loss.detach())


def _square(similarity: Tensor) -> None:
    if similarity.ndim != 2 or similarity.shape[0] != similarity.shape[1]:
        raise ValueError(f"similarities of pairs are (B, B), got {tuple(similarity.shape)}")
