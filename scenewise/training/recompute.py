"""Activation checkpointing: blocks keep their input alone and are computed again going backward.

Sublinear memory, Chen et al. 2016 (https://arxiv.org/abs/1604.06174). Gradients are the same:
dropout draws the same again, and batch norms count a batch once. It knows modules by name; it
knows no loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.utils.checkpoint import checkpoint

from scenewise.errors import TrainingError
from scenewise.training.blocks import rows_of_blocks
from scenewise.training.learner import Learner
from scenewise.training.parameter_names import matching, named_modules, without_wrapper

AUTO = "auto"


def recompute_blocks(module: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Blocks whose names fit are computed twice from now on, in training; their names.

    ``("auto",)`` takes the blocks of all rows that the network repeats. Raises TrainingError where
    nothing fits, or where one block lies in another.
    """
    if not patterns:
        return []
    blocks = named_modules(module)
    if AUTO in patterns:
        inside = without_wrapper(module)
        network = inside.model if isinstance(inside, Learner) else inside
        names = [block for row in rows_of_blocks(network) for block in row.blocks]
        if not names:
            raise TrainingError(
                f"train.recompute: {type(network).__name__} repeats no block; name the modules."
            )
    else:
        found = [matching(one, list(blocks), "train.recompute") for one in patterns]
        names = list(dict.fromkeys(name for part in found for name in part))
        # "blocks.*" also fits what lies in the blocks, which is computed twice with them
        names = [n for n in names if not any(n.startswith(f"{other}.") for other in names)]
    for name in names:
        _wrap(blocks[name])
    return names


def _wrap(block: nn.Module) -> None:
    if isinstance(block, nn.ModuleList):
        raise TrainingError(
            "train.recompute: a list of modules is no block; write a pattern such as blocks.*."
        )
    forward = block.forward
    norms = [part for part in block.modules() if isinstance(part, _NormBase)]

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), _counted_already(norms)

    def twice(*args: Any, **options: Any) -> Any:
        if not (block.training and torch.is_grad_enabled()):
            return forward(*args, **options)
        return checkpoint(forward, *args, use_reentrant=False, context_fn=contexts, **options)

    block.forward = twice


@contextmanager
def _counted_already(norms: Sequence[_NormBase]) -> Iterator[None]:
    """In the second pass batch norms see the same batch again, which is not another one."""
    before = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum, norm.num_batches_tracked = 0.0, None
    try:
        yield
    finally:
        for norm, (momentum, count) in zip(norms, before, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, count
