"""A regression of a few parameters, with its data: what the tests of the loop train.

Rows are numbers that a seed makes; the truth is a line. It is imported by name, by tests and by
the processes that they start.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from scenewise.data.batch import Batch
from scenewise.training.learner import LOSS, Figures, Learner, Objective

WIDTH = 4


class SquaredError(Objective):
    """Mean squared error of ``model(features)`` (B, 1)."""

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        assert batch.features is not None
        assert batch.targets is not None
        wrong = model(batch.features) - batch.targets
        return {LOSS: wrong.square().mean(), "bias": wrong.detach().mean()}


def network(*, dropout: float = 0.0, norm: bool = False, seed: int = 0) -> nn.Sequential:
    """Two layers; with ``norm`` a batch norm between them."""
    torch.manual_seed(seed)
    parts: list[nn.Module] = [nn.Linear(WIDTH, 8)]
    if norm:
        parts.append(nn.BatchNorm1d(8))
    return nn.Sequential(*parts, nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 1))


def learner(model: nn.Module | None = None) -> Learner:
    return Learner(network() if model is None else model, SquaredError())


def batch_of(rows: Sequence[int] | Tensor, *, count: int = 23) -> Batch:
    """The rows with these numbers, of ``count`` that there are."""
    draw = torch.Generator().manual_seed(7)
    features = torch.randn(count, WIDTH, generator=draw)
    noise = torch.randn(count, 1, generator=draw)
    targets = features.sum(dim=1, keepdim=True) + 0.1 * noise
    numbers = torch.as_tensor(rows)
    return Batch(rows=numbers, features=features[numbers], targets=targets[numbers])


class _Numbers(Dataset[int]):
    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> int:
        return number


def shuffled_loader(batch_size: int = 3, *, count: int = 23) -> DataLoader[int]:
    """torch's own loader, which draws its order from the global generator."""

    def collate(numbers: list[int]) -> Batch:
        batch = batch_of(numbers, count=count)
        assert batch.features is not None
        # as careless augmentation does: from the global generator, in the same process
        return Batch(
            rows=batch.rows,
            features=batch.features + 0.01 * torch.randn_like(batch.features),
            targets=batch.targets,
        )

    return DataLoader(_Numbers(count), batch_size=batch_size, shuffle=True, collate_fn=collate)


class SkippingBatches:
    """A source that passes over batches without making them; ``made`` are the rows it did make."""

    def __init__(
        self, batch_size: int = 3, *, count: int = 23, rank: int = 0, world: int = 1
    ) -> None:
        self._size, self._count = batch_size, count
        self._rank, self._world = rank, world
        self._epoch, self._start = 0, 0
        self.made: list[list[int]] = []

    def set_epoch(self, epoch: int, start: int = 0, /) -> None:
        self._epoch, self._start = epoch, start

    def __len__(self) -> int:
        return len(self._dealt()) - self._start

    def __iter__(self) -> Iterator[Batch]:
        for rows in self._dealt()[self._start :]:
            self.made.append(rows)
            yield batch_of(rows, count=self._count)

    def _dealt(self) -> list[list[int]]:
        """This rank's share of each batch of all ranks."""
        draw = torch.Generator().manual_seed(100 + self._epoch)
        order = torch.randperm(self._count, generator=draw).tolist()
        step = self._size * self._world
        groups = [order[begin : begin + step] for begin in range(0, self._count, step)]
        return [group[self._rank :: self._world] for group in groups]


def evaluate(model: nn.Module) -> dict[str, float]:
    """The error over all rows; it draws from the global generator, as it may."""
    torch.rand(3)
    model.eval()
    batch = batch_of(list(range(23)))
    assert batch.features is not None
    assert batch.targets is not None
    with torch.no_grad():
        loss = float(F.mse_loss(model(batch.features), batch.targets))
    return {"loss": loss, "twice": 2 * loss}
