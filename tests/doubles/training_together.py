"""Two processes that train together: ``python training_together.py FOLDER RANK``.

Each scenario is a function that both processes run; what they give lies in
``FOLDER/<scenario>.<rank>.json`` afterwards.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from tiny_training import SkippingBatches, SquaredError, batch_of, evaluate, learner, network
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel

from scenewise.data.batch import Batch
from scenewise.errors import TrainingError
from scenewise.training.checkpoint import CheckpointFolder
from scenewise.training.learner import LOSS, Figures, Learner, Objective
from scenewise.training.optimizers import make_optimizer
from scenewise.training.random_state import RandomState
from scenewise.training.settings import LogSettings, OptimizerSettings, TrainSettings
from scenewise.training.trainer import Trainer, TrainProgress

WORLD = 2


class Alternating(Objective):
    """Squared error; row 13 has none."""

    def forward(self, model: nn.Module, batch: Batch) -> Figures:
        figures: Figures = SquaredError()(model, batch)
        if 13 in batch.rows:
            figures[LOSS] = figures[LOSS] * float("nan")
        return figures


def run(
    folder: Path,
    module: nn.Module,
    batches: Any,
    *,
    resume: bool = False,
    progress: Callable[[TrainProgress], None] | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """Train; the report."""
    rank = dist.get_rank() if dist.is_initialized() else 0
    RandomState.seeded(50 + rank).restore()  # dropout is another on each
    optimizer = make_optimizer(module, OptimizerSettings(lr=0.02))
    trainer = Trainer(
        module,
        optimizer,
        TrainSettings(
            **{"batch_size": 3, "epochs": 2, "accumulate": 2, "clip_norm": 0.5, **settings}
        ),
        batches,
        evaluate=evaluate,
        folder=folder,
        log=LogSettings(every_steps=1),
        progress=progress,
    )
    report = trainer.fit(resume=resume).to_dict()
    if report["ended"] == "done":
        assert trainer.take_best() == "best"
    return report


def wrapped(kind: str, *, dropout: float = 0.0) -> nn.Module:
    module = learner(network(dropout=dropout))
    if kind == "ddp":
        return DistributedDataParallel(module)
    mesh = init_device_mesh("cpu", (WORLD,))
    for part in module.model.children():
        fully_shard(part, mesh=mesh)
    fully_shard(module, mesh=mesh)
    return module


def shares() -> SkippingBatches:
    """Batches of 6 rows, 3 each; of the last, of 5, the second process has 2."""
    return SkippingBatches(3, rank=dist.get_rank(), world=WORLD)


class _BrokenError(Exception):
    pass


class _Ending:
    """Batches that end with an error on all ranks, as a file that cannot be read would."""

    def __init__(self, count: int) -> None:
        self._inside, self._count = shares(), count

    def set_epoch(self, epoch: int, start: int = 0, /) -> None:
        self._inside.set_epoch(epoch, start)

    def __len__(self) -> int:
        return len(self._inside)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self._inside:
            self._count -= 1
            if self._count < 0:
                raise _BrokenError
            yield batch


def together(folder: Path, kind: str) -> dict[str, Any]:
    """The same as one process with all rows?"""
    return run(folder / "run", wrapped(kind), shares(), ema_decay=0.5, keep_best=9)


def resumed(folder: Path, kind: str) -> dict[str, Any]:
    """A whole run, and one that breaks and goes on; its last checkpoint is the full state."""
    settings: dict[str, Any] = {"checkpoint_steps": 1, "ema_decay": 0.5}
    whole = run(folder / "whole", wrapped(kind, dropout=0.3), shares(), **settings)
    with suppress(_BrokenError):
        run(folder / "parts", wrapped(kind, dropout=0.3), _Ending(7), **settings)
    module = wrapped(kind, dropout=0.3)
    parts = run(folder / "parts", module, shares(), resume=True, **settings)
    saved = CheckpointFolder(folder / "parts" / "checkpoints").newest()
    assert saved is not None
    # take_best gave it the mean, which the best file holds as torch's own function gathers it
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    inside = module.module if isinstance(module, DistributedDataParallel) else module
    theirs: dict[str, Any] = get_model_state_dict(inside, options=options)  # the first has it
    shapes = {name: list(value.shape) for name, value in saved.part("learner/").items()}
    best = CheckpointFolder(folder / "parts" / "best").newest()
    assert best is not None
    same = [torch.equal(best.tensors[name], value) for name, value in theirs.items()]
    return {"whole": whole, "parts": parts, "shapes": shapes, "same": same}


def ddp_together(folder: Path) -> dict[str, Any]:
    return together(folder, "ddp")


def fsdp_together(folder: Path) -> dict[str, Any]:
    return together(folder, "fsdp")


def ddp_resumed(folder: Path) -> dict[str, Any]:
    return resumed(folder, "ddp")


def fsdp_resumed(folder: Path) -> dict[str, Any]:
    return resumed(folder, "fsdp")


def one_is_broken(folder: Path) -> dict[str, Any]:
    """Row 13 lies with one of them."""
    batches = [batch_of([rank_row]) for rank_row in ([1, 2, 3], [4, 13, 5])[dist.get_rank()]]
    module = DistributedDataParallel(Learner(network(), Alternating()))
    try:
        run(folder / "stop", module, batches, accumulate=1)
    except TrainingError as error:
        stopped = str(error)
    module = DistributedDataParallel(Learner(network(), Alternating()))
    report = run(folder / "skip", module, batches, accumulate=1, epochs=1, not_finite="skip")
    return {"stopped": stopped, "report": report}


def one_has_less(folder: Path) -> dict[str, Any]:
    """A batch fewer on one of them: the epoch ends for both."""

    class Promising(list[Batch]):
        def __len__(self) -> int:
            return 5

    batches = [batch_of([row, row + 1]) for row in range(5 - dist.get_rank())]
    known = run(folder / "known", wrapped("ddp"), batches, accumulate=1)
    # rows that cannot be read, which nobody knows ahead: the step that cannot be whole is left out
    promised = run(folder / "promised", wrapped("ddp"), Promising(batches), accumulate=3)
    return {"known": known["steps"], "promised": promised["steps"]}


def one_is_interrupted(folder: Path) -> dict[str, Any]:
    """Ctrl-C reaches the first alone."""

    def pressing(now: TrainProgress) -> None:
        if now.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    return run(folder / "run", wrapped("ddp"), shares(), progress=pressing)


SCENARIOS: list[Callable[[Path], dict[str, Any]]] = [
    ddp_together,
    fsdp_together,
    ddp_resumed,
    fsdp_resumed,
    one_is_broken,
    one_has_less,
    one_is_interrupted,
]


def work(folder: Path, rank: int) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder / 'meeting'}", rank=rank, world_size=WORLD
    )
    for scenario in SCENARIOS:
        name = scenario.__name__
        given = scenario(folder / name)
        (folder / f"{name}.{rank}.json").write_text(json.dumps(given), "utf-8")
    dist.destroy_process_group()


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
