"""*Halving tokens by merging costs little*: a trained network with fewer tokens, at test time.

TimeSformer with joint attention learns films of one action with all its tokens; then half, a
quarter and an eighth of them are left at its end, by token merging, by dropping tokens by chance
in the same blocks, and by means over neighbours. Nothing is trained again. Seconds are those
of a machine that may have other work to do. It knows one network of four blocks.
"""

from __future__ import annotations

import time
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
    predictions,
    read_films,
    spread,
    write_films,
)
from benchmarks.proof.pooling import label
from scenewise.data.synthetic.actions import ACTIONS
from scenewise.data.synthetic.settings import WorldSettings

if TYPE_CHECKING:
    from torch import nn

SIZE, PATCH, FRAMES, DEPTH = 48, 8, 8, 4
TOKENS = FRAMES * (SIZE // PATCH) ** 2
LEFT = (2, 4, 8)  # one of so many tokens is left
WAYS = ("merged", "dropped by chance", "means of neighbours")
# after the attention of which block means are taken, over which axis
_MEANS = {
    2: {1: "time"},
    4: {0: "time", 2: "columns"},
    8: {0: "time", 1: "columns", 2: "rows"},
}
TRAIN, TEST = 6400, 1600
_RECIPE = Recipe(steps=1000, lr=7e-4)
_ROUNDS = 7
_TIMED = {"cuda": 512, "cpu": 64}  # films in one pass: few of them do not fill a GPU


def settings() -> WorldSettings:
    return WorldSettings(size=SIZE)


def prepare(work: Path, smoke: bool = False) -> None:
    train, test = (8, 16) if smoke else (TRAIN, TEST)
    films = [Films("train", settings(), train), Films("test", settings(), test, "test")]
    write_films(work, films, label)


def runs(smoke: bool) -> list[str]:  # noqa: ARG001 - the one run is small in the test
    return ["TimeSformer, joint attention"]


def run(name: str, seed: int, work: Path, device: str, smoke: bool) -> dict[str, Any]:
    import torch
    import torch.nn.functional as F

    from scenewise.training.initialisation import scale_to_fan_in

    assert name in runs(smoke)
    train, test = read_films(work, "train"), read_films(work, "test")
    torch.manual_seed(seed)
    network = build()
    scale_to_fan_in(network)
    recipe = Recipe(steps=6, lr=1e-3, batch=8, warmup=2) if smoke else _RECIPE
    losses = fit(network, train, F.cross_entropy, recipe, seed=seed, device=device)
    figures: dict[str, Any] = drop(losses)
    variants = {"all": network} | {
        f"{way}, 1/{left}": reduced(network, way, left) for left in LEFT for way in WAYS
    }
    for variant, fewer in variants.items():
        torch.manual_seed(seed)  # of what is dropped
        found = predictions(fewer, test.frames, device)
        figures[variant] = {
            "accuracy": accuracy(found, test.truth),
            "multiply_adds": counted(variant),
        }
    some = test.frames[: _TIMED[device]]
    for variant, seconds in timed(variants, some, device, smoke).items():
        figures[variant]["seconds_per_film"] = seconds / len(some)
    return figures


def build() -> nn.Module:
    from scenewise.models.backbones.timesformer import TimeSformer

    return TimeSformer(
        num_classes=len(ACTIONS),
        num_frames=FRAMES,
        size=SIZE,
        patch=PATCH,
        attention="joint_space_time",
        width=96,
        depth=DEPTH,
        heads=3,
        drop_path=0.0,
    )


def reduced(network: nn.Module, way: str, left: int) -> nn.Module:
    """The same weights with a ``left``-th of the tokens at the end."""
    from copy import copy

    import torch
    from einops import reduce
    from torch import Tensor, nn

    from scenewise.models.compressors.token_merging import MergingBlocks, merges_of_blocks

    merges = merges_of_blocks(1 + TOKENS, 1 + TOKENS // left, DEPTH)

    class Dropping(MergingBlocks):
        """As many tokens are left out, [CLS] never."""

        def fewer(
            self,
            number: int,
            tokens: Tensor,
            sizes: Tensor,
            keys: Tensor,  # noqa: ARG002
        ) -> tuple[Tensor, Tensor]:
            count = tokens.shape[1] - 1 - self.merges[number]
            lots = torch.rand(tokens.shape[0], tokens.shape[1] - 1, device=tokens.device)
            stay = 1 + lots.argsort(dim=1)[:, :count].sort(dim=1).values
            kept = torch.cat([torch.zeros_like(stay[:, :1]), stay], dim=1)
            return tokens.gather(1, kept[..., None].expand(-1, -1, tokens.shape[2])), sizes.gather(
                1, kept
            )

    class Averaging(MergingBlocks):
        """Means over two frames, columns or rows that lie side by side."""

        def fewer(
            self,
            number: int,
            tokens: Tensor,
            sizes: Tensor,
            keys: Tensor,  # noqa: ARG002
        ) -> tuple[Tensor, Tensor]:
            axis = _MEANS[left].get(number)
            if axis is None:
                return tokens, sizes
            done = [_MEANS[left][block] for block in range(number) if block in _MEANS[left]]
            high, wide = (
                SIZE // PATCH // (2 if name in done else 1) for name in ("rows", "columns")
            )
            pattern = {
                "time": "b (t two h w) d -> b (t h w) d",
                "rows": "b (t h two w) d -> b (t h w) d",
                "columns": "b (t h w two) d -> b (t h w) d",
            }[axis]
            sides = {
                "h": high // (2 if axis == "rows" else 1),
                "w": wide // (2 if axis == "columns" else 1),
            }
            patches = reduce(tokens[:, 1:], pattern, "mean", two=2, **sides)
            # all patches of a block stand for equally many, so means need no weights
            grown = 2 * sizes[:, 1 : 1 + patches.shape[1]]
            return (
                torch.cat([tokens[:, :1], patches], dim=1),
                torch.cat([sizes[:, :1], grown], dim=1),
            )

    kind = {"merged": MergingBlocks, "dropped by chance": Dropping}.get(way, Averaging)
    made = copy(network)
    made._modules = dict(network._modules)
    made._modules["blocks"] = nn.ModuleList(
        [kind(network.get_submodule("blocks").children(), merges)]
    )
    return made


def counted(variant: str) -> int:
    """Multiply-adds of one film, what chooses the pairs included."""
    from scenewise.models.flops import multiply_adds

    way, _, share = variant.partition(", 1/")
    shape = (1, FRAMES, 3, SIZE, SIZE)
    return multiply_adds(lambda: reduced(build(), way, int(share)) if share else build(), shape)


def timed(
    variants: dict[str, nn.Module], frames: Any, device: str, smoke: bool
) -> dict[str, float]:
    """Seconds of one pass over the films, the median of rounds in which the variants take turns."""
    import torch

    from benchmarks.proof.in_memory import pixels

    clips = pixels(frames, device)
    took: dict[str, list[float]] = {variant: [] for variant in variants}
    with torch.inference_mode():
        for turn in range(2 if smoke else 1 + _ROUNDS):
            for variant, network in variants.items():
                if device == "cuda":
                    torch.cuda.synchronize()
                before = time.perf_counter()
                network(clips)
                if device == "cuda":
                    torch.cuda.synchronize()
                if turn:  # the first warms up
                    took[variant].append(time.perf_counter() - before)
    return {variant: float(np.median(seconds)) for variant, seconds in took.items()}


def report(rows: Sequence[Row]) -> str:
    if not rows:
        return "Nothing was run."
    lines = [
        "| tokens left | how | accuracy on test | lost, points | multiply-adds, 10^6 | of all "
        "| time of all |",
        "|---|---|---|---|---|---|---|",
    ]
    figures = [row["figures"] for row in rows]
    variants = ["all", *(f"{way}, 1/{left}" for left in LEFT for way in WAYS)]
    for variant in variants:
        way, _, share = variant.partition(", 1/")
        found = [one[variant] for one in figures]
        lost = [100 * (one["all"]["accuracy"] - one[variant]["accuracy"]) for one in figures]
        sooner = [
            one[variant]["seconds_per_film"] / one["all"]["seconds_per_film"] for one in figures
        ]
        count = found[0]["multiply_adds"]
        lines.append(
            f"| {TOKENS // int(share or 1)} | {way} | {spread([one['accuracy'] for one in found])} "
            f"| {spread(lost, 1)} | {count / 1e6:.1f} "
            f"| {count / figures[0]['all']['multiply_adds']:.2f} | {spread(sooner, 2)} |"
        )
    lines.append(f"\nChance {1 / len(ACTIONS):.4f}.")
    return "\n".join(lines)
