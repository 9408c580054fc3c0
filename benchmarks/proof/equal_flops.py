"""*TimeSformer beats a 3D ResNet at equal FLOPs*: both small, of the same multiply-adds a clip.

Both learn from the same films of one action, from scratch, for as many steps; each at two learning
rates of its own, of which val chooses. It knows counted multiply-adds, not seconds, and nothing of
weights that were learned from pictures before, with which TimeSformer was published.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.proof.in_memory import (
    Films,
    Recipe,
    Row,
    accuracy,
    drop,
    fit,
    of_run,
    predictions,
    read_films,
    spread,
    write_films,
)
from benchmarks.proof.pooling import label
from scenewise.data.rows import Split
from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.settings import WorldSettings

if TYPE_CHECKING:
    from torch import nn

CLIP = (1, 8, 3, 64, 64)
RATES = {"TimeSformer": (5e-4, 1.5e-3), "3D ResNet-18": (1e-3, 4e-3)}
SIZES = (800, 6400)  # films to learn from
VAL, TEST = 800, 1600
_STEPS, _SMOKE_STEPS = 1000, 8


def prepare(work: Path, smoke: bool = False) -> None:
    counts = (8, 16, 16) if smoke else (max(SIZES), VAL, TEST)
    splits: tuple[Split, ...] = ("train", "val", "test")
    films = [
        Films(split, WorldSettings(), count, split)
        for split, count in zip(splits, counts, strict=True)
    ]
    write_films(work, films, label)


def runs(smoke: bool) -> list[str]:
    names = [_name(kind, size, lr) for kind in RATES for size in SIZES for lr in RATES[kind]]
    return [names[0], names[-1]] if smoke else names


def run(name: str, seed: int, work: Path, device: str, smoke: bool) -> dict[str, Any]:
    import torch
    import torch.nn.functional as F

    from scenewise.training.initialisation import scale_to_fan_in

    kind, size, rate = name.split(", ")
    train, val, test = (read_films(work, split) for split in ("train", "val", "test"))
    torch.manual_seed(seed)
    network = build(kind)
    if kind == "TimeSformer":  # the residual network's own draw is by fan already
        scale_to_fan_in(network)
    steps, batch = (_SMOKE_STEPS, 8) if smoke else (_STEPS, 32)
    recipe = Recipe(steps=steps, lr=float(rate.removeprefix("lr ")), batch=batch)
    films = train.first(int(size.removesuffix(" films")))
    losses = fit(network, films, F.cross_entropy, recipe, seed=seed, device=device)
    return {
        "val_accuracy": accuracy(predictions(network, val.frames, device), val.truth),
        "accuracy": accuracy(predictions(network, test.frames, device), test.truth),
        **drop(losses),
        **cost(kind),
    }


def build(kind: str) -> nn.Module:
    """One of the two. The residual network is Hara's 18 layers with an eighth of the channels,
    whose first pool leaves time alone: with 8 frames nothing is left of time otherwise.
    """
    from scenewise.models.backbones.resnet3d import ResNet3D, ResNet3DOptions
    from scenewise.models.backbones.timesformer import timesformer_tiny

    if kind == "TimeSformer":
        return timesformer_tiny(num_classes=len(ACTIONS))
    options = ResNet3DOptions(depths=(2, 2, 2, 2), stem_pool="space", widen=0.125)
    return ResNet3D(options, num_classes=len(ACTIONS))


def cost(kind: str) -> dict[str, int]:
    """Counted at the clips of this experiment."""
    from scenewise.models.flops import multiply_adds, parameters

    return {
        "multiply_adds": multiply_adds(lambda: build(kind), CLIP),
        "parameters": parameters(build(kind)),
    }


def chosen(rows: Sequence[Row], kind: str, size: int) -> str | None:
    """The run of the better learning rate, by the mean accuracy on val."""
    names = [_name(kind, size, lr) for lr in RATES[kind]]
    there = [name for name in names if of_run(rows, name, "val_accuracy")]
    return max(
        there, key=lambda name: float(np.mean(of_run(rows, name, "val_accuracy"))), default=None
    )


def report(rows: Sequence[Row]) -> str:
    lines = [
        "| films | network | multiply-adds, 10^6 | parameters | learning rate, chosen on val | "
        "accuracy on test | with the other rate | last loss in training |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for size in SIZES:
        for kind, rates in RATES.items():
            best = chosen(rows, kind, size)
            if best is None:
                continue
            other = next(name for lr in rates if (name := _name(kind, size, lr)) != best)
            counted = next(row["figures"] for row in rows if row["name"] == best)
            lines.append(
                f"| {size:,} | {kind} | {counted['multiply_adds'] / 1e6:.1f} "
                f"| {counted['parameters']:,} | {best.rpartition('lr ')[2]} "
                f"| {spread(of_run(rows, best, 'accuracy'))} "
                f"| {spread(of_run(rows, other, 'accuracy'))} "
                f"| {spread(of_run(rows, best, 'last_loss'))} |"
            )
    lines.append(f"\nChance {1 / len(ACTIONS):.4f}.")
    return "\n".join(lines)


def _name(kind: str, size: int, lr: float) -> str:
    return f"{kind}, {size} films, lr {lr:g}"
