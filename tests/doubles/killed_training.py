"""A run that is killed, again and again, and goes on: ``python killed_training.py PLANS``.

This process only imports and forks; each attempt is a process of its own. What kills it is SIGKILL,
after a step or in the middle of writing a checkpoint. Prints how the attempts ended, by folder.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from tiny_training import SkippingBatches, evaluate, learner, network, shuffled_loader

from scenewise.training.optimizers import make_optimizer
from scenewise.training.random_state import RandomState
from scenewise.training.settings import (
    LogSettings,
    OptimizerSettings,
    ScheduleSettings,
    TrainSettings,
)
from scenewise.training.trainer import Trainer, TrainProgress

WRITING = -1  # instead of a step: in the middle of the attempt's third checkpoint
ENDED_WELL = 0


def run(folder: Path, source: str, kill_at: int | None) -> None:
    """One attempt; ``kill_at`` None: to the end."""
    torch.set_num_threads(1)
    RandomState.seeded(5).restore()
    model = learner(network(dropout=0.3, norm=True))
    optimizer = make_optimizer(model, OptimizerSettings(name="adamw", lr=0.02))

    def progress(now: TrainProgress) -> None:
        if now.step == kill_at and not now.evaluating:
            os.kill(os.getpid(), signal.SIGKILL)

    if kill_at == WRITING:
        _kill_while_writing(3)
    Trainer(
        model,
        optimizer,
        # 8 batches, 4 steps an epoch
        TrainSettings(
            epochs=6,
            batch_size=3,
            accumulate=2,
            clip_norm=1.0,
            ema_decay=0.9,
            checkpoint_steps=3,
            evaluate_steps=5,
            keep_best=2,
        ),
        SkippingBatches() if source == "skipping" else shuffled_loader(),
        evaluate=evaluate,
        schedule=ScheduleSettings(name="cosine", warmup_epochs=1.5),
        log=LogSettings(every_steps=1),
        folder=folder,
        progress=progress,
    ).fit(resume=True)


def _kill_while_writing(count: int) -> None:
    """Of the file that is written for the ``count``-th time half lies on the disk."""
    whole, left = safetensors.torch.save_file, [count]

    def half(tensors: dict[str, Any], path: Path, metadata: dict[str, str]) -> None:
        whole(tensors, path, metadata=metadata)
        left[0] -= 1
        if not left[0]:
            os.truncate(path, path.stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    safetensors.torch.save_file = half  # type: ignore[assignment]


def main(plans: list[tuple[str, str, list[int]]]) -> None:
    """Each plan: a folder, a source of batches, and where its attempts are killed, in order."""
    ends: dict[str, list[int]] = {}
    for folder, source, kills in plans:
        for kill_at in [*kills, None]:
            child = os.fork()
            if not child:
                code = 1
                try:
                    run(Path(folder), source, kill_at)
                    code = ENDED_WELL
                finally:
                    os._exit(code)
            _, status = os.waitpid(child, 0)
            ends.setdefault(folder, []).append(os.waitstatus_to_exitcode(status))
    print(json.dumps(ends))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
