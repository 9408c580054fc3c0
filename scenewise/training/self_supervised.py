"""From pretraining to fine-tuning: a backbone that learned without labels hands its weights over.

Objectives without labels (``masked_video``, ``arrow_of_time``, ``clip_order``) train a backbone
made with ``num_classes = 0`` and keep their heads to themselves. The backbone is written in our own
format, and a network of the same name with classes begins with it: all but its classifier. It
knows folders and names of tensors; it knows no objective.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from scenewise.errors import TrainingError
from scenewise.models.backbones.backbone import VideoBackbone
from scenewise.models.registry import create_model, created_as
from scenewise.models.weights.load import LoadReport, load_weights
from scenewise.models.weights.own import save_pretrained


def save_backbone(network: nn.Module, folder: str | Path) -> Path:
    """Write a backbone that learned without classes, for ``begin_from``. Returns the folder."""
    if not isinstance(network, VideoBackbone) or network.num_classes:
        raise TrainingError(
            f"{type(network).__name__} is no backbone without classes; pretraining makes it with "
            "num_classes = 0."
        )
    return save_pretrained(network, folder)


def begin_from(network: nn.Module, folder: str | Path) -> LoadReport:
    """Put pretrained weights into a network with classes; its classifier stays as it was made.

    Raises TrainingError where anything but the classifier has no counterpart, as of another number
    of frames, and NetworkError where the folder holds another network.
    """
    report = load_weights(network, folder, strict=False)
    made = created_as(network)
    with torch.device("meta"):  # names alone
        bare = create_model(made.name, **{**made.options, "num_classes": 0})
    wanted = bare.state_dict().keys()
    lacking = sorted(wanted & {*report.missing, *report.mismatched})
    if lacking:
        raise TrainingError(
            f"{folder} does not fit {made.name}: {len(lacking)} tensors beside the classifier are "
            f"missing or of another shape, {lacking[0]} for one; give the options that it was "
            "pretrained with."
        )
    return report
