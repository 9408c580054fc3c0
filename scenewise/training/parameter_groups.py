"""Which parameters learn at which rate, and which are made smaller.

Norms, biases and everything else of one dimension are not decayed, as in BERT, CLIP and MAE. Layer
decay gives block i of N the rate ``decay ** (N + 1 - i)``: blocks count from 1, what comes ahead
of them is 0, what comes after them N + 1 (BEiT, Bao et al. 2021, https://arxiv.org/abs/2106.08254;
VideoMAE's fine-tuning, Tong et al. 2022, https://arxiv.org/abs/2203.12602, with 0.75). It knows
names, patterns and the order of a network; it knows no optimizer.
"""

from __future__ import annotations

from typing import Any

from torch import nn

from scenewise.errors import TrainingError
from scenewise.training.blocks import rows_of_blocks
from scenewise.training.learner import Learner
from scenewise.training.parameter_names import matching, named_parameters, without_wrapper
from scenewise.training.settings import GroupSettings, OptimizerSettings

NAME = "name"  # of a group
BASE = "base"  # what no pattern takes


def parameter_groups(module: nn.Module, settings: OptimizerSettings) -> list[dict[str, Any]]:
    """What ``torch.optim`` takes: groups with ``name``, ``lr``, ``initial_lr``, ``weight_decay``.

    Only parameters that learn are in them. Raises TrainingError for a pattern that fits nothing,
    for a network whose layers have no order, and where nothing learns.
    """
    parameters = named_parameters(module)
    chosen = _chosen(list(parameters), settings)
    depths, top = _depths(module) if settings.layer_decay is not None else ({}, 0)
    made: dict[str, dict[str, Any]] = {}
    for name, parameter in parameters.items():
        if not parameter.requires_grad:
            continue
        group = chosen.get(name)
        scale = 1.0 if group is None else group.lr_scale
        decay = settings.weight_decay
        if group is not None and group.weight_decay is not None:
            decay = group.weight_decay
        label = BASE if group is None else group.pattern
        if settings.layer_decay is not None:
            depth = depths.get(name, top)
            scale *= settings.layer_decay ** (top - depth)
            label += f", layer {depth}"
        if parameter.ndim <= 1 and not settings.decay_vectors and decay:
            decay = 0.0
            label += ", no decay"
        lr = settings.lr * scale
        entry = {NAME: label, "params": [], "lr": lr, "initial_lr": lr, "weight_decay": decay}
        made.setdefault(label, entry)["params"].append(parameter)
    if not made:
        raise TrainingError("No parameter learns: all of them are frozen.")
    return list(made.values())


def _chosen(names: list[str], settings: OptimizerSettings) -> dict[str, GroupSettings]:
    """The group of each name that has one: the first whose pattern fits."""
    chosen: dict[str, GroupSettings] = {}
    for group in settings.groups:
        for name in matching(group.pattern, names, "optimizer.groups"):
            chosen.setdefault(name, group)
    return chosen


def _depths(module: nn.Module) -> tuple[dict[str, int], int]:
    """The depth of each parameter of the network, and that of what comes after all blocks."""
    inside = without_wrapper(module)
    network = inside.model if isinstance(inside, Learner) else inside
    rows = rows_of_blocks(network)
    if len(rows) != 1:
        found = ", ".join(row.pattern for row in rows) or "none"
        raise TrainingError(
            "optimizer.layer_decay needs a network with one row of blocks, and "
            f"{type(network).__name__} has {found}; leave it out, or give optimizer.groups."
        )
    order = {block: number for number, block in enumerate(rows[0].blocks, start=1)}
    top = len(order) + 1
    depths: dict[str, int] = {}
    reached = 0
    for name, _ in network.named_parameters():
        block = next((block for block in order if name.startswith(f"{block}.")), None)
        if block is not None:
            reached = order[block]
        # between two blocks: with the lower one; after the last: the top
        depths[name] = top if block is None and reached == top - 1 else reached
    return depths, top
