"""Optimizers by name: AdamW, Adam, SGD and BertAdam, over groups of parameters.

It knows settings and groups; it knows no loop.
"""

from __future__ import annotations

import torch
from torch import nn

from scenewise.training.bert_adam import BertAdam
from scenewise.training.parameter_groups import parameter_groups
from scenewise.training.settings import OptimizerSettings


def make_optimizer(module: nn.Module, settings: OptimizerSettings) -> torch.optim.Optimizer:
    """The optimizer of what learns in a module, after freezing and wrapping.

    Raises TrainingError as ``parameter_groups`` does.
    """
    groups = parameter_groups(module, settings)
    if settings.name == "sgd":
        return torch.optim.SGD(
            groups, lr=settings.lr, momentum=settings.momentum, nesterov=settings.nesterov
        )
    if settings.name == "bert_adam":
        return BertAdam(groups, settings.lr, betas=settings.betas, eps=settings.eps or 1e-6)
    kind = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=settings.lr, betas=settings.betas, eps=settings.eps or 1e-8)
