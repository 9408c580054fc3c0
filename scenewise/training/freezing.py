"""What does not learn: parameters that are named, and norms that must not count any more.

A frozen parameter gets no gradient. A norm whose parameters are all frozen is in eval mode while
the rest trains: its running mean and variance stay as well. Partial BN, all batch norms but the
first, is TSN's (Wang et al. 2016, https://arxiv.org/abs/1608.00859). It knows modules; it knows no
optimizer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from scenewise.errors import TrainingError
from scenewise.training.parameter_names import matching, named_parameters, without_wrapper


def freeze(module: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Parameters whose names fit any of the patterns learn no more; their names.

    Raises TrainingError where a pattern fits nothing, or where nothing is left that learns.
    """
    parameters = named_parameters(module)
    frozen: dict[str, None] = {}
    for pattern in patterns:
        frozen |= dict.fromkeys(matching(pattern, list(parameters), "model.freeze"))
    for name in frozen:
        parameters[name].requires_grad_(False)
    if patterns and not any(value.requires_grad for value in parameters.values()):
        raise TrainingError(
            f"model.freeze: {', '.join(patterns)} freeze(s) every parameter, so that nothing is "
            "left to learn; name fewer."
        )
    return list(frozen)


def freeze_batch_norms(module: nn.Module, which: Literal["none", "all", "all_but_first"]) -> int:
    """Their weights, and with them their running figures, stay as they are; how many do.

    Raises TrainingError where there is none to freeze.
    """
    if which == "none":
        return 0
    norms = [part for part in without_wrapper(module).modules() if isinstance(part, _NormBase)]
    chosen = norms if which == "all" else norms[1:]
    if not chosen:
        raise TrainingError(
            f"optimizer.freeze_batch_norms is {which!r}, and the network has {len(norms)} batch "
            'norm(s); write "none".'
        )
    for norm in chosen:
        for parameter in norm.parameters():
            parameter.requires_grad_(False)
    return len(chosen)


def train_mode(module: nn.Module) -> None:
    """Training mode, but for norms that are frozen."""
    module.train()
    for part in module.modules():
        if isinstance(part, _NormBase):
            own = list(part.parameters(recurse=False))
            if own and not any(parameter.requires_grad for parameter in own):
                part.eval()
