"""What the processes of one run share of their tensors: features, and how much each counts.

Every process (rank) has a part of the batch. A contrast is only as good as its negatives are many,
so features of all ranks are gathered, with their gradients. Alone, or where no process group was
started, everything here is the identity. It knows tensors; what processes must agree on is
``processes``', and how they were started ``distributed``'s.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from scenewise.errors import TrainingError
from scenewise.models.video_text.interface import Features


def world_size() -> int:
    """How many processes learn together; 1 where nobody started a process group."""
    return dist.get_world_size() if _joined() else 1


def over_ranks(mean: Tensor, count: Tensor | int) -> Tensor:
    """A mean () over this process's ``count`` examples, weighed so that the ranks' mean is exact.

    Data-parallel training averages gradients over processes as if each had equally many examples.
    Where they have not (masked words, captions), the mean times count * ranks / all counts has
    the gradient of one process with all of them.
    """
    if world_size() == 1:
        return mean
    total = torch.as_tensor(count, dtype=torch.float64).to(mean.device, copy=True)
    own = total.clone()
    dist.all_reduce(total)
    return mean * (own * world_size() / total.clamp(min=1)).to(mean.dtype)


def gather(local: Tensor) -> Tensor:
    """(B, …) of each rank to (ranks * B, …), in order of ranks, with gradients.

    The gradient of each rank's part is the sum over what all ranks made of it: with a loss that
    every rank computes over all, and gradients averaged over ranks, weights get the gradient of
    one process with the whole batch. Raises TrainingError, on all ranks, where shapes differ.
    """
    if world_size() == 1:
        return local
    shapes = _all_shapes(local.shape)  # a small message, so that nobody waits for what never fits
    if any(shape != shapes[0] for shape in shapes):
        raise TrainingError(
            "Processes have batches of different shapes, "
            f"{', '.join('x'.join(map(str, shape)) for shape in shapes)}: a contrast over all of "
            "them needs equal ones; drop the last, smaller batch of an epoch (drop_last) and fill "
            "texts up to one length."
        )
    if local.dtype == torch.bool:
        return gather(local.to(torch.uint8)).bool()
    whole: Tensor = _Gather.apply(local)  # type: ignore[no-untyped-call]
    return whole


def gather_features(features: Features) -> Features:
    """The features of all ranks. Tokens of different numbers are filled up, where masks say so."""
    if world_size() == 1:
        return features
    tokens, mask = features.tokens, features.mask
    if tokens is not None and mask is not None:
        longest = max(shape[1] for shape in _all_shapes(tokens.shape))
        more = longest - tokens.shape[1]
        tokens, mask = F.pad(tokens, (0, 0, 0, more)), F.pad(mask, (0, more))
    return Features(
        gather(features.pooled),
        None if tokens is None else gather(tokens),
        None if mask is None else gather(mask),
    )


class _Gather(torch.autograd.Function):
    """all_gather forward, reduce_scatter of the gradients backward."""

    @staticmethod
    def forward(_ctx: Any, local: Tensor) -> Tensor:
        local = local.contiguous()
        parts = [torch.empty_like(local) for _ in range(world_size())]
        dist.all_gather(parts, local)
        return torch.cat(parts)

    @staticmethod
    def backward(_ctx: Any, gradient: Tensor) -> Tensor:
        parts = [part.contiguous() for part in gradient.chunk(world_size())]
        own = torch.empty_like(parts[0])
        dist.reduce_scatter(own, parts)
        return own


def _all_shapes(shape: torch.Size) -> list[tuple[int, ...]]:
    """The shape of each rank's tensor; all have equally many dimensions."""
    own = torch.tensor(shape).to(_wire())
    shapes = [torch.empty_like(own) for _ in range(world_size())]
    dist.all_gather(shapes, own)
    return [tuple(each.tolist()) for each in shapes]


def _wire() -> torch.device:
    """Where tensors must lie to be sent: NCCL sends from GPUs alone."""
    return torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()
