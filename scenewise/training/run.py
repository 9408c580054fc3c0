"""From a config to a run: rows, datasets, network, objective, optimizer, trainer, files.

It joins what the others make; it knows no loop and no file format.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader

from scenewise.data.annotations.registry import read_annotations
from scenewise.data.clip_dataset import ClipDataset, collate
from scenewise.errors import TrainingError
from scenewise.models.registry import create_model, model_card
from scenewise.models.weights.own import save_pretrained
from scenewise.training.config import Config
from scenewise.training.learner import Learner
from scenewise.training.objectives.classification import Classification
from scenewise.training.trainer import Trainer, TrainReport


def train(config: Config, folder: str | Path) -> TrainReport:
    """Run a config; the network that has learned is written to ``folder``."""
    torch.manual_seed(config.seed)
    data = config.data
    rows = read_annotations(data.dataset, data.annotations, data.train_split, task=data.task)
    card = model_card(config.model.name)
    if card.input is None:
        raise TrainingError(f"{card.name} takes no pixels.")
    root = data.videos or data.annotations
    dataset = ClipDataset(
        rows.rows,
        {video: root / video for video in rows.videos},
        rows.classes,
        frames=data.frames,
        size=data.size,
        mean=card.input.mean,
        std=card.input.std,
    )
    options = {"num_classes": len(rows.classes), **config.model.options}
    network: nn.Module = create_model(card.name, **options)
    learner = Learner(network, Classification())
    optimizer = torch.optim.AdamW(
        learner.parameters(), lr=config.optimizer.lr, weight_decay=config.optimizer.weight_decay
    )
    loader = DataLoader(
        dataset, batch_size=config.train.batch_size, shuffle=True, collate_fn=collate
    )
    report = Trainer(learner, optimizer, config.train, loader).fit()
    save_pretrained(network, Path(folder), labels=rows.classes)
    return report
