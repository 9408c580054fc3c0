"""*Moments shift when frame rates differ between training and use*: 24 against 30, and the cure.

A localizer says in which of the frames that it saw an action begins and ends. It learns from every
sixth frame of films of one rate and is used on the same stories at the other, in three ways:

    numbers   every sixth frame, and numbers of frames are read at the rate of training
    rate      every sixth frame, and numbers of frames are read at the film's own rate
    time      the frames that are shown at the instants at which training had its frames

It knows spans of seconds; its films have a constant rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from benchmarks.proof.in_memory import (
    Films,
    Recipe,
    Row,
    drop,
    fit,
    of_run,
    predictions,
    read_films,
    spread,
    write_films,
)
from scenewise.data.synthetic.actions import ACTIONS, HIT
from scenewise.data.synthetic.scene import Scene
from scenewise.data.synthetic.settings import WorldSettings
from scenewise.metrics.localization import first_ious, recall_at_iou

if TYPE_CHECKING:
    from torch import Tensor, nn

QUERIES = (*(name for name, one in ACTIONS.items() if one.things == 1 and name != "rest"), HIT)
DIRECTIONS = {"24 to 30": (24, 30), "30 to 24": (30, 24)}
WAYS = ("same rate", "numbers", "rate", "time")
SECONDS = 8
EVERY = 6  # frames
SIZE = 48
TRAIN, TEST = 2500, 600
_SHOWN = 0.5  # of its own length: the instant of a film that a frame shows
_RECIPE = Recipe(steps=900, lr=1.5e-3, batch=16)
Times = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames of a film of ``rate`` are taken."""

    rate: int
    frames: tuple[int, ...]


def by_number(rate: int) -> Sampling:
    """Every sixth."""
    return Sampling(rate, tuple(range(0, SECONDS * rate, EVERY)))


def by_time(rate: int, like: int) -> Sampling:
    """The frames of a film of ``rate`` that are shown when one of ``like`` shows every sixth."""
    instants = (Fraction(2 * number + 1, 2 * like) for number in by_number(like).frames)
    return Sampling(rate, tuple(int(instant * rate) for instant in instants))


def seconds_of(positions: Times, rate: int) -> Times:
    """The instants that the frames at ``positions``, counted in frames taken, show."""
    return (EVERY * positions + _SHOWN) / rate


def positions_of(seconds: Any, rate: int) -> Any:
    """The way back: seconds (arrays or tensors) in frames taken."""
    return (seconds * rate - _SHOWN) / EVERY


def spans(scene: Scene) -> npt.NDArray[np.float32]:
    """When each action happens (Q, 2) in seconds; nan where it does not, or more than once."""
    found = np.full((len(QUERIES), 2), np.nan, np.float32)
    for number, action in enumerate(QUERIES):
        events = [event for event in scene.events if event.action == action]
        if len(events) == 1:
            found[number] = events[0].start, events[0].end
    return found


def films(smoke: bool) -> list[Films]:
    """All arrays of both directions; val and test of stories are drawn of another seed."""
    train, test = (12, 8) if smoke else (TRAIN, TEST)
    made = []
    for rate, other in DIRECTIONS.values():
        world, unseen = (
            WorldSettings(
                kind="stories",
                seed=seed,
                seconds=SECONDS,
                frame_rate=Fraction(rate),
                size=SIZE,
                backgrounds=("plain", "gradient"),
            )
            for seed in (0, 1)
        )
        made += [
            Films(f"train {rate}", world, train, frames=by_number(rate).frames),
            Films(f"test {rate}", unseen, test, frames=by_number(rate).frames),
            Films(f"test {rate} by time", unseen, test, frames=by_time(rate, other).frames),
        ]
    return made


def prepare(work: Path, smoke: bool = False) -> None:
    write_films(work, films(smoke), spans)


def runs(smoke: bool) -> list[str]:
    return list(DIRECTIONS)[:1] if smoke else list(DIRECTIONS)


def run(name: str, seed: int, work: Path, device: str, smoke: bool) -> dict[str, Any]:
    import torch

    rate, other = DIRECTIONS[name]
    torch.manual_seed(seed)
    network = _network()
    recipe = Recipe(steps=8, lr=1e-3, batch=4, warmup=2) if smoke else _RECIPE
    train = read_films(work, f"train {rate}")
    losses = fit(network, train, _span_loss(rate), recipe, seed=seed, device=device)
    figures: dict[str, Any] = drop(losses)
    ways = {
        "same rate": (f"test {rate}", rate),
        "numbers": (f"test {other}", rate),
        "rate": (f"test {other}", other),
        "time": (f"test {other} by time", rate),
    }
    for way, (array, read_at) in ways.items():
        test = read_films(work, array)
        scores = predictions(network, test.frames, device, batch=16)
        found = seconds_of(best_positions(scores), read_at)
        figures[way] = measured(found, test.truth)
    truth = read_films(work, f"test {other}").truth.astype(np.float64)
    figures["true spans by numbers"] = measured(truth * other / rate, truth)
    return figures


def best_positions(scores: npt.NDArray[np.float32]) -> Times:
    """Scores (N, T, Q, 2) of starts and ends to the best start and end (N, Q, 2), end after start.

    Each is the mean position of the three frames around the best, by their probability.
    """
    shifted = scores - scores.max(axis=1, keepdims=True)
    chance = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    pairs = np.einsum("niq,njq->nqij", chance[..., 0], chance[..., 1])
    frames = scores.shape[1]
    pairs = pairs * np.triu(np.ones((frames, frames), pairs.dtype))
    best = pairs.reshape(*pairs.shape[:2], -1).argmax(axis=-1)
    picked = np.stack([best // frames, best % frames], axis=-1)  # (N, Q, 2)
    near = np.clip(picked[:, None] + np.array([-1, 0, 1])[None, :, None, None], 0, frames - 1)
    weights = np.take_along_axis(chance, near, axis=1)
    found: Times = (near * weights).sum(axis=1) / weights.sum(axis=1)
    return found


def measured(found: Times, truth: npt.NDArray[Any]) -> dict[str, float]:
    """Figures of all queries that have one answer; both (N, Q, 2) in seconds."""
    asked = ~np.isnan(truth[..., 0])
    guesses, true = found[asked], truth[asked].astype(np.float64)
    pairs = [[(float(a), float(b)) for a, b in side] for side in (guesses, true)]
    ious = first_ious(pairs[0], pairs[1])
    off = guesses - true
    return {
        "queries": len(true),
        "miou": float(ious.mean()),
        "r1_half": recall_at_iou(ious, 0.5),
        "r1_seven_tenths": recall_at_iou(ious, 0.7),
        "start_shift_seconds": float(np.median(off[:, 0])),
        "end_shift_seconds": float(np.median(off[:, 1])),
        "start_error_seconds": float(np.median(np.abs(off[:, 0]))),
        "end_error_seconds": float(np.median(np.abs(off[:, 1]))),
    }


def report(rows: Sequence[Row]) -> str:
    lines = [
        "| trained, used at | frames and seconds | mIoU | R1@0.5 | R1@0.7 "
        "| start, end too late by, s | start, end off by, s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in DIRECTIONS:
        for way in (*WAYS, "true spans by numbers"):
            found = [
                {"name": name, "figures": row["figures"][way]}
                for row in rows
                if row["name"] == name
            ]
            cells = [
                spread(of_run(found, name, figure))
                for figure in ("miou", "r1_half", "r1_seven_tenths")
            ]
            for kind in ("shift", "error"):
                both = [of_run(found, name, f"{end}_{kind}_seconds") for end in ("start", "end")]
                cells.append(", ".join(spread(values, 2) for values in both))
            lines.append(f"| {name} | {way} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _span_loss(rate: int) -> Any:
    """Cross-entropy of starts and ends over the frames, shared between the two nearest ones."""
    import torch

    def loss(scores: Tensor, truth: Tensor) -> Tensor:
        frames = scores.shape[1]
        asked = ~truth[..., 0].isnan()
        at = positions_of(truth, rate).nan_to_num(0.0).clamp(0, frames - 1)  # (B, Q, 2)
        numbers = torch.arange(frames, device=scores.device)[None, :, None, None]
        wanted = (1 - (numbers - at[:, None]).abs()).clamp(min=0)
        entropy = -(wanted * scores.log_softmax(dim=1)).sum(dim=1)
        mean: Tensor = entropy[asked].mean()
        return mean

    return loss


def _network() -> nn.Module:
    import torch
    from einops import rearrange
    from torch import nn

    class Mixing(nn.Module):
        """A residual 1-D convolution over frames (B, D, T)."""

        def __init__(self, width: int, dilation: int) -> None:
            super().__init__()
            self.norm = nn.GroupNorm(8, width)
            self.mix = nn.Conv1d(width, width, 5, padding=2 * dilation, dilation=dilation)
            self.out = nn.Conv1d(width, width, 1)

        def forward(self, frames: Tensor) -> Tensor:
            mixed: Tensor = frames + self.out(self.mix(self.norm(frames)).relu())
            return mixed

    class Localizer(nn.Module):
        """Frames (B, T, 3, H, W) to scores (B, T, Q, 2) of being the start, and the end."""

        def __init__(self, width: int = 128) -> None:
            super().__init__()
            layers: list[nn.Module] = []
            inputs = 6
            for outputs in (24, 48, 64, 64):
                layers += [nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)]
                layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
                inputs = outputs
            self.look = nn.Sequential(*layers, nn.Flatten(), nn.Linear(inputs * 9, width))
            self.mix = nn.Sequential(*(Mixing(width, dilation) for dilation in (1, 2, 4, 8)))
            self.norm = nn.GroupNorm(8, width)
            self.head = nn.Conv1d(width, 2 * len(QUERIES), 1)

        def forward(self, clips: Tensor) -> Tensor:
            count = clips.shape[0]
            before = torch.cat([clips[:, :1], clips[:, :-1]], dim=1)
            seen = torch.cat([clips, clips - before], dim=2)
            looks = self.look(rearrange(seen, "b t c h w -> (b t) c h w"))
            mixed = self.norm(self.mix(rearrange(looks, "(b t) d -> b d t", b=count)))
            scores: Tensor = rearrange(self.head(mixed), "b (q two) t -> b t q two", two=2)
            return scores

    return Localizer()
