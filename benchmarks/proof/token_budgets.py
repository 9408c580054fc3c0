"""*With more than five events a film needs at least 256 tokens*: what is lost by which budget.

Films of 2 to 12 events are seen by one trained and then frozen network that gives 64 instants x 16
places = 1,024 tokens. These are pooled to a budget of K tokens, and a small transformer that is
trained anew for each budget, on films of all numbers of events together, says which thing (of six
shapes) did what (of 13 actions). For a film of N events its N likeliest answers count, so recall,
precision and F1 are one number. It knows events that differ in thing or action; how often the
same happens, or in which order, it does not ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from benchmarks.proof.frame_rates import QUERIES
from benchmarks.proof.in_memory import (
    Arrays,
    Films,
    Joined,
    Recipe,
    Row,
    drop,
    fit,
    predictions,
    read_films,
    spread,
    write_films,
)
from scenewise.data.synthetic.scene import SHAPES, Scene
from scenewise.data.synthetic.settings import WorldSettings

if TYPE_CHECKING:
    from torch import Tensor, nn

EVENTS = (2, 4, 6, 8, 12)
SECONDS, RATE, SIZE = 12.8, 5, 48
INSTANTS, SIDE, WIDTH = 64, 4, 64
LABELS = len(SHAPES) * len(QUERIES)
# instants, rows, columns of the tokens that a budget buys: each is cut finer by the next
BUDGETS = {
    2: (2, 1, 1),
    4: (4, 1, 1),
    8: (8, 1, 1),
    16: (16, 1, 1),
    32: (32, 1, 1),
    64: (64, 1, 1),
    128: (64, 2, 1),
    256: (64, 2, 2),
}
Pool = Literal["mean", "queries"]
POOLS: tuple[Pool, ...] = ("mean", "queries")
_NAME = "all budgets"  # one run: all read what one network saw
TRAIN, TEST = 600, 120  # of each number of events
_LOOKING = Recipe(steps=800, lr=2e-3, batch=16)
_READING = Recipe(steps=500, lr=1e-3)
_HIDDEN = 96


def happening(scene: Scene) -> npt.NDArray[np.uint8]:
    """What each frame shows (T, L): 1 where a thing of that shape does that. Every event lasts
    for two frames and more.
    """
    found = np.zeros((INSTANTS, len(SHAPES), len(QUERIES)), np.uint8)
    instants = (np.arange(INSTANTS) + 0.5) / RATE
    for event in scene.told:
        shape = SHAPES.index(scene.things[event.thing].shape)
        shown = (instants >= event.start) & (instants < event.end)
        found[shown, shape, QUERIES.index(event.action)] = 1
    return found.reshape(INSTANTS, LABELS)


def prepare(work: Path, smoke: bool = False) -> None:
    films = []
    for events in EVENTS:
        for seed, (split, count) in enumerate({"train": TRAIN, "test": TEST}.items()):
            world = WorldSettings(
                kind="stories",
                seed=seed,  # test has scenes of its own
                seconds=SECONDS,
                frame_rate=Fraction(RATE),
                size=SIZE,
                events=events,
                backgrounds=("plain", "gradient"),
            )
            films.append(Films(f"{split} {events}", world, 2 if smoke else count))
    write_films(work, films, happening)


def runs(smoke: bool) -> list[str]:  # noqa: ARG001 - the one run is small in the test
    return [_NAME]


def run(name: str, seed: int, work: Path, device: str, smoke: bool) -> dict[str, Any]:
    import torch

    assert name == _NAME
    train, test = (_all_events(work, split) for split in ("train", "test"))
    torch.manual_seed(seed)
    network = _network()
    looking = Recipe(steps=6, lr=2e-3, batch=5, warmup=2) if smoke else _LOOKING
    losses = fit(network, train, _happening_loss, looking, seed=seed, device=device)
    network.eval().requires_grad_(False)
    tokens = {
        split: predictions(network.tokens, films.frames, device, batch=16).astype(np.float16)
        for split, films in (("train", train), ("test", test))
    }
    shown = predictions(network, test.frames, device, batch=16).max(axis=1)
    happened = {"train": train.truth.max(axis=1), "test": test.truth.max(axis=1)}
    figures: dict[str, Any] = drop(losses)
    figures["by its own labels of frames"] = recall_by_events(shown, happened["test"])
    usual = np.broadcast_to(happened["train"].mean(axis=0), happened["test"].shape)
    figures["blind"] = recall_by_events(usual, happened["test"])
    reading = Recipe(steps=10, lr=1e-3, batch=8, warmup=2) if smoke else _READING
    films = Arrays(tokens["train"], happened["train"])
    for how, budget in product(POOLS, list(BUDGETS)[:1] if smoke else BUDGETS):
        torch.manual_seed(seed)
        reader = _reader(budget, how)
        losses = fit(reader, films, _set_loss, reading, seed=seed, device=device, as_inputs=_moved)
        found = predictions(reader, tokens["test"], device, as_inputs=_moved)
        figures[f"{how} {budget}"] = recall_by_events(found, happened["test"]) | drop(losses)
    return figures


def recall_by_events(scores: npt.NDArray[Any], happened: npt.NDArray[Any]) -> dict[str, float]:
    """Of the N likeliest answers (F, L) the share that happened (F, L), by the film's N."""
    counts = happened.sum(axis=1)
    ranks = (-scores).argsort(axis=1, kind="stable").argsort(axis=1)
    hits = ((ranks < counts[:, None]) & (happened > 0)).sum(axis=1) / counts
    return {str(events): float(hits[counts == events].mean()) for events in EVENTS}


def report(rows: Sequence[Row]) -> str:
    columns = " | ".join(f"{events} events" for events in EVENTS)
    lines = [f"| pooled by | tokens | {columns} |", f"|---|---|{'---|' * len(EVENTS)}"]
    for how in POOLS:
        for budget in BUDGETS:
            found = [row["figures"].get(f"{how} {budget}") for row in rows]
            lines.append(f"| {how} | {budget} | {_cells(found)} |")
    for what, size in (("by its own labels of frames", INSTANTS * SIDE**2), ("blind", 0)):
        found = [row["figures"].get(what) for row in rows]
        lines.append(f"| {what} | {size:,} | {_cells(found)} |")
    return "\n".join(lines)


def _cells(found: Sequence[dict[str, float] | None]) -> str:
    there = [one for one in found if one is not None]
    return " | ".join(spread([one[str(events)] for one in there]) for events in EVENTS)


def _all_events(work: Path, split: str) -> Arrays:
    parts = [read_films(work, f"{split} {events}") for events in EVENTS]
    return Arrays(
        Joined([part.frames for part in parts]), np.concatenate([part.truth for part in parts])
    )


def _moved(tokens: npt.NDArray[Any], device: str) -> Tensor:
    import torch

    return torch.from_numpy(np.array(tokens)).to(device).float()


def _happening_loss(scores: Tensor, truth: Tensor) -> Tensor:
    import torch.nn.functional as F

    # a frame shows one event of 78 or none: a mean over all would be nearly nothing
    return F.binary_cross_entropy_with_logits(scores, truth.float()) * LABELS


def _set_loss(scores: Tensor, truth: Tensor) -> Tensor:
    import torch.nn.functional as F

    return F.binary_cross_entropy_with_logits(scores, truth.float())


def _network() -> Any:
    import torch
    from einops import rearrange
    from torch import nn

    class Looking(nn.Module):
        """Films (B, T, 3, H, W) to what each frame shows (B, T, L)."""

        def __init__(self) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            inputs = 6
            for outputs, stride in ((24, 2), (48, 2), (WIDTH, 2), (WIDTH, 1)):
                layers.append(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False))
                layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
                inputs = outputs
            self.look = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(SIDE))
            self.mix = nn.Sequential(
                nn.Conv1d(WIDTH, WIDTH, 5, padding=2),
                nn.ReLU(inplace=True),
                nn.Conv1d(WIDTH, WIDTH, 5, padding=2),
            )
            self.norm = nn.LayerNorm(WIDTH)
            self.shapes = nn.Linear(WIDTH, len(SHAPES))
            self.actions = nn.Linear(WIDTH, len(QUERIES))
            nn.init.constant_(self.actions.bias, -4.0)

        def tokens(self, clips: Tensor) -> Tensor:
            """(B, T, P, D)."""
            count = clips.shape[0]
            before = torch.cat([clips[:, :1], clips[:, :-1]], dim=1)
            seen = torch.cat([clips, clips - before], dim=2)
            maps = self.look(rearrange(seen, "b t c h w -> (b t) c h w"))
            in_time = rearrange(maps, "(b t) d h w -> (b h w) d t", b=count)
            mixed = in_time + self.mix(in_time)
            tokens: Tensor = self.norm(rearrange(mixed, "(b p) d t -> b t p d", b=count))
            return tokens

        def forward(self, clips: Tensor) -> Tensor:
            tokens = self.tokens(clips)
            # what a place shows, and what that does: each is learned from all pairs that have it
            pairs = self.shapes(tokens)[..., :, None] + self.actions(tokens)[..., None, :]
            scores: Tensor = rearrange(
                pairs.amax(dim=2), "b t shapes actions -> b t (shapes actions)"
            )
            return scores

    return Looking()


def _reader(budget: int, how: Pool) -> nn.Module:
    import torch
    from einops import rearrange, reduce
    from torch import nn

    from scenewise.models.layers.transformer_block import TransformerBlock
    from scenewise.models.pooling import AttentionPooling
    from scenewise.training.initialisation import scale_to_fan_in

    instants, high, wide = BUDGETS[budget]

    class Reader(nn.Module):
        """Tokens (B, T, P, D), pooled to the budget, to scores of what happened (B, L)."""

        def __init__(self) -> None:
            super().__init__()
            self.place_embed = nn.Parameter(torch.zeros(1, INSTANTS, SIDE**2, WIDTH))
            self.pool = AttentionPooling(WIDTH, heads=4, queries=budget) if how != "mean" else None
            # means over many places are nearly alike: what they have in common is taken away
            self.apart = nn.BatchNorm1d(WIDTH)
            self.enter = nn.Linear(WIDTH, _HIDDEN)
            self.query_embed = nn.Parameter(torch.zeros(1, len(QUERIES), _HIDDEN))
            self.blocks = nn.Sequential(*(TransformerBlock(_HIDDEN, 4, 2 * _HIDDEN) for _ in "12"))
            self.norm = nn.LayerNorm(_HIDDEN)
            self.head = nn.Linear(_HIDDEN, len(SHAPES))

        def forward(self, tokens: Tensor) -> Tensor:
            tokens = tokens + self.place_embed
            if self.pool is None:
                pooled = reduce(
                    tokens,
                    "b (t dt) (h dh w dw) d -> b (t h w) d",
                    "mean",
                    t=instants,
                    h=high,
                    w=wide,
                    dh=SIDE // high,
                    dw=SIDE // wide,
                )
            else:
                pooled = self.pool(rearrange(tokens, "b t p d -> b (t p) d"))
            apart = rearrange(self.apart(rearrange(pooled, "b k d -> b d k")), "b d k -> b k d")
            queries = self.query_embed.expand(len(tokens), -1, -1)
            row = self.blocks(torch.cat([queries, self.enter(apart)], dim=1))
            scores: Tensor = self.head(self.norm(row[:, : len(QUERIES)]))
            return rearrange(scores, "b actions shapes -> b (shapes actions)")

    reader = Reader()
    scale_to_fan_in(reader)
    nn.init.constant_(reader.head.bias, -2.0)
    if reader.pool is not None:
        nn.init.normal_(reader.pool.queries)  # of unit size, as what they look at: all differ
    return reader
