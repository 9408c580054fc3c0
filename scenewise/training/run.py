"""From a config to a run: rows, datasets, network, objective, optimizer, trainer, files.

It joins what the others make; it knows no loop and no file format.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from scenewise.data.annotations.registry import read_annotations
from scenewise.data.augment.mixing import Mixer
from scenewise.data.build import make_dataset, make_loader, make_sampler, pixels_for
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
    dataset = make_dataset(
        rows.rows,
        {video: root / video for video in rows.videos},
        data,
        mode="train",
        split=data.train_split,
        pixels=pixels_for(card, data),
        augment=config.augment,
        classes=rows.classes,
        seed=config.seed,
    )
    sampler = make_sampler(dataset, data, config.train.batch_size, mode="train", seed=config.seed)
    options = {"num_classes": len(rows.classes), **config.model.options}
    network: nn.Module = create_model(card.name, **options)
    learner = Learner(network, Classification())
    optimizer = torch.optim.AdamW(
        learner.parameters(), lr=config.optimizer.lr, weight_decay=config.optimizer.weight_decay
    )
    mixer = Mixer(config.augment, len(rows.classes), config.seed)
    with make_loader(dataset, sampler, data.workers, mixer=mixer) as loader:
        report = Trainer(learner, optimizer, config.train, loader).fit()
    save_pretrained(network, Path(folder), labels=rows.classes)
    return report
