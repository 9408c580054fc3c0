"""*Mean pooling beats [CLS] and max pooling*: one network, and only the pooling differs.

A TimeSformer whose last tokens are pooled, and a network that sees frames one by one and whose
frames' features are pooled, on films of one action. It knows nothing of large networks that
were trained on millions of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

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
from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.scene import Scene
from scenewise.data.synthetic.settings import WorldSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

NETWORKS = {
    "TimeSformer": ("mean", "[CLS]", "max"),
    "frames one by one": ("mean", "max", "attention"),
}
TRAIN, TEST = 6400, 1600
_RECIPES = {
    "TimeSformer": Recipe(steps=1000, lr=7e-4),
    "frames one by one": Recipe(steps=800, lr=2e-3),
}


def label(scene: Scene) -> npt.NDArray[np.int64]:
    """The number of a scene's action."""
    return np.array(list(ACTIONS).index(scene.label))


def prepare(work: Path, smoke: bool = False) -> None:
    train, test = (8, 16) if smoke else (TRAIN, TEST)
    world = WorldSettings()
    films = [Films("train", world, train), Films("test", world, test, "test")]
    write_films(work, films, label)


def runs(smoke: bool) -> list[str]:
    names = [f"{network}, {how}" for network, hows in NETWORKS.items() for how in hows]
    return [names[0], names[-1]] if smoke else names


def run(name: str, seed: int, work: Path, device: str, smoke: bool) -> dict[str, Any]:
    import torch
    import torch.nn.functional as F

    kind, _, how = name.partition(", ")
    train, test = read_films(work, "train"), read_films(work, "test")
    torch.manual_seed(seed)
    network = _network(kind, how)
    recipe = Recipe(steps=8, lr=1e-3, batch=8, warmup=2) if smoke else _RECIPES[kind]
    losses = fit(network, train, F.cross_entropy, recipe, seed=seed, device=device)
    found = predictions(network, test.frames, device)
    return {"accuracy": accuracy(found, test.truth), **drop(losses)}


def report(rows: Sequence[Row]) -> str:
    lines = [
        "| network | pooled by | accuracy on test | last loss in training |",
        "|---|---|---|---|",
    ]
    for name in runs(False):
        kind, _, how = name.partition(", ")
        cells = [spread(of_run(rows, name, what)) for what in ("accuracy", "last_loss")]
        lines.append(f"| {kind} | {how} | {' | '.join(cells)} |")
    order_blind = 4 / 16 + 12 / 16 / 2
    lines.append(f"\nChance 0.0625; whoever sees frames without their order: {order_blind:.3f}.")
    return "\n".join(lines)


def _network(kind: str, how: str) -> nn.Module:
    from torch import nn

    from scenewise.models.backbones.timesformer import timesformer_tiny
    from scenewise.models.pooling import AttentionPooling, first_token, masked_max, masked_mean
    from scenewise.training.initialisation import scale_to_fan_in

    width = 96
    pools: dict[str, Any] = {"mean": masked_mean, "max": masked_max, "[CLS]": first_token}

    class Pooled(nn.Module):
        """Tokens (B, N, D), pooled, to logits (B, 16)."""

        def __init__(self) -> None:
            super().__init__()
            self.body: Any = (
                timesformer_tiny(num_classes=0) if kind == "TimeSformer" else _frames(width)
            )
            self.pool = AttentionPooling(width, heads=3) if how == "attention" else None
            self.head = nn.Linear(width, len(ACTIONS))

        def forward(self, clips: Tensor) -> Tensor:
            tokens = self.body.tokens(clips) if kind == "TimeSformer" else self.body(clips)
            if kind == "TimeSformer" and how != "[CLS]":
                tokens = tokens[:, 1:]
            pooled = self.pool(tokens) if self.pool is not None else pools[how](tokens)
            logits: Tensor = self.head(pooled)
            return logits

    network = Pooled()
    scale_to_fan_in(network)
    return network


def _frames(width: int) -> nn.Module:
    """Frames (B, T, 3, H, W) one by one to features (B, T, D)."""
    from einops.layers.torch import Rearrange, Reduce
    from torch import nn

    layers: list[nn.Module] = [Rearrange("b t c h w -> (b t) c h w")]
    inputs = 3
    for outputs in (width // 4, width // 2, width, width):
        layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), nn.BatchNorm2d(outputs)]
        layers.append(nn.ReLU(inplace=True))
        inputs = outputs
    layers += [Reduce("bt d h w -> bt d", "mean"), Rearrange("(b t) d -> b t d", t=8)]
    return nn.Sequential(*layers)
